"""A model of PyTorch is run once, to see that it works, and written as ONNX where that gives the same."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tintype.core.errors import ModelError
from tintype.models.adding.tokenizing import PROBES
from tintype.models.backends.torch import TorchBackend, TorchRunner
from tintype.models.backends.torch_modules import Tower
from tintype.models.card import Card, PixelInput, TextInput, Weights
from tintype.models.card_file import hashed
from tintype.models.preparing import network_input, prepared_size
from tintype.models.prompting import sample_beside
from tintype.models.tokens import tokenized

ONNX_FILE = "model.onnx"
LEAST_COSINE = 0.9999
_OPSET = 17
_MOST_PARAMETERS = 500_000_000  # a file of ONNX holds 2 GB at most
_SAMPLES = 4
_LEAST_LENGTH = 1e-6

Arrays = Mapping[str, NDArray[Any]]


def finished(card: Card, *, with_onnx: bool) -> Card:
    """The card with the shapes of its outputs, and with ONNX weights where they agree with PyTorch's.

    Raises ModelError where the model does not run, or what it gives is not finite.
    """
    runner = TorchBackend().load(card)
    given = samples(card)
    made = [runner.run(inputs) for inputs in given]
    for output in card.outputs:
        if not all(np.isfinite(part[output.name]).all() for part in made):
            raise ModelError(f"what it gives for some images or texts is not finite ({output.name})")
    outputs = tuple(dataclasses.replace(output, shape=made[0][output.name].shape[1:]) for output in card.outputs)
    shaped = dataclasses.replace(card, outputs=outputs)
    if any(output.meaning == "text" for output in card.outputs):
        return dataclasses.replace(shaped, notes="no ONNX: it writes word by word")
    if card.beside:
        return dataclasses.replace(shaped, notes="no ONNX: it takes more than images")
    if not with_onnx:
        return shaped
    return _with_onnx(shaped, runner, given, made)


def samples(card: Card) -> list[dict[str, NDArray[Any]]]:
    """Inputs to try a card with, each set of one size: pictures of smooth noise, or texts of several lengths."""
    if isinstance(card.input, TextInput):
        together = dict(tokenized(card, PROBES))
        return [together] if card.input.pad_to_length else [together, dict(tokenized(card, PROBES[:1]))]
    wanted = card.pixels
    shapes = {prepared_size(size, wanted): None for size in ((4, 3), (1, 1), (3, 5))}  # in order, each once
    rows = np.random.default_rng(0).integers(0, 256, (_SAMPLES, 8, 8, 3), dtype=np.uint8)[: max(2, 5 - len(shapes))]
    beside = {name: np.repeat(values, len(rows), axis=0) for name, values in sample_beside(card).items()}
    return [{wanted.name: _enlarged(rows, *shape), **beside} for shape in shapes]


def _enlarged(rows: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    across, down = (np.arange(side) * 8 // side for side in (width, height))
    return np.ascontiguousarray(rows[:, down][:, :, across])


def agreement(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """The worst cosine of two arrays' rows; 1 where both are of no length."""
    left, right = a.reshape(len(a), -1).astype(np.float64), b.reshape(len(b), -1).astype(np.float64)
    lengths = np.linalg.norm(left, axis=1), np.linalg.norm(right, axis=1)
    made = (left * right).sum(axis=1) / np.maximum(lengths[0] * lengths[1], _LEAST_LENGTH**2)
    return float(np.where(np.maximum(*lengths) < _LEAST_LENGTH, 1.0, made).min())


def _with_onnx(card: Card, runner: TorchRunner, given: Sequence[Arrays], made: Sequence[Arrays]) -> Card:
    from tintype.models.backends.onnx import OnnxBackend

    tower = runner.tower
    if sum(parameter.numel() for parameter in tower.parameters()) > _MOST_PARAMETERS:
        return _noted(card, "no ONNX: more weights than one file of it holds")
    try:
        _export(card, tower, given[0])
    except Exception as error:  # noqa: BLE001 - an export can stumble over anything, and can be done without
        return _noted(card, f"no ONNX: it cannot be exported ({type(error).__name__})")
    both = dataclasses.replace(card, weights=(Weights("onnx", hashed(card.folder / ONNX_FILE)), *card.weights))
    try:
        exported = OnnxBackend().load(both)
        got = [exported.run(inputs) for inputs in given]
    except ModelError:
        return _noted(card, "no ONNX: ONNX Runtime cannot run what was exported")
    worst = min(
        agreement(part[name], values) for part, wanted in zip(got, made, strict=True) for name, values in wanted.items()
    )
    if not worst >= LEAST_COSINE:
        return _noted(card, f"no ONNX: it does not agree with PyTorch (worst cosine {worst:.5f})")
    return both


def _noted(card: Card, note: str) -> Card:
    (card.folder / ONNX_FILE).unlink(missing_ok=True)
    return dataclasses.replace(card, notes=note)


def _export(card: Card, tower: Tower, inputs: Arrays) -> None:
    """By tracing: the exporter that needs no further package (decisions/0029-torch-and-adding.md)."""
    given = card.input
    names = [given.name]
    arrays = [inputs[given.name]]
    if isinstance(given, PixelInput):
        arrays = [network_input(arrays[0], given)]
    elif isinstance(given, TextInput) and given.mask is not None:
        names.append(given.mask)
        arrays.append(inputs[given.mask])
    outputs = [output.name for output in card.outputs]
    axes: dict[str, dict[int, str]] = {name: {0: "n"} for name in (*names, *outputs)}
    if isinstance(given, PixelInput) and given.fit == "whole":
        axes[given.name] |= {2: "height", 3: "width"}
    if isinstance(given, TextInput) and not given.pad_to_length:
        for name in names:
            axes[name] |= {1: "length"}
    tensors = tuple(torch.from_numpy(array[:2].copy()) for array in arrays)
    with _plain_and_quiet(), torch.inference_mode():
        torch.onnx.export(
            tower,
            tensors,
            str(card.folder / ONNX_FILE),
            input_names=names,
            output_names=outputs,
            dynamic_axes=axes,
            opset_version=_OPSET,
            dynamo=False,
        )


@contextlib.contextmanager
def _plain_and_quiet() -> Iterator[None]:
    """Without PyTorch's fused attention, which ONNX does not have; what tracing says is compared, not read."""
    is_fused = torch.backends.mha.get_fastpath_enabled()
    chatter = logging.getLogger("torch.onnx")
    level = chatter.level
    torch.backends.mha.set_fastpath_enabled(False)
    chatter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(is_fused)
        chatter.setLevel(level)
