"""An ONNX file becomes a card of what it says and what is told; what nobody says is asked for, never guessed."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tintype.core.errors import ModelError
from tintype.models import registry
from tintype.models.adding.adding import add
from tintype.models.adding.wishes import Wishes
from tintype.models.backends.onnx import OnnxBackend
from tintype.models.card_file import read_labels

TOLD = Wishes(fit="crop", shorter_px=256.0, filter="bilinear", mean=(128.0, 128.0, 128.0), std=(128.0, 128.0, 128.0))


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def save_small(
    path: Path,
    shape: tuple[Any, ...] = ("n", 3, 8, 8),
    dtype: int = TensorProto.FLOAT,
    metadata: dict[str, str] | None = None,
    inputs: int = 1,
    softmax: bool = False,
) -> Path:
    """A network that averages its channels and mixes them into five values."""
    axes, channels = ([2, 3], shape[1]) if shape[1] in (1, 3) else ([1, 2], shape[3])
    weights = np.random.default_rng(0).normal(size=(channels, 5)).astype(np.float32)
    nodes = [helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT)]
    nodes += [helper.make_node("ReduceMean", ["floats"], ["means"], axes=axes, keepdims=0)]
    nodes += [helper.make_node("MatMul", ["means", "weights"], ["mixed"])]
    nodes += [helper.make_node("Softmax" if softmax else "Identity", ["mixed"], ["five"])]
    given = [helper.make_tensor_value_info("image", dtype, shape)]
    given += [helper.make_tensor_value_info(f"more{number}", TensorProto.FLOAT, ["n"]) for number in range(inputs - 1)]
    made = [helper.make_tensor_value_info("five", TensorProto.FLOAT, ["n", 5])]
    graph = helper.make_graph(nodes, "small", given, made, [numpy_helper.from_array(weights, "weights")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
    return path


def test_what_the_file_says_is_read_and_the_rest_is_told(data: Path) -> None:
    path = data / "models" / "mobilenet_v1_features.onnx"
    (card,) = add(str(path), replace(TOLD, license="Apache-2.0"))
    assert (card.name, card.task, card.license) == ("mobilenet_v1_features", "embed image", "Apache-2.0")
    assert (card.pixels.name, card.pixels.width, card.pixels.layout, card.pixels.dtype) == (
        "image",
        224,
        "NCHW",
        "float32",
    )
    assert [(output.name, output.shape, output.meaning) for output in card.outputs] == [("features", (1024,), "vector")]
    assert registry.card("mobilenet_v1_features") == card


def test_classes_are_seen_by_their_number_and_probabilities_by_their_sum(data: Path) -> None:
    labels = data / "models" / "imagenet_labels.txt"
    (card,) = add(str(data / "models" / "mobilenet_v1_025_128_imagenet.onnx"), replace(TOLD, name="m", labels=labels))
    assert (card.task, card.pixels.width) == ("classify", 128)
    assert [(output.name, output.meaning) for output in card.outputs] == [
        ("prob", "probabilities"),
        ("features", "vector"),
    ]
    assert len(read_labels(card, "prob")) == 1001


def test_what_nobody_says_is_asked_for(data: Path) -> None:
    path = str(data / "models" / "mobilenet_v1_features.onnx")
    with pytest.raises(ModelError, match=r"^[^\n]*--fit --filter --mean --std[^\n]*$"):
        add(path, Wishes())
    for name, option in (
        ("fit", "fit"),
        ("filter", "filter"),
        ("mean", "mean"),
        ("std", "std"),
        ("shorter_px", "shorter"),
    ):
        with pytest.raises(ModelError, match=rf"^[^\n]*Give: --{option} \([^\n]*$"):
            add(path, replace(TOLD, **{name: None}))


def test_metadata_of_the_file_says_it_as_well(tmp_path: Path) -> None:
    said = {
        "fit": "squeeze",
        "filter": "bicubic",
        "mean": "1,2,3",
        "std": "[4, 5, 6]",
        "order": "bgr",
        "license": "MIT",
    }
    metadata = {f"tintype.{name}": value for name, value in said.items()} | {"tintype.size_px": "10,12"}
    path = save_small(tmp_path / "Small Net.onnx", ("n", 3, "h", "w"), metadata=metadata)
    (card,) = add(str(path), Wishes(mean=(7.0, 8.0, 9.0)))
    assert (card.name, card.license, card.pixels.fit, card.pixels.order) == ("small_net", "MIT", "squeeze", "bgr")
    assert (card.pixels.width, card.pixels.height, card.pixels.std) == (10, 12, (4.0, 5.0, 6.0))
    assert card.pixels.mean == (7.0, 8.0, 9.0)  # an option is stronger


@pytest.mark.parametrize(
    ("shape", "dtype", "layout", "name"),
    [
        (("n", 3, 8, 8), TensorProto.FLOAT16, "NCHW", "float16"),
        (("n", 8, 8, 3), TensorProto.FLOAT, "NHWC", "float32"),
        (("n", 8, 8, 3), TensorProto.UINT8, "NHWC", "uint8"),
    ],
)
def test_layout_and_dtype_are_the_file_s(shape: Any, dtype: int, layout: str, name: str, tmp_path: Path) -> None:
    told = Wishes(fit="squeeze", filter="box") if name == "uint8" else replace(TOLD, fit="squeeze")
    (card,) = add(str(save_small(tmp_path / "s.onnx", shape, dtype)), told)
    assert (card.pixels.layout, card.pixels.dtype) == (layout, name)
    pixels = np.full((2, 8, 8, 3), 128, np.uint8)
    made = OnnxBackend().load(card).run({"image": pixels})["five"]
    assert made == pytest.approx(0, abs=1e-3) if name != "uint8" else abs(made).max() > 1


def test_logits_are_told_from_probabilities(tmp_path: Path) -> None:
    for softmax, meaning in ((True, "probabilities"), (False, "logits")):
        path = save_small(tmp_path / f"{meaning}.onnx", softmax=softmax)
        (card,) = add(str(path), replace(TOLD, task="classify", shorter_px=9.0))
        assert card.outputs[0].meaning == meaning


def _bad(said: str, changes: dict[str, Any], **small: Any) -> Any:
    return pytest.param(said, changes, small, id=said)


@pytest.mark.parametrize(
    ("said", "changes", "small"),
    [
        _bad("multiply by 255", {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}),
        _bad("above 0", {"std": (0.0, 1.0, 2.0)}),
        _bad("at least what is cropped", {"shorter_px": 7.0}),
        _bad("not 9 x 8", {"size_px": (9, 8)}),
        _bad("not one of color images", {}, shape=("n", 1, 8, 8)),
        _bad("3 x 8 x 3", {}, shape=("n", 3, 8, 3)),
        _bad("--size", {}, shape=("n", 3, "h", "w")),
        _bad("has the inputs", {}, inputs=2),
        _bad("tensor\\(double\\)", {}, dtype=TensorProto.DOUBLE),
        _bad("fit 'stretch' does not fit", {"fit": None}, metadata={"tintype.fit": "stretch"}),
        _bad("mean '1,2' does not fit", {"mean": None}, metadata={"tintype.mean": "1,2"}),
        _bad("mean 'nan,1,2' does not fit", {"mean": None}, metadata={"tintype.mean": "nan,1,2"}),
        _bad("forbids", {"license": "CC-BY-NC-4.0"}),
        _bad("cannot be a name", {"name": "../up"}),
        _bad("already named", {"name": "descriptor"}),
    ],
)
def test_what_does_not_fit_is_refused(
    said: str, changes: dict[str, Any], small: dict[str, Any], tmp_path: Path, own_models: Path
) -> None:
    path = save_small(tmp_path / "s.onnx", **small)
    with pytest.raises(ModelError, match=rf"^[^\n]*{said}[^\n]*$"):
        add(str(path), replace(TOLD, **({"shorter_px": 9.0} | changes)))
    assert not own_models.exists() or not list(own_models.iterdir())


def test_labels_that_no_output_has_are_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    path = save_small(tmp_path / "s.onnx")
    with pytest.raises(ModelError, match=r"no output has the 2 classes[^\n]*five \(5\)"):
        add(str(path), replace(TOLD, shorter_px=9.0, labels=tmp_path / "labels.txt"))
    with pytest.raises(ModelError, match="labels cannot be read"):
        add(str(path), replace(TOLD, shorter_px=9.0, labels=tmp_path / "missing.txt"))


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"^[^\n]*cannot load[^\n]*$"):
        add(str(tmp_path / "s.onnx"), TOLD)


def test_weights_in_further_files_are_refused(tmp_path: Path) -> None:
    """Their paths stand in the model, which is somebody else's; only what was hashed is run."""
    model = onnx.load(save_small(tmp_path / "s.onnx"))
    onnx.save(model, tmp_path / "s.onnx", save_as_external_data=True, location="more.bin", size_threshold=0)
    with pytest.raises(ModelError, match=r"^[^\n]*cannot load[^\n]*$"):
        add(str(tmp_path / "s.onnx"), replace(TOLD, shorter_px=9.0))


def test_a_card_can_be_added_under_another_name(tmp_path: Path) -> None:
    (made,) = add(str(save_small(tmp_path / "s.onnx")), replace(TOLD, shorter_px=9.0))
    shutil.copytree(made.folder, tmp_path / "copy")
    (again,) = add(str(tmp_path / "copy" / "card.json"), Wishes(name="again"))
    assert (again.name, again.fingerprint) == ("again", made.fingerprint)
    facts = json.loads((tmp_path / "copy" / "card.json").read_text())
    (tmp_path / "copy" / "card.json").write_text(json.dumps(facts | {"license": "CC-BY-NC-4.0"}))
    with pytest.raises(ModelError, match="forbids"):
        add(str(tmp_path / "copy" / "card.json"), Wishes(name="third"))
    (tmp_path / "copy" / "s.onnx").write_bytes(b"other")
    with pytest.raises(ModelError, match="another SHA-256"):
        add(str(tmp_path / "copy" / "card.json"), Wishes(name="fourth", accept_license=True))
    assert [card.name for card in registry.cards()] == ["descriptor", "again", "s"]
