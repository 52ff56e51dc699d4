"""transformers, timm and open_clip on a machine without a GPU, and tiny models of theirs, saved as their hub has them.

There is no torchvision for processors alone here, so its operators, which no model runs, are declared before it is
imported. Whoever imports this is skipped where PyTorch is not installed.
"""

import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tintype.codec.decode import decode
from tintype.codec.limits import Limits
from tintype.models.base import Runner
from tintype.models.card import Card
from tintype.models.preparing import prepared

torch = pytest.importorskip(
    "torch", reason="PyTorch is in constraints.txt for Python 3.11 alone; make PYTHON=python3.11"
)


def _import_torchvision() -> None:
    try:
        import torchvision
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision  # noqa: F401


_import_torchvision()

import open_clip  # noqa: E402
import sentencepiece  # noqa: E402
import timm  # noqa: E402
import timm.models  # noqa: E402
import transformers  # noqa: E402
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers  # noqa: E402

transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)

WORKERS = Path(__file__).parent / "beside_workers"
"""To be in the PYTHONPATH of processes that a test starts, where models run on PyTorch."""

SIDE = 64
LENGTH = 16
PIECES = 80
TINY = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION = TINY | {"image_size": SIDE, "patch_size": 16}
SENTENCES = ("a photo of a dog on a beach", "a red car, parked", "two cats and a sofa", "the street at night in 2024")


def seeded(make: Any) -> Any:
    """A model of seeded weights that tells photos apart, and like a trained one looks at more than single pixels.

    As libraries begin, all photos would look the same to it; with first filters of white noise, the last bit of a pixel
    would count for as much as what is in the photo.
    """
    torch.manual_seed(7)
    model = make().eval()
    with torch.no_grad():
        for values in model.parameters():
            if values.ndim == 4 and values.shape[-2] == values.shape[-1] >= 8:
                side = values.shape[-1]
                coarse = torch.randn(*values.shape[:2], -(-side // 4), -(-side // 4))
                values.copy_(torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear"))
                values.mul_(0.5 / values[0].numel() ** 0.5)
            elif values.ndim == 4:
                values.copy_(torch.randn_like(values) * 1.4 / values[0].numel() ** 0.5)
            elif values.ndim > 1:
                values.copy_(torch.randn_like(values) / values.shape[-1] ** 0.5)
    return model


# Folders as the libraries save them


def save_clip(folder: Path) -> Any:
    tokenizer = clip_tokenizer()
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    text = TINY | {"vocab_size": len(tokenizer), "max_position_embeddings": LENGTH} | ids
    config = transformers.CLIPConfig(projection_dim=24, vision_config=VISION, text_config=text)
    model = seeded(lambda: transformers.CLIPModel(config))
    model.save_pretrained(folder)
    images = transformers.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    images.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def save_siglip(folder: Path) -> Any:
    tokenizer = word_tokenizer()
    text = TINY | {"vocab_size": PIECES, "max_position_embeddings": LENGTH, "projection_size": 32}
    config = transformers.SiglipConfig(vision_config=VISION, text_config=text)
    model = seeded(lambda: transformers.SiglipModel(config))
    model.save_pretrained(folder)
    transformers.SiglipImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def save_siglip_of_pieces(folder: Path) -> Any:
    """As the first SigLIP was published: pieces of sentencepiece, for which texts are cleaned, and a tokenizer.json."""
    model = save_siglip(folder)
    pieces = io.BytesIO()
    letters = "abcdefghijklmnopqrstuvwxyz 0123456789 é ß ö"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*SENTENCES, letters] * 20),
        model_writer=pieces,
        vocab_size=PIECES,
        hard_vocab_limit=False,
        **{"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1, "minloglevel": 2},
    )
    (folder / "spiece.model").write_bytes(pieces.getvalue())
    tokenizer = transformers.SiglipTokenizer(str(folder / "spiece.model"), model_input_names=["input_ids"])
    tokenizer.save_pretrained(folder)
    known = sentencepiece.SentencePieceProcessor(model_proto=pieces.getvalue())
    scores = [(known.id_to_piece(number), known.get_score(number)) for number in range(known.get_piece_size())]
    made = Tokenizer(models.Unigram(scores, unk_id=2))
    marks = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]"""
    steps = [normalizers.Lowercase(), normalizers.Replace(Regex(marks), ""), normalizers.Replace(Regex(r"\s+"), " ")]
    made.normalizer = normalizers.Sequence([*steps, normalizers.Strip(), normalizers.NFKC()])
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    made.save(str(folder / "tokenizer.json"))
    return model


def save_vit(folder: Path) -> Any:
    labels = {number: f"class {number}" for number in range(12)}
    config = transformers.ViTConfig(**VISION, id2label=labels, label2id={name: n for n, name in labels.items()})
    model = seeded(lambda: transformers.ViTForImageClassification(config))
    model.save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return model


def save_dino(folder: Path) -> Any:
    config = transformers.Dinov2Config(**VISION | {"mlp_ratio": 2})
    model = seeded(lambda: transformers.Dinov2Model(config))
    model.save_pretrained(folder)
    sizes = {"size": {"shortest_edge": SIDE + 8}, "crop_size": {"height": SIDE, "width": SIDE}}
    transformers.BitImageProcessor(**sizes, resample=3).save_pretrained(folder)
    return model


def save_timm(folder: Path, name: str = "test_vit", **changes: Any) -> Any:
    model = seeded(lambda: timm.create_model(name, num_classes=12))
    timm.models.save_for_hf(model, folder, safe_serialization=True)
    if changes:
        change_json(folder / "config.json", pretrained_cfg=model.pretrained_cfg | changes)
    return model


def save_open_clip(folder: Path, **preprocess: Any) -> Any:
    vision = {"image_size": SIDE, "layers": 2, "width": 32, "patch_size": 16, "head_width": 16}
    text = {"context_length": LENGTH, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    config = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text}
    model = seeded(lambda: open_clip.model.CLIP(**config))
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"mean": open_clip.OPENAI_DATASET_MEAN, "std": open_clip.OPENAI_DATASET_STD, "interpolation": "bicubic"}
    facts |= {"resize_mode": "shortest"} | preprocess
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": facts}))
    from safetensors.torch import save_file

    save_file({name: values.contiguous() for name, values in model.state_dict().items()}, folder / OPEN_CLIP_WEIGHTS)
    return model


OPEN_CLIP_WEIGHTS = "open_clip_model.safetensors"


def change_json(path: Path, **changes: Any) -> None:
    """Other values for some keys of a JSON file; None takes a key away."""
    facts = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in facts.items() if value is not None}))


def clip_tokenizer(*first: str) -> Any:
    """Byte pairs of a few sentences, in CLIP's own class; `first` are tokens that come before its marks."""
    trained = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    trained.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    marks = [*first, "<|startoftext|>", "<|endoftext|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=marks, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False
    )
    trained.train_from_iterator([*SENTENCES, *(letter for letter in alphabet)], trainer)
    facts = json.loads(trained.to_str())["model"]
    merges = [tuple(pair) for pair in facts["merges"]]
    return transformers.CLIPTokenizer(vocab=facts["vocab"], merges=merges, model_max_length=LENGTH)


def word_tokenizer() -> Any:
    """Whole words, each text closed by a mark that fills up short texts too, as SigLIP's does."""
    words = sorted({word for sentence in SENTENCES for word in sentence.replace(",", " ,").split()})
    vocabulary = {word: number for number, word in enumerate(["<unk>", "</s>", *words])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    names = {"eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>", "model_input_names": ["input_ids"]}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=LENGTH, **names)


# What is compared


def pictures(data: Path, step: int = 10) -> list[bytes]:
    return [path.read_bytes() for path in sorted((data / "photos-imagenet").glob("*"))[::step] if path.suffix != ".md"]


def as_pillow(encoded: Sequence[bytes]) -> list[Image.Image]:
    return [Image.open(io.BytesIO(data)).convert("RGB") for data in encoded]


def through_us(card: Card, runner: Runner, encoded: Sequence[bytes]) -> dict[str, np.ndarray]:
    """What a scan does: scaled decoding, the card's preparation, its runner."""
    decoded = [decode(data, shorter_px=card.pixels.least_shorter_px, limits=Limits()) for data in encoded]
    sizes = [(image.width, image.height) for image in decoded]
    return runner.run({card.input.name: prepared([image.rgb for image in decoded], card.pixels, sizes)})


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = (part.reshape(len(part), -1).astype(np.float64) for part in (a, b))
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def assert_same_vectors(ours: np.ndarray, reference: np.ndarray) -> None:
    """Of photos, by the bound that engines must hold; also without what all photos have in common."""
    common = reference.mean(axis=0)
    for shift in (0, common):
        same = cosines(ours - shift, reference - shift)
        assert (np.mean(same) >= 0.999, np.min(same) >= 0.99) == (True, True), (np.mean(same), np.min(same))
    assert np.mean(cosines(reference - common, np.roll(reference - common, 1, axis=0))) < 0.5
