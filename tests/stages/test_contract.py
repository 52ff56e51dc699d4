"""Every registered stage keeps what the engine relies on."""

import pytest

from tintype.stages.registry import names, stage
from tintype.testing.stages import StageContract


@pytest.fixture(autouse=True, params=names())
def _each_stage(request: pytest.FixtureRequest) -> None:
    request.instance.stage = stage(request.param)


class TestEveryStage(StageContract):
    """The fixture sets `stage`, so each test of the contract runs once for each registered stage."""
