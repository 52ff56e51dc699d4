"""EXIF orientation: all eight ways lead to the same upright picture."""

import numpy as np
import pytest
from codec_makers import decoded, psnr, saved, scene
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage
from PIL import ImageOps

from tintype.codec.orientation import orientation_of, turn_upright

SAME_DB = 25  # dB; the eight files were each compressed anew, so they are not equal


@pytest.mark.parametrize("series", ["Landscape", "Portrait"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_gives_the_upright_picture(data, series, orientation):
    upright = decoded((data / "photos-exif" / f"{series}_1.jpg").read_bytes(), 320)
    turned = decoded((data / "photos-exif" / f"{series}_{orientation}.jpg").read_bytes(), 320)
    assert (turned.width, turned.height) == (upright.width, upright.height)
    assert turned.orientation == orientation
    assert (turned.width > turned.height) == (series == "Landscape")
    assert psnr(turned.rgb, upright.rgb) > SAME_DB


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_agrees_with_pillow(orientation):
    image = scene()
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(turn_upright(np.asarray(scene()), orientation), expected)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_format_with_exif_is_turned(name):
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    settings = {"lossless": True} if name == "WEBP" else {"quality": 95} if name in ("JPEG", "AVIF") else {}
    image = decoded(saved(scene(), name, exif=exif, **settings))
    expected = np.asarray(scene().transpose(PillowImage.Transpose.ROTATE_270))
    assert (image.width, image.height, image.orientation) == (64, 96, 6)
    assert psnr(image.rgb, expected) > SAME_DB


@pytest.mark.parametrize("order", ["little", "big"])
def test_orientation_is_read_in_both_byte_orders(order):
    mark = b"II*\0" if order == "little" else b"MM\0*"
    entry = b"".join(number.to_bytes(size, order) for number, size in ((0x0112, 2), (3, 2), (1, 4), (8, 2), (0, 2)))
    exif = mark + (8).to_bytes(4, order) + (1).to_bytes(2, order) + entry
    assert orientation_of(exif) == 8
    assert orientation_of(b"Exif\0\0" + exif) == 8


@given(st.binary(max_size=200), st.sampled_from([b"", b"II*\0", b"MM\0*", b"Exif\0\0MM\0*"]))
def test_any_bytes_have_an_orientation(noise, start):
    assert 1 <= orientation_of(start + noise) <= 8
