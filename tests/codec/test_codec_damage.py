"""Damage that decoders let pass is found, and sound files are not taken for damaged."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from codec_makers import LIMITS, decoded, psnr, saved, scene, small_files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from tintype.codec import png
from tintype.codec.decode import decode, header
from tintype.codec.limits import Limits
from tintype.core.errors import ImageError

FILES = small_files()
STRICT = settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])


def verdict(data, limits=LIMITS):
    """Status and reason; only an ImageError may ever come."""
    try:
        decode(data, side_px=50, limits=limits)
    except ImageError as error:
        return error.status, error.reason
    return "ok", None


@pytest.mark.parametrize("name", FILES)
def test_sound_files_are_sound(name):
    assert verdict(FILES[name]) == ("ok", None)


@pytest.mark.parametrize("name", FILES)
@STRICT
@given(portion=st.floats(0, 0.97))
def test_a_cut_file_never_raises_but_an_image_error(name, portion):
    """What is missing may be no more than an end mark: then the picture is the whole one."""
    cut = FILES[name][: int(len(FILES[name]) * portion)]
    status, reason = verdict(cut)
    if status == "ok":
        assert np.array_equal(decoded(cut).rgb, decoded(FILES[name]).rgb)
    else:
        assert status == "damaged" or (status == "unsupported" and portion < 0.2), reason


@pytest.mark.parametrize("name", FILES)
@STRICT
@given(spoiled=st.data())
def test_flipped_bits_never_raise_but_an_image_error(name, spoiled):
    data = bytearray(FILES[name])
    for at in spoiled.draw(st.lists(st.integers(0, len(data) * 8 - 1), min_size=1, max_size=8)):
        data[at // 8] ^= 1 << at % 8
    status, reason = verdict(bytes(data), Limits(pixels=1_000_000))
    assert status in ("ok", "damaged", "rejected", "unsupported")
    assert reason is None or reason.isprintable()


@pytest.mark.parametrize(
    "name", ["heic-ok.heic", "tiff-float.tif", "webp-4-frames.webp", "apng-4-frames.png", "j2k-ok.j2k"]
)
@STRICT
@given(spoiled=st.data())
def test_flipped_bits_of_rarer_kinds_never_raise_but_an_image_error(data, name, spoiled):
    file = bytearray((data / "hostile" / name).read_bytes())
    for at in spoiled.draw(st.lists(st.integers(0, len(file) * 8 - 1), min_size=1, max_size=8)):
        file[at // 8] ^= 1 << at % 8
    assert verdict(bytes(file), Limits(pixels=1_000_000))[0] in ("ok", "damaged", "rejected", "unsupported")


HEADS = [data[:24] for data in FILES.values()] + [
    b"",
    b"\xff\xd8\xff",
    b"BM",
    b"8BPS",
    b"\0\0\0\x20ftypheic",
    b"\xff\x0a",
]


@settings(max_examples=400)
@given(head=st.sampled_from(HEADS), noise=st.binary(max_size=300))
def test_random_bytes_never_raise_but_an_image_error(head, noise):
    for data in (noise, head + noise):
        with contextlib.suppress(ImageError):
            known = header(data, LIMITS)
            assert 0 < known.width * known.height <= LIMITS.pixels


def test_a_jpeg_that_only_lost_its_profile_keeps_its_damage():
    """libjpeg tells its first warning only; one about the profile must not hide one about the picture."""
    sound = saved(scene(200, 150), "JPEG", quality=90)
    half_profile = b"\xff\xe2" + struct.pack(">H", 2 + 12 + 2 + 4) + b"ICC_PROFILE\0" + bytes([1, 3]) + b"cut!"
    with_profile = sound[:2] + half_profile + sound[2:]
    image = decoded(with_profile)
    assert image.notes == ("parts of the color profile are missing; it was ignored",)
    assert np.array_equal(image.rgb, decoded(sound).rgb)
    hole = len(with_profile) * 2 // 3
    assert verdict(with_profile[:hole] + bytes(40) + with_profile[hole + 40 :])[0] == "damaged"


def png_of(rows: int, height: int, width: int = 40, *, interlaced: bool = False, value: int = 0) -> bytes:
    """A gray PNG that announces `height` rows and holds `rows` of them."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    start = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, int(interlaced))
    lines = (bytes([0]) + bytes([value]) * width) * rows
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", start) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("rows", [0, 1, 29])
@pytest.mark.parametrize("value", [0, 200])
def test_a_png_with_too_few_rows_is_damaged(rows, value):
    assert verdict(png_of(rows, 30, value=value))[0] == "damaged"


@pytest.mark.parametrize("value", [0, 200])
def test_a_black_png_with_all_rows_is_sound(value):
    assert verdict(png_of(30, 30, value=value))[0] == "ok"


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 7), (8, 8), (33, 5), (16, 1)])
@pytest.mark.parametrize("mode", ["1", "L", "RGBA"])
def test_the_bytes_of_all_rows_are_counted_right(width, height, mode):
    """The law: for any sound file the count is exact, so that one byte less is too few."""
    data = saved(PillowImage.new(mode, (width, height)), "PNG")
    chunks = png.read_chunks(data)
    inflated = zlib.decompress(b"".join(data[start:end] for start, end in chunks.pictures))
    assert png.raw_size(chunks) == len(inflated)


def test_interlaced_rows_are_counted_right(data):
    for name in ("pngsuite-basi2c16.png", "pngsuite-basi4a16.png", "pngsuite-basi6a08.png", "pngsuite-s01i3p01.png"):
        file = (data / "hostile" / name).read_bytes()
        chunks = png.read_chunks(file)
        assert chunks.is_interlaced
        assert png.raw_size(chunks) == len(zlib.decompress(b"".join(file[a:b] for a, b in chunks.pictures)))
        assert png.has_all_rows(file, chunks)


def test_an_interlaced_png_that_ends_early_is_damaged():
    sound = png_of(0, 16, 16, interlaced=True)
    needed = png.raw_size(png.read_chunks(sound))
    idat = sound.index(b"IDAT")
    for held, expected in ((needed, "ok"), (needed - 1, "damaged"), (needed - 40, "damaged")):
        body = zlib.compress(bytes(held))
        chunk = struct.pack(">I", len(body)) + b"IDAT" + body + struct.pack(">I", zlib.crc32(b"IDAT" + body))
        assert verdict(sound[: idat - 4] + chunk)[0] == expected


def test_a_gif_without_its_trailer_is_sound_and_a_cut_one_is_not():
    frames = [scene(32, 32).rotate(90 * turn) for turn in range(3)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert verdict(data[:-1])[0] == "ok"
    assert verdict(data[: len(data) * 9 // 10])[0] == "damaged"


def test_scaled_decoding_hears_of_damage_too():
    data = saved(scene(1_600, 1_200), "JPEG", quality=90)
    hole = len(data) // 2
    broken = data[:hole] + bytes(2_000) + data[hole + 2_000 :]
    assert verdict(data)[0] == "ok"
    assert verdict(broken)[0] == "damaged"


def test_pillow_alone_would_not_notice():
    """Why the count of rows is needed: without it the file above loads without an error."""
    assert PillowImage.open(io.BytesIO(png_of(10, 30, value=200))).convert("L").getextrema() == (0, 200)


def test_a_jpeg_after_fill_bytes_and_comments_is_the_same_picture():
    sound = saved(scene(), "JPEG", quality=90)
    comments = b"\xff\xfe\x00\x05abc" * 200
    assert psnr(decoded(sound[:2] + b"\xff" * 500 + comments + sound[2:]).rgb, decoded(sound).rgb) == float("inf")


@pytest.mark.parametrize("kept", [2, 11, 12, 40])
def test_a_jpeg_2000_that_ends_in_its_first_tile_is_damaged(kept: int) -> None:
    """OpenJPEG decodes one that ends right after the marker of its first tile to black, without an error."""
    whole = FILES["jp2"]
    cut = whole[: whole.rindex(b"\xff\x90") + kept]
    assert verdict(cut)[0] == "damaged"
