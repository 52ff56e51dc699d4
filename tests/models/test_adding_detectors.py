"""Detectors are added from the folders that transformers saves, and from ONNX files where nothing is guessed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx_makers import CELLS, SIDE, save_bright_cells

from tintype.cli.model_words import card_blocks, card_json
from tintype.core.errors import ModelError
from tintype.models import parity, registry
from tintype.models.adding.adding import add
from tintype.models.adding.wishes import Wishes
from tintype.models.card import Card, Detection, PixelInput, PlaceInput
from tintype.models.detecting import class_names, found
from tintype.models.made_pictures import made_pictures
from tintype.models.preparing import prepared, whole_size
from tintype.models.running import runner

TOLD = Wishes(
    task="detect",
    fit="squeeze",
    filter="box",
    mean=(0.0, 0.0, 0.0),
    std=(255.0, 255.0, 255.0),
    boxes="center",
    unit="share",
    scores="probabilities",
)


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def bright_places(card: Card) -> list[tuple[float, ...]]:
    """What it finds in a dark picture whose second cell from the left in the third row is white."""
    step = SIDE // CELLS
    rgb = np.zeros((2 * SIDE, SIDE, 3), np.uint8)
    rgb[4 * step : 6 * step, step : 2 * step] = 255
    made = runner(card).run({card.pixels.name: prepared([rgb], card.pixels)})
    boxes = found(card, {name: values[0] for name, values in made.items()}, (SIDE, 2 * SIDE), 0.5, 10)
    return [(float(sure), *box) for sure, box in zip(boxes.confidence, boxes.boxes.tolist(), strict=True)]


@pytest.mark.parametrize(
    ("form", "joined", "told"),
    [
        ("center", False, {}),
        ("corners", False, {"boxes": "corners"}),
        ("corners", True, {"boxes": "corners", "unit": "px"}),
    ],
    ids=["center and size", "corners", "one output"],
)
def test_an_onnx_file_becomes_a_detector(form: str, joined: bool, told: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("bright place\n")
    path = save_bright_cells(tmp_path / "bright.onnx", form, joined=joined)
    (card,) = add(str(path), replace(TOLD, labels=tmp_path / "names.txt", **told))
    assert (card.name, card.task, class_names(card)) == ("bright", "detect", ("bright place",))
    assert bright_places(card) == [(1.0, 0.25, 0.5, 0.25, 0.25)]
    assert registry.card("bright") == card
    rows = parity.check(card, made_pictures(2), seconds=0).rows
    assert [(row.name, row.top1_agreement, row.is_usable) for row in rows] == [
        (parity.PREPARATION, 1.0, True),
        ("onnx:fp32:cpu", 1.0, True),
    ]


def test_a_detectors_card_is_shown_in_words(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("bright place\n")
    path = save_bright_cells(tmp_path / "bright.onnx")
    (card,) = add(str(path), replace(TOLD, labels=tmp_path / "names.txt", overlap=0.5))
    (table,) = card_blocks(card)
    facts = dict(table.rows)
    assert facts["task"] == "detect"
    assert (
        facts["detection"] == "labels.txt, probabilities of scores, boxes by center in share, overlapping by up to 0.5"
    )
    varied = replace(card.pixels, fit="whole", shorter_px=800.0, longer_px=1333.0)
    (table,) = card_blocks(replace(card, input=varied, beside=(PlaceInput("places", "places"),)))
    whole = "images (whole, shorter side up to 800 px, longer side up to 1333 px, box), rgb float32"
    assert dict(table.rows)["input"] == f"{whole}, and boxes or points in them"
    assert card_json(card)["detection"]["overlap"] == 0.5


def test_a_file_for_one_image_at_a_time_is_a_detector_too(tmp_path: Path) -> None:
    (card,) = add(str(save_bright_cells(tmp_path / "one.onnx", batch=1)), TOLD)
    assert class_names(card) == ()
    assert bright_places(card) == [(1.0, 0.25, 0.5, 0.25, 0.25)]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"boxes": None}, "Give: --boxes"),
        ({"unit": None, "scores": None}, "Give: --unit --scores"),
        ({"overlap": 1.5}, "0 to 1"),
        ({"task": "classify", "labels": None}, "none of its outputs is one vector"),
    ],
    ids=str,
)
def test_what_nobody_says_of_an_onnx_detector_is_asked_for(told: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = save_bright_cells(tmp_path / "bright.onnx")
    with pytest.raises(ModelError, match=rf"^bright\.onnx: [^\n]*{reason}[^\n]*$"):
        add(str(path), replace(TOLD, **told))


def test_outputs_that_could_be_anything_are_refused(tmp_path: Path) -> None:
    path = save_bright_cells(tmp_path / "bright.onnx", joined=True)
    with pytest.raises(ModelError, match=r"which of its outputs are boxes and scores is not clear: out 5x16\. Give"):
        add(str(path), TOLD)


def test_bad_numbers_and_labels_are_refused(tmp_path: Path) -> None:
    path = save_bright_cells(tmp_path / "bright.onnx")
    with pytest.raises(ModelError, match="the labels cannot be read"):
        add(str(path), replace(TOLD, labels=tmp_path / "none.txt"))
    with pytest.raises(ModelError, match="std must be above 0"):
        add(str(path), replace(TOLD, std=(0.0, 1.0, 1.0)))


class TestFolders:
    """Of transformers' own."""

    @pytest.fixture(autouse=True)
    def _libraries(self) -> None:
        pytest.importorskip("torch_libraries", reason="detectors are made with torch")
        self.makers = pytest.importorskip("box_libraries", reason="tiny detectors are made with torch").DETECTORS

    def test_the_card_says_what_the_processor_does(self, tmp_path: Path) -> None:
        self.makers["detr"](tmp_path / "detr")
        (card,) = add(str(tmp_path / "detr"), Wishes(license="MIT", with_onnx=False))
        assert card.pixels == PixelInput(
            kind="pixels",
            name="pixel_values",
            width=96,
            height=96,
            fit="whole",
            shorter_px=64.0,
            longer_px=96.0,
            round_down=True,
            filter="bilinear",
            mean=pytest.approx((123.675, 116.28, 103.53)),
            std=pytest.approx((58.395, 57.12, 57.375)),
        )
        assert card.detection == Detection("pred_boxes", "logits", labels=card.detection.labels, background="last")
        assert class_names(card) == ("person", "red car", "traffic sign")
        assert registry.card("detr").fingerprint == card.fingerprint
        rows = parity.check(card, made_pictures(3), seconds=0).rows
        assert [row.top1_agreement for row in rows] == [1.0, 1.0]
        wrong = replace(card, input=replace(card.pixels, mean=(0.0, 0.0, 0.0)))
        assert not any(row.is_usable for row in parity.check(wrong, made_pictures(3), seconds=0).rows)

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"backbone": "hf-hub:someone/theirs"}, "timm has no architecture"),
            ({"backbone": "resnet18", "backbone_config": None, "use_timm_backbone": False}, "of another repository"),
            ({"id2label": {}}, "does not name its classes"),
            ({"auto_map": {"AutoModel": "theirs.Model"}}, "asks for auto_map"),
            ({"d_model": 48}, "another shape|cannot load it"),
            ({"architectures": ["DetrForSegmentation"]}, "is not known"),
        ],
        ids=["address", "other repository", "no names", "remote code", "other weights", "other task"],
    )
    def test_configurations_that_ask_for_more_are_refused(
        self, change: dict[str, Any], reason: str, tmp_path: Path, own_models: Path
    ) -> None:
        self.makers["detr"](tmp_path / "detr")
        path = tmp_path / "detr" / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
        with pytest.raises(ModelError, match=rf"^[^\n]*({reason})[^\n]*$"):
            add(str(tmp_path / "detr"), Wishes(license="MIT", with_onnx=False))
        assert not list(own_models.glob("*"))

    def test_images_that_are_filled_up_to_a_size_are_refused(self, tmp_path: Path) -> None:
        self.makers["detr"](tmp_path / "detr")
        path = tmp_path / "detr" / "preprocessor_config.json"
        path = path if path.exists() else path.with_name("processor_config.json")
        path.write_text(json.dumps(json.loads(path.read_text()) | {"pad_size": {"height": 96, "width": 96}}))
        with pytest.raises(ModelError, match="fills them up"):
            add(str(tmp_path / "detr"), Wishes(license="MIT", with_onnx=False))

    @settings(max_examples=300)
    @example(width=16, height=838, edges=(512, 864))  # upright, and its shorter side as long as it should be
    @given(
        width=st.integers(1, 3000),
        height=st.integers(1, 3000),
        edges=st.sampled_from([(800, 1333), (64, 96), (480, 640), (512, 864)]),
    )
    def test_sizes_are_those_of_the_library(self, width: int, height: int, edges: tuple[int, int]) -> None:
        from transformers.image_transforms import get_size_with_aspect_ratio
        from transformers.models.yolos.image_processing_pil_yolos import get_size_with_aspect_ratio_yolos

        facts: dict[str, Any] = {"shorter_px": float(edges[0]), "longer_px": float(edges[1])}
        for step, library in ((1, get_size_with_aspect_ratio), (16, get_size_with_aspect_ratio_yolos)):
            wanted = PixelInput("pixels", "image", edges[1], edges[1], "whole", multiple_of=step, **facts)
            theirs = library((height, width), *edges)[::-1]
            if min(theirs) > 0:  # of the thinnest, the library leaves nothing
                assert whole_size((width, height), wanted) == theirs
            assert min(whole_size((width, height), wanted)) >= step
