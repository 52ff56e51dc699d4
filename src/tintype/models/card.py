"""Cards: files that say what a model is, so that nobody has to guess it from its weights."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tintype.core.errors import ModelError
from tintype.core.names import shown

MAX_CARD_BYTES = 1_000_000
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class PixelInput:
    """Images as a model takes them: uint8 (n, side_px, side_px, 3), sRGB, squeezed to squares as `Batch.rgb` does.

    Scaling to the range that the network wants is the first thing in its graph.
    """

    name: str
    side_px: int


@dataclass(frozen=True)
class VectorOutput:
    """An output of vectors: float32 (n, *shape); where `normalized`, each is of unit length along its last axis."""

    name: str
    shape: tuple[int, ...]
    normalized: bool


@dataclass(frozen=True)
class Card:
    """What a model is: its weights and their hash, what goes in and what comes out, and where it comes from."""

    name: str
    version: int
    task: str  # "embed image"
    weights: Path
    sha256: str  # of the weights, 64 hexadecimal digits
    input: PixelInput
    outputs: tuple[VectorOutput, ...]
    license: str
    source: str
    trained_on: str

    def output(self, name: str) -> VectorOutput:
        """The output of that name. Raises ModelError."""
        for output in self.outputs:
            if output.name == name:
                return output
        raise ModelError(f"card {self.name}: no output {name!r}; there are {', '.join(o.name for o in self.outputs)}")


def read_card(path: Path) -> Card:
    """The card in a JSON file, whose weights lie beside it. Raises ModelError where it is not a valid one."""
    try:
        data = path.read_bytes()
        if len(data) > MAX_CARD_BYTES:
            raise ValueError(f"longer than {MAX_CARD_BYTES:,} bytes")
        return _card(json.loads(data), path)
    except OSError as error:
        raise ModelError(f"{shown(str(path))}: the card cannot be read ({error.strerror})") from error
    except KeyError as error:
        raise ModelError(f"{shown(str(path))}: the card says nothing of {error}") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{shown(str(path))}: not a valid card: {shown(str(error))[:200]}") from error


def read_weights(card: Card) -> bytes:
    """The weights, if they are those that the card names. Raises ModelError."""
    try:
        data = card.weights.read_bytes()
    except OSError as error:
        raise ModelError(f"{shown(str(card.weights))}: the weights cannot be read ({error.strerror})") from error
    if hashlib.sha256(data).hexdigest() != card.sha256:
        raise ModelError(
            f"{shown(str(card.weights))}: not the weights of card {card.name} (another SHA-256). Nothing was run. "
            "Install Tintype again, or mend the card"
        )
    return data


@functools.cache
def built_in(name: str) -> Card:
    """A card that comes with Tintype. Raises ModelError."""
    return read_card(Path(__file__).parent / "cards" / f"{name}.json")


def _card(facts: Any, path: Path) -> Card:
    name, file = str(facts["name"]), str(facts["file"])
    if not _NAME.fullmatch(name):
        raise ValueError(f"name {name!r} must match {_NAME.pattern}")
    if not _SHA256.fullmatch(str(facts["sha256"])):
        raise ValueError("sha256 must be 64 hexadecimal digits")
    if Path(file).name != file or file in ("", ".", ".."):
        raise ValueError(f"file {file!r} must lie beside the card")
    given = facts["input"]
    if given["dtype"] != "uint8" or given["layout"] != "NHWC":
        raise ValueError("input must be uint8 in the layout NHWC")
    side_px = given["side_px"]
    if not isinstance(side_px, int) or not 1 <= side_px <= 1_024:
        raise ValueError("input.side_px must be 1 to 1,024")
    return Card(
        name=name,
        version=int(facts["version"]),
        task=str(facts["task"]),
        weights=path.with_name(file),
        sha256=str(facts["sha256"]),
        input=PixelInput(str(given["name"]), side_px),
        outputs=tuple(_output(output) for output in facts["outputs"]),
        license=str(facts["license"]),
        source=str(facts["source"]),
        trained_on=str(facts["trained_on"]),
    )


def _output(facts: Any) -> VectorOutput:
    shape = facts["shape"]
    if not isinstance(shape, list) or not all(isinstance(size, int) and size > 0 for size in shape):
        raise ValueError("outputs.shape must be a list of whole numbers, without the batch")
    return VectorOutput(str(facts["name"]), tuple(shape), bool(facts["normalized"]))
