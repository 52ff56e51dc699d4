"""Cards: what a model is, so that nobody has to guess it from its weights. `card_file` reads and writes them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from math import ceil
from pathlib import Path
from typing import Any, ClassVar, Literal

from blake3 import blake3

from tintype.core.errors import ModelError

Task = Literal["embed image", "embed text", "classify", "multi-label", "detect", "caption", "head"]
Engine = Literal["onnx", "torch"]
Fit = Literal["shared square", "squeeze", "crop", "letterbox"]
Filter = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
Meaning = Literal["vector", "probabilities", "logits", "boxes", "text"]

_STRICT: dict[str, Any] = {"extra": "forbid"}


@dataclass(frozen=True)
class File:
    """A file beside the card: its name, without folders, and its SHA-256 in 64 hexadecimal digits."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    name: str
    sha256: str


@dataclass(frozen=True)
class Weights:
    """Weights for one engine: `onnx` files run as they are; `torch` ones are safetensors that a library's class fills.

    `loader` names that class, as in "transformers:CLIPVisionModelWithProjection"; `beside` are further files that it
    reads (its configuration). `revision` is the commit of the repository that they come from.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    engine: Engine
    file: File
    loader: str = ""
    beside: tuple[File, ...] = ()
    revision: str = ""


@dataclass(frozen=True)
class PixelInput:
    """Images as a model takes them. Runners are given uint8 (n, height, width, 3), sRGB, and do what is left to do.

    `fit` says how an image comes to its size: "squeeze" scales the sides apart; "crop" scales the shorter side to
    `shorter_px` and takes the center, by `whole_pixels` (half of one goes to the even number, as torchvision has it, or
    with `round_down` down, as transformers has it) or to the fraction of one; "letterbox" scales the whole in and fills
    up with the color `pad`; "shared square" takes the squares that all built-in stages
    share (`Batch.rgb`). `filter` is Pillow's of that name, with antialiasing. Then each channel becomes
    (level - mean) / std, in levels 0 to 255 (`mean` and `std` are those of red, green and blue), in this order,
    layout and dtype.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    kind: Literal["pixels"]
    name: str
    width: int
    height: int
    fit: Fit
    shorter_px: float | None = None
    whole_pixels: bool = True
    round_down: bool = False
    filter: Filter = "bicubic"
    pad: tuple[int, int, int] = (0, 0, 0)
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    order: Literal["rgb", "bgr"] = "rgb"
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    dtype: Literal["float32", "float16", "uint8"] = "float32"

    @property
    def least_shorter_px(self) -> int:
        """The shorter side that decoders must leave: twice what is needed, as scaling is theirs in the first half only
        (decisions/0028-cards-and-pixels.md has the figures)."""
        return 2 * ceil(self.shorter_px or max(self.width, self.height))


@dataclass(frozen=True)
class TextInput:
    """Words as a model takes them: token numbers int64 (n, length), made by a tokenizer.json of Hugging Face.

    A text of more than `length` tokens is cut, its closing token kept; a shorter one is filled up with `pad_id`.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    kind: Literal["text"]
    name: str
    length: int
    tokenizer: File
    mask: str | None = None  # name of the input that says which tokens count
    pad_id: int = 0
    pad_to_length: bool = True  # else to the longest of the batch


@dataclass(frozen=True)
class VectorInput:
    """Stored vectors of another card, which a head runs on; it never sees an image."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    kind: Literal["vectors"]
    name: str
    card: str  # whose vectors
    fingerprint: str  # of that card
    dimension: int


Input = PixelInput | TextInput | VectorInput


@dataclass(frozen=True)
class Output:
    """An output: float32 (n, *shape); where `normalized`, vectors are of unit length along the last axis.

    `labels` is a text file with the name of each class, a line each.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    name: str
    shape: tuple[int, ...]
    normalized: bool = False
    meaning: Meaning = "vector"
    labels: File | None = None


@dataclass(frozen=True)
class Card:
    """What a model is: its weights and their hashes, what goes in and what comes out, and where it comes from."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    name: str
    version: int
    task: Task
    weights: tuple[Weights, ...]
    input: Input
    outputs: tuple[Output, ...]
    license: str
    source: str
    trained_on: str
    companion: str | None = None  # the card of the other tower, whose vectors can be compared with these
    notes: str = ""
    recipe: dict[str, Any] = field(default_factory=dict, hash=False, compare=False)
    figures: dict[str, Any] = field(default_factory=dict, hash=False, compare=False)
    folder: Path = field(default=Path(), compare=False, hash=False)  # where its files lie

    @property
    def pixels(self) -> PixelInput:
        """The input of a model that takes images. Raises ModelError for one that does not."""
        if not isinstance(self.input, PixelInput):
            raise ModelError(f"card {self.name} ({self.task}) does not take images")
        return self.input

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits that change with the weights, what goes in, or what comes out; not with its words."""
        known: dict[str, Any] = {"task": self.task, "weights": [asdict(part) for part in self.weights]}
        known |= {"input": asdict(self.input), "outputs": [asdict(output) for output in self.outputs]}
        text = json.dumps(known, sort_keys=True, separators=(",", ":"))
        return blake3(text.encode()).digest(16).hex()

    def output(self, name: str) -> Output:
        """The output of that name. Raises ModelError."""
        for output in self.outputs:
            if output.name == name:
                return output
        raise ModelError(f"card {self.name}: no output {name!r}; there are {', '.join(o.name for o in self.outputs)}")

    def vectors(self) -> Output:
        """The first output of one vector an image. Raises ModelError where there is none."""
        for output in self.outputs:
            if output.meaning == "vector" and len(output.shape) == 1:
                return output
        raise ModelError(f"card {self.name} ({self.task}) has no output of vectors. It cannot be used to embed")

    def weights_for(self, engine: str) -> Weights:
        """The weights that an engine runs. Raises ModelError."""
        for part in self.weights:
            if part.engine == engine:
                return part
        there = ", ".join(part.engine for part in self.weights) or "none"
        raise ModelError(f"card {self.name} has no weights for the engine {engine}; there are some for {there}")
