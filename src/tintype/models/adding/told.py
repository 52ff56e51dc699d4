"""What is told of an ONNX file that the file itself does not say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tintype.core.errors import ModelError
from tintype.core.names import shown
from tintype.models.adding.wishes import Levels, Wishes
from tintype.models.card import File
from tintype.models.card_file import hashed

PREFIX = "tintype."
"""Of the metadata (`metadata_props`) that say what an option would."""

TASKS = ("embed image", "classify", "multi-label", "detect")


class Told:
    """What options say, or else the file's metadata."""

    def __init__(self, wishes: Wishes, metadata: Mapping[str, str], place: str) -> None:
        self._wishes, self._metadata, self.place = wishes, metadata, place

    @property
    def is_classifier(self) -> bool:
        task = self.one_of("task", TASKS)
        return task in ("classify", "multi-label") or (task is None and self._wishes.labels is not None)

    @property
    def is_tagger(self) -> bool:
        """Whether each of its classes has a probability of its own."""
        return self.one_of("task", TASKS) == "multi-label"

    @property
    def is_detector(self) -> bool:
        return self.one_of("task", TASKS) == "detect"

    @property
    def labels(self) -> Path | None:
        return self._wishes.labels

    @property
    def size_px(self) -> tuple[int, int] | None:
        """(width, height)."""
        if self._wishes.size_px is not None:
            return self._wishes.size_px
        given = self._numbers("size_px")
        if given is None:
            return None
        return (int(given[0]), int(given[-1])) if len(given) in (1, 2) else self._refuse("size_px")

    def text(self, name: str) -> str | None:
        value = getattr(self._wishes, name)
        return str(value) if value is not None else self._metadata.get(PREFIX + name)

    def one_of(self, name: str, known: Sequence[str]) -> str | None:
        value = self.text(name)
        if value is not None and value not in known:
            self._refuse(name)
        return value

    def number(self, name: str) -> float | None:
        value = getattr(self._wishes, name)
        given = [float(value)] if value is not None else self._numbers(name)
        return None if given is None else given[0]

    def levels(self, name: str) -> Levels | None:
        value = getattr(self._wishes, name)
        given = list(value) if value is not None else self._numbers(name)
        if given is None:
            return None
        if len(given) != 3:
            self._refuse(name)
        return given[0], given[1], given[2]

    def read_labels(self, work: Path) -> tuple[File, int] | None:
        """The file of labels, put into `work`, and how many it has; None where none was named. Raises ModelError."""
        if self.labels is None:
            return None
        try:
            text = self.labels.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{shown(str(self.labels))}: the labels cannot be read") from error
        place = work / "labels.txt"
        place.write_text(text, encoding="utf-8")
        return hashed(place), len(text.splitlines())

    def _numbers(self, name: str) -> list[float] | None:
        value = self._metadata.get(PREFIX + name)
        if value is None:
            return None
        try:
            numbers = [float(part) for part in value.strip("[]() ").split(",")]
        except ValueError:
            self._refuse(name)
        return numbers if all(map(math.isfinite, numbers)) else self._refuse(name)

    def _refuse(self, name: str) -> Any:
        value = self._metadata.get(PREFIX + name, getattr(self._wishes, name))
        raise ModelError(f"{self.place}: {name} {shown(str(value))[:60]!r} does not fit")
