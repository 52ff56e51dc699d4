"""Cards put together from the folder of a model and what was said of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tintype.core.errors import ModelError
from tintype.models.adding.folder import Folder
from tintype.models.adding.names import slug
from tintype.models.adding.wishes import Wishes
from tintype.models.card import Card, Detection, File, Input, Output, Weights
from tintype.models.card_file import hashed

LABELS = "labels.txt"
_WEIGHTS = {
    "config.json": ("model.safetensors",),
    "open_clip_config.json": ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors"),
}


@dataclasses.dataclass(frozen=True)
class Maker:
    """A model's folder, what the user said of it, and where the files of its cards are put together."""

    folder: Folder
    wishes: Wishes
    work: Path
    config: dict[str, Any]

    @property
    def name(self) -> str:
        return self.wishes.name or slug(self.folder.source)

    def place(self, name: str) -> Path:
        made = self.work / name
        made.mkdir(exist_ok=True)
        return made

    def card(
        self,
        name: str,
        task: Any,
        loader: str,
        given: Input,
        outputs: tuple[Output, ...],
        config: str = "config.json",
        companion: str | None = None,
        beside: Sequence[str] = (),
        detection: Detection | None = None,
        words: tuple[Input, ...] = (),
    ) -> Card:
        """A card whose files lie in its place; the shapes of its outputs are seen when it runs."""
        place = self.place(name)
        weights = self.folder.weights(*_WEIGHTS[config])
        part = Weights(
            "torch",
            self.folder.taken(weights, place),
            loader,
            tuple(self.folder.taken(self.folder.file(one), place) for one in (config, *beside)),
            self.folder.revision,
        )
        source = f"{self.folder.source} at {self.folder.revision}" if self.folder.revision else self.folder.source
        return Card(
            name=name,
            version=1,
            task=task,
            weights=(part,),
            input=given,
            outputs=outputs,
            license=self.wishes.license or self.folder.license,
            source=source,
            trained_on=self.wishes.trained_on or self.folder.trained_on,
            companion=companion,
            detection=detection,
            beside=words,
            folder=place,
        )

    def labels(self, names: Sequence[str]) -> File:
        """The names of classes, a line each, in a file beside the card."""
        path = self.place(self.name) / LABELS
        path.write_text("".join(f"{' '.join(name.split())}\n" for name in names), encoding="utf-8")
        return hashed(path)

    def class_names(self) -> list[str]:
        """Those of transformers' configurations. Raises ModelError where they are not named."""
        labels = self.config.get("id2label")
        if not isinstance(labels, dict) or not labels:
            raise ModelError("config.json does not name its classes (id2label)")
        return [str(labels[key]) for key in sorted(labels, key=int)]
