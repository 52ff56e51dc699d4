"""An engine that is gone is no image's fault: nothing is noted of the images, and the shard is tried again."""

from typing import Any

import pytest

from tintype.codec.limits import Limits
from tintype.core.errors import DeviceMemoryFull, ModelError, ModelUnreachable
from tintype.engine import rows
from tintype.engine.work import StageRun, Work
from tintype.models import registry
from tintype.models.base import RunnerInfo
from tintype.sources.base import Item
from tintype.stages.registry import stage
from tintype.testing.pictures import encoded, scene


class Failing:
    """A runner that fails of each batch."""

    def __init__(self, error: Exception) -> None:
        self.info = RunnerInfo(registry.card("descriptor"), "triton", "server", "served")
        self.error, self.asked = error, 0

    def run(self, inputs: Any) -> Any:
        self.asked += 1
        raise self.error


def _analyzed(failing: Failing, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(rows, "runner", lambda card, backend: failing)
    made = stage("embed:descriptor")
    work = Work((StageRun(made, made.settings(), 5),), Limits(), 1, ())
    items = []
    for number in range(3):
        data = encoded(scene(number))
        items.append(Item(f"{number}.jpg", data, len(data), 0, None, None, None))
    return rows.analyze(items, len(items), work)


@pytest.mark.parametrize("kind", [ModelUnreachable, DeviceMemoryFull])
def test_an_engine_that_is_gone_fails_the_shard_at_once(
    kind: type[ModelError], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Failing(kind("gone"))
    with pytest.raises(kind, match="gone"):
        _analyzed(failing, monkeypatch)
    assert failing.asked == 1


def test_what_a_model_cannot_do_costs_the_images_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    table, failures = _analyzed(Failing(ModelError("too odd")), monkeypatch)
    assert table["_stage_embed_descriptor"].to_pylist() == [-5, -5, -5]
    assert failures == {"embed_descriptor": [(f"{number}.jpg", "ModelError: too odd") for number in range(3)]}
