"""A model repository for Triton Inference Server: the card's network, and with it an ensemble that takes image files.

Written to the interfaces that Triton and its DALI backend document (github.com/triton-inference-server: server
docs/user_guide/model_configuration.md, dali_backend README). The ensemble needs a server with DALI and a GPU.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from tintype.core.errors import ModelError, UsageError
from tintype.core.names import shown
from tintype.core.platform import full_disk_is_said, sync_directory, write_atomically
from tintype.models.card import Card, PixelInput, TextInput
from tintype.models.card_file import read_file

FINGERPRINT = "tintype_card"
"""The parameter of a model's configuration that says which card it was written for."""

MOST_ROWS = 64
_DELAY_US = 500
_TYPES = {"float32": "TYPE_FP32", "float16": "TYPE_FP16", "uint8": "TYPE_UINT8"}
_INTERPOLATIONS = {
    "nearest": "INTERP_NN",
    "bilinear": "INTERP_LINEAR",
    "bicubic": "INTERP_CUBIC",
    "lanczos": "INTERP_LANCZOS3",
}


def write_repository(card: Card, place: Path, *, instances: int = 1) -> tuple[str, ...]:
    """Write the card's models into a repository, that may hold others; returns their names.

    `NAME` is the network, from the card's ONNX weights, with dynamic batching and so many instances on each device.
    For models of images there are also `NAME_preparation`, DALI's decoding, scaling and normalizing, and `NAME_images`,
    the two in a row: encoded images in, vectors out. Raises ModelError for a card that has no ONNX weights, UsageError
    where the repository has models of these names.
    """
    weights = read_file(card, card.weights_for("onnx").file)
    models: dict[str, dict[str, bytes]] = {
        card.name: {"config.pbtxt": network_config(card, instances).encode(), "1/model.onnx": weights}
    }
    if isinstance(card.input, PixelInput) and not _lacking(card.input):
        names = f"{card.name}_preparation", f"{card.name}_images"
        models[names[0]] = {
            "config.pbtxt": preparation_config(card, card.input).encode(),
            "1/dali.py": preparation_source(card.input).encode(),
        }
        models[names[1]] = {"config.pbtxt": ensemble_config(card, card.input).encode(), "1/README": _EMPTY}
    with full_disk_is_said(str(place)):
        place.mkdir(parents=True, exist_ok=True)
        taken = [name for name in models if (place / name).exists()]
        if taken:
            raise UsageError(
                f"{shown(str(place))} already has a model {taken[0]}. Nothing was written. Name another folder"
            )
        for name, files in models.items():
            _put(place, name, files)
    return tuple(models)


def network_config(card: Card, instances: int = 1) -> str:
    """The config.pbtxt of the network alone."""
    given = card.single_input
    if isinstance(given, PixelInput):
        planes = [3, given.height, given.width] if given.layout == "NCHW" else [given.height, given.width, 3]
        inputs = [(given.name, _TYPES[given.dtype], planes)]
    elif isinstance(given, TextInput):
        length = given.length if given.pad_to_length else -1
        inputs = [(name, "TYPE_INT64", [length]) for name in (given.name, given.mask) if name]
    else:
        inputs = [(given.name, "TYPE_FP32", [given.dimension])]
    return _text(
        f'name: "{card.name}"',
        'backend: "onnxruntime"',
        f"max_batch_size: {MOST_ROWS}",
        *(_tensor("input", *one) for one in inputs),
        *(_tensor("output", output.name, "TYPE_FP32", list(output.shape)) for output in card.outputs),
        f"dynamic_batching {{ preferred_batch_size: [ {MOST_ROWS // 4}, {MOST_ROWS} ] "
        f"max_queue_delay_microseconds: {_DELAY_US} }}",
        f"instance_group [ {{ kind: KIND_AUTO count: {instances} }} ]",
        f'parameters {{ key: "{FINGERPRINT}" value {{ string_value: "{card.fingerprint}" }} }}',
    )


def preparation_config(card: Card, given: PixelInput) -> str:
    """The config.pbtxt of DALI's part."""
    return _text(
        f'name: "{card.name}_preparation"',
        'backend: "dali"',
        f"max_batch_size: {MOST_ROWS}",
        _tensor("input", "IMAGE", "TYPE_UINT8", [-1]),
        _tensor("output", "PREPARED", _TYPES[given.dtype], _planes(given)),
        "dynamic_batching { }",
        "instance_group [ { kind: KIND_GPU count: 1 } ]",
    )


def ensemble_config(card: Card, given: PixelInput) -> str:
    """The config.pbtxt of both in a row. Encoded images of a batch are filled up with zeros to one length."""
    outputs = "".join(f' output_map {{ key: "{one.name}" value: "{one.name}" }}' for one in card.outputs)
    return _text(
        f'name: "{card.name}_images"',
        'platform: "ensemble"',
        f"max_batch_size: {MOST_ROWS}",
        _tensor("input", "IMAGE", "TYPE_UINT8", [-1]),
        *(_tensor("output", output.name, "TYPE_FP32", list(output.shape)) for output in card.outputs),
        "ensemble_scheduling {",
        f'  step [ {{ model_name: "{card.name}_preparation" model_version: -1 '
        'input_map { key: "IMAGE" value: "IMAGE" } output_map { key: "PREPARED" value: "PREPARED" } },',
        f'  {{ model_name: "{card.name}" model_version: -1 '
        f'input_map {{ key: "{given.name}" value: "PREPARED" }}{outputs} }} ]',
        "}",
    )


def preparation_source(given: PixelInput) -> str:
    """The dali.py that the DALI backend serializes when it starts: decode, scale, crop, normalize, as the card says.

    Raises ModelError for what DALI cannot do.
    """
    lacking = _lacking(given)
    if lacking:
        raise ModelError(f"DALI has no {lacking}, so there is no ensemble for it")
    interpolation = _INTERPOLATIONS[given.filter]
    if given.fit == "crop":
        scale = f"resize_shorter={given.shorter_px or min(given.width, given.height):g}"
    else:
        scale = f"resize_x={given.width}, resize_y={given.height}"
    order = [2, 1, 0] if given.order == "bgr" else [0, 1, 2]
    image_type = "BGR" if given.order == "bgr" else "RGB"
    mean, std = ([values[channel] for channel in order] for values in (given.mean, given.std))
    layout = "CHW" if given.layout == "NCHW" else "HWC"
    dtype = {"float32": "FLOAT", "float16": "FLOAT16", "uint8": "UINT8"}[given.dtype]
    return f'''"""Encoded images to what the network takes. Made by: tintype models triton"""

import nvidia.dali as dali
from nvidia.dali import fn, types
from nvidia.dali.plugin.triton import autoserialize


@autoserialize
@dali.pipeline_def(batch_size={MOST_ROWS}, num_threads=4, device_id=0)
def prepared():
    encoded = fn.external_source(device="cpu", name="IMAGE")
    images = fn.decoders.image(encoded, device="mixed", output_type=types.{image_type})
    scaled = fn.resize(images, {scale}, interp_type=types.{interpolation}, antialias=True)
    return fn.crop_mirror_normalize(
        scaled,
        dtype=types.{dtype},
        output_layout="{layout}",
        crop=({given.height}, {given.width}),
        mean={mean},
        std={std},
    )
'''


def _lacking(given: PixelInput) -> str:
    """What DALI cannot do of a card's preparation; "" where it can do all."""
    if given.fit not in ("crop", "squeeze"):
        return f"preparation by {given.fit}"
    return "" if given.filter in _INTERPOLATIONS else f"filter {given.filter}"


def _planes(given: PixelInput) -> list[int]:
    return [3, given.height, given.width] if given.layout == "NCHW" else [given.height, given.width, 3]


def _tensor(kind: str, name: str, dtype: str, sides: list[int]) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    dims = ", ".join(str(side) for side in sides)
    return f'{kind} [ {{ name: "{escaped}" data_type: {dtype} dims: [ {dims} ] }} ]'


def _text(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


_EMPTY = b"An ensemble has no files of its own; Triton wants a folder for its version.\n"


def _put(place: Path, name: str, files: dict[str, bytes]) -> None:
    """A model wholly, or not at all: a server may be watching the folder."""
    half = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=place))
    try:
        for path, content in files.items():
            (half / path).parent.mkdir(exist_ok=True)
            write_atomically(half / path, content)
        half.chmod(0o755)  # the server is often another user
        os.rename(half, place / name)
        sync_directory(place)
    finally:
        shutil.rmtree(half, ignore_errors=True)
