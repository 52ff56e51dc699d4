"""Which engine a run takes: settled once, where it is planned, for all of its workers."""

from __future__ import annotations

from importlib.util import find_spec

from tintype.core.errors import MissingExtra, ModelError
from tintype.models.card import Card
from tintype.models.engines import AUTO, ONNX, TORCH, Engine, default, engines

_LIBRARIES = {"torch": "torch", "tensorrt": "tensorrt", "triton": "tritonclient"}  # each comes with the extra so called


def settled(card: Card, backend: str = "", before: Engine | None = None) -> Engine:
    """The engine that `backend` asks for: an engine's word, a backend, "auto", or "" for whatever there was.

    `before` is the engine of the values that the run adds to, None for the card's default. Where the word leaves that
    open it stays, if it runs here: another one would compute all of them again. Otherwise the fastest is taken that
    passes parity (`choosing.choose`). Raises UsageError for a word that says nothing, ModelError where none fits.
    """
    if ":" in backend:
        return Engine.of(backend)
    if not backend:
        return before or default(card)
    if before is not None and backend in (AUTO, before.backend) and before in engines(card):
        return before
    from tintype.models.choosing import choose

    return choose(card, backend).engine


def require(card: Card, engine: Engine) -> None:
    """Raise, before any worker finds out, where an engine cannot run the card on this machine: MissingExtra where its
    library is not installed, ModelError for all else."""
    library = _LIBRARIES.get(engine.backend)
    if library is not None and find_spec(library) is None:
        raise MissingExtra(f"running the model {card.name} as {engine}", engine.backend)
    if engine in (ONNX, TORCH):  # known without loading a library to look for GPUs
        card.weights_for(engine.backend)
    elif engine not in engines(card):
        from tintype.models.choosing import lacking

        raise ModelError(lacking(card, str(engine)))
