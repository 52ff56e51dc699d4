"""How images are prepared, read from a model's own configuration; what cannot be said by a card is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import floor
from typing import Any, cast

from tintype.core.errors import ModelError
from tintype.models.card import Filter, PixelInput

_PILLOW = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # by Pillow's numbers
_PROCESSORS = (
    "CLIPImageProcessor",
    "SiglipImageProcessor",
    "ViTImageProcessor",
    "BitImageProcessor",
    "BlipImageProcessor",
    "OwlViTImageProcessor",
)
"""transformers' classes that scale, crop, rescale and normalize in this order and do nothing else."""

_WHOLE: Mapping[str, dict[str, Any]] = {
    "DetrImageProcessor": {},
    "ConditionalDetrImageProcessor": {},
    "DeformableDetrImageProcessor": {},
    "GroundingDinoImageProcessor": {},
    "RTDetrImageProcessor": {},
    "YolosImageProcessor": {"multiple_of": 16},
}
"""Those that scale to sides apart or keep the shape. What they fill images up with to one size is never needed: images
of one size run together."""

_LONGER_OF_VILT = 1333 / 800  # times its shorter side

Levels = tuple[float, float, float]


def of_transformers(facts: Mapping[str, Any], kind: str, name: str) -> PixelInput:
    """From the settings of an image processor of the class `kind`, as transformers itself has filled them in."""
    plain = kind.removesuffix("Fast").removesuffix("Pil")
    if plain not in (*_PROCESSORS, *_WHOLE, *_OTHERS):
        there = ", ".join((*_PROCESSORS, *_WHOLE, *_OTHERS))
        raise ModelError(f"its images are prepared by {kind}, which is not known; there are {there}")
    if plain in _OTHERS:
        return _OTHERS[plain](facts, name)
    fills_up = facts.get("do_pad") and (plain not in _WHOLE or _sides(facts.get("pad_size")))
    if not facts.get("do_resize") or fills_up:
        raise ModelError(f"its {kind} takes images of any size, or fills them up, which cards cannot say")
    size, crop = _sides(facts.get("size")), _sides(facts.get("crop_size"))
    common = {**_levels_of(facts), "round_down": True}
    if facts.get("do_center_crop"):
        is_said = set(size) == {"shortest_edge"} and set(crop) == {"height", "width"}
        if not is_said or max(crop.values()) > size["shortest_edge"]:
            raise ModelError(f"its {kind} scales to {size} and crops to {crop}, which cards cannot say")
        return PixelInput(
            "pixels", name, crop["width"], crop["height"], "crop", shorter_px=float(size["shortest_edge"]), **common
        )
    if plain in _WHOLE and set(size) == {"shortest_edge", "longest_edge"}:
        most = size["longest_edge"]
        edges: dict[str, Any] = {"shorter_px": float(size["shortest_edge"]), "longer_px": float(most)}
        return PixelInput("pixels", name, most, most, "whole", **edges, **common, **_WHOLE[plain])
    if set(size) != {"height", "width"}:
        raise ModelError(f"its {kind} scales to {size} without a crop, so to no one size")
    return PixelInput("pixels", name, size["width"], size["height"], "squeeze", **common)


def _levels_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Filter, mean and std."""
    scale = _number(facts.get("rescale_factor"), "rescale_factor") if facts.get("do_rescale") else 1.0
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if facts.get("do_normalize"):
        mean, std = _three(facts.get("image_mean"), "image_mean"), _three(facts.get("image_std"), "image_std")
    levels = {"mean": _in_levels(mean, scale), "std": _in_levels(std, scale)}
    return {"filter": _pillow_filter(facts.get("resample")), **levels}


def _of_vilt(facts: Mapping[str, Any], name: str) -> PixelInput:
    """Its longer side is bound to the shorter one, as that of photos of COCO is."""
    size = _sides(facts.get("size"))
    step = facts.get("size_divisor") or 1
    if set(size) != {"shortest_edge"} or not facts.get("do_resize") or not isinstance(step, int):
        raise ModelError(f"its ViltImageProcessor scales to {size} in steps of {step}, which cards cannot say")
    shorter, longer = size["shortest_edge"], int(_LONGER_OF_VILT * size["shortest_edge"])
    edges: dict[str, Any] = {"shorter_px": float(shorter), "longer_px": float(longer), "multiple_of": step}
    return PixelInput("pixels", name, longer, longer, "whole", **edges, sides="nearest", **_levels_of(facts))


def _of_sam(facts: Mapping[str, Any], name: str) -> PixelInput:
    """What fills an image up to a square is added by the model, after it was normalized."""
    size, fill = _sides(facts.get("size")), _sides(facts.get("pad_size"))
    most = size.get("longest_edge", 0)
    if set(size) != {"longest_edge"} or not facts.get("do_resize") or set(fill.values()) != {most}:
        raise ModelError(f"its SamImageProcessor scales to {size} and fills up to {fill}, which cards cannot say")
    return PixelInput("pixels", name, most, most, "whole", longer_px=float(most), sides="nearest", **_levels_of(facts))


_OTHERS: Mapping[str, Callable[[Mapping[str, Any], str], PixelInput]] = {
    "ViltImageProcessor": _of_vilt,
    "SamImageProcessor": _of_sam,
}


def of_timm(facts: Mapping[str, Any], name: str) -> PixelInput:
    """From a `pretrained_cfg` whose missing parts timm has filled in (`timm.data.resolve_data_config`)."""
    channels, height, width = facts["input_size"]
    if channels != 3:
        raise ModelError(f"it takes images of {channels} channels")
    kept = float(facts["crop_pct"])
    common: dict[str, Any] = {"filter": _named_filter(facts["interpolation"])}
    common |= {"mean": _in_levels(_three(facts["mean"], "mean"), 1 / 255)}
    common |= {"std": _in_levels(_three(facts["std"], "std"), 1 / 255)}
    mode = facts["crop_mode"]
    if mode == "center" and width == height and 0 < kept <= 1:
        return PixelInput("pixels", name, width, height, "crop", shorter_px=float(floor(height / kept)), **common)
    if mode == "squash" and kept == 1:
        return PixelInput("pixels", name, width, height, "squeeze", **common)
    if mode == "border" and kept == 1:
        pad = tuple(round(level) for level in common["mean"])
        return PixelInput("pixels", name, width, height, "letterbox", pad=cast("tuple[int, int, int]", pad), **common)
    raise ModelError(
        f"it scales to {width} x {height} by crop_mode {mode!r} and crop_pct {kept:g}, which cards cannot say"
    )


def of_open_clip(facts: Mapping[str, Any], name: str) -> PixelInput:
    """From the fields of open_clip's PreprocessCfg, filled in by itself."""
    height, width = facts["size"] if isinstance(facts["size"], Sequence) else (facts["size"], facts["size"])
    common: dict[str, Any] = {"filter": "bilinear" if facts["interpolation"] == "bilinear" else "bicubic"}
    common |= {"mean": _in_levels(_three(facts["mean"], "mean"), 1 / 255)}
    common |= {"std": _in_levels(_three(facts["std"], "std"), 1 / 255)}
    mode = facts["resize_mode"]
    if mode == "shortest" and width == height:
        return PixelInput("pixels", name, width, height, "crop", shorter_px=float(height), **common)
    if mode == "squash":
        return PixelInput("pixels", name, width, height, "squeeze", **common)
    if mode == "longest":
        pad = (int(facts["fill_color"]),) * 3
        return PixelInput("pixels", name, width, height, "letterbox", pad=pad, **common)
    raise ModelError(f"it scales to {width} x {height} by resize_mode {mode!r}, which cards cannot say")


def _in_levels(values: Levels, scale: float) -> Levels:
    """Of values that were levels times `scale`."""
    red, green, blue = (value / scale for value in values)
    return red, green, blue


def _pillow_filter(number: object) -> Filter:
    if isinstance(number, int) and 0 <= number < len(_PILLOW):
        return cast("Filter", _PILLOW[number])
    raise ModelError(f"its filter {number!r} is none of Pillow's")


def _named_filter(name: object) -> Filter:
    if name in _PILLOW:
        return cast("Filter", name)
    raise ModelError(f"its filter {name!r} is none of {', '.join(_PILLOW)}")


def _sides(given: object) -> dict[str, int]:
    """What transformers says of a size, without the parts that it left empty."""
    facts = {key: value for key, value in dict(cast("Any", given) or {}).items() if value is not None}
    if not all(isinstance(value, int) and value > 0 for value in facts.values()):
        raise ModelError(f"its size {facts} is not one of pixels")
    return facts


def _three(given: object, what: str) -> Levels:
    values = [float(value) for value in given] if isinstance(given, Sequence) and not isinstance(given, str) else []
    if len(values) == 1:
        values *= 3
    if len(values) != 3:
        raise ModelError(f"its {what} is not three numbers")
    return values[0], values[1], values[2]


def _number(given: object, what: str) -> float:
    if isinstance(given, int | float) and given > 0:
        return float(given)
    raise ModelError(f"its {what} is no number above 0")
