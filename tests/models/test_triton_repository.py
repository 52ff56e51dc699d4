"""What is written for Triton is what its own messages read, and whole or not there."""

import ast
import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

from tintype.core.errors import ModelError, StorageFull, UsageError
from tintype.models import registry, triton_repository
from tintype.models.card import Card, File, Output, PixelInput, TextInput, Weights
from tintype.models.triton_repository import (
    ensemble_config,
    network_config,
    preparation_config,
    preparation_source,
    write_repository,
)

CROP = PixelInput(
    "pixels", "pixel_values", 64, 48, "crop", shorter_px=72.0, mean=(1.0, 2.0, 3.0), std=(4.0, 5.0, 6.0), order="bgr"
)


def model(given: Any) -> Card:
    base = registry.card("descriptor")
    outputs = (Output("vectors", (24,)), Output("maps", (3, 5)))
    return dataclasses.replace(base, name="mine", input=given, outputs=outputs)


def parsed(text: str) -> Any:
    config = pytest.importorskip("tritonclient.grpc.model_config_pb2")
    from google.protobuf import text_format

    return text_format.Parse(text, config.ModelConfig())


def test_the_network_is_said_as_the_card_says_it() -> None:
    card = model(CROP)
    config = parsed(network_config(card, instances=3))
    assert (config.name, config.backend, config.max_batch_size) == ("mine", "onnxruntime", 64)
    assert [(one.name, one.data_type, list(one.dims)) for one in config.input] == [("pixel_values", 11, [3, 48, 64])]
    assert [(one.name, list(one.dims)) for one in config.output] == [("vectors", [24]), ("maps", [3, 5])]
    assert config.instance_group[0].count == 3
    assert config.dynamic_batching.max_queue_delay_microseconds == 500
    assert config.parameters["tintype_card"].string_value == card.fingerprint


def test_words_have_two_inputs_of_one_length_or_of_any() -> None:
    text = TextInput("text", "input_ids", 77, File("tokenizer.json", "0" * 64), mask="attention_mask")
    for pads, side in ((True, 77), (False, -1)):
        config = parsed(network_config(model(dataclasses.replace(text, pad_to_length=pads))))
        assert [(one.name, list(one.dims)) for one in config.input] == [
            ("input_ids", [side]),
            ("attention_mask", [side]),
        ]


def test_the_ensemble_hands_on_what_its_parts_name() -> None:
    card = model(CROP)
    whole, first = parsed(ensemble_config(card, CROP)), parsed(preparation_config(card, CROP))
    steps = whole.ensemble_scheduling.step
    assert [step.model_name for step in steps] == ["mine_preparation", "mine"]
    assert dict(steps[0].input_map) == {first.input[0].name: whole.input[0].name}
    assert list(steps[0].output_map) == [first.output[0].name]
    assert dict(steps[1].input_map) == {"pixel_values": steps[0].output_map[first.output[0].name]}
    assert set(steps[1].output_map.values()) == {one.name for one in whole.output} == {"vectors", "maps"}
    assert list(first.output[0].dims) == [3, 48, 64]


def test_dali_prepares_as_the_card_says() -> None:
    source = preparation_source(CROP)
    calls = {
        call.func.attr: call
        for call in ast.walk(ast.parse(source))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
    }
    said = {name: {word.arg: ast.unparse(word.value) for word in call.keywords} for name, call in calls.items()}
    assert said["external_source"]["name"] == "'IMAGE'"
    assert said["image"] == {"device": "'mixed'", "output_type": "types.BGR"}
    assert said["resize"] == {"resize_shorter": "72", "interp_type": "types.INTERP_CUBIC", "antialias": "True"}
    normalize = said["crop_mirror_normalize"]
    assert (normalize["mean"], normalize["std"]) == ("[3.0, 2.0, 1.0]", "[6.0, 5.0, 4.0]")
    assert (normalize["crop"], normalize["output_layout"]) == ("(48, 64)", "'CHW'")
    squeezed = preparation_source(dataclasses.replace(CROP, fit="squeeze", shorter_px=None, order="rgb"))
    assert "resize_x=64, resize_y=48" in squeezed
    with pytest.raises(ModelError, match="preparation by letterbox"):
        preparation_source(dataclasses.replace(CROP, fit="letterbox"))


def test_writes_all_of_a_model_beside_others(tmp_path: Path) -> None:
    base = registry.card("descriptor")
    card = dataclasses.replace(base, input=dataclasses.replace(base.pixels, fit="squeeze"))
    assert write_repository(card, tmp_path / "models") == ("descriptor", "descriptor_preparation", "descriptor_images")
    files = sorted(
        str(path.relative_to(tmp_path / "models")) for path in (tmp_path / "models").rglob("*") if path.is_file()
    )
    assert files == [
        "descriptor/1/model.onnx",
        "descriptor/config.pbtxt",
        "descriptor_images/1/README",
        "descriptor_images/config.pbtxt",
        "descriptor_preparation/1/dali.py",
        "descriptor_preparation/config.pbtxt",
    ]
    weights = (base.folder / base.weights_for("onnx").file.name).read_bytes()
    assert (tmp_path / "models/descriptor/1/model.onnx").read_bytes() == weights
    assert write_repository(base, tmp_path / "squares") == ("descriptor",)  # DALI has no shared squares
    with pytest.raises(UsageError, match="Nothing was written"):
        write_repository(card, tmp_path / "models")
    assert write_repository(dataclasses.replace(card, name="second"), tmp_path / "models")[0] == "second"


def test_a_full_disk_leaves_no_half_of_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = triton_repository.write_atomically

    def full(path: Path, content: bytes) -> None:
        if path.name == "model.onnx":
            raise OSError(28, os.strerror(28))
        written(path, content)

    monkeypatch.setattr(triton_repository, "write_atomically", full)
    with pytest.raises(StorageFull):
        write_repository(registry.card("descriptor"), tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_a_card_without_onnx_weights_is_refused(tmp_path: Path) -> None:
    base = registry.card("descriptor")
    card = dataclasses.replace(base, weights=(Weights("torch", File("a", "0" * 64)),))
    with pytest.raises(ModelError, match="no weights for the engine onnx"):
        write_repository(card, tmp_path / "models")
    assert not (tmp_path / "models").exists()
