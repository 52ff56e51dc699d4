"""Tiny detectors of transformers with seeded weights, saved as their hub has them. Import after `torch_libraries`."""

from pathlib import Path
from typing import Any

from torch_libraries import SIDE, TINY, VISION, clip_tokenizer, seeded, torch, transformers

CLASSES = {0: "person", 1: "red car", 2: "traffic sign"}
EDGES = {"shortest_edge": 64, "longest_edge": 96}
_NAMED = {"id2label": CLASSES, "label2id": {name: number for number, name in CLASSES.items()}}
_LAYERS = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "num_queries": 8,
}


def _backbone(**changes: Any) -> Any:
    facts = {"embedding_size": 8, "hidden_sizes": [8, 12, 16, 24], "depths": [1, 1, 1, 1], "layer_type": "basic"}
    return transformers.ResNetConfig(**facts, **{"out_features": ["stage4"], **changes})


def save_detr(folder: Path) -> Any:
    config = transformers.DetrConfig(use_timm_backbone=False, backbone_config=_backbone(), **_LAYERS, **_NAMED)
    return _saved(folder, transformers.DetrForObjectDetection, config, transformers.DetrImageProcessor(size=EDGES))


def save_conditional_detr(folder: Path) -> Any:
    config = transformers.ConditionalDetrConfig(
        use_timm_backbone=False, backbone_config=_backbone(), **_LAYERS, **_NAMED
    )
    images = transformers.ConditionalDetrImageProcessor(size=EDGES)
    return _saved(folder, transformers.ConditionalDetrForObjectDetection, config, images)


def save_yolos(folder: Path) -> Any:
    config = transformers.YolosConfig(**TINY, image_size=[64, 96], patch_size=16, num_detection_tokens=8, **_NAMED)
    images = transformers.YolosImageProcessor(size=EDGES)
    return _saved(folder, transformers.YolosForObjectDetection, config, images)


def save_rt_detr(folder: Path) -> Any:
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 12, 16, 24], depths=[1, 1, 1, 1], layer_type="basic", out_indices=[2, 3, 4]
    )
    config = transformers.RTDetrConfig(
        backbone_config=backbone,
        encoder_hidden_dim=32,
        encoder_in_channels=[12, 16, 24],
        encoder_ffn_dim=32,
        encoder_attention_heads=2,
        d_model=32,
        decoder_in_channels=[32, 32, 32],
        decoder_ffn_dim=32,
        decoder_attention_heads=2,
        decoder_layers=1,
        num_queries=8,
        num_denoising=0,
        **_NAMED,
    )
    images = transformers.RTDetrImageProcessor(size={"height": 64, "width": 64})
    return _saved(folder, transformers.RTDetrForObjectDetection, config, images)


def _saved(folder: Path, kind: Any, config: Any, images: Any) -> Any:
    model = seeded(lambda: kind(config))
    with torch.no_grad():
        for name, values in model.named_buffers():  # as if they had been learned
            if name.endswith("running_var"):
                values.fill_(0.5)
        for name, values in model.named_parameters():
            if name == "model.decoder.layer_norm.weight" and "GroundingDino" in kind.__name__:
                values.mul_(0.05)  # or all would be sure
    model.save_pretrained(folder)
    images.save_pretrained(folder)
    return model


DETECTORS = {
    "detr": save_detr,
    "conditional_detr": save_conditional_detr,
    "yolos": save_yolos,
    "rt_detr": save_rt_detr,
}


def save_grounding_dino(folder: Path) -> Any:
    """With a vocabulary that has the marks where BERT's has them: the model knows them by number."""
    from word_libraries import bert_tokenizer

    backbone = transformers.SwinConfig(
        image_size=64,
        patch_size=4,
        embed_dim=8,
        depths=[1, 1, 1],
        num_heads=[1, 2, 2],
        window_size=4,
        out_indices=[2, 3],
    )
    tokenizer = bert_tokenizer(as_bert=True)
    config = transformers.GroundingDinoConfig(
        backbone_config=backbone,
        text_config={"model_type": "bert", **TINY, "vocab_size": len(tokenizer), "max_position_embeddings": 64},
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        num_queries=8,
        num_feature_levels=3,
        max_text_len=32,
        disable_custom_kernels=True,
    )
    tokenizer.save_pretrained(folder)
    images = transformers.GroundingDinoImageProcessor(size=EDGES)
    return _saved(folder, transformers.GroundingDinoForObjectDetection, config, images)


def save_owlvit(folder: Path) -> Any:
    tokenizer = clip_tokenizer("<unused>")  # a text that begins with token 0 counts as none
    text = TINY | {"vocab_size": len(tokenizer), "max_position_embeddings": 16}
    text |= {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    config = transformers.OwlViTConfig(text_config=text, vision_config=VISION, projection_dim=32)
    tokenizer.save_pretrained(folder)
    size = {"height": SIDE, "width": SIDE}
    images = transformers.OwlViTImageProcessor(size=size, crop_size=size)
    return _saved(folder, transformers.OwlViTForObjectDetection, config, images)


FINDERS = {"grounding_dino": save_grounding_dino, "owlvit": save_owlvit}


def save_sam(folder: Path) -> Any:
    layers = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_dim": 64}
    sides = {"image_size": 64, "patch_size": 8}
    config = transformers.SamConfig(
        vision_config=layers
        | sides
        | {"output_channels": 32, "window_size": 4, "global_attn_indexes": [1], "num_pos_feats": 16},
        prompt_encoder_config=sides | {"hidden_size": 32, "image_embedding_size": 8, "mask_input_channels": 4},
        mask_decoder_config=layers | {"iou_head_hidden_dim": 32, "iou_head_depth": 2},
    )
    images = transformers.SamImageProcessor(
        size={"longest_edge": 64}, pad_size={"height": 64, "width": 64}, mask_size={"longest_edge": 16}
    )
    return _saved(folder, transformers.SamModel, config, images)
