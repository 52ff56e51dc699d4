"""What a notebook and the command line both call."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tintype.api.answers import duplicates, info, issues, remarks
    from tintype.api.deciding import decide, decisions
    from tintype.api.embedding import embed
    from tintype.api.findings import clusters, labels, leaks, map, outliers, select
    from tintype.api.heads import file_head, train_head, zero_shot_head
    from tintype.api.joining import status, work
    from tintype.api.likeness import neighbors
    from tintype.api.model_cards import add_model, card, cards, remove_model
    from tintype.api.model_checks import check_model, write_triton_repository
    from tintype.api.objects import scan_objects
    from tintype.api.opening import check, open, trust
    from tintype.api.outputs import embed_to, verify
    from tintype.api.predicting import predict
    from tintype.api.reporting import report
    from tintype.api.scanning import scan
    from tintype.api.searching import open_search, search, write_answers
    from tintype.api.settings import config, sections

_HOMES = {
    "model_cards": ("add_model", "card", "cards", "remove_model"),
    "embedding": ("embed",),
    "answers": ("duplicates", "info", "issues", "remarks"),
    "deciding": ("decide", "decisions"),
    "findings": ("clusters", "labels", "leaks", "map", "outliers", "select"),
    "heads": ("file_head", "train_head", "zero_shot_head"),
    "joining": ("status", "work"),
    "likeness": ("neighbors",),
    "model_checks": ("check_model", "write_triton_repository"),
    "objects": ("scan_objects",),
    "opening": ("check", "open", "trust"),
    "outputs": ("embed_to", "verify"),
    "predicting": ("predict",),
    "reporting": ("report",),
    "scanning": ("scan",),
    "searching": ("open_search", "search", "write_answers"),
    "settings": ("config", "sections"),
}

__all__ = [
    "add_model",
    "card",
    "cards",
    "check",
    "check_model",
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
    "remarks",
    "remove_model",
    "report",
    "scan",
    "scan_objects",
    "search",
    "sections",
    "select",
    "status",
    "train_head",
    "trust",
    "verify",
    "work",
    "write_answers",
    "write_triton_repository",
    "zero_shot_head",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"tintype.api.{home}"), name)
    raise AttributeError(f"module 'tintype.api' has no attribute {name!r}")
