"""Cards: what a model is, so that nobody has to guess it from its weights. `card_file` reads and writes them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from math import ceil
from pathlib import Path
from typing import Any, ClassVar, Literal

from blake3 import blake3

from tintype.core.errors import ModelError

Task = Literal[
    "embed image", "embed text", "classify", "multi-label", "detect", "caption", "find", "answer", "mask", "head"
]
Engine = Literal["onnx", "torch"]
Fit = Literal["shared square", "squeeze", "crop", "letterbox", "pad", "whole"]
Filter = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
Meaning = Literal["vector", "probabilities", "logits", "boxes", "text", "score", "masks"]

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
    up with the color `pad`; "pad" fills up to a square first and then scales that; "whole" keeps the shape, so that
    images differ in size: the shorter side is `shorter_px`, or less where the longer one would exceed `longer_px`
    (`preparing.whole_size`), and `width` and `height` are the most; "shared square" takes the squares that all built-in
    stages share (`Batch.rgb`). `filter` is Pillow's of that name, with antialiasing. Then each channel becomes
    (level - mean) / std, in levels 0 to 255 (`mean` and `std` are those of red, green and blue), in this order, layout
    and dtype.
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
    longer_px: float | None = None
    multiple_of: int = 1  # px that the sides of a "whole" image are cut down to a multiple of
    sides: Literal["down", "nearest"] = "down"  # how those sides are rounded

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
    types: str | None = None  # name of the input that says of which part of a text each token is
    texts: Literal["one", "several"] = "one"  # beside an image: one text, or (n, texts, length)


@dataclass(frozen=True)
class VectorInput:
    """Stored vectors of another card, which a head runs on; it never sees an image."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    kind: Literal["vectors"]
    name: str
    card: str  # whose vectors
    fingerprint: str  # of that card
    dimension: int


@dataclass(frozen=True)
class PlaceInput:
    """Places in an image that a model is asked about: float32 (n, places, 4), the corners x, y, x, y of boxes in px of
    what was prepared. Where all are of no size they are points."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    kind: Literal["places"]
    name: str


Input = PixelInput | TextInput | VectorInput | PlaceInput


@dataclass(frozen=True)
class Output:
    """An output: float32 (n, *shape); where `normalized`, vectors are of unit length along the last axis.

    Where it means text, it is int64: token numbers, -1 after the last, that the `tokenizer` (a tokenizer.json) makes
    words of; with `tidied` without blanks before marks, as transformers' `clean_up_tokenization_spaces` has it.
    `labels` is a text file with the name of each class, a line each.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    name: str
    shape: tuple[int, ...]
    normalized: bool = False
    meaning: Meaning = "vector"
    labels: File | None = None
    tokenizer: File | None = None
    tidied: bool = False


@dataclass(frozen=True)
class Detection:
    """How a detector's outputs become boxes with a class and a confidence.

    `boxes` names the output (queries, 4), and `scores` that of a number for each class (queries, classes), or of one
    alone (queries,) where `classes` names the output with the number of its class. They may be one output, whose rows
    are the four numbers of a box followed by the scores, or by score and class where `classes` is it as well; where
    `rows` is "last", such rows are its columns.

    `scoring` says how scores become 0 to 1. With `background` the last class (the first) means that there is nothing.
    `pick` takes the "best" class of each query, or "each" as a box of its own, of which the `most` likeliest count.
    Boxes are center and size, two corners, or the upper left corner and size, as shares of the model's input or in px.
    Of boxes of one class that overlap by more than `overlap` (intersection over union) the likeliest stays.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    boxes: str
    scores: str
    classes: str | None = None
    labels: File | None = None  # a text file with the name of each class, a line each, without the background
    scoring: Literal["softmax", "sigmoid", "probabilities"] = "softmax"
    background: Literal["last", "first"] | None = None
    pick: Literal["best", "each"] = "best"
    most: int | None = None
    form: Literal["center", "corners", "corner and size"] = "center"
    unit: Literal["share", "px"] = "share"
    rows: Literal["first", "last"] = "first"
    overlap: float | None = None


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
    detection: Detection | None = None  # of a card whose task is "detect" or "find"
    beside: tuple[Input, ...] = ()  # what else goes in, in this order
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
    def single_input(self) -> PixelInput | TextInput | VectorInput:
        """The input of a model that takes nothing else, of one size. Raises ModelError for others: engines that are
        built or configured for one shape cannot run them."""
        is_varied = isinstance(self.input, PixelInput) and self.input.fit == "whole"
        if self.beside or is_varied or isinstance(self.input, PlaceInput):
            raise ModelError(
                f"card {self.name} takes several inputs, or images of several sizes; onnx or torch runs it"
            )
        return self.input

    @property
    def words(self) -> TextInput:
        """The words that it takes, alone or beside images. Raises ModelError where it takes none."""
        for given in (self.input, *self.beside):
            if isinstance(given, TextInput):
                return given
        raise ModelError(f"card {self.name} ({self.task}) does not take words")

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of all arrays that a runner is given, in the order of the model's own arguments."""
        names: list[str | None] = []
        for given in (self.input, *self.beside):
            names += [given.name, *([given.mask, given.types] if isinstance(given, TextInput) else [])]
        return tuple(name for name in names if name is not None)

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits that change with the weights, what goes in, or what comes out; not with its words."""
        known: dict[str, Any] = {"task": self.task, "weights": [asdict(part) for part in self.weights]}
        known |= {"input": _facts(self.input), "outputs": [_facts(output) for output in self.outputs]}
        known |= {"detection": asdict(self.detection)} if self.detection else {}
        known |= {"beside": [_facts(given) for given in self.beside]} if self.beside else {}
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


_LATER = ("longer_px", "multiple_of", "sides", "types", "texts", "tokenizer", "tidied")
"""Fields that cards did not have at first: where they say nothing, a card's fingerprint is what it always was."""


def _facts(part: Any) -> dict[str, Any]:
    plain = {field.name: field.default for field in fields(part)}
    return {name: value for name, value in asdict(part).items() if name not in _LATER or value != plain[name]}
