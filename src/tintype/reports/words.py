"""Numbers, dates and kinds in the words that people read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


def count(number: int) -> str:
    """`12,345`."""
    return f"{number:,}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(size_bytes: float) -> str:
    """`820 B`, `3.4 kB`, `12 MB`: decimal units, two or three digits."""
    amount, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if abs(amount) < 999.5:
            break
        amount, unit = amount / 1000, larger
    return f"{short(amount)} {unit}" if unit != "B" else f"{amount:.0f} B"


def short(number: float) -> str:
    """A number with two or three digits that count: `0.25`, `3.4`, `12`, `1,234`."""
    if abs(number) >= 9.95 or number == 0:
        return f"{number:,.0f}"
    if abs(number) >= 0.995:
        return f"{number:.1f}".removesuffix(".0")
    return f"{number:.2g}"


def share(part: int, whole: int) -> str:
    """`37 %`; never 0 % for some or 100 % for not quite all."""
    if whole == 0:
        return "0 %"
    percent = round(100 * part / whole)
    if percent == 0 and part:
        return "< 1 %"
    if percent == 100 and part < whole:
        return "> 99 %"
    return f"{percent} %"


ALL = 0.995
"""From here on a measured share is all there is."""


def part(measured: float) -> str:
    """A measured share from 0 to 1: `all`, `37 %`, `< 1 %`."""
    if measured >= ALL:
        return "all"
    return "< 1 %" if 0 < measured < 0.01 else f"{100 * max(measured, 0):.0f} %"


def relations(relation: str) -> list[str]:
    """The words of a relation that is a combination: `cropped + mirrored`."""
    return [word.replace("_", " ") for word in relation.split(" + ")]


def moment(taken_at: datetime) -> str:
    """`2008-05-30 15:56`."""
    return f"{taken_at.year:04d}-{taken_at:%m-%d %H:%M}"


@dataclass(frozen=True)
class Kind:
    """How a kind of issue is headed and explained."""

    title: str
    words: str


_KINDS: Mapping[str, Kind] = {
    "dark": Kind("Too dark", "Most of the picture lies in deep shadow."),
    "bright": Kind("Too bright", "Most of the picture is close to white."),
    "blurred": Kind("Blurred", "Edges are soft everywhere: out of focus, or the camera moved."),
    "low_information": Kind("Little to see", "Almost one color or one texture: a lens cap, a blank page, plain sky."),
    "odd_size": Kind("Odd size", "Far smaller or larger than the rest of the collection."),
    "odd_aspect_ratio": Kind("Odd shape", "Much longer than wide, or the other way round."),
    "gray": Kind("Gray", "No color: black-and-white pictures, scans, or files whose color was lost."),
    "damaged": Kind("Damaged", "The file is broken or cut off."),
}


def kind(name: str) -> Kind:
    """Words for a kind of issue; a plug-in's kind is headed by its name."""
    plain = name.replace("_", " ")
    return _KINDS.get(name, Kind(plain[:1].upper() + plain[1:], ""))


_MEASURES: Mapping[str, tuple[str, str, str]] = {
    "quality": ("Overall quality", "poor", "good"),
    "sharpness": ("Sharpness", "soft", "crisp"),
    "brightness": ("Brightness", "dark", "bright"),
    "contrast": ("Contrast", "flat", "strong"),
    "dynamic_range": ("Dynamic range", "narrow", "wide"),
    "clipping": ("Clipped pixels", "none", "all"),
    "entropy": ("Information", "plain", "busy"),
    "noise": ("Noise", "clean", "grainy"),
    "colorfulness": ("Colorfulness", "gray", "vivid"),
}


def measure(name: str) -> tuple[str, str, str]:
    """Title of a measure, and words for its lowest and highest values."""
    return _MEASURES.get(name, (name.replace("_", " ").capitalize(), "low", "high"))


_LABELS: Mapping[str, str] = {
    "label": "Label “{}”",
    "classify": "Classes by {}",
    "scenes": "Scenes by {}",
    "predict": "Predicted by {}",
    "ask": "Answers by {}",
    "tags": "Tags by {}",
    "objects": "Objects by {}",
    "find": "Found by {}",
}


def label_title(column: str) -> str:
    """Title for what a column calls images: `classify_mobilenet` has "Classes by mobilenet"."""
    kind, _, name = column.partition("_")
    return _LABELS[kind].format(name)


STATUS_WORDS: Mapping[str, str] = {
    "ok": "fine",
    "damaged": "damaged",
    "rejected": "over a limit",
    "unsupported": "not an image we read",
    "unreadable": "unreadable",
    "timeout": "took too long",
    "crashed": "stopped the decoder",
}
"""Each status as a person would say it."""
