"""Which of several engines runs a card: the fastest that passes parity, remembered for this machine."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import platformdirs
from blake3 import blake3

from tintype.core.errors import ModelError, TintypeError, UsageError
from tintype.core.names import shown
from tintype.core.platform import write_atomically
from tintype.core.version import VERSION
from tintype.models import speeds
from tintype.models.card import Card
from tintype.models.engines import AUTO, BACKENDS, Engine, engines
from tintype.models.made_pictures import made_pictures
from tintype.models.parity import check
from tintype.models.parity_rows import PREPARATION, Parity, Row

_LIBRARIES = ("onnxruntime", "onnxruntime-gpu", "torch", "transformers", "timm", "open_clip_torch", "tensorrt")
_MAX_BYTES = 100_000


@dataclass(frozen=True)
class Choice:
    """An engine, why it is the one, and whether that was known from an earlier time."""

    engine: Engine
    why: str
    is_remembered: bool = False


def choose(card: Card, backend: str = AUTO, precision: str = "") -> Choice:
    """The engine for a card, of those that run here: of one backend or of any ("auto"), in one precision or any ("").

    Where that leaves one, it is taken as it is: naming it forces it. Of several, each is measured on made pictures for
    a second, and the fastest is taken that passes parity (`parity.check`). What came of it is kept in the user's cache
    folder for this machine, card, engines and versions. Raises UsageError for a backend that there is not, ModelError
    where none runs here or none passes.
    """
    if backend not in (AUTO, *BACKENDS):
        raise UsageError(f"there is no engine {shown(backend)!r}; there are {AUTO}, {', '.join(BACKENDS)}")
    found = [
        engine for engine in engines(card) if backend in (AUTO, engine.backend) and precision in ("", engine.precision)
    ]
    if not found:
        raise ModelError(lacking(card, backend, precision))
    if len(found) == 1:
        return Choice(found[0], "the only one that was asked for" if backend != AUTO else "the only one that runs here")
    place = folder() / f"{key(card, found)}.json"
    return _remembered(place, found) or _measured(card, found, place)


def folder() -> Path:
    """Where choices are kept; it can be removed at any time."""
    return Path(platformdirs.user_cache_dir("tintype", appauthor=False)) / "engines"


def key(card: Card, found: Sequence[Engine]) -> str:
    """32 hexadecimal digits of everything that a measurement depends on."""
    known = [VERSION, card.fingerprint, [str(engine) for engine in found], versions(), machine()]
    known.append([os.environ.get("TINTYPE_TRITON", "")] if any(one.backend == "triton" for one in found) else [])
    return blake3(json.dumps(known).encode()).digest(16).hex()


def versions() -> dict[str, str]:
    """Of the libraries that engines are made of, as far as they are installed."""
    return {name: version for name in _LIBRARIES if (version := _version(name))}


def machine() -> list[str]:
    """Its name, processors and GPUs."""
    made = [platform.node(), platform.machine(), platform.processor(), str(os.cpu_count())]
    if _version("torch"):
        from tintype.models.backends.torch_devices import gpu_names

        made += gpu_names()
    return made


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def lacking(card: Card, backend: str, precision: str = "") -> str:
    """Why nothing of what was asked for can be taken, and what could be."""
    there = ", ".join(str(engine) for engine in engines(card)) or "none"
    asked = " ".join(part for part in (backend if backend != AUTO else "", precision) if part) or "an engine"
    return f"card {card.name}: {asked} does not run here or the card has no weights for it; there is: {there}"


def _measured(card: Card, found: Sequence[Engine], place: Path) -> Choice:
    """Not kept where it cannot be: then it is measured again."""
    parity = check(card, made_pictures(), found)
    if any(engine.device == "cuda" for engine in found):
        from tintype.models.backends.torch_devices import give_back_memory  # slow to load

        give_back_memory()  # the processes that will run the model need it
    speeds.note(parity)
    choice = _fastest(card, parity)
    facts: dict[str, Any] = {"engine": str(choice.engine), "why": choice.why, "card": card.name, "machine": machine()}
    facts |= {"versions": versions(), "rows": [dataclasses.asdict(row) for row in parity.rows]}
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(place, (json.dumps(facts, indent=2) + "\n").encode(), mode=0o600)
    except (OSError, TintypeError):
        pass
    return choice


def _fastest(card: Card, parity: Parity) -> Choice:
    rows = [row for row in parity.rows if row.name != PREPARATION]
    passing = sorted((row for row in rows if row.is_usable), key=lambda row: -(row.per_s or 0))
    if not passing:
        failing = "; ".join(f"{row.name} {row.reason}" for row in rows)
        raise ModelError(
            f"card {card.name}: no engine passes parity ({failing}). See: tintype models check {card.name}; "
            "naming an engine (--backend) forces it"
        )
    best, others = passing[0], passing[1:]
    slower = [f"{row.name} does {row.per_s or 0:,.0f}" for row in others]
    failed = [f"{row.name}: {row.reason}" for row in rows if not row.is_usable]
    why = f"{best.per_s or 0:,.0f} a second{_same(best)}"
    return Choice(Engine.of(best.name), "; ".join([why, *slower, *failed]))


def _same(row: Row) -> str:
    return f", mean cosine {row.cosine_mean:.5f}" if row.cosine_mean is not None else ""


def _remembered(place: Path, found: Sequence[Engine]) -> Choice | None:
    """None where nothing is kept that makes sense: a cache is anybody's to damage."""
    try:
        with place.open("rb") as file:
            facts = json.loads(file.read(_MAX_BYTES))
        engine = Engine.of(str(facts["engine"]))
        why = str(facts["why"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError, UsageError):
        return None
    return Choice(engine, why, is_remembered=True) if engine in found else None
