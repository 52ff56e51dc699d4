"""From the items of a shard to rows of the images table: read, digest, decode, run the stages, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from blake3 import blake3

from tintype.codec.decode import decode, header
from tintype.codec.image import Image
from tintype.codec.limits import Limits
from tintype.core.columns import DIGEST
from tintype.core.errors import DeviceMemoryFull, ImageError, ModelUnreachable
from tintype.engine.work import DECODE_STATE, FACT_COLUMNS, Clock, StageRun, Verdict, Watch, Work
from tintype.models.running import runner
from tintype.sources.base import Item
from tintype.stages.base import Batch, Model

IMAGES_PER_BATCH = 32
BYTES_PER_BATCH = 64_000_000


def analyze(
    items: Iterable[Item],
    count: int,
    work: Work,
    *,
    known: Callable[[Sequence[bytes]], tuple[Sequence[int], pa.Table]] | None = None,
    verdicts: Mapping[int, Verdict] = {},
    alone: frozenset[int] = frozenset(),
    watch: Watch | None = None,
    clock: Clock | None = None,
) -> tuple[pa.Table, dict[str, list[tuple[str, str]]]]:
    """The rows of a shard's items, in order; there are `count` of them. And, by stage, the (uri, reason) of images
    that it failed on: their columns of that stage are null, and its state is the negative one.

    `known(digests)` returns the indices of the digests that the collection knows, and a table of
    FACT_COLUMNS and the stages' columns for them. Images in `verdicts` are not decoded; those in `alone` share
    no batch with others. Rows have the columns of `work.schema` but `_shard`.
    """
    return _Analyzer(work, known, verdicts, alone, watch or Watch(), clock or Clock()).run(items, count)


def load_models(runs: Iterable[StageRun]) -> None:
    """Load the models of stages on the engines that were settled on, which `analyze` does when it needs them.

    Raises ModelError and MissingExtra where this process cannot run one of them.
    """
    for run in runs:
        if isinstance(run.stage.needs, Model):
            runner(run.stage.needs.card, run.stage.needs.backend)


def is_on_chosen_engine(run: StageRun) -> bool:
    """Whether a stage runs a model on another engine than its card's default."""
    return isinstance(run.stage.needs, Model) and bool(run.stage.needs.backend)


class _Analyzer:
    def __init__(
        self,
        work: Work,
        known: Callable[[Sequence[bytes]], tuple[Sequence[int], pa.Table]] | None,
        verdicts: Mapping[int, Verdict],
        alone: frozenset[int],
        watch: Watch,
        clock: Clock,
    ) -> None:
        self.work, self.known, self.verdicts, self.alone = work, known, verdicts, alone
        self.watch, self.clock = watch, clock
        self.items: list[Item] = []  # without their bytes
        self.digests: list[bytes | None] = []
        self.facts: list[dict[str, Any]] = []
        self.stage_row: list[int | None] = []  # where in `stage_tables`, taken as one, the image's columns lie
        self.stage_tables: list[pa.Table] = []
        self.stage_rows = 0
        self.first_with: dict[bytes, int] = {}
        self.count = 0
        self.failures: dict[str, list[tuple[str, str]]] = {}
        self.waiting: list[tuple[int, bytes, list[Image]]] = []  # an image at each of `scales`
        self.scales = work.scales
        self.scale_of = [work.scale_of(run) for run in work.stages]

    def run(self, items: Iterable[Item], count: int) -> tuple[pa.Table, dict[str, list[tuple[str, str]]]]:
        reader = iter(items)
        self.count = count
        while len(self.items) < count:
            window = self._read(reader)
            self.watch.nowhere()
            self._look_up(window)
            for index, data in window:
                self._decode(index, data)
            self._run_stages()
        self.watch.nowhere()
        self._copy_repeated()
        return self._table(), self.failures

    def _read(self, reader: Iterator[Item]) -> list[tuple[int, bytes]]:
        """The next images with their bytes, as many as fit one batch."""
        window: list[tuple[int, bytes]] = []
        size = 0
        while len(window) < IMAGES_PER_BATCH and size < BYTES_PER_BATCH and len(self.items) < self.count:
            self.watch.reading(len(self.items))
            with self.clock.measure("read"):
                item = next(reader)
                data, digest = item.data, item.digest
                if data is not None and digest is None:
                    digest = blake3(data).digest(16)
            self._note(item, digest)
            if data is not None:
                window.append((len(self.items) - 1, data))
                size += len(data)
        return window

    def _note(self, item: Item, digest: bytes | None) -> None:
        facts: dict[str, Any] = {"status": item.status, "reason": item.reason}
        self.items.append(
            Item(
                item.uri,
                None,
                item.size_bytes,
                item.mtime_ns,
                item.inode,
                item.device,
                item.offset,
                labels=item.labels,
            )
        )
        self.digests.append(digest)
        self.facts.append(facts)
        self.stage_row.append(None)

    def _look_up(self, window: list[tuple[int, bytes]]) -> None:
        """Take the columns of known bytes from the collection, and drop them from the window."""
        if self.known is None or not window:
            return
        with self.clock.measure("write"):
            digests = [self.digests[index] or b"" for index, _ in window]
            found, rows = self.known(digests)
        if not found:
            return
        self.stage_tables.append(rows.select(self.work.stage_schema.names))
        for number, (place, facts) in enumerate(zip(found, rows.select(FACT_COLUMNS).to_pylist(), strict=True)):
            index = window[place][0]
            self.facts[index] = facts
            self.stage_row[index] = self.stage_rows + number if facts["status"] == "ok" else None
        self.stage_rows += rows.num_rows
        taken = set(found)
        window[:] = [entry for place, entry in enumerate(window) if place not in taken]

    def _decode(self, index: int, data: bytes) -> None:
        digest = self.digests[index]
        if digest is not None and self.first_with.setdefault(digest, index) != index:
            return  # the same bytes again; _copy_repeated fills the row in
        if verdict := self.verdicts.get(index):
            self.facts[index] = {"status": verdict.status, "reason": verdict.reason}
            return
        is_alone = index in self.alone
        if is_alone:
            self._run_stages()
        self.watch.at(index, index, alone=is_alone)
        with self.clock.measure("decode"):
            try:
                images = [
                    decode(data, side_px=scale.side_px, shorter_px=scale.shorter_px, limits=self.work.limits)
                    for scale in self.scales
                ]
            except ImageError as error:
                self.facts[index] = {
                    **_header_facts(data, self.work.limits),
                    "status": error.status,
                    "reason": error.reason,
                }
                return
            except MemoryError:
                self.facts[index] = {"status": "rejected", "reason": "needs more memory than there is"}
                return
        image = images[0]
        self.facts[index] = {
            "status": "ok",
            "reason": None,
            "format": image.format,
            "width": image.width,
            "height": image.height,
            "frames": image.frames,
            "color_mode": image.color_mode,
        }
        self.waiting.append((index, data, images))
        if is_alone:
            self._run_stages()

    def _run_stages(self) -> None:
        waiting, self.waiting = self.waiting, []
        if not waiting:
            return
        indices = [index for index, _, _ in waiting]
        self.watch.at(indices[0], indices[-1], alone=len(indices) == 1 and indices[0] in self.alone)
        data = [data for _, data, _ in waiting]
        batches = [Batch(data, [images[at] for _, _, images in waiting]) for at in range(len(self.scales))]
        columns: dict[str, pa.Array] = {}
        for run, scale in zip(self.work.stages, self.scale_of, strict=True):
            batch = batches[scale]
            with self.clock.measure(f"stage {run.stage.name}"):
                needs = run.stage.needs
                batch.runner = runner(needs.card, needs.backend) if isinstance(needs, Model) else None
                columns |= self._computed(run, batch, indices)
        self._keep(indices, columns)

    def _computed(self, run: StageRun, batch: Batch, indices: Sequence[int]) -> Mapping[str, pa.Array]:
        """A stage's columns. Images that it fails on have nulls; its fault is not theirs, nor their neighbors'."""
        try:
            return {**run.stage.compute(batch, run.settings), run.state_column: _states(run.state, len(batch))}
        except (DeviceMemoryFull, ModelUnreachable):  # no image's fault: all would fail of it
            raise
        except Exception as error:  # noqa: BLE001  a stage may be anybody's
            if len(batch) > 1:
                parts = [self._computed(run, batch[n : n + 1], indices[n : n + 1]) for n in range(len(batch))]
                return {name: pa.concat_arrays([part[name] for part in parts]) for name in parts[0]}
            self.failures.setdefault(run.stage.name, []).append((self.items[indices[0]].uri, _in_one_line(error)))
            nulls = {column.name: pa.nulls(1, column.type) for column in run.stage.columns}
            return {**nulls, run.state_column: _states(-run.state, 1)}

    def _keep(self, indices: Sequence[int], columns: Mapping[str, pa.Array]) -> None:
        schema = self.work.stage_schema
        if schema.names:
            self.stage_tables.append(pa.table([columns[name] for name in schema.names], schema=schema))
        for number, index in enumerate(indices):
            self.stage_row[index] = self.stage_rows + number
        self.stage_rows += len(indices)

    def _copy_repeated(self) -> None:
        for index, digest in enumerate(self.digests):
            if digest is not None and (first := self.first_with.get(digest, index)) != index:
                self.facts[index] = self.facts[first]
                self.stage_row[index] = self.stage_row[first]

    def _table(self) -> pa.Table:
        work, items = self.work, self.items
        columns: dict[str, pa.Array] = {
            "uri": pa.array([item.uri for item in items], pa.string()),
            "digest": pa.array(self.digests, DIGEST),
            "size_bytes": pa.array([item.size_bytes for item in items], pa.int64()),
            "modified_at": pa.array([item.mtime_ns // 1000 for item in items], pa.int64()).cast(
                pa.timestamp("us", "UTC")
            ),
            "_mtime_ns": pa.array([item.mtime_ns for item in items], pa.int64()),
            "_inode": pa.array([item.inode for item in items], pa.uint64()),
            "_device": pa.array([item.device for item in items], pa.uint64()),
            "_offset": pa.array([item.offset for item in items], pa.int64()),
            DECODE_STATE: pa.array([work.decode_state] * len(items), pa.int32()),
        }
        for name in FACT_COLUMNS:
            kind = work.schema.field(name).type
            columns[name] = pa.array([facts.get(name) for facts in self.facts], kind)
        for label in work.label_fields:
            columns[label.name] = pa.array([item.labels.get(label.name) for item in items], label.type)
        columns.update(self._stage_columns())
        schema = work.schema
        schema = schema.remove(schema.get_field_index("_shard"))
        return pa.table([columns[name] for name in schema.names], schema=schema)

    def _stage_columns(self) -> dict[str, pa.ChunkedArray | pa.Array]:
        schema = self.work.stage_schema
        if not self.stage_tables:
            return {field.name: pa.nulls(len(self.items), field.type) for field in schema}
        rows = pa.concat_tables(self.stage_tables).combine_chunks().take(pa.array(self.stage_row, pa.int64()))
        return {name: rows[name] for name in schema.names}


def _states(state: int, count: int) -> pa.Array:
    return pa.array([state] * count, pa.int32())


def _in_one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _header_facts(data: bytes, limits: Limits) -> dict[str, Any]:
    """What the header of an image says that could not be decoded; empty where it says nothing."""
    try:
        found = header(data, limits)
    except (ImageError, MemoryError):
        return {}
    width, height = (found.height, found.width) if found.orientation >= 5 else (found.width, found.height)
    return {
        "format": found.format,
        "width": width,
        "height": height,
        "frames": found.frames,
        "color_mode": found.color_mode,
    }
