"""What is an issue and how sure it is: known answers, the collection's own usual size, and real photos."""

from functools import partial

import cv2
import numpy as np
import pyarrow.compute as pc
import pytest
from finder_makers import collection, inputs

from tintype.core.errors import ConfigError
from tintype.finders.issues import Settings, issues
from tintype.stages import colors, quality
from tintype.stages.base import Batch
from tintype.testing.finders import made_collection
from tintype.testing.stages import image_of

FINE = {
    "luma_p05": 20, "luma_p99": 240, "sharpness": 0.9, "entropy": 7.0, "dynamic_range": 0.8, "is_gray": False,
    "color_mode": "rgb",
}  # fmt: skip


def found(*rows, **options):
    """Kinds of issues by uri, and the rows."""
    listed = issues(inputs(collection(*rows)), Settings(**options)).table.to_pylist()
    return {(row["a_uri"], row["kind"]): row for row in listed}


def test_a_fine_image_has_no_issues():
    assert found(FINE) == {}


@pytest.mark.parametrize(
    ("kind", "values", "reason"),
    [
        ("dark", {"luma_p99": 41}, "99 % of the pixels are no brighter than 16 % of white"),
        ("bright", {"luma_p05": 220}, "95 % of the pixels are brighter than 86 % of white"),
        ("blurred", {"sharpness": 0.05}, "sharpness is 5 % of that of a sharp photo"),
        (
            "low_information",
            {"entropy": 1.5},
            "its tones span 80 % of the range from black to white, its histogram holds 1.5 of 8 bits",
        ),
        (
            "low_information",
            {"dynamic_range": 0.02},
            "its tones span 2 % of the range from black to white, its histogram holds 7 of 8 bits",
        ),
        (
            "odd_aspect_ratio",
            {"width": 1_000, "height": 200},
            "1000 × 200 px: the longer side is 5 times the shorter one",
        ),
        ("gray", {"is_gray": True}, "stored in color, but all of it is gray"),
        ("gray", {"color_mode": "gray16", "is_gray": True}, "stored without color"),
    ],
)
def test_each_issue_is_found_alone_and_says_why(kind, values, reason):
    ((_, only),) = (rows := found(FINE | values))
    assert only == kind
    assert rows["00000.jpg", kind]["reason"] == reason
    assert 0.5 < rows["00000.jpg", kind]["score"] <= 1


def test_the_score_is_a_half_at_the_threshold_and_one_where_it_cannot_be_worse():
    sharp = {at: found(FINE | {"sharpness": at}, blurred_below=0.25) for at in (0.25, 0.125, 0.0)}
    assert sharp[0.25] == {}
    assert sharp[0.125]["00000.jpg", "blurred"]["score"] == 0.75
    assert sharp[0.0]["00000.jpg", "blurred"]["score"] == 1


def test_thresholds_are_settings():
    assert found(FINE, blurred_below=1.0).keys() == {("00000.jpg", "blurred")}
    assert found(FINE | {"is_gray": True}, gray=False) == {}
    assert found(FINE | {"luma_p99": 0, "entropy": 7}, dark_below=0.0) == {}


def test_an_even_image_is_not_called_blurred():
    kinds = {kind for _, kind in found(FINE | {"sharpness": 0.0, "entropy": 0.0, "dynamic_range": 0.0})}
    assert kinds == {"low_information"}


@pytest.mark.parametrize("status", ["damaged", "rejected", "unsupported", "unreadable", "timeout", "crashed"])
def test_a_file_that_was_not_decoded_has_its_status_as_the_issue(status):
    row = {"status": status, "reason": "why it is so", "digest": None, "width": 90_000, "height": 1}
    rows = found(row)
    assert list(rows) == [("00000.jpg", status)]
    assert (rows["00000.jpg", status]["reason"], rows["00000.jpg", status]["score"]) == ("why it is so", 1.0)


def test_odd_sizes_are_odd_for_the_collection():
    usual = [FINE | {"width": 1_000 + at, "height": 1_000} for at in range(20)]
    odd = [FINE | {"width": 100, "height": 100}, FINE | {"width": 9_000, "height": 9_000}]
    rows = found(*usual, *odd)
    assert list(rows) == [("00020.jpg", "odd_size"), ("00021.jpg", "odd_size")]
    reason = rows["00020.jpg", "odd_size"]["reason"]
    assert reason == "100 × 100 px; the middle half here has the pixels of squares of 1002 to 1007 px"
    assert found(*[row | {"width": 100, "height": 100} for row in usual]) == {}


def test_a_few_images_have_no_usual_size():
    rows = [FINE | {"width": side, "height": side} for side in (10, 100, 1_000, 10_000)]
    assert found(*rows) == {}


def test_images_without_measures_have_no_issues():
    assert found({}, {"width": None, "height": None}) == {}


def test_json_has_the_shape_that_others_build_on():
    answer = issues(inputs(collection(FINE | {"sharpness": 0.0}, {"status": "damaged", "reason": "cut off"})))
    assert answer.to_json() == {
        "schema": 1,
        "findings": [
            {
                "uri": "00000.jpg",
                "issue": "blurred",
                "score": 1.0,
                "reason": "sharpness is 0 % of that of a sharp photo",
            },
            {"uri": "00001.jpg", "issue": "damaged", "score": 1.0, "reason": "cut off"},
        ],
    }


def test_findings_are_sorted_by_uri_and_kind():
    table = issues(inputs(made_collection(300))).table
    keys = list(zip(table["a_uri"].to_pylist(), table["kind"].to_pylist(), strict=True))
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys) > 100


@pytest.mark.parametrize("options", [{"dark_below": -1}, {"odd_size_times": 0.5}, {"entropy_below": float("nan")}])
def test_settings_that_make_no_sense_are_refused(options):
    with pytest.raises(ConfigError, match=f"issues.{next(iter(options))} must be"):
        Settings(**options)


@pytest.fixture(scope="module")
def photos(data):
    """Sixty good photos at the scale that quality is measured at, (h, w, 3) uint8 RGB."""
    files = sorted((data / "photos-imagenet").glob("*.[jJ]*"))[:60]
    return [fitted(cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)) for file in files]


def fitted(rgb):
    scale = 320 / max(rgb.shape[:2])
    return cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else rgb


def count_of(kind, pictures):
    """How many of the pictures are found to have this issue."""
    batch = Batch([b""] * len(pictures), [image_of(picture) for picture in pictures])
    measures = quality.compute(batch, quality.Settings()) | colors.compute(batch, colors.Settings())
    table = collection(*({"width": p.shape[1], "height": p.shape[0], "color_mode": "rgb"} for p in pictures))
    for name in ("luma_p05", "luma_p99", "sharpness", "entropy", "dynamic_range", "is_gray"):
        table = table.append_column(name, measures[name])
    return pc.sum(pc.equal(issues(inputs(table)).table["kind"], kind)).as_py() or 0


@pytest.mark.parametrize("kind", ["dark", "bright", "blurred", "low_information", "odd_aspect_ratio"])
def test_good_photos_raise_no_alarm(photos, kind):
    assert count_of(kind, photos) == 0


SPOILED = {
    "dark": partial(cv2.convertScaleAbs, alpha=0.25),
    "bright": partial(cv2.convertScaleAbs, alpha=0.15, beta=215),
    "blurred": partial(cv2.GaussianBlur, ksize=(0, 0), sigmaX=2),
    "low_information": partial(cv2.convertScaleAbs, alpha=0.05, beta=120),
    "gray": lambda rgb: cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB),
}


@pytest.mark.parametrize("kind", list(SPOILED))
def test_spoiled_photos_are_found(photos, kind):
    assert count_of(kind, [SPOILED[kind](photo) for photo in photos]) == len(photos)


def test_a_panorama_is_odd_in_shape(photos):
    panoramas = [np.hstack([photo] * 5) for photo in photos if photo.shape[1] >= photo.shape[0]]
    assert count_of("odd_aspect_ratio", panoramas) == len(panoramas) > 20
