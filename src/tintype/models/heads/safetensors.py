"""Tensors of a safetensors file as arrays: a length, a JSON header, and raw numbers; nothing in it can run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import ModelError
from tintype.core.names import shown

_MAX_HEADER_BYTES = 10_000_000
_MAX_SIDES = 8
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_BFLOAT = "BF16"


@dataclass(frozen=True)
class Tensors:
    """What a file holds: arrays float32 by name, in the order of the file, and its makers' words (`__metadata__`)."""

    arrays: Mapping[str, NDArray[np.float32]]
    metadata: Mapping[str, str]


def read_tensors(data: bytes, place: str) -> Tensors:
    """The tensors of a file's bytes, all turned into float32.

    Raises ModelError, which names `place`, for bytes that are not safetensors and for tensors that are not of
    floating-point numbers. Format: github.com/huggingface/safetensors.
    """
    header, start = _header(data, place)
    told = header.pop("__metadata__", {})
    metadata = told if isinstance(told, dict) else {}
    body = memoryview(data)[start:]
    arrays = {name: _tensor(body, facts, f"{place}: {shown(name)[:80]}") for name, facts in header.items()}
    return Tensors(arrays, {key: value for key, value in metadata.items() if isinstance(value, str)})


def _header(data: bytes, place: str) -> tuple[dict[str, Any], int]:
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or not 2 <= length <= min(_MAX_HEADER_BYTES, len(data) - 8):
        raise ModelError(f"{place}: not a safetensors file")
    try:
        header = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{place}: not a safetensors file (its header is no JSON)") from error
    if not isinstance(header, dict):
        raise ModelError(f"{place}: not a safetensors file (its header is no object)")
    return header, 8 + length


def _tensor(data: memoryview, facts: Any, place: str) -> NDArray[np.float32]:
    shape, (start, end) = _extent(facts, place)
    kind = facts.get("dtype")
    if not isinstance(kind, str) or kind not in _DTYPES:
        raise ModelError(f"{place} is of {shown(str(kind))[:20]}; there are {', '.join(_DTYPES)}")
    stored = np.dtype(_DTYPES[kind])
    if end > len(data) or end - start != math.prod(shape) * stored.itemsize:
        raise ModelError(f"{place} does not have the bytes that its shape asks for. The file is damaged or cut")
    values = np.frombuffer(data[start:end], stored).reshape(shape)
    if kind == _BFLOAT:  # the upper half of a float32
        return (values.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def _extent(facts: Any, place: str) -> tuple[tuple[int, ...], tuple[int, int]]:
    """Shape, first byte and last, as far as they are numbers that can be."""
    known = facts if isinstance(facts, dict) else {}
    shape, offsets = _sizes(known.get("shape")), _sizes(known.get("data_offsets"))
    if shape is None or offsets is None or len(offsets) != 2:
        raise ModelError(f"{place} has no shape or no place in the file. The file is damaged")
    start, end = offsets
    if start > end:
        raise ModelError(f"{place} ends before it begins. The file is damaged")
    return shape, (start, end)


def _sizes(values: Any) -> tuple[int, ...] | None:
    """A short list of whole numbers of 0 or more; None where it is none."""
    if not isinstance(values, list) or len(values) > _MAX_SIDES:
        return None
    return tuple(values) if all(type(value) is int and value >= 0 for value in values) else None
