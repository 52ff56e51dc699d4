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

    card: Card
    backend: str  # "onnx"
    device: str  # "cpu"
    precision: str  # "fp32"


class Runner(Protocol):
    """One model on one device, in one process."""

    @property
    def info(self) -> RunnerInfo: ...

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs of the card by name, float32 (n, ...), or int64 where an output means text.

        `inputs` has the card's input, and those beside it, by name: pixels as `preparing.prepared` makes them, uint8
        (n, height, width, 3), where a card takes images of several sizes those of one; token numbers and what goes with
        them, int64 (n, length); vectors float32 (n, d); or places float32 (n, places, 4). On a CPU a row's result does
        not depend on the other rows, nor on how many there are.
        """
        ...


class Backend(Protocol):
    """An engine that loads cards."""

    def load(self, card: Card) -> Runner:
        """Raises ModelError for weights that are not what the card says, or that the engine cannot run."""
        ...
