"""Real photos: all sound, and scaled decoding stays close to decoding at full size and scaling then."""

import numpy as np
import pi_heif
import pytest
from codec_makers import LIMITS, decoded, psnr, saved, scene
from PIL import Image as PillowImage

from tintype.codec.decode import decode, header

SCALED_DB = {160: 28, 320: 31}
"""PSNR in dB against Lanczos from full size. Measured: worst 28.9 and 31.4, median 34 and 38; INTER_AREA from full
size has 31.6 and 31.8, median 38.5 and 39. The scaled inverse DCT and the mean of blocks are softer than Lanczos."""


def test_all_imagenet_photos_are_sound(data):
    photos = sorted((data / "photos-imagenet").iterdir())
    assert len(photos) == 200
    for photo in photos:
        image = decode(photo.read_bytes(), side_px=320, limits=LIMITS)
        assert max(image.rgb.shape[:2]) == min(320, max(image.width, image.height)), photo.name
        assert not image.rgb.flags.writeable


@pytest.mark.parametrize("folder", ["photos-exif", "demo-photos", "opensfm-series"])
def test_photos_with_odd_metadata_are_sound(data, folder):
    for photo in sorted((data / folder).rglob("*")):
        if photo.is_file() and photo.suffix not in (".json", ".csv"):
            assert decoded(photo.read_bytes(), 64).rgb.size, photo.name


def test_header_and_decoding_agree(data):
    for photo in sorted((data / "photos-exif").iterdir())[::3]:
        if photo.suffix != ".json":
            known, image = header(photo.read_bytes(), LIMITS), decoded(photo.read_bytes(), 64)
            stored = (known.height, known.width) if known.orientation >= 5 else (known.width, known.height)
            assert (image.width, image.height) == stored, photo.name
            assert (image.format, image.color_mode) == (known.format, known.color_mode)


def test_pixels_outlive_the_library_that_decoded_them(data):
    """libheif shows its own memory, which goes with its image; what nobody scales must not be a view of that."""
    photo = data / "photos-exif" / "cheers_1440x960.heic"
    rgb = holder = decoded(photo.read_bytes(), 10_000).rgb
    while isinstance(holder.base, np.ndarray):
        holder = holder.base
    assert holder.flags.owndata
    assert (rgb == np.asarray(pi_heif.open_heif(photo).to_pillow())).all()


@pytest.mark.parametrize("side_px", SCALED_DB)
def test_scaled_decoding_is_close_to_scaling_afterwards(data, side_px):
    for photo in sorted((data / "photos-imagenet").iterdir())[::8]:
        bytes_ = photo.read_bytes()
        scaled, full = decoded(bytes_, side_px).rgb, decoded(bytes_, 10_000).rgb
        assert max(scaled.shape[:2]) == min(side_px, max(full.shape[:2]))
        size = scaled.shape[1], scaled.shape[0]
        reference = PillowImage.fromarray(full).resize(size, PillowImage.Resampling.LANCZOS)
        assert psnr(scaled, np.asarray(reference)) > SCALED_DB[side_px], photo.name


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 900), (900, 1), (7, 5), (321, 2), (320, 240), (319, 4)])
def test_the_longer_side_is_what_was_asked_for_or_full_size(width, height):
    data = saved(scene(max(width, 8), max(height, 8)).crop((0, 0, width, height)), "JPEG")
    rgb = decoded(data, 320).rgb
    assert max(rgb.shape[:2]) == min(320, max(width, height))
    assert min(rgb.shape[:2]) >= 1


def test_large_pictures_of_other_formats_scale_as_well():
    """Averaged in bands: the picture must be whole and in place, at sizes that no block size divides."""
    image = scene(2_003, 1_501)
    expected = np.asarray(image.resize((100, 75), PillowImage.Resampling.BOX))
    for name in ("PNG", "TIFF", "BMP", "JPEG2000"):
        assert psnr(decoded(saved(image, name), 100).rgb, expected) > 30, name
