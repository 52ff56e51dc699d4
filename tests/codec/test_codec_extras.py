"""Formats that need an extra: named where it is missing, read where it is there."""

import importlib.util
import struct

import numpy as np
import pytest
from codec_makers import LIMITS, decoded, psnr, saved, scene
from PIL import Image as PillowImage

from tintype.codec.decode import decode
from tintype.core.errors import ImageError

HAS_RAW = importlib.util.find_spec("rawpy") is not None
HAS_JXL = importlib.util.find_spec("pylibjxl") is not None


def dng(*, preview: bytes = b"", orientation: int = 1, side: int = 64) -> bytes:
    """A DNG of a gray sensor picture that grows brighter downwards, with a JPEG preview where one is given."""
    sensor = np.tile(np.linspace(2_000, 60_000, side).astype("<u2")[:, None], (1, side))
    below = []  # offsets of the directories below the first are known once the pictures are placed
    pictures = 8 + len(preview)

    def directory(entries):
        body, extra = b"", b""
        at = where + 2 + 12 * len(entries) + 4
        for tag, kind, values in sorted(entries):
            packed = struct.pack("<" + {1: "B", 2: "B", 3: "H", 4: "I", 5: "I"}[kind] * len(values), *values)
            count = len(values) // 2 if kind == 5 else len(values)
            place = packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack("<I", at + len(extra))
            extra += packed if len(packed) > 4 else b""
            body += struct.pack("<HHI", tag, kind, count) + place
        return struct.pack("<H", len(entries)) + body + struct.pack("<I", 0) + extra

    where = pictures + sensor.nbytes
    parts = b""
    if preview:
        sub = directory(
            [
                *[(254, 4, [1]), (256, 4, [400]), (257, 4, [300]), (258, 3, [8, 8, 8]), (259, 3, [7]), (262, 3, [6])],
                *[(273, 4, [8]), (277, 3, [3]), (278, 4, [300]), (279, 4, [len(preview)])],
            ]
        )
        below.append(where)
        parts += sub
        where += len(sub)
    main = directory(
        [
            *[(254, 4, [0]), (256, 4, [side]), (257, 4, [side]), (258, 3, [16]), (259, 3, [1]), (262, 3, [32803])],
            *[
                (271, 2, [*b"Tin\0"]),
                (272, 2, [*b"Type\0"]),
                (273, 4, [pictures]),
                (274, 3, [orientation]),
                (277, 3, [1]),
            ],
            *[(278, 4, [side]), (279, 4, [sensor.nbytes]), (33421, 3, [2, 2]), (33422, 1, [0, 1, 1, 2])],
            *[(50706, 1, [1, 4, 0, 0]), (50708, 2, [*b"Tin Type\0"]), (50778, 3, [21])],
            (50721, 5, [1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1]),
            (50728, 5, [1, 1, 1, 1, 1, 1]),
            *([(330, 4, below)] if below else []),
        ]
    )
    return b"II*\0" + struct.pack("<I", where) + preview + sensor.tobytes() + parts + main


@pytest.mark.skipif(HAS_RAW, reason="the extra is installed")
def test_a_raw_file_names_its_extra():
    with pytest.raises(ImageError, match=r"unsupported: .*\(dng\).*tintype\[raw\]"):
        decode(dng(), side_px=32, limits=LIMITS)


@pytest.mark.skipif(HAS_RAW, reason="the extra is installed")
@pytest.mark.parametrize(
    "head", [b"FUJIFILMCCD-RAW ", b"IIRO\x08\0\0\0", b"IIU\0\x18\0\0\0", b"II*\0\x10\0\0\0CR\x02\0"]
)
def test_every_raw_kind_names_its_extra(head):
    with pytest.raises(ImageError, match=r"unsupported: .*tintype\[raw\]"):
        decode(head + bytes(200), side_px=32, limits=LIMITS)


@pytest.mark.skipif(HAS_JXL, reason="the extra is installed")
def test_jpeg_xl_names_its_extra():
    with pytest.raises(ImageError, match=r"unsupported: .*tintype\[jxl\]"):
        decode(b"\xff\x0a" + bytes(100), side_px=32, limits=LIMITS)


@pytest.mark.skipif(not HAS_RAW, reason="needs the extra raw")
def test_a_raw_file_is_developed_and_turned():
    image, turned = decoded(dng()), decoded(dng(orientation=6))
    assert image.format == turned.format == "dng"
    rows, columns = image.rgb.mean(axis=(1, 2)), turned.rgb.mean(axis=(0, 2))
    assert rows[-5] > rows[5] + 50  # brighter downwards, and after a turn to the right brighter to the left
    assert columns[5] > columns[-5] + 50
    assert turned.orientation == 6


@pytest.mark.skipif(not HAS_RAW, reason="needs the extra raw")
def test_the_embedded_preview_of_a_raw_file_comes_first():
    picture = scene(400, 300)
    image = decoded(dng(preview=saved(picture, "JPEG", quality=95)), 50)
    assert "seen through its embedded preview" in image.notes
    assert psnr(image.rgb, np.asarray(picture.resize((image.rgb.shape[1], image.rgb.shape[0])))) > 25
    assert (image.width, image.height) == (64, 64)


@pytest.mark.skipif(not HAS_JXL, reason="needs the extra jxl")
def test_jpeg_xl_is_read():
    import pylibjxl

    picture = np.asarray(scene())
    data = pylibjxl.encode(picture, lossless=True)
    image = decoded(data)
    assert (image.format, image.width, image.height, image.color_mode) == ("jxl", 96, 64, "rgb")
    assert np.array_equal(image.rgb, picture)
    with pytest.raises(ImageError, match="damaged"):
        decoded(data[: len(data) // 2])


@pytest.mark.skipif(not HAS_JXL, reason="needs the extra jxl")
def test_jpeg_xl_of_other_kinds_is_read():
    import pylibjxl

    gray = np.asarray(scene().convert("L"))[..., None]
    clear = np.dstack([np.asarray(scene()), np.zeros((64, 96), np.uint8)])
    assert np.array_equal(decoded(pylibjxl.encode(gray, lossless=True)).rgb[..., :1], gray)
    assert decoded(pylibjxl.encode(np.ascontiguousarray(clear), lossless=True)).rgb.min() == 255
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    turned = decoded(pylibjxl.jpeg_to_jxl(saved(scene(), "JPEG", exif=exif, quality=95)))
    expected = np.asarray(scene().transpose(PillowImage.Transpose.ROTATE_270))
    assert (turned.width, turned.height) == (64, 96)
    assert psnr(turned.rgb, expected) > 25
