"""What first bytes and names say."""

import subprocess
import sys

import pytest
from codec_makers import small_files
from hypothesis import given
from hypothesis import strategies as st

from tintype.codec.decode import FORMATS
from tintype.codec.sniff import HEAD_BYTES, IMAGE_EXTENSIONS, looks_like_image, sniff

FILES = small_files()
SAME = {"progressive": "jpeg", "palette": "png", "tiff_raw": "tiff"}


@pytest.mark.parametrize("name", FILES)
def test_a_format_is_told_by_its_first_bytes(name):
    assert sniff(FILES[name][:HEAD_BYTES]) == SAME.get(name, name)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "heic"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "avif"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "cr3"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", None),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", None),
        (b"RIFF\x24\0\0\0WAVEfmt ", None),
        (b"II*\0\x10\0\0\0CR\x02\0", "cr2"),
        (b"II*\0\x08\0\0\0\x10\0", "tiff"),
        (b"II+\0\x08\0\0\0", "tiff"),
        (b"FUJIFILMCCD-RAW 0201", "raf"),
        (b"\xff\x0a\xfa", "jxl"),
        (b"<?xml version='1.0'?>\n<svg xmlns=", "svg"),
        (b"  <svg>", "svg"),
        (b"<html><svg>", None),
        (b"BM are two letters of a text that goes on", None),
        (b"P5 is a class of ships", None),
        (b"P6\n# made by hand\n2 2\n255\n", "ppm"),
        (b"%PDF-1.7", None),
        (b"", None),
    ],
)
def test_known_heads(head, name):
    assert sniff(head) == name


@pytest.mark.parametrize(
    ("name", "says"),
    [("a.JPG", True), ("b.tar.heic", True), ("x/.png", True), ("notes.txt", False), ("jpg", False), ("a.nef", True)],
)
def test_a_name_says_image_by_its_extension(name, says):
    assert looks_like_image(name, b"some text") is says


def test_bytes_say_image_whatever_the_name():
    assert looks_like_image("download", FILES["webp"][:HEAD_BYTES])


def test_every_hostile_and_exif_image_looks_like_one(data):
    for folder in ("hostile", "photos-exif"):
        for file in (data / folder).iterdir():
            if file.suffix not in (".csv", ".json"):
                assert looks_like_image(file.name, file.read_bytes()[:HEAD_BYTES]), file.name


def test_extensions_are_lower_case_with_their_dot():
    assert all(extension[0] == "." and extension == extension.lower() for extension in IMAGE_EXTENSIONS)


@given(st.binary(max_size=HEAD_BYTES))
def test_any_head_has_an_answer(head):
    assert sniff(head) is None or sniff(head) == sniff(head + b"")


def test_formats_name_what_the_issue_of_every_day_needs():
    assert {"jpeg", "png", "webp", "gif", "tiff", "bmp", "avif", "jp2", "heic"} <= FORMATS


def test_sniffing_is_light_to_import():
    """Sources sniff; they must not pay for the decoders."""
    code = "import sys, tintype.codec.sniff; print([m for m in ('numpy', 'cv2', 'PIL') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
