"""Cards of real models for tests, from the ONNX files of the test data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tintype.models.card import Card
from tintype.models.card_file import hashed, parsed


def real_card(data: Path, name: str, *outputs: str) -> tuple[Card, list[Path]]:
    """A card of one of the models in `data/models`, and the files to be added with it.

    `outputs` are those that it names ("prob", "features"); its images are prepared as the data's own card says: the
    middle 87.5 % of the shorter side, by Pillow's bilinear filter.
    """
    folder = data / "models"
    (facts,) = (model for model in json.loads((folder / "cards.json").read_text())["models"] if model["name"] == name)
    side = facts["input"]["size"][0]
    labels = hashed(folder / "imagenet_labels.txt")
    named: list[dict[str, Any]] = []
    for output in facts["outputs"]:
        if output["name"] in outputs:
            classes = output["name"] == "prob"
            labeled = {"labels": {"name": labels.name, "sha256": labels.sha256}} if classes else {}
            meaning = "probabilities" if classes else "vector"
            named.append({"name": output["name"], "shape": output["shape"][1:], "meaning": meaning, **labeled})
    weights = hashed(folder / facts["file"])
    card = parsed(
        {
            "name": name,
            "version": 1,
            "task": "classify" if "prob" in outputs else "embed image",
            "weights": [{"engine": "onnx", "file": {"name": weights.name, "sha256": weights.sha256}}],
            "input": {
                "kind": "pixels",
                "name": facts["input"]["name"],
                "width": side,
                "height": side,
                "fit": "crop",
                "shorter_px": side / 0.875,
                "whole_pixels": False,
                "filter": "bilinear",
                "mean": [128.0] * 3,
                "std": [128.0] * 3,
            },
            "outputs": named,
            "license": facts["licence"],
            "source": facts["source"]["repository"],
            "trained_on": facts["trained_on"],
        },
        folder,
    )
    files = [folder / weights.name, *([folder / labels.name] if "prob" in outputs else [])]
    return card, files
