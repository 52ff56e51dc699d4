"""What a worker does with a shard: read, decode, prepare, run the model, and write the rows aside."""

from __future__ import annotations

import hashlib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from blake3 import blake3
from numpy.typing import NDArray

from tintype.codec.decode import decode
from tintype.codec.image import Image
from tintype.codec.limits import Limits
from tintype.core.columns import DIGEST
from tintype.core.errors import ImageError
from tintype.engine.messages import Handler, Task
from tintype.engine.reading import items
from tintype.engine.vectors.ahead import read_ahead
from tintype.engine.vectors.ledgers import shard_of
from tintype.engine.vectors.planning import read_listing
from tintype.engine.work import Clock, Watch
from tintype.models.base import Runner
from tintype.models.card import Card
from tintype.models.devices.client import DeviceRunner
from tintype.models.devices.connection import Ticket
from tintype.models.devices.hosted import Hosted, hosted
from tintype.models.devices.wire import MOST_ROWS
from tintype.models.preparing import prepared
from tintype.models.running import runner
from tintype.sources.base import Item, Source
from tintype.stages.base import Batch, Model
from tintype.stages.embedding import vectors_column
from tintype.stages.model_outputs import AT_ONCE
from tintype.store.outputs.base import NO_VECTOR, Format, Part, format_of, rows_schema
from tintype.store.outputs.plan import PARTS, Plan
from tintype.store.places.base import Place

EXAMPLES = 5
"""How many failures of a shard are told with their reasons; the rows have them all."""


@dataclass(frozen=True)
class EmbedJob:
    """The same for a whole run. A task's payload names the plan and a shard."""

    output: Place
    plan: Plan
    source: Source
    card: Card
    limits: Limits

    @property
    def place(self) -> str:
        return self.output.url

    @property
    def hosted(self) -> tuple[Hosted, ...]:
        """On a GPU the model is loaded once, for all workers of this machine."""
        return hosted([(self.card, self.plan.backend)])

    def begin(self) -> Handler:
        return _Embedder(self, runner(self.card, self.plan.backend), format_of(self.plan.format)).work


class _Embedder:
    def __init__(self, job: EmbedJob, model: Runner, form: Format) -> None:
        self.job, self.model, self.form = job, model, form
        self.schema = rows_schema(job.plan.dimension, job.plan.label_fields)

    def work(self, task: Task, watch: Watch, clock: Clock) -> dict[str, Any]:
        shard = shard_of(self.job.plan, task.payload)
        with clock.measure("read"):
            entries = read_listing(self.job.output, self.job.plan, shard)
        rows = _Shard(self.job, self.model, task, watch, clock).rows(entries, self.schema)
        part = Part(shard, self.job.plan.shards, rows.num_rows)
        with clock.measure("write"):
            contents = self.form.encode(rows, part)
            aside = [f"{PARTS}{task.name.replace(':', '-')}-{number}" for number in range(len(contents))]
            for name, content in zip(aside, contents, strict=True):
                self.job.output.write(name, content)
        return result_of(rows, part, aside, self.form.names(part), contents)


def result_of(
    rows: pa.Table, part: Part, aside: list[str], names: tuple[str, ...], contents: tuple[bytes, ...]
) -> dict[str, Any]:
    """What the ledger keeps of a shard."""
    files = [
        {"aside": place, "name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for place, name, content in zip(aside, names, contents, strict=True)
    ]
    failed = rows.filter(rows["embedding"].is_null()).slice(0, EXAMPLES).select(["id", "status", "reason"])
    return {
        "shard": part.number,
        "rows": part.rows,
        "vectors": part.rows - rows["embedding"].null_count,
        "status": dict(sorted(Counter(rows["status"].to_pylist()).items())),
        "failures": failed.to_pylist(),
        "at": round(time.time(), 1),
        "files": files,
    }


class _Shard:
    """One shard on its way from items to rows."""

    def __init__(self, job: EmbedJob, model: Runner, task: Task, watch: Watch, clock: Clock) -> None:
        self.job, self.model, self.task, self.watch, self.clock = job, model, task, watch, clock
        self.pixels = job.card.pixels
        self.at_once = _at_once(model)
        self.out: deque[Ticket] = deque()  # batches that a device process has
        needs = Model(job.card)
        self.is_shared = needs.is_shared
        self.scale = {"side_px" if needs.is_shared else "shorter_px": needs.side_px}
        self.facts: list[tuple[str, str | None]] = []  # status and reason of each image
        self.waiting: list[tuple[int, NDArray[np.uint8]]] = []
        self.vectors: list[pa.Array] = []
        self.place_of: dict[int, int] = {}  # of an image, where among all vectors its own stands
        self.first_with: dict[bytes, int] = {}

    def rows(self, entries: pa.RecordBatch, schema: pa.Schema) -> pa.Table:
        digests: list[bytes | None] = []
        labels: dict[str, list[Any]] = {name: [] for name, _, _ in self.job.plan.labels}
        for index, (item, digest) in enumerate(self._read(entries)):
            digests.append(digest)
            for name, values in labels.items():
                values.append(item.labels.get(name))
            self._take(index, item, digest)
        self._run()
        self.watch.nowhere()
        if isinstance(self.model, DeviceRunner):
            self._collect(self.model, lambda: True)
        columns = [
            entries["uri"],
            self._vectors(digests),
            pa.array([status for status, _ in self.facts], pa.string()),
            pa.array([reason for _, reason in self.facts], pa.string()),
            pa.array(digests, DIGEST),
            *(pa.array(labels[name], schema.field(name).type) for name in labels),
        ]
        return pa.table(columns, schema=schema)

    def _read(self, entries: pa.RecordBatch) -> Iterator[tuple[Item, bytes | None]]:
        """Items with their digests, read ahead unless an image is suspected: then there is one thing at a time."""
        task, limits = self.task, self.job.limits
        found = map(_digested, items(self.job.source, entries, task.verdicts, limits.bytes))
        is_plain = not task.alone and not task.verdicts
        ahead = read_ahead(found, self.watch) if is_plain else _in_turn(found, len(entries), self.watch)
        for _ in range(len(entries)):
            with self.clock.measure("read"):
                pair = next(ahead)
            yield pair

    def _take(self, index: int, item: Item, digest: bytes | None) -> None:
        self.facts.append((item.status, item.reason))
        if item.data is None or digest is None:
            return
        if self.first_with.setdefault(digest, index) != index:
            return  # the same bytes again
        if verdict := self.task.verdicts.get(index):
            self.facts[index] = (verdict.status, verdict.reason)
            return
        is_alone = index in self.task.alone
        if is_alone:
            self._run()
        self.watch.at(index, index, alone=is_alone)
        with self.clock.measure("decode"):
            try:
                image = decode(item.data, limits=self.job.limits, **self.scale)
            except ImageError as error:
                self.facts[index] = (error.status, error.reason)
                return
            except MemoryError:
                self.facts[index] = ("rejected", "needs more memory than there is")
                return
            self.waiting.append((index, self._prepared(image)))
        if is_alone or len(self.waiting) == self.at_once:
            self._run()

    def _prepared(self, image: Image) -> NDArray[np.uint8]:
        """(height, width, 3) as the model takes it. Done at once: a batch of whole images takes far more memory."""
        one = (
            Batch([b""], [image]).rgb(self.pixels.width)
            if self.is_shared
            else prepared([image.rgb], self.pixels, [(image.width, image.height)])
        )
        pixels: NDArray[np.uint8] = one[0]
        return pixels

    def _run(self) -> None:
        waiting, self.waiting = self.waiting, []
        if not waiting:
            return
        if isinstance(self.model, DeviceRunner):
            self._send(self.model, waiting)
            return
        first, last = waiting[0][0], waiting[-1][0]
        self.watch.at(first, last, alone=first == last and first in self.task.alone)
        card = self.job.card
        with self.clock.measure("compute"):
            made = self.model.run({card.input.name: np.stack([pixels for _, pixels in waiting])})
            self.vectors.append(vectors_column(made[card.vectors().name], self.job.plan.dimension))
        self._have_places(waiting)

    def _send(self, model: DeviceRunner, waiting: list[tuple[int, NDArray[np.uint8]]]) -> None:
        """Give a batch to the device process, and go on: two may be there at a time."""
        name, rows = self.job.card.input.name, [pixels for _, pixels in waiting]
        self.out.append(model.submit({name: rows}))
        self._have_places(waiting)
        self._collect(model, lambda: self.out[0].is_done)

    def _collect(self, model: DeviceRunner, is_wanted: Callable[[], bool]) -> None:
        """Take the vectors of batches that are out, the oldest first."""
        output = self.job.card.vectors().name
        while self.out and is_wanted():
            made = model.wait(self.out.popleft())
            self.vectors.append(vectors_column(made[output], self.job.plan.dimension))
        for activity, seconds in model.spent().items():
            self.clock.seconds[activity] += seconds

    def _have_places(self, waiting: list[tuple[int, NDArray[np.uint8]]]) -> None:
        for index, _ in waiting:
            self.place_of[index] = len(self.place_of)

    def _vectors(self, digests: list[bytes | None]) -> pa.Array:
        """The column `embedding`; equal bytes have one vector and one status."""
        if not self.vectors:
            return pa.nulls(len(self.facts), pa.list_(pa.float16(), self.job.plan.dimension))
        made = pa.concat_arrays(self.vectors)
        for index, place in self.place_of.items():
            if not made[place].is_valid:
                self.facts[index] = (NO_VECTOR, "the model makes a vector of it that is not finite or has no length")
        places = []
        for index, digest in enumerate(digests):
            first = index if digest is None else self.first_with[digest]
            self.facts[index] = self.facts[first]
            places.append(self.place_of.get(first))
        return made.take(pa.array(places, pa.int64()))


def _at_once(model: Runner) -> int:
    """How many images a model is given together."""
    if isinstance(model, DeviceRunner):
        return model.most_rows
    return AT_ONCE if model.info.device == "cpu" else MOST_ROWS


def _digested(item: Item) -> tuple[Item, bytes | None]:
    return item, None if item.data is None else blake3(item.data).digest(16)


def _in_turn(
    found: Iterator[tuple[Item, bytes | None]], count: int, watch: Watch
) -> Iterator[tuple[Item, bytes | None]]:
    for index in range(count):
        watch.reading(index)
        yield next(found)
