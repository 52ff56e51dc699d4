"""What runs a model: narrow enough that every engine can be it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from tintype.models.card import Card


@dataclass(frozen=True)
class RunnerInfo:
    """What runs, where, and how."""

    card: str  # name of the card
    backend: str  # "onnx"
    device: str  # "cpu"
    precision: str  # "fp32"


class Runner(Protocol):
    """One model on one device, in one process."""

    @property
    def info(self) -> RunnerInfo: ...

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs by name. A row's result does not depend on the other rows, nor on how many there are."""
        ...


class Backend(Protocol):
    """An engine that loads cards."""

    def load(self, card: Card) -> Runner:
        """Raises ModelError for weights that are not what the card says, or that the engine cannot run."""
        ...
