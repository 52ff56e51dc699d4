"""Safetensors read without their library: equal to what it reads, and damage is one line, never anything else."""

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tintype.core.errors import ModelError
from tintype.models.heads.safetensors import read_tensors

ARRAYS = {
    "layers.0.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "layers.0.bias": np.array([0.5, -1], np.float16),
    "deep": np.array(1.25, np.float64),
    "empty": np.zeros((0, 4), np.float32),
}


def written(arrays: dict[str, np.ndarray], **metadata: str) -> bytes:
    library = pytest.importorskip("safetensors.numpy", reason="the format's own library; comes with the extra torch")
    data: bytes = library.save(arrays, metadata=metadata or None)
    return data


def assembled(header: object, rest: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + rest


def test_what_the_library_writes_is_read() -> None:
    read = read_tensors(written(ARRAYS, activation="relu"), "x")
    assert read.metadata == {"activation": "relu"}
    assert {name: values.tolist() for name, values in read.arrays.items()} == {
        name: values.astype(np.float32).tolist() for name, values in ARRAYS.items()
    }
    assert all(values.dtype == np.float32 for values in read.arrays.values())


def test_half_of_a_float_is_read_as_its_library_reads_it() -> None:
    torch = pytest.importorskip("torch", reason="numpy has no bfloat16")
    library = pytest.importorskip("safetensors.torch", reason="comes with the extra torch")
    values = torch.tensor([1.0, -2.5, 3.14159, 1e30, float("inf")], dtype=torch.bfloat16)
    read = read_tensors(library.save({"w": values}), "x").arrays["w"]
    assert read.tolist() == values.float().tolist()


def tensor(**changes: object) -> dict[str, object]:
    return {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x80\x02pickle", id="a pickle"),
        pytest.param((1 << 62).to_bytes(8, "little") + b"{}", id="a header longer than the file"),
        pytest.param(assembled(b"[1"), id="no JSON"),
        pytest.param(assembled([1]), id="no object"),
        pytest.param(assembled(b"[" * 100_000), id="JSON too deep"),
        pytest.param(assembled({"w": 3}), id="a tensor that is a number"),
        pytest.param(assembled(tensor(dtype="I64"), bytes(8)), id="whole numbers"),
        pytest.param(assembled(tensor(dtype=None), bytes(8)), id="no type"),
        pytest.param(assembled(tensor(shape=[2, -1]), bytes(8)), id="a side below 0"),
        pytest.param(assembled(tensor(shape=[True, 2]), bytes(8)), id="a side that is no number"),
        pytest.param(assembled(tensor(shape=[1 << 40, 1 << 40]), bytes(8)), id="a shape of all memory there is"),
        pytest.param(assembled(tensor(data_offsets=[8, 0]), bytes(8)), id="an end before its beginning"),
        pytest.param(assembled(tensor(data_offsets=[4, 12]), bytes(8)), id="an end beyond the file"),
        pytest.param(assembled(tensor(data_offsets=[0]), bytes(8)), id="no end"),
    ],
)
def test_what_is_damaged_is_one_line(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"^x[^\n]*$"):
        read_tensors(data, "x")


@settings(max_examples=150)
@given(at=st.integers(0, 200), flip=st.integers(1, 255), cut=st.integers(0, 60))
def test_no_damage_does_more_than_be_said(at: int, flip: int, cut: int) -> None:
    data = bytearray(assembled(tensor() | {"__metadata__": {"a": "b"}}, np.ones(2, np.float32).tobytes()))
    data[at % len(data)] ^= flip
    with contextlib.suppress(ModelError):
        read = read_tensors(bytes(data[: len(data) - cut]), "x")
        assert all(values.size <= 2 for values in read.arrays.values())
