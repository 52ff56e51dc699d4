"""How fast models were found to run on this machine, kept in the user's cache folder for the list of models."""

from __future__ import annotations

import json
import math
import os
import platform
from pathlib import Path

import platformdirs

from tintype.core.errors import TintypeError
from tintype.core.platform import write_atomically
from tintype.models.card import Card
from tintype.models.parity_rows import PREPARATION, Parity

_MAX_BYTES = 100_000


def note(parity: Parity) -> None:
    """Keep the speeds of a check, the latest of each engine. Nothing is kept where that cannot be."""
    found = {row.name: row.per_s for row in parity.rows if row.per_s and row.is_usable and row.name != PREPARATION}
    if not found:
        return
    place = _place(parity.card)
    facts = {"machine": _machine(), "card": parity.card.name, "per_s": measured(parity.card) | found}
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(place, (json.dumps(facts, indent=2) + "\n").encode(), mode=0o600)
    except (OSError, TintypeError):
        pass


def measured(card: Card) -> dict[str, float]:
    """By the word of an engine, how many images or texts a second one process ran the card on; empty where nobody
    measured here, and for whatever in the cache makes no sense."""
    try:
        with _place(card).open("rb") as file:
            facts = json.loads(file.read(_MAX_BYTES))
        if facts["machine"] != _machine():
            return {}
        found = {str(word): float(per_s) for word, per_s in facts["per_s"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return {word: per_s for word, per_s in sorted(found.items()) if math.isfinite(per_s) and per_s > 0}


def _place(card: Card) -> Path:
    return Path(platformdirs.user_cache_dir("tintype", appauthor=False)) / "speeds" / f"{card.fingerprint}.json"


def _machine() -> list[str]:
    return [platform.node(), platform.machine(), str(os.cpu_count())]
