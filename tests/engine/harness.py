"""Runs scans without the outer API: any source, any stages, a store in a folder of its own."""

from pathlib import Path
from typing import Any

from tintype.codec.limits import Limits
from tintype.core.progress import ScanSummary
from tintype.engine.prepare import decode_state
from tintype.engine.scan import locked, scan
from tintype.engine.work import StageRun, Work
from tintype.sources.base import Source
from tintype.stages.base import Stage
from tintype.stages.registry import fingerprint
from tintype.store.lance import LanceStore
from tintype.store.layout import Layout


def work_with(*stages: Stage, limits: Limits | None = None, settings: dict[str, Any] | None = None) -> Work:
    limits = limits or Limits()
    runs = []
    for stage in stages:
        chosen = (settings or {}).get(stage.name, stage.settings())
        runs.append(StageRun(stage, chosen, fingerprint(stage, chosen)))
    return Work(tuple(runs), limits, decode_state(limits))


def run_scan(source: Source, place: Path, work: Work, workers: int = 2) -> tuple[ScanSummary, list[dict[str, Any]]]:
    """What the scan says, and the rows that are in the table then, sorted by uri."""
    layout = Layout(place)
    place.mkdir(exist_ok=True)
    with locked(layout):
        if layout.images.is_dir():
            store = LanceStore.open(layout.images)
        else:
            store = LanceStore.create(layout.images, work.schema)
        summary = scan(source, store, layout, work, workers)
    return summary, rows_in(place)


def rows_in(place: Path) -> list[dict[str, Any]]:
    store = LanceStore.open(Layout(place).images)
    return [row for batch in store.batches(store.schema.names, order_by="uri") for row in batch.to_pylist()]


def public(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without the columns that begin with `_`: what must not depend on how the work was done."""
    return [{name: value for name, value in row.items() if not name.startswith("_")} for row in rows]
