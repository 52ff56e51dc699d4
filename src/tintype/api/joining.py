"""Helping those who scan or embed as one more process, and how they come along."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from tintype.api.named import resolved, together
from tintype.api.outputs import output_at, work_on_output
from tintype.api.places import Place, absolute, existing
from tintype.core.errors import CollectionError, CollectionNotFound, SourceError, UsageError
from tintype.core.platform import network_file_system
from tintype.core.progress import EmbedSummary, Progress
from tintype.engine.vectors.looking import OutputStatus, output_status
from tintype.sources.base import HasLabels, Source
from tintype.store.layout import Layout, read_record, sources_of
from tintype.store.outputs.plan import OutputNotFound
from tintype.store.trust import require_trust

if TYPE_CHECKING:
    from tintype.engine.collection_status import CollectionStatus
    from tintype.engine.helping import Helped

Listener = Callable[[Progress], None]

_Answer = TypeVar("_Answer")


def work(place: Place, *, workers: int = 1, progress: Listener | None = None) -> EmbedSummary | Helped:
    """Help to embed into an output, or help a scan of a collection that is under way, until nothing is left to do.

    `place` is an output, a collection, or what was scanned into one. May run as often as one likes: for an output also
    on other machines that reach the same sources, model and output; for a collection on its own machine, until a
    process of the scan's takes in what was done. Where that process has died, what it had planned is finished, and the
    next `scan` takes it in.

    Raises CollectionNotFound where nothing was planned there, CollectionError where no scan is under way, UsageError,
    ModelError, PluginError or SourceError where this process would not do the same as the others, and what `embed_to`
    raises.
    """
    found = _output_or_collection(place, lambda: work_on_output(os.fspath(place), workers, progress))
    return _help(found, workers, progress) if isinstance(found, Layout) else found


def status(place: Place, *, retry: bool = False) -> OutputStatus | CollectionStatus:
    """How an output stands, or the collection of a scanned folder or file: shards by state, images done, how fast, what
    failed and why.

    With `retry`, shards that were given up are made pending again first; then let `embed_to` or `work` go on, or `scan`
    for a collection. Raises CollectionNotFound where there is neither.
    """
    found = _output_or_collection(place, lambda: output_status(output_at(place), retry=retry))
    if not isinstance(found, Layout):
        return found
    from tintype.engine.collection_status import collection_status  # outputs need no Lance

    return collection_status(found, retry=retry)


def _output_or_collection(place: Place, of_output: Callable[[], _Answer]) -> _Answer | Layout:
    """What there is to say of an output, or the collection that the place means: an output is never a file."""
    if os.path.isfile(absolute(place)):
        return Layout(existing(place))
    try:
        return of_output()
    except OutputNotFound:
        with contextlib.suppress(CollectionNotFound, UsageError):
            return Layout(existing(place))
        raise


def _help(layout: Layout, workers: int, progress: Listener | None) -> Helped:
    from tintype.api.scanning import known_labels  # outputs need no Lance
    from tintype.api.settings import config_for
    from tintype.engine.helping import awaited_run, help_scan
    from tintype.engine.telling import work_told
    from tintype.store.lance import LanceStore

    record = read_record(layout)
    require_trust(layout, record, "worked on")
    _refuse_network(layout)
    run = awaited_run(layout, progress)
    settings = config_for(sources_of(layout, record), layout)
    source = together([one for named in run.sources for one in resolved(named, settings, run)])
    if isinstance(source, HasLabels):
        source = source.with_labels(known_labels(LanceStore.open(layout.images).schema))
    work = work_told(run, source, str(layout.place))
    _require_images(source)
    return help_scan(layout, run, source, work, workers, progress)


def _refuse_network(layout: Layout) -> None:
    if kind := network_file_system(layout.place):
        raise CollectionError(
            f"{layout.place} lies on a network file system ({kind}) here, where locks cannot be relied on. Nothing was "
            "changed. Help on the machine that scans it"
        )


def _require_images(source: Source) -> None:
    """What is not mounted here looks empty: all its images would be unreadable."""
    if next(iter(source.shards()), None) is None:
        raise SourceError(f"{source.place}: no images there now. Nothing was changed. Is the disk mounted?")
