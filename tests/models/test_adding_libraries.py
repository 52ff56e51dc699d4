"""Models of transformers, timm and open_clip become cards that give what the libraries themselves give for photos."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch_libraries import (
    OPEN_CLIP_WEIGHTS,
    SENTENCES,
    as_pillow,
    assert_same_vectors,
    change_json,
    open_clip,
    pictures,
    save_clip,
    save_dino,
    save_open_clip,
    save_siglip,
    save_siglip_of_pieces,
    save_timm,
    save_vit,
    through_us,
    timm,
    torch,
    transformers,
)

from tintype.core.errors import ModelError
from tintype.models import registry
from tintype.models.adding.adding import add
from tintype.models.adding.wishes import Wishes
from tintype.models.backends.onnx import OnnxBackend
from tintype.models.backends.torch import TorchBackend
from tintype.models.base import Runner
from tintype.models.card import Card
from tintype.models.card_file import read_labels
from tintype.models.tokens import tokenized
from tintype.models.words import text_vectors

TEXTS = [
    *SENTENCES,
    "a dog, and a very long story of a photo of two cats on a beach at night in the street",
    "",
    "Ünïcödé",
]


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def engines(card: Card) -> list[Runner]:
    return [OnnxBackend().load(card), TorchBackend().load(card)]


def reference(processor: Any, model: Callable[..., Any], encoded: list[bytes]) -> np.ndarray:
    """The library's processor and its forward in float32, an image at a time, decoded in full by Pillow."""
    with torch.inference_mode():
        rows = [model(processor(images=image, return_tensors="pt").pixel_values) for image in as_pillow(encoded)]
    return torch.cat(rows).numpy()


@pytest.mark.parametrize("save", [save_clip, save_siglip])
def test_a_model_of_images_and_words_becomes_two_cards(save: Callable[[Path], Any], tmp_path: Path, data: Path) -> None:
    model = save(tmp_path / "Tiny-Model")
    image, text = add(str(tmp_path / "Tiny-Model"), Wishes())
    assert (image.name, image.task, image.companion) == ("tiny_model", "embed image", "tiny_model_text")
    assert (text.name, text.task, text.companion) == ("tiny_model_text", "embed text", "tiny_model")
    assert [registry.card(card.name) for card in (image, text)] == [image, text]

    encoded = pictures(data)
    for backend in ("pil", "torchvision"):
        processor = transformers.AutoImageProcessor.from_pretrained(tmp_path / "Tiny-Model", backend=backend)
        wanted = reference(processor, lambda x: model.get_image_features(pixel_values=x).pooler_output, encoded)
        for runner in engines(image):
            assert_same_vectors(through_us(image, runner, encoded)["image_embeds"], wanted)

    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "Tiny-Model")
    length = model.config.text_config.max_position_embeddings
    tokens = tokenizer(TEXTS, padding="max_length", truncation=True, max_length=length, return_tensors="pt")
    with torch.inference_mode():
        vectors = model.get_text_features(**tokens).pooler_output.numpy()
    for runner in engines(text):
        assert runner.run(tokenized(text, TEXTS))["text_embeds"] == pytest.approx(vectors, abs=1e-4)
        unit = text_vectors(text, TEXTS, using=runner)
        assert unit == pytest.approx(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), abs=1e-4)
    assert np.abs(vectors - np.roll(vectors, 1, axis=0)).max(axis=1).min() > 0.02, "texts look the same to this model"


def test_texts_are_cleaned_as_the_first_siglip_cleans_them(tmp_path: Path) -> None:
    model = save_siglip_of_pieces(tmp_path / "m")
    _, text = add(str(tmp_path / "m"), Wishes(with_onnx=False))
    tokenizer = transformers.SiglipTokenizer.from_pretrained(tmp_path / "m")
    texts = ["A photo, of a DOG!", "two  cats_and (a sofa)", *TEXTS]
    tokens = tokenizer(texts, padding="max_length", truncation=True, max_length=16, return_tensors="pt").input_ids
    with torch.inference_mode():
        wanted = model.get_text_features(input_ids=tokens).pooler_output.numpy()
    made = TorchBackend().load(text).run(tokenized(text, texts))["text_embeds"]
    assert made == pytest.approx(wanted, abs=1e-4)


def test_a_tokenizer_json_that_cleans_otherwise_is_refused(tmp_path: Path) -> None:
    save_siglip_of_pieces(tmp_path / "m")
    path = tmp_path / "m" / "tokenizer.json"
    change_json(path, normalizer={"type": "NFKC"})
    with pytest.raises(ModelError, match=r"^[^\n]*other tokens than its library[^\n]*$"):
        add(str(tmp_path / "m"), Wishes())


def test_a_classifier_gives_the_logits_and_labels_of_its_configuration(tmp_path: Path, data: Path) -> None:
    model = save_vit(tmp_path / "vit")
    (card,) = add(str(tmp_path / "vit"), Wishes(license="MIT"))
    assert (card.task, card.license, [output.name for output in card.outputs]) == (
        "classify",
        "MIT",
        ["logits", "features"],
    )
    assert read_labels(card, "logits") == tuple(f"class {number}" for number in range(12))
    encoded = pictures(data)
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path / "vit", backend="pil")
    logits = reference(processor, lambda x: model(x).logits, encoded)
    features = reference(processor, lambda x: model.vit(x).last_hidden_state[:, 0], encoded)
    for runner in engines(card):
        made = through_us(card, runner, encoded)
        assert_same_vectors(made["logits"], logits)
        assert_same_vectors(made["features"], features)
        assert (made["logits"].argmax(1) == logits.argmax(1)).mean() >= 0.95


def test_dino_gives_its_vectors(tmp_path: Path, data: Path) -> None:
    model = save_dino(tmp_path / "dino")
    (card,) = add(str(tmp_path / "dino"), Wishes())
    assert (card.task, card.pixels.fit, card.pixels.shorter_px) == ("embed image", "crop", 72.0)
    encoded = pictures(data)
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path / "dino", backend="pil")
    wanted = reference(processor, lambda x: model(x).pooler_output, encoded)
    for runner in engines(card):
        assert_same_vectors(through_us(card, runner, encoded)["features"], wanted)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("test_vit", {"crop_pct": 0.95, "interpolation": "bicubic"}),
        ("test_resnet", {"crop_pct": 0.875, "interpolation": "bilinear"}),
        ("test_convnext", {"crop_pct": 1.0, "crop_mode": "squash"}),
        ("test_efficientnet", {"crop_pct": 1.0, "crop_mode": "border", "interpolation": "bicubic"}),
    ],
)
def test_a_model_of_timm_is_prepared_as_timm_does_it(
    name: str, changes: dict[str, Any], tmp_path: Path, data: Path
) -> None:
    model = save_timm(tmp_path / "m", name, **changes)
    (card,) = add(str(tmp_path / "m"), Wishes(name="m"))
    facts = json.loads((tmp_path / "m" / "config.json").read_text())["pretrained_cfg"]
    transform = timm.data.create_transform(**timm.data.resolve_data_config(pretrained_cfg=facts))
    encoded = pictures(data)
    with torch.inference_mode():
        pixels = torch.stack([transform(image) for image in as_pillow(encoded)])
        logits = model(pixels).numpy()
        features = model.forward_head(model.forward_features(pixels), pre_logits=True).numpy()
    for runner in engines(card):
        made = through_us(card, runner, encoded)
        assert_same_vectors(made["logits"], logits)
        assert_same_vectors(made["features"], features)


def test_a_model_of_timm_without_classes_embeds(tmp_path: Path) -> None:
    save_timm(tmp_path / "m")
    model = timm.create_model("test_vit", num_classes=0)
    timm.models.save_for_hf(model, tmp_path / "n", safe_serialization=True)
    (card,) = add(str(tmp_path / "n"), Wishes(name="n"))
    assert (card.task, card.vectors().shape) == ("embed image", (model.num_features,))


@pytest.mark.parametrize("mode", ["shortest", "squash", "longest"])
def test_open_clip_is_prepared_as_open_clip_does_it(mode: str, tmp_path: Path, data: Path) -> None:
    model = save_open_clip(tmp_path / "m", resize_mode=mode)
    image, text = add(str(tmp_path / "m"), Wishes(name="m", with_onnx=mode == "shortest"))
    library, transform = open_clip.create_model_from_pretrained(f"local-dir:{tmp_path / 'm'}")
    encoded = pictures(data)
    with torch.inference_mode():
        wanted = library.encode_image(torch.stack([transform(picture) for picture in as_pillow(encoded)])).numpy()
        words = model.encode_text(open_clip.get_tokenizer(f"local-dir:{tmp_path / 'm'}")(TEXTS)).numpy()
    for engine in (OnnxBackend, TorchBackend) if mode == "shortest" else (TorchBackend,):
        assert_same_vectors(through_us(image, engine().load(image), encoded)["image_embeds"], wanted)
        assert engine().load(text).run(tokenized(text, TEXTS))["text_embeds"] == pytest.approx(words, abs=1e-4)


# What is exported, and what runs it


@pytest.mark.parametrize("engine", [OnnxBackend, TorchBackend])
def test_a_row_does_not_depend_on_the_others(engine: Any, tmp_path: Path) -> None:
    save_clip(tmp_path / "clip")
    image, text = add(str(tmp_path / "clip"), Wishes())
    rng = np.random.default_rng(3)
    for card, inputs in (
        (image, {"pixel_values": rng.integers(0, 256, (9, 64, 64, 3), np.uint8)}),
        (text, tokenized(text, [*TEXTS, "two cats"])),
    ):
        runner, name = engine().load(card), card.outputs[0].name
        whole = runner.run(inputs)[name]
        for size in (1, 2, 4):
            parts = [
                runner.run({key: values[start : start + size] for key, values in inputs.items()})[name]
                for start in range(0, len(whole), size)
            ]
            assert np.array_equal(np.concatenate(parts), whole), (card.name, size)


def test_onnx_can_be_left_out(tmp_path: Path) -> None:
    save_clip(tmp_path / "clip")
    for card in add(str(tmp_path / "clip"), Wishes(with_onnx=False)):
        assert [part.engine for part in card.weights] == ["torch"]
        assert not (card.folder / "model.onnx").exists()


def test_an_export_that_gives_other_vectors_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of agreement is shown a model of other weights."""
    from tintype.models.adding import exporting

    save_dino(tmp_path / "dino")
    export = exporting._export

    def exported_otherwise(card: Card, tower: Any, inputs: Any) -> None:
        with torch.no_grad():
            for values in tower.parameters():
                values.mul_(1 + 0.2 * torch.randn_like(values))
        export(card, tower, inputs)

    monkeypatch.setattr(exporting, "_export", exported_otherwise)
    (card,) = add(str(tmp_path / "dino"), Wishes())
    assert [part.engine for part in card.weights] == ["torch"]
    assert "does not agree" in card.notes


def test_the_commit_that_the_hub_s_client_notes_is_kept(tmp_path: Path) -> None:
    save_dino(tmp_path / "dino")
    notes = tmp_path / "dino" / ".cache" / "huggingface" / "download"
    notes.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (notes / f"{name}.metadata").write_text("0123456789abcdef0123456789abcdef01234567\netag\n1.0\n")
    front = "---\nlicense: apache-2.0\ndatasets:\n- imagenet-1k\n---\n# Tiny\n"
    (tmp_path / "dino" / "README.md").write_text(front)
    (card,) = add(str(tmp_path / "dino"), Wishes())
    assert card.weights_for("torch").revision == "0123456789abcdef0123456789abcdef01234567"
    assert (card.license, card.trained_on) == ("apache-2.0", "imagenet-1k (as its README says)")


def test_the_weights_of_both_towers_are_kept_once(tmp_path: Path) -> None:
    save_clip(tmp_path / "clip")
    image, text = add(str(tmp_path / "clip"), Wishes())
    assert (image.folder / "model.safetensors").samefile(text.folder / "model.safetensors")
    registry.remove(image.name)
    assert text_vectors(text, ["a dog"], using=TorchBackend().load(text)).shape == (1, 24)


# What is refused, in one line, and nothing is left behind


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _in_parts(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text("{}")


def _cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def _renamed_weights(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    state["embeddings.cls"] = state.pop("embeddings.cls_token")
    save_file(state, folder / "model.safetensors")


def _not_finite(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    state["layernorm.weight"][0] = float("nan")
    save_file(state, folder / "model.safetensors")


CONFIG, IMAGES = "config.json", "preprocessor_config.json"


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (_pickled, "run code"),
        (_in_parts, "several files"),
        (_cut, "not safetensors"),
        (_renamed_weights, "lack"),
        (_not_finite, "not finite"),
        (lambda folder: (folder / CONFIG).unlink(), "config.json is missing"),
        (lambda folder: (folder / IMAGES).unlink(), "preprocessor_config.json is missing"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda folder: (folder / CONFIG).write_text("{"), "not JSON"),
        (lambda folder: (folder / CONFIG).write_text("[" * 100_000), "not JSON"),
        (lambda folder: change_json(folder / CONFIG, auto_map={"AutoModel": "x.Y"}), "auto_map"),
        (lambda folder: change_json(folder / IMAGES, auto_map={"AutoImageProcessor": "x.Y"}), "auto_map"),
        (lambda folder: change_json(folder / CONFIG, quantization_config={"a": 1}), "quantization_config"),
        (lambda folder: change_json(folder / CONFIG, model_type="llama"), "not known"),
        (lambda folder: change_json(folder / CONFIG, hidden_size=48), "shape|cannot load"),
        (lambda folder: change_json(folder / IMAGES, image_processor_type="ConvNextImageProcessor"), "not known"),
        (lambda folder: change_json(folder / IMAGES, do_resize=False), "cards cannot say"),
        (lambda folder: change_json(folder / IMAGES, size={"shortest_edge": 20}), "cards cannot say"),
        (lambda folder: change_json(folder / IMAGES, image_mean=[0.5, 0.5]), "three numbers"),
        (lambda folder: (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n"), "forbids"),
    ],
)
def test_a_folder_that_is_not_right_is_refused(
    break_it: Callable[[Path], object], said: str, tmp_path: Path, own_models: Path
) -> None:
    save_dino(tmp_path / "dino")
    break_it(tmp_path / "dino")
    with pytest.raises(ModelError, match=rf"^[^\n]*({said})[^\n]*$"):
        add(str(tmp_path / "dino"), Wishes())
    assert not own_models.exists() or not list(own_models.iterdir())


@pytest.mark.parametrize("name", [CONFIG, IMAGES])
@pytest.mark.parametrize("value", [None, -1, {"a": []}, "../../etc/passwd"])
def test_whatever_stands_in_a_configuration_is_one_line_at_most(name: str, value: Any, tmp_path: Path) -> None:
    save_dino(tmp_path / "dino")
    path = tmp_path / "dino" / name
    facts = json.loads(path.read_text())
    for key in facts:
        path.write_text(json.dumps(facts | {key: value}))
        try:
            add(str(tmp_path / "dino"), Wishes(name="m", with_onnx=False))
            registry.remove("m")
        except ModelError as error:
            assert "\n" not in str(error)  # noqa: PT017 - both ends are allowed


def test_a_license_that_forbids_is_accepted_by_name(tmp_path: Path) -> None:
    save_dino(tmp_path / "dino")
    (card,) = add(str(tmp_path / "dino"), Wishes(license="CC-BY-NC-4.0", accept_license=True))
    assert card.license == "CC-BY-NC-4.0"


def test_a_model_of_words_without_its_tokenizer_is_refused(tmp_path: Path) -> None:
    save_siglip(tmp_path / "m")
    (tmp_path / "m" / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"^[^\n]*tokenizer.json is missing[^\n]*$"):
        add(str(tmp_path / "m"), Wishes())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"architecture": "test_vit_of_nobody"}, "no architecture"),
        ({"architecture": "hf-hub:timm/resnet18"}, "no architecture"),
        ({"architecture": "local-dir:elsewhere"}, "no architecture"),
        ({"model_args": {"checkpoint_path": "weights.bin"}}, "checkpoint_path"),
        ({"model_args": {"pretrained_cfg": {"url": "https://example.org"}}}, "pretrained_cfg"),
        ({"model_args": {"depth": 3}}, "do not fit|cannot load"),
        ({"pretrained_cfg": None}, "pretrained_cfg"),
    ],
)
def test_a_configuration_of_timm_that_reaches_elsewhere_is_refused(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    save_timm(tmp_path / "m")
    change_json(tmp_path / "m" / CONFIG, **changes)
    with pytest.raises(ModelError, match=rf"^[^\n]*({said})[^\n]*$"):
        add(str(tmp_path / "m"), Wishes(name="m"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"crop_mode": "squash", "crop_pct": 0.9}, "cards cannot say"),
        ({"mean": None}, "does not say: mean"),
        ({"interpolation": "random"}, "filter"),
        ({"input_size": [1, 160, 160]}, "channels"),
    ],
)
def test_preparation_of_timm_that_cannot_be_said_is_refused(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    save_timm(tmp_path / "m", **changes)
    with pytest.raises(ModelError, match=rf"^[^\n]*({said})[^\n]*$"):
        add(str(tmp_path / "m"), Wishes(name="m"))


@pytest.mark.parametrize(
    ("part", "changes", "said"),
    [
        ("text_cfg", {"hf_model_name": "xlm-roberta-base"}, "another repository"),
        ("text_cfg", {"hf_tokenizer_name": "x/y"}, "tokenizer.json is missing"),
        ("text_cfg", {"tokenizer_kwargs": {"additional_special_tokens": ["<x>"]}}, "settings"),
        ("vision_cfg", {"timm_model_name": "hf-hub:x/y"}, "no architecture"),
        ("vision_cfg", {"layers": 3}, "do not fit"),
    ],
)
def test_a_configuration_of_open_clip_that_reaches_elsewhere_is_refused(
    part: str, changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    save_open_clip(tmp_path / "m")
    path = tmp_path / "m" / "open_clip_config.json"
    model = json.loads(path.read_text())["model_cfg"]
    change_json(path, model_cfg=model | {part: model[part] | changes})
    with pytest.raises(ModelError, match=rf"^[^\n]*({said})[^\n]*$"):
        add(str(tmp_path / "m"), Wishes(name="m"))


def test_weights_that_changed_after_they_were_added_are_not_run(tmp_path: Path) -> None:
    save_open_clip(tmp_path / "m")
    image, _ = add(str(tmp_path / "m"), Wishes(name="m", with_onnx=False))
    path = image.folder / OPEN_CLIP_WEIGHTS
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ModelError, match="SHA-256"):
        TorchBackend().load(image)


def test_a_name_that_is_taken_leaves_both_towers_out(tmp_path: Path, own_models: Path) -> None:
    save_dino(tmp_path / "x_text")
    add(str(tmp_path / "x_text"), Wishes(with_onnx=False))
    save_clip(tmp_path / "x")
    with pytest.raises(ModelError, match="already named x_text"):
        add(str(tmp_path / "x"), Wishes(with_onnx=False))
    assert [path.name for path in own_models.iterdir()] == ["x_text"]


@pytest.mark.parametrize("loader", ["transformers:LlamaModel", "transformers:AutoModel", "timm:os", "torch:load", ""])
def test_a_loader_that_is_not_on_the_list_is_refused(loader: str, tmp_path: Path) -> None:
    save_dino(tmp_path / "dino")
    (card,) = add(str(tmp_path / "dino"), Wishes(with_onnx=False))
    weights = dataclasses.replace(card.weights_for("torch"), loader=loader)
    with pytest.raises(ModelError, match=r"^[^\n]+$"):
        TorchBackend().load(dataclasses.replace(card, weights=(weights,)))


def test_half_precision_and_gpus_are_refused_where_they_are_not() -> None:
    card = registry.card("descriptor")
    with pytest.raises(ModelError, match="for GPUs"):
        TorchBackend().load(card, precision="fp16")
    if not torch.cuda.is_available():
        with pytest.raises(ModelError, match="no GPU"):
            TorchBackend().load(card, device="cuda", precision="bf16")
