"""A card of an ONNX file: what the file says is read from it, the rest is told, and nothing is guessed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import ModelError
from tintype.core.names import shown
from tintype.models.adding import onnx_detectors
from tintype.models.adding.names import slug
from tintype.models.adding.told import Told
from tintype.models.adding.wishes import Levels, Wishes
from tintype.models.backends.onnx import OnnxBackend
from tintype.models.backends.onnx_facts import FileFacts, file_facts
from tintype.models.card import Card, File, Filter, Meaning, Output, PixelInput, Weights
from tintype.models.card_file import MAX_SIDE_PX, hashed
from tintype.models.tag_names import tags_of

_FITS = ("crop", "squeeze", "letterbox")
_ORDERS = ("rgb", "bgr")
_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8"}
_SAMPLES = 3


def cards_of_onnx(path: Path, wishes: Wishes, work: Path) -> list[Card]:
    """The card of an ONNX file of one image input, run once. Raises ModelError where something is not said or not so.

    Name, layout, size and dtype of the input and names and shapes of the outputs are the file's. How images come to
    the size and how they are normalized stands in its metadata under `tintype.`, or is told.
    """
    shutil.copyfile(path, work / path.name)
    facts = file_facts((work / path.name).read_bytes(), shown(path.name))
    told = Told(wishes, facts.metadata, shown(path.name))
    card = Card(
        name=wishes.name or slug(path.stem),
        version=1,
        task="classify" if told.is_classifier else "embed image",  # a detector's, once its outputs are known
        weights=(Weights("onnx", hashed(work / path.name)),),
        input=_pixels(facts, told),
        outputs=(Output("?", ()),),
        license=told.text("license") or "unknown",
        source=path.name,
        trained_on=told.text("trained_on") or "not stated",
        folder=work,
    )
    if told.is_detector:
        return [onnx_detectors.finished(card, facts, told)]
    if told.is_tagger:
        made = replace(_run(card, facts, told), task="multi-label")
        tags_of(made)  # names that can be
        return [made]
    return [_run(card, facts, told)]


def _pixels(facts: FileFacts, told: Told) -> PixelInput:
    if len(facts.inputs) != 1:
        names = ", ".join(given.name for given in facts.inputs)
        raise ModelError(f"{told.place}: it has the inputs {shown(names)}; only models of one image input are added so")
    given = facts.inputs[0]
    layout, sides = _layout(given.shape, told.place)
    dtype = _DTYPES.get(given.type)
    if dtype is None:
        raise ModelError(f"{told.place}: its input is of {given.type}; images go in as float32, float16 or uint8")
    size = told.size_px or (sides if None not in sides else None)
    fit, sampling = told.one_of("fit", _FITS), told.one_of("filter", get_args(Filter))
    mean, std = told.levels("mean"), told.levels("std")
    missing: dict[str, object] = {"--size": size, "--fit": fit, "--filter": sampling}
    if dtype != "uint8":
        missing |= {"--mean": mean, "--std": std}
    if fit in (None, "crop"):
        missing |= {"--shorter": told.number("shorter_px")}
    unsaid = [option for option, value in missing.items() if value is None]
    if unsaid:
        raise ModelError(
            f"{told.place}: the file does not say how images are prepared, and it is not guessed. Give: "
            f"{' '.join(unsaid)} (as its makers prepare them; mean and std in levels of 0 to 255)"
        )
    mean, std = mean or (0.0, 0.0, 0.0), std or (1.0, 1.0, 1.0)
    _check_levels(mean, std, told.place)
    width, height = cast("tuple[int, int]", size)
    if any(side not in (None, told_side) for side, told_side in zip(sides, (width, height), strict=True)):
        raise ModelError(f"{told.place}: its input is {sides[0]} x {sides[1]} px, not {width} x {height}")
    if not (1 <= width <= MAX_SIDE_PX and 1 <= height <= MAX_SIDE_PX):
        raise ModelError(f"{told.place}: sizes are 1 to {MAX_SIDE_PX:,} px")
    shorter = told.number("shorter_px")
    if fit == "crop" and not min(width, height) <= cast("float", shorter) <= 1e5:
        raise ModelError(f"{told.place}: the shorter side ({shorter:g} px) must be at least what is cropped")
    return PixelInput(
        kind="pixels",
        name=given.name,
        width=width,
        height=height,
        fit=cast("Literal['crop', 'squeeze', 'letterbox']", fit),
        shorter_px=shorter,
        filter=cast("Filter", sampling),
        mean=mean,
        std=std,
        order=cast("Literal['rgb', 'bgr']", told.one_of("order", _ORDERS) or "rgb"),
        layout=layout,
        dtype=cast("Literal['float32', 'float16', 'uint8']", dtype),
    )


def _layout(shape: Sequence[int | None], place: str) -> tuple[Literal["NCHW", "NHWC"], tuple[int | None, int | None]]:
    """The layout, and (width, height) as far as the file fixes them."""
    if len(shape) == 4 and (shape[1] == 3) != (shape[3] == 3):
        return ("NCHW", (shape[3], shape[2])) if shape[1] == 3 else ("NHWC", (shape[2], shape[1]))
    said = " x ".join("?" if side is None else str(side) for side in shape)
    raise ModelError(f"{place}: its input ({said}) is not one of color images, n x 3 x h x w or n x h x w x 3")


def _check_levels(mean: Levels, std: Levels, place: str) -> None:
    if not all(step > 0 for step in std):
        raise ModelError(f"{place}: std must be above 0")
    shares = max(map(abs, mean)) <= 1 and max(std) <= 1 and (mean, std) != ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    if shares:
        raise ModelError(f"{place}: mean and std look like those of values 0 to 1. They are of levels: multiply by 255")


def _run(card: Card, facts: FileFacts, told: Told) -> Card:
    """The card with the outputs that can be used, whose shapes and meanings are seen by running it."""
    wanted = card.pixels
    pixels = np.random.default_rng(0).integers(0, 256, (_SAMPLES, wanted.height, wanted.width, 3), dtype=np.uint8)
    named = replace(card, outputs=tuple(Output(output.name, ()) for output in facts.outputs))
    made = OnnxBackend().load(named).run({wanted.name: pixels})
    labels = told.read_labels(card.folder)
    outputs = []
    for name, values in made.items():
        if values.ndim != 2 or len(values) != _SAMPLES:
            continue
        if not np.isfinite(values).all():
            raise ModelError(f"{told.place}: what it gives for some images is not finite ({shown(name)})")
        meaning = _meaning(values, told, labels, len(made))
        names = labels[0] if labels and meaning != "vector" else None
        outputs.append(Output(name, values.shape[1:], meaning=meaning, labels=names))
    if not outputs:
        shapes = ", ".join(f"{shown(name)} {values.shape[1:]}" for name, values in made.items())
        raise ModelError(f"{told.place}: none of its outputs is one vector an image: {shapes}. Write a card for it")
    if told.is_classifier and all(output.meaning == "vector" for output in outputs):
        there = ", ".join(f"{shown(output.name)} ({output.shape[0]:,})" for output in outputs)
        what = (
            f"no output has the {labels[1]:,} classes of --labels"
            if labels
            else "which output are its classes? Give --labels"
        )
        raise ModelError(f"{told.place}: {what}. There are: {there}")
    return replace(card, outputs=tuple(outputs))


def _meaning(values: NDArray[np.float32], told: Told, labels: tuple[File, int] | None, outputs: int) -> Meaning:
    """Whether an output is classes follows from what was told, whether these are probabilities from their sums."""
    if not told.is_classifier or (labels[1] != values.shape[1] if labels else outputs > 1):
        return "vector"
    if told.is_tagger:
        return "probabilities" if values.min() >= 0 and values.max() <= 1 else "logits"
    is_share = values.min() >= 0 and np.allclose(values.sum(axis=1), 1, atol=1e-3)
    return "probabilities" if is_share else "logits"
