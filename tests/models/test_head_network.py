"""Small networks as ONNX: onnx finds nothing amiss, and ONNX Runtime gives what arithmetic gives."""

import math

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tintype.models.backends.onnx_runtime import onnxruntime
from tintype.models.heads.network import Linear, Step, network


def layer(inputs: int, outputs: int, seed: int = 0) -> Linear:
    random = np.random.default_rng(seed)
    weight = random.standard_normal((inputs, outputs)) / np.sqrt(inputs)
    return Linear(weight.astype(np.float32), random.standard_normal(outputs).astype(np.float32))


def by_hand(steps: list[Step], vectors: np.ndarray) -> np.ndarray:
    values = vectors.astype(np.float64)
    for step in steps:
        if isinstance(step, Linear):
            values = values @ step.weight + step.bias
        elif step == "relu":
            values = np.maximum(values, 0)
        else:
            values = values * (1 + np.vectorize(math.erf, otypes=[float])(values / math.sqrt(2))) / 2
    return values


def run(data: bytes, vectors: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    (made,) = session.run(["result"], {"vectors": vectors.astype(np.float32)})
    return np.asarray(made)


@settings(max_examples=15)
@given(
    widths=st.lists(st.integers(1, 300), min_size=2, max_size=5),
    activation=st.sampled_from([None, "relu", "gelu"]),
    softmax=st.booleans(),
    rows=st.integers(0, 4),
)
def test_any_network_computes_what_its_steps_say(
    widths: list[int], activation: str | None, softmax: bool, rows: int
) -> None:
    steps: list[Step] = []
    for place in range(len(widths) - 1):
        steps.append(layer(widths[place], widths[place + 1], seed=place))
        if activation and place < len(widths) - 2:
            steps.append(activation)  # type: ignore[arg-type]  # one of the two
    data = network(steps, softmax=softmax)
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    vectors = np.random.default_rng(9).standard_normal((rows, widths[0]))
    expected = by_hand(steps, vectors)
    if softmax:
        raised = np.exp(expected - expected.max(axis=1, keepdims=True, initial=-np.inf))
        expected = raised / raised.sum(axis=1, keepdims=True)
    assert run(data, vectors) == pytest.approx(expected, abs=1e-4)


def test_the_same_steps_give_the_same_bytes_and_other_ones_others() -> None:
    assert network([layer(5, 2)]) == network([layer(5, 2)])
    assert network([layer(5, 2)]) != network([layer(5, 2, seed=1)])
    assert network([layer(5, 2)]) != network([layer(5, 2)], softmax=True)


def test_the_file_says_what_it_is() -> None:
    model = onnx.load_from_string(network([layer(768, 10)]))
    assert (model.producer_name, model.ir_version, model.opset_import[0].version) == ("tintype", 8, 17)
    (taken,), (given_,) = model.graph.input, model.graph.output
    sides = [[side.dim_param or side.dim_value for side in one.type.tensor_type.shape.dim] for one in (taken, given_)]
    assert sides == [["n", 768], ["n", 10]]
