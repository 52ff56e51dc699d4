"""Heads that others trained: an MLP's safetensors, or an ONNX file over vectors."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import ModelError
from tintype.core.names import shown
from tintype.models.backends.onnx_facts import FileFacts, file_facts
from tintype.models.card import Card, Meaning
from tintype.models.heads.making import Made, dimension_of
from tintype.models.heads.network import Activation, Linear, Step, network
from tintype.models.heads.safetensors import Tensors, read_tensors

ACTIVATIONS = ("none", *get_args(Activation))
METADATA = "tintype.activation"
"""Of the file's own words: what an option would say."""

_MAX_BYTES = 500_000_000
_NUMBERED = re.compile(r"(?P<before>(?:\w+\.)*?)(?P<place>\d+)\.(?P<part>weight|bias)")
_SINGLE = re.compile(r"(?P<before>(?:\w+\.)*)(?P<part>weight|bias)")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


def from_file(
    over: Card, path: Path, *, labels: Sequence[str] = (), activation: str | None = None, license_: str | None = None
) -> Made:
    """A head from a file: an ONNX file of one input of vectors, or the safetensors of linear layers in a row
    (nn.Sequential: `layers.0.weight`, `layers.0.bias`, ...; a single layer may be `weight` and `bias` alone).

    A file of weights does not say what stands between layers whose numbers leave room for something: `activation` does
    ("none", "relu" or "gelu"). More than one output are classes, named by `labels`; one output is a number. Raises
    ModelError for whatever does not fit.
    """
    place, width = shown(path.name), dimension_of(over)
    data = _read(path, place)
    trained_on, license_ = "not stated", license_ or "unknown"
    if path.suffix == ".onnx":
        facts = file_facts(data, place)
        input_name, output_name, shape = _shapes(facts, width, place)
        meaning = _meaning(int(np.prod(shape)), labels, place)
        return Made(
            onnx=data,
            meaning=meaning,
            labels=labels,
            source=path.name,
            trained_on=trained_on,
            license=license_,
            input_name=input_name,
            output_name=output_name,
            shape=shape,
        )
    tensors = read_tensors(data, place)
    steps = _steps(tensors, activation, place)
    layers = [step for step in steps if isinstance(step, Linear)]
    if layers[0].weight.shape[0] != width:
        raise ModelError(
            f"{place}: it takes vectors of {layers[0].weight.shape[0]} dimensions; those of {over.name} have {width}"
        )
    outputs = layers[-1].weight.shape[1]
    meaning = _meaning(outputs, labels, place)
    between = [step for step in steps if not isinstance(step, Linear)]
    return Made(
        onnx=network(steps, softmax=meaning != "score"),
        meaning="score" if meaning == "score" else "probabilities",
        labels=labels,
        source=path.name,
        trained_on=trained_on,
        license=license_,
        recipe={"kind": "file", "layers": [list(layer.weight.shape) for layer in layers], "activations": between},
    )


def _read(path: Path, place: str) -> bytes:
    if path.suffix in _PICKLES:
        raise ModelError(
            f"{place}: a pickle, which can run code when it is read. Nothing was read. "
            "Take the head's safetensors or ONNX file, or convert it where you trust it"
        )
    if path.suffix not in (".onnx", ".safetensors"):
        raise ModelError(f"{place}: a head is an .onnx or a .safetensors file")
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ModelError(f"{place}: it cannot be read ({error.strerror})") from error
    if len(data) > _MAX_BYTES:
        raise ModelError(f"{place}: larger than {_MAX_BYTES:,} bytes, which no head is")
    return data


def _meaning(outputs: int, labels: Sequence[str], place: str) -> Meaning:
    if labels and len(labels) != outputs:
        raise ModelError(f"{place}: it has {outputs:,} outputs and there are {len(labels):,} labels")
    if not labels and outputs != 1:
        raise ModelError(f"{place}: it has {outputs:,} outputs. What are they? Give --labels, a file with a line each")
    return "logits" if labels else "score"


def _shapes(facts: FileFacts, width: int, place: str) -> tuple[str, str, tuple[int, ...]]:
    """Names of input and output, and the output's shape without the batch."""
    takes = [given for given in facts.inputs if given.type == "tensor(float)" and len(given.shape) == 2]
    if len(facts.inputs) != 1 or not takes or takes[0].shape[1] not in (None, width):
        there = ", ".join(f"{shown(given.name)} {given.type} {given.shape}" for given in facts.inputs)
        raise ModelError(f"{place}: it takes {there}, not float32 vectors of {width} dimensions")
    if takes[0].shape[0] is not None:
        raise ModelError(
            f"{place}: it takes exactly {takes[0].shape[0]} vectors at a time. Export it with a free first axis"
        )
    gives = [made for made in facts.outputs if len(made.shape) in (1, 2) and None not in made.shape[1:]]
    if len(facts.outputs) != 1 or not gives:
        there = ", ".join(f"{shown(made.name)} {made.shape}" for made in facts.outputs)
        raise ModelError(f"{place}: it gives {there}, not one row of numbers a vector")
    return takes[0].name, gives[0].name, tuple(side for side in gives[0].shape[1:] if side is not None)


def _steps(tensors: Tensors, activation: str | None, place: str) -> list[Step]:
    """The linear layers in the order of their numbers, with what stands between them."""
    parts = _layers(tensors.arrays, place)
    layers = {number: _linear(part, f"{place}: layer {number}") for number, part in sorted(parts.items())}
    numbers = list(layers)
    gaps = [later for earlier, later in itertools.pairwise(numbers) if later > earlier + 1]
    said = activation if activation is not None else tensors.metadata.get(METADATA)
    if gaps and said is None:
        raise ModelError(
            f"{place}: something stands between its linear layers ({', '.join(map(str, numbers))}), and a file of "
            f"weights does not say what. Say it: --activation {'|'.join(ACTIVATIONS)}"
        )
    if said is not None and said not in ACTIVATIONS:
        raise ModelError(f"{place}: the activation {shown(said)[:40]!r} is none of {', '.join(ACTIVATIONS)}")
    steps: list[Step] = []
    for number, layer in layers.items():
        if number in gaps and said in get_args(Activation):
            steps.append(said)  # type: ignore[arg-type]  # one of them, as was just asked
        steps.append(layer)
    sizes = [layer.weight.shape for layer in layers.values()]
    for before, after in itertools.pairwise(sizes):
        if before[1] != after[0]:
            raise ModelError(f"{place}: a layer gives {before[1]} values and the next one takes {after[0]}")
    return steps


def _layers(arrays: Mapping[str, NDArray[np.float32]], place: str) -> dict[int, dict[str, NDArray[np.float32]]]:
    layers: dict[int, dict[str, NDArray[np.float32]]] = {}
    prefixes = set()
    for name, values in arrays.items():
        known = _NUMBERED.fullmatch(name) or _SINGLE.fullmatch(name)
        if known is None:
            raise ModelError(f"{place}: {shown(name)[:80]} is of no linear layer; only rows of those are read")
        prefixes.add(known["before"])
        number = int(known.groupdict().get("place") or 0)
        layers.setdefault(number, {})[known["part"]] = values
    if len(prefixes) != 1:
        there = ", ".join(sorted(shown(prefix) or "none" for prefix in prefixes))[:120]
        raise ModelError(f"{place}: not one row of linear layers; the names begin with: {there or 'nothing'}")
    return layers


def _linear(part: Mapping[str, NDArray[np.float32]], place: str) -> Linear:
    weight = part.get("weight")
    if weight is None or weight.ndim != 2 or 0 in weight.shape:
        raise ModelError(f"{place} is no linear layer: it has {'no weight' if weight is None else weight.shape}")
    bias = part.get("bias", np.zeros(len(weight), np.float32))
    if bias.shape != (len(weight),):
        raise ModelError(f"{place}: its bias is of the shape {bias.shape}, its weight of {weight.shape}")
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise ModelError(f"{place} has weights that are not finite")
    return Linear(np.ascontiguousarray(weight.T), bias)
