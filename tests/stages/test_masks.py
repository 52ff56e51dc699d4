"""Masks are those that SAM's own library makes for the same places, and become labels of objects."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_photos import columns_of, save_small_photos

from tintype.core.errors import ConfigError, ModelError
from tintype.models import parity, registry
from tintype.models.card_file import built_in
from tintype.models.masking import grid_of, mask_of, whole_of
from tintype.stages.masks import Settings, stage
from tintype.testing.stages import StageContract

torch_libraries = pytest.importorskip("torch_libraries", reason="SAM runs on torch")
box_libraries = pytest.importorskip("box_libraries", reason="tiny detectors are made with torch")

ALL = Settings(grid=2, min_confidence=0.0, min_stability=0.0, overlap=1.0)


@pytest.fixture(scope="module")
def sam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A card, and the folder that it was made from."""
    from tintype.models.adding.adding import add
    from tintype.models.adding.wishes import Wishes

    place = tmp_path_factory.mktemp("masks")
    patch = pytest.MonkeyPatch()
    patch.setenv("TINTYPE_MODELS", str(place / "models"))
    box_libraries.save_sam(place / "sam")
    add(str(place / "sam"), Wishes(name="sam", license="MIT"))
    save_small_photos(place / "photos")
    yield place
    patch.undo()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Coarse(Settings):
    """As cheap as it can be asked."""

    grid: int = 2
    min_confidence: float = 0.0
    min_stability: float = 0.0


class TestMasks(StageContract):
    @pytest.fixture(autouse=True)
    def _model(self, sam: Path) -> None:
        self.stage = dataclasses.replace(stage(registry.card("sam")), settings=Coarse)


def reference(folder: Path, path: Path, places: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """The library's own processor, model and post-processing: how well each mask fits, and its pixels."""
    torch, transformers = torch_libraries.torch, torch_libraries.transformers
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    model = transformers.SamModel.from_pretrained(folder).eval()
    given = torch.from_numpy(places)
    are_points = bool((places[..., :2] == places[..., 2:]).all())
    told = {"input_points": given[..., None, :2]} if are_points else {"input_boxes": given}
    with Image.open(path) as picture, torch.inference_mode():
        prepared = processor(images=picture, return_tensors="pt")
        made = model(pixel_values=prepared["pixel_values"], multimask_output=are_points, **told)
    (masks,) = processor.post_process_masks(
        made.pred_masks, prepared["original_sizes"], prepared["reshaped_input_sizes"]
    )
    pairs = zip(made.iou_scores[0].flatten().tolist(), masks.flatten(0, 1).numpy(), strict=True)
    return sorted(((sure, mask) for sure, mask in pairs if mask.any()), key=lambda pair: -pair[0])


@pytest.mark.parametrize("places", ["grid", "whole"])
def test_masks_are_those_of_the_library(sam: Path, places: Any) -> None:
    card = registry.card("sam")
    rows = columns_of(stage(card), sam / "photos", dataclasses.replace(ALL, places=places))["masks_sam"]
    areas = set()
    for path, ours in rows.items():
        with Image.open(path) as picture:
            size = picture.size
        asked = grid_of(size, card, 2) if places == "grid" else whole_of(size, card)
        theirs = reference(sam / "sam", path, asked)
        assert len(ours) == len(theirs) == (12 if places == "grid" else 1)
        for own, (sure, mask) in zip(ours, theirs, strict=True):
            pixels = mask_of(own["rle"], size)
            assert own["confidence"] == pytest.approx(min(max(sure, 0), 1), abs=1e-4)
            assert (pixels == mask).mean() > 0.999
            assert own["area"] == pytest.approx(mask.mean(), abs=1e-3)
            down, across = np.nonzero(pixels)
            box = [across.min(), down.min(), across.max() + 1 - across.min(), down.max() + 1 - down.min()]
            assert np.array([own[side] for side in ("x", "y", "width", "height")]) * [*size, *size] == pytest.approx(
                box
            )
        areas.add(round(ours[0]["area"], 3))
    assert len(areas) > 1, "all photos look the same to this model"


def test_engines_agree_where_masks_cover_the_same(sam: Path) -> None:
    encoded = [path.read_bytes() for path in sorted((sam / "photos").glob("*.png"))]
    rows = parity.check(registry.card("sam"), encoded, seconds=0).rows
    assert [(row.name, row.top1_agreement) for row in rows] == [(parity.PREPARATION, 1.0), ("torch:fp32:cpu", 1.0)]


def test_more_points_than_masks_are_given_back(sam: Path) -> None:
    """Of 81 points three masks each, those that fit best are the same as where all are given back."""
    card = registry.card("sam")
    (path, *_) = sorted((sam / "photos").glob("*.png"))
    many = columns_of(stage(card), sam / "photos", dataclasses.replace(ALL, grid=9, most=20))["masks_sam"][path]
    with Image.open(path) as picture:
        theirs = reference(sam / "sam", path, grid_of(picture.size, card, 9))
    expected = [min(max(sure, 0), 1) for sure, _ in theirs[:20]]
    assert [mask["confidence"] for mask in many] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    "wrong",
    [{"grid": 0}, {"grid": 65}, {"most": 0}, {"most": 129}, {"overlap": 1.5}, {"min_confidence": -1.0}],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"^masks\.{next(iter(wrong))} must be"):
        Settings(**wrong)


def test_models_that_make_no_masks_are_refused(sam: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tintype.models.adding.adding import add
    from tintype.models.adding.wishes import Wishes

    with pytest.raises(ModelError, match="makes no masks"):
        stage(built_in("descriptor"))
    with pytest.raises(ModelError, match="no output of vectors"):
        registry.card("sam").vectors()
    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))
    box_libraries.save_sam(tmp_path / "m")
    name = next(
        name for name in ("preprocessor_config.json", "processor_config.json") if (tmp_path / "m" / name).exists()
    )
    torch_libraries.change_json(tmp_path / "m" / name, size={"longest_edge": 48}, pad_size={"height": 48, "width": 48})
    with pytest.raises(ModelError, match="takes images of 64 px, and its processor makes them 48 px"):
        add(str(tmp_path / "m"), Wishes(license="MIT"))
