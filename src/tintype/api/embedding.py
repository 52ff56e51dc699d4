"""Images to vectors of a model's, remembered as a column of their collection."""

from __future__ import annotations

from collections.abc import Callable

from tintype.api.places import Place
from tintype.api.scanning import scan
from tintype.core.progress import Progress
from tintype.core.settings import Config
from tintype.store.collection import Collection


def embed(
    *sources: Place,
    model: str,
    collection: Place | None = None,
    workers: int | None = None,
    config: Config | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Collection:
    """Give each image of the sources a vector of the model's: the column `embed_NAME`, float16 of unit length.

    `model` is a card's name, or the path of a card. Sources and collection are as in `scan`; what is new is read on
    the way, what is embedded already is not embedded again. An image that cannot be read has a status, and no vector.

    Raises ModelError for a model that is not there or makes no vectors of images, and whatever `scan` raises.
    """
    return scan(
        *sources,
        collection=collection,
        stages=[f"embed:{model}"],
        workers=workers,
        config=config,
        progress=progress,
    )
