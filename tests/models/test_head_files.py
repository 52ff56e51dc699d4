"""Heads that others trained: an MLP's safetensors as PyTorch computes it, ONNX files as they are, the rest refused."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from head_collections import WIDTH, directions
from onnx import TensorProto, helper, numpy_helper

from tintype.core.errors import ModelError
from tintype.models import registry
from tintype.models.card import Card
from tintype.models.card_file import built_in, read_labels
from tintype.models.heads.from_file import from_file
from tintype.models.heads.making import add_head
from tintype.models.heads.network import Linear, network
from tintype.models.heads.running import AT_ONCE, Head

OVER = built_in("descriptor")


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))


def save(path: Path, tensors: dict[str, Any], **metadata: str) -> Path:
    library = pytest.importorskip("safetensors.numpy", reason="the format's own library; comes with the extra torch")
    arrays = {name: np.asarray(values, np.float32) for name, values in tensors.items()}
    library.save_file(arrays, path, metadata=metadata or None)
    return path


def mlp(*widths: int, places: tuple[int, ...] | None = None, before: str = "layers.") -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    made = {}
    for number, place in enumerate(places or tuple(range(0, 2 * (len(widths) - 1), 2))):
        inputs, outputs = widths[number : number + 2]
        made[f"{before}{place}.weight"] = random.standard_normal((outputs, inputs)) / np.sqrt(inputs)
        made[f"{before}{place}.bias"] = random.standard_normal(outputs)
    return made


def taken(path: Path, **told: Any) -> Card:
    return add_head("h", OVER, from_file(OVER, path, **told))


@pytest.mark.parametrize("activation", ["none", "relu", "gelu"])
def test_an_aesthetic_predictor_scores_as_pytorch_does(activation: str, tmp_path: Path) -> None:
    """The layout of LAION's: five linear layers in an nn.Sequential, dropouts between some of them."""
    torch = pytest.importorskip("torch", reason="plays the reference")
    nn = torch.nn
    between = {"none": nn.Dropout(0.2), "relu": nn.ReLU(), "gelu": nn.GELU()}[activation]
    sizes = ((WIDTH, 64), (64, 32), (32, 16), (16, 8), (8, 1))
    linear = [nn.Linear(*size) for size in sizes]
    layers = nn.Sequential(linear[0], between, linear[1], between, linear[2], between, linear[3], linear[4])
    state = {f"layers.{name}": values.numpy() for name, values in layers.state_dict().items()}
    card = taken(save(tmp_path / "sac.safetensors", state), activation=activation)
    assert (card.task, card.outputs[0].meaning, card.outputs[0].shape) == ("head", "score", (1,))
    assert card.recipe["activations"] == ([] if activation == "none" else [activation] * 3)
    vectors = directions(50).astype(np.float16)
    with torch.inference_mode():
        expected = layers.eval()(torch.from_numpy(vectors.astype(np.float32))).numpy()[:, 0]
    assert Head(card)(vectors) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        pytest.param(("weight", "bias"), None, id="one layer alone"),
        pytest.param(("fc.weight", "fc.bias"), None, id="one layer with a name"),
        pytest.param(("mlp.net.3.weight",), None, id="a number and no bias"),
    ],
)
def test_one_layer_needs_no_words(names: tuple[str, ...], said: None, tmp_path: Path) -> None:
    weight, bias = np.random.default_rng(1).standard_normal((1, WIDTH)), np.array([0.25])
    card = taken(save(tmp_path / "w.safetensors", dict(zip(names, (weight, bias), strict=False))))
    vectors = directions(3)
    expected = vectors @ weight[0] + (0.25 if len(names) > 1 else 0)
    assert Head(card)(vectors.astype(np.float32)) == pytest.approx(expected, abs=1e-5)


def test_what_stands_between_layers_may_stand_in_the_file(tmp_path: Path) -> None:
    path = save(tmp_path / "w.safetensors", mlp(WIDTH, 4, 1), **{"tintype.activation": "relu"})
    assert taken(path).recipe["activations"] == ["relu"]


def test_neighbors_by_number_have_nothing_between_them(tmp_path: Path) -> None:
    path = save(tmp_path / "w.safetensors", mlp(WIDTH, 4, 3, 1, places=(0, 1, 2)))
    assert taken(path).recipe["activations"] == []


def test_several_outputs_are_classes(tmp_path: Path) -> None:
    card = taken(save(tmp_path / "w.safetensors", mlp(WIDTH, 3)), labels=("a cat", "a dog", "a  bird"))
    assert read_labels(card, "result") == ("a cat", "a dog", "a bird")
    made = Head(card)(directions(5))
    assert made.shape == (5, 3)
    assert made.sum(axis=1) == pytest.approx(1)
    assert registry.card("h") == card


def _bad(said: str, tensors: dict[str, Any], **told: Any) -> Any:
    return pytest.param(said, tensors, told, id=said)


@pytest.mark.parametrize(
    ("said", "tensors", "told"),
    [
        _bad("--activation none", mlp(WIDTH, 4, 1)),
        _bad("'swish' is none of", mlp(WIDTH, 4, 1), activation="swish"),
        _bad("those of descriptor have 256", mlp(WIDTH + 1, 1)),
        _bad("Give --labels", mlp(WIDTH, 2)),
        _bad("there are 3 labels", mlp(WIDTH, 2), labels=("a", "b", "c")),
        _bad("cannot be a name", mlp(WIDTH, 2), labels=("a", "b\x1b[2J")),
        _bad("it is empty", mlp(WIDTH, 2), labels=("a", " ")),
        _bad("gives 4 values and the next one takes 5", mlp(WIDTH, 4) | {"layers.1.weight": np.ones((1, 5))}),
        _bad("is of no linear layer", mlp(WIDTH, 1) | {"layers.1.running_mean": np.ones(4)}),
        _bad("is no linear layer", mlp(WIDTH, 1) | {"layers.1.weight": np.ones(4)}),
        _bad("no linear layer: it has no weight", mlp(WIDTH, 1) | {"layers.1.bias": np.ones(4)}),
        _bad("not one row of linear layers", mlp(WIDTH, 1) | mlp(WIDTH, 1, before="other.")),
        _bad("its bias is of the shape", mlp(WIDTH, 1) | {"layers.0.bias": np.ones(2)}),
        _bad("not finite", mlp(WIDTH, 1) | {"layers.0.bias": np.array([np.nan])}),
        _bad("the names begin with: nothing", {}),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    said: str, tensors: dict[str, Any], told: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=rf"^[^\n]*{said}[^\n]*$"):
        taken(save(tmp_path / "w.safetensors", tensors), **told)
    assert not (tmp_path / "models").exists()


def test_a_pickle_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "sac.pth").write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(ModelError, match="can run code when it is read"):
        taken(tmp_path / "sac.pth")
    with pytest.raises(ModelError, match="cannot be read"):
        taken(tmp_path / "missing.onnx")
    (tmp_path / "w.txt").write_text("1")
    with pytest.raises(ModelError, match=r"an \.onnx or a \.safetensors file"):
        taken(tmp_path / "w.txt")


# ONNX


def save_onnx(
    path: Path, weight: np.ndarray, ending: str = "Identity", given: tuple[Any, ...] = ("n", WIDTH), dtype: int = 1
) -> Path:
    nodes = [helper.make_node("Cast", ["emb"], ["floats"], to=TensorProto.FLOAT)]
    nodes.append(helper.make_node("MatMul", ["floats", "w"], ["mixed"]))
    settings = {"axis": 0} if ending == "Softmax" else {}
    nodes.append(helper.make_node(ending.removesuffix("Rows"), ["mixed"], ["out"], **settings))
    inputs = [helper.make_tensor_value_info("emb", dtype, given)]
    outputs = [helper.make_tensor_value_info("out", TensorProto.FLOAT, (given[0], weight.shape[1]))]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(weight.astype(np.float32), "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


WEIGHT = np.random.default_rng(3).standard_normal((WIDTH, 3))


def test_an_onnx_file_is_taken_as_it_is(tmp_path: Path) -> None:
    path = save_onnx(tmp_path / "nsfw.onnx", WEIGHT[:, :1])
    card = taken(path, license_="MIT")
    assert (card.folder / card.weights[0].file.name).read_bytes() == path.read_bytes()
    assert (card.input.name, card.license, card.source) == ("emb", "MIT", "nsfw.onnx")
    vectors = directions(4)
    assert Head(card)(vectors) == pytest.approx((vectors @ WEIGHT)[:, 0], abs=1e-5)


def test_probabilities_are_told_from_logits_by_running_it(tmp_path: Path) -> None:
    names, vectors = ("a", "b", "c"), directions(6)
    logits = vectors @ WEIGHT
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for ending, meaning in (("SoftmaxRows", "probabilities"), ("Identity", "logits")):
        card = taken(save_onnx(tmp_path / "c.onnx", WEIGHT, ending), labels=names)
        assert card.outputs[0].meaning == meaning
        assert Head(card)(vectors) == pytest.approx(expected, abs=1e-5)
        registry.remove("h")


@pytest.mark.parametrize(
    ("said", "changes", "labels"),
    [
        pytest.param("vectors of 256 dimensions", {"given": ("n", 9), "weight": WEIGHT[:9]}, "abc", id="width"),
        pytest.param("exactly 1 vectors at a time", {"given": (1, WIDTH)}, "abc", id="batch"),
        pytest.param("tensor\\(double\\)", {"dtype": TensorProto.DOUBLE}, "abc", id="type"),
        pytest.param("do not add up to 1", {"ending": "Sigmoid"}, "abc", id="probabilities of their own"),
        pytest.param("depends on the vectors beside it", {"ending": "Softmax"}, "abc", id="other rows"),
        pytest.param("Give --labels", {}, "", id="no labels"),
    ],
)
def test_an_onnx_file_that_does_not_fit_is_refused(
    said: str, changes: dict[str, Any], labels: str, tmp_path: Path
) -> None:
    path = save_onnx(tmp_path / "c.onnx", **({"weight": WEIGHT} | changes))
    with pytest.raises(ModelError, match=rf"^[^\n]*{said}[^\n]*$"):
        taken(path, labels=tuple(labels))
    assert not (tmp_path / "models").exists() or not list((tmp_path / "models").iterdir())


def test_a_row_does_not_depend_on_how_many_come_with_it(tmp_path: Path) -> None:
    card = taken(save(tmp_path / "w.safetensors", mlp(WIDTH, 32, 7)), activation="relu", labels=tuple("abcdefg"))
    head, vectors = Head(card), directions(AT_ONCE + 77).astype(np.float16)
    whole = head(vectors)
    for start, size in ((0, 1), (5, 2), (1, AT_ONCE), (AT_ONCE - 3, 9), (40, 0)):
        assert np.array_equal(head(vectors[start : start + size]), whole[start : start + size])
    with pytest.raises(ModelError, match="takes vectors of 256"):
        head(vectors[:, :9])


def test_a_card_that_is_no_head_is_refused() -> None:
    with pytest.raises(ModelError, match="no head"):
        Head(OVER)


def test_a_head_pins_the_card_of_its_vectors(tmp_path: Path) -> None:
    card = taken(save(tmp_path / "w.safetensors", mlp(WIDTH, 1)))
    assert (card.input.card, card.input.fingerprint, card.input.dimension) == ("descriptor", OVER.fingerprint, WIDTH)
    made = from_file(OVER, save(tmp_path / "w.safetensors", mlp(WIDTH, 1)))
    with pytest.raises(ModelError, match="already named h"):
        add_head("h", OVER, made)
    for name in ("../up", "descriptor", ""):
        with pytest.raises(ModelError, match="name"):
            add_head(name, OVER, made)
    layer = Linear(np.ones((WIDTH, 1), np.float32), np.zeros(1, np.float32))
    assert network([layer]) != made.onnx
