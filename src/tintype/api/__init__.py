"""What a notebook and the command line both call."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tintype.api.answers import duplicates, info, issues, remarks
    from tintype.api.cards import add_model, model, models, remove_model
    from tintype.api.deciding import decide, decisions
    from tintype.api.embedding import embed
    from tintype.api.findings import clusters, labels, leaks, map, outliers, select
    from tintype.api.likeness import neighbors
    from tintype.api.objects import scan_objects
    from tintype.api.reporting import report
    from tintype.api.scanning import check, open, scan, trust
    from tintype.api.searching import search, write_answers
    from tintype.api.settings import config, sections

_HOMES = {
    "cards": ("add_model", "model", "models", "remove_model"),
    "embedding": ("embed",),
    "answers": ("duplicates", "info", "issues", "remarks"),
    "deciding": ("decide", "decisions"),
    "findings": ("clusters", "labels", "leaks", "map", "outliers", "select"),
    "likeness": ("neighbors",),
    "objects": ("scan_objects",),
    "reporting": ("report",),
    "scanning": ("check", "open", "scan", "trust"),
    "searching": ("search", "write_answers"),
    "settings": ("config", "sections"),
}

__all__ = [
    "add_model",
    "check",
    "clusters",
    "config",
    "decide",
    "decisions",
    "duplicates",
    "embed",
    "info",
    "issues",
    "labels",
    "leaks",
    "map",
    "model",
    "models",
    "neighbors",
    "open",
    "outliers",
    "remarks",
    "remove_model",
    "report",
    "scan",
    "scan_objects",
    "search",
    "sections",
    "select",
    "trust",
    "write_answers",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"tintype.api.{home}"), name)
    raise AttributeError(f"module 'tintype.api' has no attribute {name!r}")
