"""The recipe end to end at a tiny size, the ONNX file against torch, and the descriptor that is shipped."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from tintype.core.errors import SourceError
from tintype.models.card_file import built_in, parsed, read_file
from tintype.testing.pictures import scene
from tintype.train.pictures import squares
from tintype.train.projection import region_pooling, unit_length
from tintype.train.start import Layer

onnx = pytest.importorskip("onnx", reason="the recipe writes ONNX: extra train")
onnxruntime = pytest.importorskip("onnxruntime", reason="the recipe runs what it wrote")
SHIPPED = built_in("descriptor")


def run(weights: bytes, pixels: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(weights, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"pixels": pixels}), strict=True))


@pytest.fixture(scope="module")
def shipped() -> bytes:
    return read_file(SHIPPED, SHIPPED.weights_for("onnx").file)


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return squares([scene(seed, 200, 150) for seed in range(6)], SHIPPED.pixels.width)


def layers_of(seed: int) -> list[Layer]:
    """A small network: one plain layer that halves the side, one by channel, one by pixel."""
    random = np.random.default_rng(seed)

    def drawn(*shape: int) -> np.ndarray:
        return random.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)

    bias = random.uniform(0, 1, 8).astype(np.float32)
    return [
        Layer(drawn(8, 3, 3, 3), bias, 2, 1, (0, 0, 1, 1)),
        Layer(drawn(8, 1, 3, 3), bias, 1, 8, (1, 1, 1, 1)),
        Layer(drawn(8, 8, 1, 1), bias, 1, 1, (0, 0, 0, 0)),
    ]


def test_the_shipped_file_is_small_and_the_one_its_card_names(shipped: bytes) -> None:
    assert hashlib.sha256(shipped).hexdigest() == SHIPPED.weights_for("onnx").file.sha256
    assert len(shipped) <= 4_000_000
    assert "ImageNet" in SHIPPED.trained_on
    assert SHIPPED.recipe["seed"] == 1
    assert SHIPPED.figures


def test_the_shipped_descriptor_gives_unit_vectors_of_the_shapes_on_its_card(
    shipped: bytes, pictures: np.ndarray
) -> None:
    vectors = run(shipped, pictures)
    for output in SHIPPED.outputs:
        assert vectors[output.name].shape == (len(pictures), *output.shape)
        assert vectors[output.name].dtype == np.float32
        assert np.linalg.norm(vectors[output.name], axis=-1) == pytest.approx(1, abs=1e-5)


def test_a_vector_is_the_same_alone_and_among_others(shipped: bytes, pictures: np.ndarray) -> None:
    together = run(shipped, pictures)
    for number in range(len(pictures)):
        alone = run(shipped, pictures[number : number + 1])
        assert all(np.array_equal(alone[name][0], together[name][number]) for name in together)


def test_pictures_without_content_have_finite_vectors(shipped: bytes) -> None:
    side = SHIPPED.pixels.width
    even = np.stack([np.full((side, side, 3), level, np.uint8) for level in (0, 128, 255)])
    assert all(np.isfinite(vectors).all() for vectors in run(shipped, even).values())


def test_a_copy_is_nearer_than_other_pictures(shipped: bytes, pictures: np.ndarray) -> None:
    darker = (pictures * 0.7).astype(np.uint8)
    likeness = run(shipped, darker)["descriptor"] @ run(shipped, pictures)["descriptor"].T
    assert (likeness.argmax(axis=1) == np.arange(len(pictures))).all()


def test_the_written_network_computes_what_its_layers_say() -> None:
    """Against plain loops over numpy arrays; 8 bits of weights cost a little."""
    from tintype.train.network import Head, build

    layers, random = layers_of(1), np.random.default_rng(2)
    head = Head(
        region_pooling(4), random.normal(0, 1, 8).astype(np.float32), random.normal(0, 1, (8, 5)).astype("f4"), 3
    )
    pixels = random.integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    found = run(build(layers, 8, head).SerializeToString(), pixels)
    value = (pixels.transpose(0, 3, 1, 2).astype(np.float64) - 128) / 128
    for layer in layers:
        value = convolved(value, layer)
    means = ((value.reshape(3, 8, 16) ** 2) @ head.pooling) ** 0.5
    expected = (means.transpose(0, 2, 1) - head.offset) @ head.projection
    assert found["descriptor"] == pytest.approx(unit_length(expected[:, 0]), abs=0.03)
    assert found["regions"] == pytest.approx(unit_length(expected[:, 1:, :3]), abs=0.03)


def convolved(value: np.ndarray, layer: Layer) -> np.ndarray:
    above, left, below, right = layer.pads
    value = np.pad(value, ((0, 0), (0, 0), (above, below), (left, right)))
    outputs, inputs, high, wide = layer.weight.shape
    rows = range(0, value.shape[2] - high + 1, layer.stride)
    columns = range(0, value.shape[3] - wide + 1, layer.stride)
    result = np.empty((len(value), outputs, len(rows), len(columns)))
    for output in range(outputs):
        first = output * layer.groups // outputs * inputs
        for row, top in enumerate(rows):
            for column, start in enumerate(columns):
                window = value[:, first : first + inputs, top : top + high, start : start + wide]
                result[:, output, row, column] = (window * layer.weight[output]).sum(axis=(1, 2, 3))
    return (result + layer.bias[:, None, None]).clip(0, 6)


def test_a_start_that_is_not_there_is_named(tmp_path: Path) -> None:
    from tintype.train.start import read_layers

    with pytest.raises(SourceError, match="mobilenet"):
        read_layers(tmp_path / "mobilenet.onnx")


def test_the_recipe_runs_from_end_to_end_and_comes_out_the_same_again(data: Path) -> None:
    pytest.importorskip("torch", reason="tuning needs torch: extra train")
    from tintype.train.descriptor import Recipe, card, descriptor

    tiny = Recipe(made=6, photos=10, edits=3, steps=3, dimension=8, region_dimension=4)
    first, second = (descriptor(data, tiny, lambda line: None) for _ in range(2))
    assert first == second
    vectors = run(first, squares([scene(1, 90, 60)], tiny.side_px))
    facts = card(first, tiny)
    assert [list(vectors[output["name"]].shape[1:]) for output in facts["outputs"]] == [
        output["shape"] for output in facts["outputs"]
    ]
    assert parsed(facts, Path()).weights_for("onnx").file.sha256 == hashlib.sha256(first).hexdigest()


def test_tuned_layers_compute_the_same_in_torch_and_onnx() -> None:
    pytest.importorskip("torch", reason="tuning needs torch: extra train")
    from tintype.train import tuning
    from tintype.train.network import Head, build

    layers = layers_of(3)
    pixels = np.random.default_rng(4).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    lower = tuning.lower_features(layers[:1], pixels)
    maps = tuning.maps(layers[1:], lower[:, None])[:, 0].astype(np.float32)
    head = Head(region_pooling(4), np.zeros(8, np.float32), np.eye(8, dtype=np.float32), 8)
    found = run(build(layers, 8, head).SerializeToString(), pixels)["descriptor"]
    assert found == pytest.approx(unit_length(np.sqrt((maps**2).mean(axis=2))), abs=0.03)
