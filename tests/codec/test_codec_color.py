"""Color: profiles, ink, depth, palettes and transparency all end as the sRGB that a viewer shows."""

import io

import numpy as np
import pytest
from codec_makers import decoded, saved, scene
from PIL import Image as PillowImage
from PIL import ImageCms

from tintype.codec.color import to_srgb


def pillow_srgb(path):
    """The picture as Pillow and LittleCMS turn it into sRGB at full size."""
    image = PillowImage.open(path)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    return np.asarray(ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"))


@pytest.mark.parametrize("name", ["icc-swapped-channels.jpg", "icc-wide-gamut.jpg"])
def test_a_profile_is_applied(data, name):
    path = data / "hostile" / name
    rgb = decoded(path.read_bytes()).rgb.astype(int)
    stored = np.asarray(PillowImage.open(path)).astype(int)
    assert np.abs(rgb - pillow_srgb(path)).max() <= 1
    assert np.abs(rgb - stored).mean() > 5  # it does change the picture


def test_swapped_channels_are_swapped_back(data):
    """The profile says that red was stored elsewhere; undone, the picture is the one of the plain file."""
    swapped = decoded((data / "hostile" / "icc-swapped-channels.jpg").read_bytes()).rgb.astype(int)
    stored = np.asarray(PillowImage.open(data / "hostile" / "icc-swapped-channels.jpg")).astype(int)
    errors = {order: np.abs(swapped - stored[..., order]).mean() for order in [(0, 1, 2), (1, 2, 0), (2, 0, 1)]}
    assert min(errors, key=errors.get) != (0, 1, 2)
    assert min(errors.values()) < 3


def test_an_srgb_profile_changes_nothing():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = np.asarray(scene())
    rgb, note = to_srgb(pixels, profile)
    assert rgb is pixels
    assert note is None


@pytest.mark.parametrize("name", ["icc-cut.jpg", "icc-random.jpg", "icc-part-0-of-0.jpg", "icc-part-1-of-255.jpg"])
def test_a_broken_profile_is_ignored_with_a_note(data, name):
    image = decoded((data / "hostile" / name).read_bytes())
    stored = np.asarray(PillowImage.open(data / "hostile" / name).convert("RGB"))
    assert np.abs(image.rgb.astype(int) - stored).max() <= 3  # two builds of libjpeg may differ in rounding
    assert len(image.notes) == 1
    assert "profile" in image.notes[0]


def test_a_profile_for_other_pixels_is_ignored():
    gray = np.full((4, 4), 100, np.uint8)
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    rgb, note = to_srgb(gray, lab)
    assert (rgb == 100).all()
    assert "profile" in note


@pytest.mark.parametrize(
    "name", ["jpeg-cmyk-adobe.jpg", "jpeg-cmyk-no-adobe.jpg", "pillow-pil_sample_cmyk.jpg", "tiff-cmyk.tif"]
)
def test_ink_becomes_light(data, name):
    image = PillowImage.open(data / "hostile" / name)
    image.load()
    expected = np.asarray(image.convert("RGB")).astype(int)
    rgb = decoded((data / "hostile" / name).read_bytes()).rgb.astype(int)
    if "icc_profile" in image.info:
        assert np.abs(rgb - pillow_srgb(data / "hostile" / name)).mean() < 3
    else:
        assert np.abs(rgb - expected).mean() < 3


def test_ink_has_its_known_colors():
    ink = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 255, 255, 0], [0, 0, 0, 255], [0, 0, 0, 128]]], np.uint8)
    rgb, _ = to_srgb(ink, None)
    assert rgb[0].tolist() == [[255, 255, 255], [0, 255, 255], [255, 0, 0], [0, 0, 0], [127, 127, 127]]


def test_sixteen_bits_keep_their_tones():
    ramp = np.tile(np.linspace(0, 65_535, 256).astype(np.uint16), (8, 1))
    for name in ("PNG", "TIFF", "PPM", "JPEG2000"):
        image = decoded(saved(PillowImage.fromarray(ramp), name))
        assert image.color_mode == "gray16"
        assert np.abs(image.rgb[0, :, 0].astype(int) - np.arange(256)).max() <= 1


def test_floats_from_0_to_1_are_taken_as_they_are_and_others_are_stretched():
    ramp = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (4, 1))
    plain = decoded(saved(PillowImage.fromarray(ramp * 0.5), "TIFF"))
    stretched = decoded(saved(PillowImage.fromarray(ramp * 4_000 - 1_000), "TIFF"))
    assert plain.color_mode == "gray32f"
    assert plain.rgb.max() == 128
    assert (stretched.rgb.min(), stretched.rgb.max()) == (0, 255)


def test_floats_that_are_no_numbers_do_no_harm():
    samples = np.array([[0.0, np.nan], [np.inf, 1.0]], np.float32)
    assert decoded(saved(PillowImage.fromarray(samples), "TIFF")).rgb[..., 0].tolist() == [[0, 0], [255, 255]]


def test_transparency_lies_over_white():
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[:, 0] = (200, 0, 0, 255)
    pixels[:, 1] = (200, 0, 0, 0)
    pixels[:, 2] = (200, 0, 0, 128)
    for name, settings in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        row = decoded(saved(PillowImage.fromarray(pixels), name, **settings)).rgb[0].astype(int)
        assert row[0].tolist() == [200, 0, 0], name
        assert row[1].tolist() == [255, 255, 255], name
        assert np.abs(row[2] - [227, 127, 127]).max() <= 1, name


def test_a_transparent_palette_color_lies_over_white():
    image = PillowImage.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    for name in ("PNG", "GIF"):
        rgb = decoded(saved(image, name, transparency=0)).rgb
        assert rgb[0].tolist() == [[255, 255, 255], [200, 100, 50]], name


def test_transparent_gray_lies_over_white():
    image = PillowImage.fromarray(np.array([[[0, 255], [0, 0], [100, 255]]], np.uint8), "LA")
    assert decoded(saved(image, "PNG")).rgb[0, :, 0].tolist() == [0, 255, 100]


def test_one_bit_and_lab_pictures_are_read():
    bits = PillowImage.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert("1")
    assert decoded(saved(bits, "TIFF")).rgb[..., 0].tolist() == [[0, 255], [255, 0]]
    lab = PillowImage.new("LAB", (2, 2), (255, 128, 128))  # full lightness, no color
    assert decoded(saved(lab, "TIFF")).rgb.min() >= 254


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("png-rgb-16-bit.png", "rgb16"),
        ("png-grey-alpha.png", "gray_alpha"),
        ("png-palette-alpha.png", "palette"),
        ("png-1-bit.png", "gray1"),
        ("jpeg-grey.jpg", "gray"),
        ("jpeg-cmyk-adobe.jpg", "cmyk"),
        ("tiff-float.tif", "gray32f"),
        ("jp2-ok.jp2", "rgb"),
    ],
)
def test_color_mode_says_how_pixels_are_stored(data, name, mode):
    assert decoded((data / "hostile" / name).read_bytes()).color_mode == mode
