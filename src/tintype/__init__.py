"""Tintype: one system for whoever answers for a pile of images."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tintype.core.version import VERSION

if TYPE_CHECKING:
    from tintype.api import config, duplicates, info, issues, open, report, scan, trust
    from tintype.core.errors import TintypeError
    from tintype.store.collection import Collection


__version__ = VERSION

_HOMES = {
    "Collection": "tintype.store.collection",
    "TintypeError": "tintype.core.errors",
    "config": "tintype.api",
    "duplicates": "tintype.api",
    "info": "tintype.api",
    "issues": "tintype.api",
    "open": "tintype.api",
    "report": "tintype.api",
    "scan": "tintype.api",
    "trust": "tintype.api",
}

__all__ = [
    "Collection",
    "TintypeError",
    "config",
    "duplicates",
    "info",
    "issues",
    "open",
    "report",
    "scan",
    "trust",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tintype' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
