"""Tintype: one system for whoever answers for a pile of images."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tintype.core.version import VERSION

if TYPE_CHECKING:
    from tintype.api import (
        add_model,
        card,
        cards,
        clusters,
        config,
        decide,
        decisions,
        duplicates,
        embed,
        embed_to,
        file_head,
        info,
        issues,
        labels,
        leaks,
        map,
        neighbors,
        open,
        open_search,
        outliers,
        predict,
        remove_model,
        report,
        scan,
        scan_objects,
        search,
        select,
        status,
        train_head,
        trust,
        verify,
        work,
        write_answers,
        zero_shot_head,
    )
    from tintype.core.errors import TintypeError
    from tintype.store.collection import Collection


__version__ = VERSION

_HOMES = {"Collection": "tintype.store.collection", "TintypeError": "tintype.core.errors"}  # all others: tintype.api

__all__ = [
    "Collection",
    "TintypeError",
    "add_model",
    "card",
    "cards",
    "clusters",
    "config",
    "decide",
    "decisions",
    "duplicates",
    "embed",
    "embed_to",
    "file_head",
    "info",
    "issues",
    "labels",
    "leaks",
    "map",
    "neighbors",
    "open",
    "open_search",
    "outliers",
    "predict",
    "remove_model",
    "report",
    "scan",
    "scan_objects",
    "search",
    "select",
    "status",
    "train_head",
    "trust",
    "verify",
    "work",
    "write_answers",
    "zero_shot_head",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'tintype' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "tintype.api")), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
