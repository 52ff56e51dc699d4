"""A `tintype` with a home of its own."""

from pathlib import Path

import pytest
from command import Tintype


@pytest.fixture
def tintype(tmp_path: Path) -> Tintype:
    (tmp_path / "home").mkdir()
    return Tintype(tmp_path / "home")
