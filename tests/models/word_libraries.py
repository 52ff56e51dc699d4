"""Tiny models of transformers that write about images, with seeded weights, saved as their hub has them.

Import after `torch_libraries`.
"""

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch_libraries import TINY, VISION, seeded, torch, transformers

_TEXT = """a an the of on in and with two three red black white small large dog cat car house tree street beach man
woman child bird photo picture drawing is are there what how many color where who yes no left right . , ? ! ' s ##s"""
WORDS = _TEXT.split()
MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]"]
SIDE = 64
_OF_BERT = {"[CLS]": 101, "[SEP]": 102, ".": 1_012, "?": 1_029}


def bert_tokenizer(*, as_bert: bool = False) -> Any:
    """Words and endings of words, as BERT has them, with the mark that BLIP begins to write at.

    With `as_bert` some marks have the numbers that they have in the published BERT.
    """
    vocabulary = {word: number for number, word in enumerate([*MARKS, *WORDS])}
    if as_bert:
        free = (number for number in range(1_030) if number not in _OF_BERT.values())
        vocabulary = {word: _OF_BERT.get(word) or next(free) for word in vocabulary}
        vocabulary |= {f"[unused{number}]": number for number in free}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece(cleanup=False)
    marks = [(mark, vocabulary[mark]) for mark in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=marks
    )
    names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made,
        model_max_length=32,
        mask_token="[MASK]",
        additional_special_tokens=["[DEC]"],
        clean_up_tokenization_spaces=True,
        **names,
    )


def _blip_config() -> Any:
    numbers = {f"{name}_token_id": MARKS.index(mark) for name, mark in (("bos", "[DEC]"), ("eos", "[SEP]"))}
    numbers |= {f"{name}_token_id": MARKS.index(mark) for name, mark in (("pad", "[PAD]"), ("sep", "[SEP]"))}
    text = TINY | {"vocab_size": len(MARKS) + len(WORDS), "max_position_embeddings": 32, "encoder_hidden_size": 32}
    return transformers.BlipConfig(vision_config=VISION, text_config=text | numbers, projection_dim=32)


def save_blip(folder: Path, **generation: Any) -> Any:
    model = _saved(folder, transformers.BlipForConditionalGeneration, _blip_config())
    if generation:
        transformers.GenerationConfig(**generation).save_pretrained(folder)
    _blip_processor(folder)
    return model


def save_blip_answers(folder: Path) -> Any:
    model = _saved(folder, transformers.BlipForQuestionAnswering, _blip_config())
    _blip_processor(folder)
    return model


def _blip_processor(folder: Path) -> None:
    transformers.BlipImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    bert_tokenizer().save_pretrained(folder)


def save_vit_gpt2(folder: Path, **generation: Any) -> Any:
    encoder = transformers.ViTConfig(**VISION)
    decoder = transformers.GPT2Config(
        vocab_size=len(MARKS) + len(WORDS),
        n_positions=32,
        n_embd=32,
        n_layer=2,
        n_head=2,
        bos_token_id=5,
        eos_token_id=3,
    )
    config = transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 5, 0, 3
    model = _saved(folder, transformers.VisionEncoderDecoderModel, config)
    facts = {"decoder_start_token_id": 5, "pad_token_id": 0, "eos_token_id": 3, "num_beams": 3, "max_length": 12}
    transformers.GenerationConfig(**(facts | generation)).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    bert_tokenizer().save_pretrained(folder)
    return model


def save_git(folder: Path) -> Any:
    config = transformers.GitConfig(
        vision_config=VISION,
        **TINY,
        vocab_size=len(MARKS) + len(WORDS),
        max_position_embeddings=64,
        bos_token_id=2,
        eos_token_id=3,
        pad_token_id=0,
    )
    model = _saved(folder, transformers.GitForCausalLM, config)
    sizes = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
    transformers.CLIPImageProcessor(**sizes).save_pretrained(folder)
    bert_tokenizer().save_pretrained(folder)
    return model


def save_vilt(folder: Path) -> Any:
    answers = dict(enumerate(("yes", "no", "2", "red and white", "left")))
    config = transformers.ViltConfig(
        **TINY,
        image_size=SIDE,
        patch_size=16,
        vocab_size=len(MARKS) + len(WORDS),
        max_position_embeddings=24,
        id2label=answers,
        label2id={name: number for number, name in answers.items()},
    )
    model = _saved(folder, transformers.ViltForQuestionAnswering, config)
    transformers.ViltImageProcessor(size={"shortest_edge": SIDE}, size_divisor=32).save_pretrained(folder)
    bert_tokenizer().save_pretrained(folder)
    return model


def _saved(folder: Path, kind: Any, config: Any) -> Any:
    model = seeded(lambda: kind(config))
    with torch.no_grad():
        for name, values in model.named_parameters():
            if "crossattention" in name and name.endswith("weight") and values.ndim > 1:
                values.mul_(2.0)  # so that words follow from the image
    model.tie_weights()
    model.save_pretrained(folder)
    return model


WRITERS = {"blip": save_blip, "vit_gpt2": save_vit_gpt2, "git": save_git}
ANSWERING = {"blip_vqa": save_blip_answers, "vilt": save_vilt}
