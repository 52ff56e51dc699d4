"""Vectors that stand alone: made by as many processes as there are, and proved whole."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from tintype.api.named import resolved, together
from tintype.api.places import Place, absolute
from tintype.codec.limits import Limits
from tintype.core.columns import Column
from tintype.core.errors import CollectionLocked, ModelError, UsageError
from tintype.core.names import shown
from tintype.core.platform import FileLock, available_cpus, full_disk_is_said
from tintype.core.progress import EmbedSummary, Progress
from tintype.core.settings import Config
from tintype.engine.executors.base import Finished
from tintype.engine.executors.ray import Cluster, connected
from tintype.engine.prepare import decode_state
from tintype.engine.vectors.job import EmbedJob
from tintype.engine.vectors.leavings import LOCK_FILE
from tintype.engine.vectors.ledgers import fill, opened_ledger
from tintype.engine.vectors.planning import plan_output, refuse_other_files
from tintype.engine.vectors.run import embed_output, on_cluster, on_this_machine
from tintype.engine.vectors.verifying import Verified, verify_output
from tintype.models import registry
from tintype.models.card import Card
from tintype.models.settling import settled
from tintype.sources.base import HasLabels, Source
from tintype.store.outputs.base import format_of
from tintype.store.outputs.manifest import read_manifest
from tintype.store.outputs.plan import OutputNotFound, Plan, read_plan, refuse_other
from tintype.store.places.base import Place as OutputPlace
from tintype.store.places.local import LocalPlace
from tintype.store.places.opening import open_place

EXECUTORS = ("processes", "ray")
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
    executor: str = "processes",
    address: str | None = None,
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

    `executor` says where `workers` run: "processes" are on this machine, "ray" on the Ray cluster at `address`, by
    default that of RAY_ADDRESS or one that is started here. On a cluster of several machines output and sources must
    lie where all of them reach them, and the ledger in DynamoDB.

    Raises UsageError where the output is of another run or holds other files, SourceError, ModelError, StorageFull,
    MissingExtra, and WorkerFailed where shards were given up.
    """
    if not sources:
        raise UsageError("nothing to embed: name a folder, a tar shard or a table")
    if not 1 <= shard_images <= 1_000_000:
        raise UsageError(f"a shard has 1 to 1,000,000 images, not {shard_images:,}")
    format_of(format)
    if executor not in EXECUTORS:
        raise UsageError(f"no executor {shown(executor)!r}; there are {', '.join(EXECUTORS)}")
    if address is not None and executor != "ray":
        raise UsageError("an address is that of a Ray cluster: say --executor ray as well")
    settings = config if config is not None else _settings(sources)
    place = open_place(os.fspath(output), settings.transfer)
    found = [one for named in sources for one in resolved(absolute(named), settings)]
    card = registry.card(model)
    wanted = Plan(
        sources=tuple(sorted({source.place for source in found})),
        ignore=tuple(settings.scan.ignore),
        hidden=settings.scan.hidden,
        fingerprint=card.fingerprint,
        backend=str(settled(card, backend or settings.models.backend)),
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
    with connected(address) if executor == "ray" else contextlib.nullcontext() as cluster:
        if cluster is not None:
            _check_reach(cluster, place, ledger)
        source, plan = _planned(place, found, wanted, progress)
        job = EmbedJob(place, plan, source, card, settings.limits)
        count = workers or settings.scan.workers
        if cluster is not None:
            return embed_output(place, plan, on_cluster(cluster, plan, partial(member, place.url), count), 0, progress)
        return _embed(job, count, progress)


def work_on_output(output: str, workers: int, progress: Listener | None = None) -> EmbedSummary:
    """Help to embed into an output, until all of its shards are done, by whomever.

    Raises OutputNotFound where nothing was planned there, and what `embed_to` raises.
    """
    return _embed(_joined(output), workers, progress)


def verify(output: Place) -> Verified:
    """Read all files of an output and prove that it is whole.

    Bytes are compared with their hashes, rows with the listing of the sources (each image has one, none has two),
    vectors with their dimension and length, counts with the manifest. Raises CollectionNotFound where nothing was
    planned there.
    """
    return verify_output(output_at(output))


def output_at(place: Place) -> OutputPlace:
    """The place of an output, whether there is one or not."""
    return open_place(os.fspath(place), _settings(()).transfer)


def _settings(sources: Sequence[Place]) -> Config:
    from tintype.api.settings import config

    return config(absolute(sources[0]) if len(sources) == 1 else None)


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
        source = together(found)
        if plan is None:
            if progress is not None:
                progress(Progress("listing", 0, 0, {}, 0.0, 0.0, None, {}, None))
            labels = tuple((column.name, str(column.type), column.words) for column in source.labels)
            plan = plan_output(place, source, dataclasses.replace(wanted, labels=labels))
        if read_manifest(place) is None:
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


def _joined(output: str) -> EmbedJob:
    """What a process needs that helps to embed into an output. Raises ModelError or UsageError where it would do it
    otherwise."""
    settings = _settings(())
    place = open_place(output, settings.transfer)
    plan = read_plan(place)
    card = registry.card(plan.model)
    if card.fingerprint != plan.fingerprint:
        raise ModelError(f"the model {plan.card} here is not the one that {place.url} was begun with")
    limits = Limits(**plan.limits)
    if decode_state(limits) != plan.decoding:
        raise UsageError(f"{place.url} was begun with other decoders: install the same version with the same extras")
    found = [one for named in plan.sources for one in resolved(named, settings, plan)]
    return EmbedJob(place, plan, _with_labels(together(found), plan.label_columns), card, limits)


def _embed(job: EmbedJob, workers: int, progress: Listener | None) -> EmbedSummary:
    count = workers or available_cpus()
    return embed_output(job.output, job.plan, on_this_machine(job.plan, job, job.limits, count), count, progress)


def member(output: str, workers: int) -> Iterator[Finished | None]:
    """What a process of a cluster does: the work of `work`, but that the one who asked for it puts files in their
    places."""
    job = _joined(output)
    with (
        full_disk_is_said(job.place),
        opened_ledger(job.output, job.plan) as ledger,
        on_this_machine(job.plan, job, job.limits, workers)(ledger) as executor,
    ):
        yield from executor.run()


def _check_reach(cluster: Cluster, place: OutputPlace, ledger: str) -> None:
    if cluster.nodes > 1 and (isinstance(place, LocalPlace) or ledger == "sqlite"):
        raise UsageError(
            f"the Ray cluster has {cluster.nodes} machines, and {place.url} with its ledger lies on one. Nothing was "
            "changed. Name an --output in an object store and --ledger dynamodb:NAME"
        )


def _with_labels(source: Source, labels: tuple[Column, ...]) -> Source:
    return source.with_labels(labels) if isinstance(source, HasLabels) else source
