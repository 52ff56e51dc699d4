"""Limits are checked from the header, before any pixel is allocated."""

import struct

import pytest
from codec_makers import saved, scene, small_files

from tintype.codec.decode import decode, header
from tintype.codec.limits import Limits
from tintype.core.errors import ImageError

FILES = small_files()


def refusal(data, limits):
    with pytest.raises(ImageError) as caught:
        header(data, limits)
    with pytest.raises(ImageError) as again:
        decode(data, side_px=32, limits=limits)
    assert str(caught.value) == str(again.value)
    return caught.value


@pytest.mark.parametrize("name", FILES)
def test_every_format_keeps_to_the_limit_on_pixels(name):
    error = refusal(FILES[name], Limits(pixels=48 * 48 - 1))
    assert error.status == "rejected"
    assert "limits.pixels" in error.reason


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        (Limits(bytes=100), "limits.bytes"),
        (Limits(side_px=95), "limits.side_px"),
        (Limits(aspect=1.4), "limits.aspect"),
        (Limits(pixels=96 * 64 - 1), "limits.pixels"),
    ],
)
def test_a_reason_names_the_limit(limits, named):
    error = refusal(FILES["png"], limits)
    assert error.status == "rejected"
    assert named in error.reason


def test_what_just_fits_is_read():
    limits = Limits(pixels=96 * 64, side_px=96, bytes=len(FILES["jpeg"]), aspect=1.5, frames=1)
    assert header(FILES["jpeg"], limits).width == 96


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_frames_are_counted_and_limited(name):
    frames = [scene(32, 32).rotate(30 * turn) for turn in range(6)]
    data = saved(frames[0], name, save_all=True, append_images=frames[1:])
    assert header(data, Limits()).frames == 6
    assert decode(data, side_px=32, limits=Limits()).frames == 6
    assert "limits.frames" in refusal(data, Limits(frames=5)).reason


@pytest.mark.parametrize("name", ["WEBP", "AVIF", "JPEG2000", "TIFF"])
def test_a_picture_that_needs_too_much_memory_is_refused(name):
    data = saved(scene(1_200, 900), name)
    with pytest.raises(ImageError, match=r"rejected: .*limits\.memory_mb"):
        decode(data, side_px=1_200, limits=Limits(memory_mb=3))


def test_a_scaled_picture_needs_less_memory():
    """JPEG 2000 leaves out the fine levels, so the size that counts is the one that is decoded."""
    data = saved(scene(1_200, 900), "JPEG2000")
    assert decode(data, side_px=64, limits=Limits(memory_mb=3)).width == 1_200


def test_a_picture_in_an_icon_has_limits_too():
    """The directory says 48 × 48; the PNG inside says what it likes."""
    data = bytearray(saved(scene(48, 48), "ICO"))
    at = data.index(b"IHDR") + 4
    data[at : at + 8] = struct.pack(">II", 60_000, 60_000)
    assert "60000 × 60000" in refusal(bytes(data), Limits()).reason


def test_a_scan_too_many_is_refused():
    sound = saved(scene(), "JPEG", progressive=True)
    error = refusal(sound[:-2] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" * 600, Limits())
    assert error.status == "rejected"
    assert "scans" in error.reason


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_chain_of_pages_is_followed_only_as_far_as_the_limit(order):
    """A thousand empty pages; each is six bytes of a directory that points to the next."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(order + "HHII", 256, 4, 1, 8)
    pages = b"".join(
        struct.pack(order + "H", 1) + entry + struct.pack(order + "I", 8 + 18 * n) for n in range(1, 1_000)
    )
    error = refusal(mark + struct.pack(order + "I", 8) + pages + bytes(20), Limits(frames=100))
    assert (error.status, "limits.frames" in error.reason) == ("rejected", True)


def test_tiff_tags_that_all_point_at_one_great_field_cost_little():
    """4,000 entries of a million values each would be gigabytes if every one were read."""
    entries = b"".join(struct.pack("<HHII", 1_000 + n, 4, 1_000_000, 8) for n in range(4_000))
    data = b"II*\0" + struct.pack("<I", 4_000_008) + bytes(4_000_000) + struct.pack("<H", 4_000) + entries + bytes(4)
    assert refusal(data, Limits()).status == "damaged"
