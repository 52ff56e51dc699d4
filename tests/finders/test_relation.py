"""What was done to a picture: colors as a whole, what covers parts of it, and the words for it."""

import cv2
import numpy as np
import pytest
from finder_makers import photos
from hypothesis import given, settings
from hypothesis import strategies as st

from tintype.finders.verify.colors import CELL_PX, cells_of, places, recoloring
from tintype.finders.verify.coverings import covered
from tintype.finders.verify.maps import TURN_MAPS
from tintype.finders.verify.pictures import Picture
from tintype.finders.verify.relation import Change, changed, related

SIZE = (320, 240)
AS_IT_IS = TURN_MAPS[0]
NONE = Change(light=0, luma=100, tint=0, chroma=(20, 20), covered=0, even=(0, 0))
PHOTOS = ("HP_PhotoSmart_735.jpg", "Canon_IXUS_400.jpg", "Nikon_D1X.jpg", "Sony_Cybershot_6.jpg")


@pytest.fixture(params=PHOTOS)
def photo(request, data):
    bgr = cv2.imread(str(data / "demo-photos" / request.param))
    return cv2.resize(bgr, SIZE, interpolation=cv2.INTER_AREA)


def saved(bgr, quality):
    return cv2.imdecode(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def clipped(values):
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)


def dated(bgr):
    return cv2.putText(bgr.copy(), "28 10 '24", (190, 225), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (30, 140, 255), 2)


def shining_through(bgr):
    words = cv2.putText(bgr.copy(), "SAMPLE", (60, 130), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (255, 255, 255), 4)
    return clipped(0.55 * bgr + 0.45 * words)


def stickered(bgr):
    return cv2.circle(bgr.copy(), (90, 80), 26, (40, 200, 250), -1)


def barred(bgr):
    out = bgr.copy()
    out[200:] = 0
    return out


def noisy(bgr):
    return clipped(bgr + np.random.default_rng(1).normal(0, 20, bgr.shape))


def with_few_colors(bgr):
    return clipped(np.round(bgr / 36.0) * 36)


def darker_below(bgr):
    return clipped(bgr * np.linspace(1.05, 0.6, len(bgr))[:, None, None])


COVERINGS = (dated, shining_through, stickered, barred)
OTHERS = {
    "as it was": lambda bgr: bgr,
    "saved": lambda bgr: saved(bgr, 40),
    "half": lambda bgr: cv2.resize(bgr, (160, 120), interpolation=cv2.INTER_AREA),
    "saved poorly": lambda bgr: saved(bgr, 12),
    "grain": noisy,
    "few colors": with_few_colors,
    "soft": lambda bgr: cv2.GaussianBlur(bgr, (0, 0), 2),
    "small": lambda bgr: cv2.resize(bgr, (96, 72), interpolation=cv2.INTER_AREA),
    "gamma": lambda bgr: clipped(255 * (bgr / 255.0) ** 0.6),
    "clipped light": lambda bgr: clipped(bgr * 1.6),
    "falling light": darker_below,
    "negative": lambda bgr: 255 - bgr,
    "gray": lambda bgr: cv2.cvtColor(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR),
}


def told(a, b):
    pictures = [Picture(saved(bgr, 75)) for bgr in (a, b)]
    sizes = [(bgr.shape[1], bgr.shape[0]) for bgr in (a, b)]
    return related(AS_IT_IS, (1.0, 1.0), changed(*pictures, AS_IT_IS), *sizes).kind.split(" + ")


@pytest.mark.parametrize("cover", COVERINGS)
@pytest.mark.parametrize("after", ["as it was", "saved", "half", "gamma"])
def test_what_lies_on_a_picture_is_told_from_either_side(photo, cover, after):
    changed_too = OTHERS[after](cover(photo))
    assert "overlaid" in told(photo, changed_too)
    assert "overlaid" in told(changed_too, photo)


@pytest.mark.parametrize("after", list(OTHERS))
def test_what_spoils_or_recolors_all_of_a_picture_covers_nothing(photo, after):
    assert "overlaid" not in told(photo, OTHERS[after](photo))
    assert "overlaid" not in told(OTHERS[after](photo), photo)


@pytest.mark.parametrize("after", ["gamma", "clipped light", "falling light", "negative"])
def test_changed_light_is_told(photo, after):
    assert "recolored" in told(photo, OTHERS[after](photo))


@pytest.mark.parametrize("after", ["saved poorly", "grain", "soft"])
def test_poor_pictures_keep_their_colors(photo, after):
    assert told(photo, OTHERS[after](photo)) == ["re-encoded"]


def test_how_much_is_covered_is_about_its_area():
    (rgb,) = photos(1)
    hidden = rgb.copy()
    hidden[60:150, 80:240] = 128
    pictures = [Picture(saved(picture, 75)) for picture in (rgb, hidden)]
    assert changed(*pictures, AS_IT_IS).covered == pytest.approx(90 * 160 / (240 * 320), abs=0.05)


@settings(max_examples=30)
@given(st.integers(0, 1_000), st.floats(0.5, 1.8), st.floats(-40, 40), st.booleans())
def test_a_rule_of_colors_is_found_below_what_covers_it(seed, gain, offset, shaded):
    """The oracle is the change itself: all channels alike, cut at the ends, a fifth of the cells something else."""
    random = np.random.default_rng(seed)
    own = random.uniform((40, 110, 110), (210, 146, 146), (600, 3)).astype(np.float32)
    at = places(20, 30).reshape(-1, 2)
    expected = own.copy()
    expected[:, 0] = np.clip((own[:, 0] * gain + offset) * (1 - 0.2 * shaded * (at**2).sum(axis=1)), 30, 225)
    inside = (expected[:, 0] > 31) & (expected[:, 0] < 224)  # where no channel of RGB is cut either
    expected[~inside] = own[~inside]
    other = expected.copy()
    strange = random.random(600) < 0.2
    other[strange] = random.uniform((0, 100, 100), (255, 156, 156), (int(strange.sum()), 3))
    if inside.mean() < 0.9:
        return
    found = recoloring(own, other, at).of_cells(own, at)
    assert np.median(np.abs(found - expected)[inside & ~strange]) < 3


def test_cells_and_pictures_are_expected_alike():
    random = np.random.default_rng(0)
    own = random.uniform((20, 100, 100), (235, 156, 156), (24, 32, 3)).astype(np.float32)
    at = places(24, 32)
    other = own * (1 - 0.3 * (at**2).sum(axis=2, keepdims=True)).astype(np.float32) + np.float32(9)
    model = recoloring(own.reshape(-1, 3), other.reshape(-1, 3), at.reshape(-1, 2))
    picture = model.of_picture(np.repeat(np.repeat(own, CELL_PX, 0), CELL_PX, 1))
    expected = model.of_cells(own.reshape(-1, 3), at.reshape(-1, 2)).reshape(own.shape)
    np.testing.assert_allclose(cells_of(picture)[1:-1, 1:-1], expected[1:-1, 1:-1], atol=1)


@given(st.integers(5, 60), st.integers(5, 60), st.floats(0, 255))
def test_equal_pictures_of_any_shape_have_no_covering(height, width, level):
    plain = np.full((height, width, 3), level, np.float32)
    mask = np.ones((height, width), np.float32)
    assert not covered(plain, plain, mask, 0.0, was_scaled=False).any()


@pytest.mark.parametrize(("side", "kind"), [(0.99, "resized"), (0.93, "cropped")])
def test_a_part_is_told_where_more_is_missing_than_the_map_may_be_off(side, kind):
    edge = (1 - side) / 2
    shares = np.array([[1 / side, 0, -edge / side], [0, 1 / side, -edge / side]])
    size = (round(1_000 * side), round(800 * side)) if kind == "cropped" else (500, 400)
    assert related(shares, (side**2, 1.0), NONE, (1_000, 800), size).kind == kind


def test_words_are_of_what_is_there():
    shares = np.array([[1, 0, -0.2], [0, 1, 0]], float)
    change = Change(light=12.4, luma=100, tint=2.2, chroma=(20, 20), covered=0.004, even=(0, 0))
    found = related(shares, (0.8, 0.8), change, SIZE, SIZE)
    assert found.kind == "cropped + recolored + overlaid"
    assert "80% of the one and 80% of the other" in found.words
    assert "light changed by 12" in found.words
    assert "less than 1%" in found.words
    assert related(AS_IT_IS, (1.0, 1.0), NONE, SIZE, SIZE).words == "the same picture, saved again"
