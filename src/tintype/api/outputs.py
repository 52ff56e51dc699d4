"""Vectors that stand alone: made by as many processes as there are, looked at, and proved whole."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence

from tintype.api.places import Place, absolute
from tintype.codec.limits import Limits
from tintype.core.columns import Column
from tintype.core.errors import CollectionLocked, ModelError, UsageError
from tintype.core.platform import FileLock, available_cpus, full_disk_is_said
from tintype.core.progress import Progress
from tintype.core.settings import Config
from tintype.engine.prepare import decode_state
from tintype.engine.vectors.job import EmbedJob
from tintype.engine.vectors.leavings import LOCK_FILE
from tintype.engine.vectors.ledgers import fill, opened_ledger
from tintype.engine.vectors.looking import output_status
from tintype.engine.vectors.planning import plan_output, refuse_other_files
from tintype.engine.vectors.progress import EmbedSummary, OutputStatus
from tintype.engine.vectors.run import embed_output
from tintype.engine.vectors.verifying import Verified, verify_output
from tintype.models import registry
from tintype.models.card import Card
from tintype.models.running import Engine, default
from tintype.sources.base import HasLabels, Source
from tintype.sources.resolve import resolve
from tintype.sources.several import SeveralSources
from tintype.store.outputs.base import format_of
from tintype.store.outputs.plan import OutputNotFound, Plan, read_plan, refuse_other
from tintype.store.places.base import Place as OutputPlace
from tintype.store.places.local import LocalPlace
from tintype.store.places.opening import open_place

SHARD_IMAGES = 10_000
LEASE_S = 60.0

Listener = Callable[[Progress], None]


def embed_to(
    output: Place,
    *sources: Place,
    model: str,
    backend: str = "",
    format: str = "parquet",  # noqa: A002  as others call it
    shard_images: int = SHARD_IMAGES,
    workers: int | None = None,
    ledger: str = "sqlite",
    lease_s: float = LEASE_S,
    config: Config | None = None,
    progress: Listener | None = None,
) -> EmbedSummary:
    """Give each image of the sources a vector of the model's, float16 of unit length, in files of their own.

    `sources` are as in `scan`, `model` a card's name or path. `backend` is what runs it: "auto", a backend's name or
    an engine's word, as in `models.running.runner`; which one it is is settled now, for all workers. The output is a
    folder or an address, new or of the same run, which then goes on where it stopped: a file for each `shard_images`
    images, as `format` ("parquet", "npz", "clip-retrieval" or "lance") has it, and `manifest.json` at the end. Other
    processes may help: see `work`. A shard whose process was not heard of for `lease_s` seconds is given to another.

    Raises UsageError where the output is of another run or holds other files, SourceError, ModelError, StorageFull,
    and WorkerFailed where shards were given up.
    """
    if not sources:
        raise UsageError("nothing to embed: name a folder, a tar shard or a table")
    if not 1 <= shard_images <= 1_000_000:
        raise UsageError(f"a shard has 1 to 1,000,000 images, not {shard_images:,}")
    format_of(format)
    place = open_place(os.fspath(output))
    settings = config if config is not None else _settings(sources)
    found = [one for named in sources for one in _resolved(absolute(named), settings)]
    card = registry.card(model)
    wanted = Plan(
        sources=tuple(sorted({source.place for source in found})),
        ignore=tuple(settings.scan.ignore),
        hidden=settings.scan.hidden,
        fingerprint=card.fingerprint,
        backend=_settled(card, backend),
        format=format,
        shard_images=shard_images,
        limits=dataclasses.asdict(settings.limits),
        decoding=decode_state(settings.limits),
        id="",
        model=model if os.path.basename(model) == model and not model.endswith(".json") else absolute(model),
        card=card.name,
        dimension=_dimension(card),
        labels=(),
        shards=0,
        images=0,
        ledger=ledger,
        lease_s=lease_s,
    )
    source, plan = _planned(place, found, wanted, progress)
    return _embed(place, plan, card, source, workers or settings.scan.workers, progress)


def work(output: Place, *, workers: int = 1, progress: Listener | None = None) -> EmbedSummary:
    """Help to embed into an output, until all of its shards are done, by whomever.

    May run as often as one likes, here or on another machine that reaches the same sources, model and output. Raises
    CollectionNotFound where nothing was planned there, and what `embed_to` raises.
    """
    place = open_place(os.fspath(output))
    plan = read_plan(place)
    card = registry.card(plan.model)
    if card.fingerprint != plan.fingerprint:
        raise ModelError(f"the model {plan.card} here is not the one that {place.url} was begun with")
    if decode_state(Limits(**plan.limits)) != plan.decoding:
        raise UsageError(f"{place.url} was begun with other decoders: install the same version with the same extras")
    return _embed(place, plan, card, _source_of(plan), workers, progress)


def status(output: Place, *, retry: bool = False) -> OutputStatus:
    """How an output stands: shards by state, images done, how fast, what failed and why.

    With `retry`, shards that were given up are made pending again first; then let `embed_to` or `work` go on. Raises
    CollectionNotFound where nothing was planned there.
    """
    return output_status(open_place(os.fspath(output)), retry=retry)


def verify(output: Place) -> Verified:
    """Read all files of an output and prove that it is whole.

    Bytes are compared with their hashes, rows with the listing of the sources (each image has one, none has two),
    vectors with their dimension and length, counts with the manifest. Raises CollectionNotFound where nothing was
    planned there.
    """
    return verify_output(open_place(os.fspath(output)))


def _settings(sources: Sequence[Place]) -> Config:
    from tintype.api.settings import config

    return config(absolute(sources[0]) if len(sources) == 1 else None)


def _resolved(named: str, settings: Config, plan: Plan | None = None) -> list[Source]:
    """What a place names; how a folder is listed is the plan's to say where there is one."""
    return resolve(
        named,
        ignore=settings.scan.ignore if plan is None else plan.ignore,
        hidden=settings.scan.hidden if plan is None else plan.hidden,
        transfer=settings.transfer,
        cache=settings.cache,
    )


def _settled(card: Card, backend: str) -> str:
    """The word of the engine that all workers of the run take."""
    if ":" in backend:
        return str(Engine.of(backend))
    if not backend:
        return str(default(card))
    from tintype.models.choosing import choose

    return str(choose(card, backend).engine)


def _dimension(card: Card) -> int:
    """Raises ModelError for a card that makes no vectors of images."""
    _ = card.pixels
    return card.vectors().shape[0]


def _planned(
    place: OutputPlace, found: Sequence[Source], wanted: Plan, progress: Listener | None
) -> tuple[Source, Plan]:
    """The plan of the output with all its shards in the ledger, and the source that workers read."""
    plan: Plan | None = None
    with contextlib.suppress(OutputNotFound):
        plan = read_plan(place)
        refuse_other(place, plan, wanted)
    if plan is None:
        refuse_other_files(place)  # before so much as a lock is written there
    with _planning(place):
        source = _together(found)
        if plan is None:
            if progress is not None:
                progress(Progress("listing", 0, 0, {}, 0.0, 0.0, None, {}, None))
            labels = tuple((column.name, str(column.type), column.words) for column in source.labels)
            plan = plan_output(place, source, dataclasses.replace(wanted, labels=labels))
        with full_disk_is_said(place.url), opened_ledger(place, plan) as ledger:
            fill(ledger, plan)
    return _with_labels(source, plan.label_columns), plan


@contextlib.contextmanager
def _planning(place: OutputPlace) -> Iterator[None]:
    """Nobody else plans the same output. Raises CollectionLocked."""
    if not isinstance(place, LocalPlace):
        yield
        return
    with full_disk_is_said(place.url):
        place.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place.folder / LOCK_FILE)
        taken = lock.acquire()
    if not taken:
        raise CollectionLocked(place.url, lock.holder())
    try:
        yield
    finally:
        lock.release()


def _embed(
    place: OutputPlace, plan: Plan, card: Card, source: Source, workers: int, progress: Listener | None
) -> EmbedSummary:
    limits = Limits(**plan.limits)
    job = EmbedJob(place, plan, source, card, limits)
    return embed_output(place, plan, job, limits, workers or available_cpus(), progress)


def _source_of(plan: Plan) -> Source:
    from tintype.api.settings import config

    settings = config()
    found = [one for place in plan.sources for one in _resolved(place, settings, plan)]
    return _with_labels(_together(found), plan.label_columns)


def _together(found: Sequence[Source]) -> Source:
    return found[0] if len(found) == 1 else SeveralSources(tuple(found))


def _with_labels(source: Source, labels: tuple[Column, ...]) -> Source:
    return source.with_labels(labels) if isinstance(source, HasLabels) else source
