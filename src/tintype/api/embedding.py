"""Images to vectors of a model's, remembered as a column of their collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, get_args

from tintype.api.places import Place, absolute, collection_place, existing
from tintype.api.scanning import scan
from tintype.api.settings import config_for
from tintype.core.errors import CollectionError, UsageError
from tintype.core.names import shown
from tintype.core.platform import available_cpus
from tintype.core.progress import Progress
from tintype.core.settings import Config
from tintype.engine.from_thumbnails import refuse_small, scan_thumbnails
from tintype.engine.origins import model_of
from tintype.engine.scan import locked
from tintype.engine.work import StageRun
from tintype.stages import registry as stages
from tintype.store import trust as trusted
from tintype.store.collection import Collection
from tintype.store.lance import LanceStore
from tintype.store.layout import Layout, normal_place

ImagesFrom = Literal["originals", "thumbnails"]

Listener = Callable[[Progress], None]


def embed(
    *sources: Place,
    model: str,
    collection: Place | None = None,
    backend: str = "",
    images_from: ImagesFrom = "originals",
    workers: int | None = None,
    config: Config | None = None,
    progress: Listener | None = None,
) -> Collection:
    """Give each image of the sources a vector of the model's: the column `embed_NAME`, float16 of unit length.

    `model` is a card's name, or the path of a card. Sources and collection are as in `scan`; what is new is read on
    the way, what is embedded already is not embedded again. An image that cannot be read has a status, and no vector.

    `backend` is what runs the model: "auto", a backend's name or an engine's word, as in `models.running.runner`. It is
    settled now, for all workers. What it leaves open stays as the column has it; a column of another engine is computed
    again. By default the setting `models.backend` says it.

    With `images_from="thumbnails"` nothing is read but the stored thumbnails (320 px on the longer side) of the
    collection that there is: the sources need not be there, and no image is added to it. Such vectors are near to those
    of the images themselves, and not the same: each of the two makes those of the other stale. A model that takes
    larger images is refused, and an image whose thumbnail has far too few pixels, say a panorama, has no vector.

    Raises ModelError for a model that is not there or makes no vectors of images, or an engine that does not run here,
    MissingExtra, UsageError, and whatever `scan` raises.
    """
    if images_from not in get_args(ImagesFrom):
        known = " or ".join(get_args(ImagesFrom))
        raise UsageError(f"vectors are made from {known}, not from {shown(str(images_from))!r}")
    if not sources:
        raise UsageError("nothing to embed: name a folder, a tar shard or a table")
    places = [absolute(source) for source in sources]
    if images_from == "thumbnails":
        return _embed_thumbnails(places, model, collection, backend, workers, config, progress)
    if backend:
        config = config or config_for(places, Layout(collection_place(places, collection)))
        config = config.replace({"models.backend": backend})
    return scan(
        *places,
        collection=collection,
        stages=[f"embed:{model}"],
        workers=workers,
        config=config,
        progress=progress,
    )


def _embed_thumbnails(
    places: Sequence[str],
    model: str,
    collection: Place | None,
    backend: str,
    workers: int | None,
    config: Config | None,
    progress: Listener | None,
) -> Collection:
    if len(places) > 1 and collection is None:
        raise UsageError("several sources need the place of their collection: --collection DIR")
    opened = Collection.open(existing(places[0], collection))
    _refuse_other_sources(opened, places)
    trusted.require_trust(opened.layout, opened.record, "added to")
    settings = config if config is not None else config_for(opened.sources, opened.layout)
    stage = stages.stage(f"embed:{model}")
    run = StageRun(stage, stage.settings(), stages.fingerprint(stage, stage.settings()))
    refuse_small(model_of(run).card, places[0])
    count = workers or settings.scan.workers or available_cpus()
    with locked(opened.layout):
        store = LanceStore.open(opened.layout.images)
        word = backend or settings.models.backend
        summary = scan_thumbnails(run, store, opened.layout, word, settings.limits, count, progress)
    embedded = Collection.open(opened.layout.place)
    embedded.last_scan = summary
    return embedded


def _refuse_other_sources(opened: Collection, places: Sequence[str]) -> None:
    """The collection itself may be named, or the sources that it is of, whether or not they are there."""
    named = tuple(map(normal_place, places))
    if Path(named[0]) != opened.place and named != opened.sources:
        raise CollectionError(
            f"{opened.place} is the collection of {', '.join(opened.sources)}. Nothing was changed. Name another one"
        )
