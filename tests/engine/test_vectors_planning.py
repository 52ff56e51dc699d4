"""Listings of shards are written before the plan is, several at a time; where one cannot be, there is no plan."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tintype.core.errors import StorageFull
from tintype.engine.vectors.planning import plan_output, read_listing
from tintype.sources.folder import FolderSource
from tintype.store.outputs.plan import PLAN_FILE, Plan
from tintype.store.places.local import LocalPlace
from tintype.testing.pictures import fill_folder

WANTED = Plan(
    sources=(),
    ignore=(),
    hidden=False,
    fingerprint="",
    backend="",
    format="parquet",
    shard_images=2,
    limits={},
    decoding=0,
    id="",
    model="",
    card="",
    dimension=1,
    labels=(),
    shards=0,
    images=0,
)


@dataclass(frozen=True)
class FullPlace(LocalPlace):
    """There is no space for the listing of one shard."""

    shard: int = 0

    def write(self, name: str, content: bytes) -> None:
        if name.endswith(f"/{self.shard:05}.arrow"):
            raise StorageFull(self.url)
        super().write(name, content)


@pytest.fixture
def source(tmp_path: Path) -> FolderSource:
    fill_folder(tmp_path / "root", 81)
    return FolderSource(tmp_path / "root")


def test_shards_together_are_the_listing_in_its_order(source: FolderSource, tmp_path: Path) -> None:
    place = LocalPlace(tmp_path / "out")
    plan = plan_output(place, source, WANTED)
    assert (plan.shards, plan.images) == (41, 81)
    listed = [uri for shard in range(41) for uri in read_listing(place, plan, shard)["uri"].to_pylist()]
    assert listed == [uri for shard in source.shards() for uri in shard.entries["uri"].to_pylist()]


@pytest.mark.parametrize("shard", [0, 20, 40], ids=["first", "in between", "last"])
def test_without_space_for_a_listing_there_is_no_plan(source: FolderSource, tmp_path: Path, shard: int) -> None:
    place = FullPlace(tmp_path / "out", shard)
    with pytest.raises(StorageFull):
        plan_output(place, source, WANTED)
    assert PLAN_FILE not in place.names()
