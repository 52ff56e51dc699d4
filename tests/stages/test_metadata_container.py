"""Where blocks lie in files, those that the tests build and those that Pillow writes."""

import io
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin, features

from stages import metadata_makers as make
from tintype.stages.metadata import read_metadata, tags
from tintype.stages.metadata.container import MAX_BLOCK_BYTES, MAX_PNG_TEXTS, Blocks, find_blocks

EXIF = make.tiff({tags.MODEL: make.text("Model One")})
XMP = make.xmp("<dc:title>A title</dc:title>")
IPTC = make.iptc((2, 25, b"word"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_what_pillow_writes_is_found(kind):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow writes no AVIF")
    exif = Image.Exif()
    exif[tags.MODEL] = "Model One"
    exif.get_ifd(tags.EXIF_IFD)[tags.ISO] = 250
    options = {"exif": exif, "xmp": XMP}
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", XMP.decode(), zip=True)
        options = {"exif": exif, "pnginfo": info}
    elif kind == "TIFF":
        exif[tags.XMP_PACKET] = XMP
        exif[tags.ISO] = 250  # Pillow writes no EXIF IFD into a new TIFF
        options = {"exif": exif}
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, kind, **options)
    found = read_metadata(file.getvalue())
    assert (found.camera_model, found.iso, found.title) == ("Model One", 250, "A title")


def test_the_blocks_of_a_jpeg_are_found_past_fill_bytes_and_other_segments():
    file = make.jpeg((0xE0, b"JFIF\0"), (0xFE, b"comment"), (0xE1, b"Exif\0\0" + EXIF))
    assert find_blocks(file) == Blocks(exif=EXIF)
    assert find_blocks(file.replace(b"\xff\xe1", b"\xff\xff\xff\xe1")) == Blocks(exif=EXIF)
    assert find_blocks(b"\xff\xd8\xff\x01\xff\xd0" + file[2:]) == Blocks(exif=EXIF)


def test_a_jpeg_is_not_searched_behind_its_pixels():
    until_pixels = make.jpeg()[:-2]  # without the mark of its end
    assert find_blocks(until_pixels + make.in_jpeg(EXIF)[2:]) == Blocks()
    assert find_blocks(b"\xff\xd8\xff\xd9\0\2" + make.in_jpeg(EXIF)[2:]) == Blocks()


def test_a_block_over_several_segments_is_put_together():
    long = make.tiff({tags.MODEL: make.text("Model One"), tags.IMAGE_DESCRIPTION: make.text("x" * 100_000)})
    pieces = [(0xE1, b"Exif\0\0" + long[i : i + 60_000]) for i in range(0, len(long), 60_000)]
    assert find_blocks(make.jpeg(*pieces)).exif == long
    resources = make.photoshop((0x0404, make.iptc((2, 120, b"y" * 100_000))))
    pieces = [(0xED, b"Photoshop 3.0\0" + resources[i : i + 60_000]) for i in range(0, len(resources), 60_000)]
    assert find_blocks(make.jpeg(*pieces)).photoshop == resources


def test_of_two_blocks_the_first_counts():
    other = make.tiff({tags.MODEL: make.text("Other")}, order=">")
    assert find_blocks(make.jpeg((0xE1, b"Exif\0\0" + EXIF), (0xE1, b"Exif\0\0" + other))).exif == EXIF


@pytest.mark.parametrize("mark", [b"", b"Exif\0\0"])
def test_the_chunks_of_png_and_webp_are_found(mark):
    png = make.in_png((b"eXIf", mark + EXIF), (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP))
    webp = make.in_webp((b"VP8X", b"\0" * 10), (b"ICCP", b"odd"), (b"EXIF", mark + EXIF), (b"XMP ", XMP))
    assert find_blocks(png) == Blocks(exif=EXIF, xmp=XMP)
    assert find_blocks(webp) == Blocks(exif=EXIF, xmp=XMP)


@pytest.mark.parametrize("packed", [False, True])
def test_the_raw_profiles_of_a_png_are_found(packed):
    """ImageMagick keeps blocks as hexadecimal digits, in lines of 72."""

    def chunk(name, profile):
        digits = profile.hex()
        lines = "\n".join(digits[i : i + 72] for i in range(0, len(digits), 72))
        content = f"\n{name}\n{len(profile):8d}\n{lines}\n".encode()
        keyword = f"Raw profile type {name}".encode() + b"\0"
        return (b"zTXt", keyword + b"\0" + zlib.compress(content)) if packed else (b"tEXt", keyword + content)

    resources = make.photoshop((0x0404, IPTC))
    file = make.in_png(chunk("exif", b"Exif\0\0" + EXIF), chunk("xmp", XMP), chunk("iptc", resources))
    assert find_blocks(file) == Blocks(exif=EXIF, xmp=XMP, photoshop=resources)


@pytest.mark.parametrize("profile", [b"", b"\nexif\n 4\nzz", b"\nexif\n", "\nexif\n4\né".encode()])
def test_a_raw_profile_that_is_none_is_passed_over(profile):
    assert find_blocks(make.in_png((b"tEXt", b"Raw profile type exif\0" + profile))) == Blocks()


def test_a_text_that_unpacks_to_a_hundred_megabytes_stays_small():
    bomb = zlib.compress(b"\0" * 100_000_000, 9)
    file = make.in_png((b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb), (b"eXIf", EXIF))
    tracemalloc.start()
    found = find_blocks(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.exif == EXIF
    assert len(found.xmp) == MAX_BLOCK_BYTES
    assert peak < 8 * MAX_BLOCK_BYTES


def test_the_packet_of_a_gif_is_found():
    trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\0\0"
    file = b"GIF89a" + b"\x01\0\x01\0\0\0\0" + b"\x21\xff\x0bXMP DataXMP" + XMP + trailer + b"\x3b"
    assert find_blocks(file) == Blocks(xmp=XMP)
    assert find_blocks(file[:60]) == Blocks(xmp=file[27:60])


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("items", [1, 300])
def test_the_items_of_a_heic_are_found(version, items):
    file = make.in_heic(EXIF, XMP, version=version, items=items)
    assert find_blocks(file) == Blocks(exif=EXIF, xmp=XMP)


@pytest.mark.parametrize("version", [1, 2])
def test_items_within_the_meta_box_are_found(version):
    assert find_blocks(make.in_heic(EXIF, XMP, version=version, inside_meta=True)) == Blocks(exif=EXIF, xmp=XMP)


@pytest.mark.parametrize("large", [False, True])
def test_the_boxes_of_jpeg_2000_are_found(large):
    uuids = {
        b"JpgTiffExif->JP2": EXIF,
        bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): XMP,
        bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"): IPTC,
    }
    file = make.box(b"jP  ", b"\r\n\x87\n") + make.box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    file += b"".join(make.box(b"uuid", name + block, large=large) for name, block in uuids.items())
    file += struct.pack(">I4s", 0, b"jp2c") + b"codestream up to the end"
    assert find_blocks(file) == Blocks(exif=EXIF, xmp=XMP, iptc=IPTC)


def test_the_boxes_of_jpeg_xl_are_found():
    file = make.box(b"JXL ", b"\r\n\x87\n") + make.box(b"ftyp", b"jxl \0\0\0\0jxl ")
    file += make.box(b"jxlc", b"\xff\x0a") + make.box(b"Exif", b"\0\0\0\0" + EXIF) + make.box(b"xml ", XMP)
    assert find_blocks(file) == Blocks(exif=EXIF, xmp=XMP)


@pytest.mark.parametrize("kind", [make.UNDEFINED, make.BYTE, make.LONG])
def test_the_blocks_within_a_tiff_are_read(kind):
    iptc = IPTC.ljust(len(IPTC) + -len(IPTC) % 4, b"\0")
    content = list(struct.unpack(f"<{len(iptc) // 4}I", iptc)) if kind == make.LONG else iptc
    file = make.tiff(
        {
            tags.MODEL: make.text("Model One"),
            tags.XMP_PACKET: (make.BYTE, XMP),
            tags.IPTC_BLOCK: (kind, content),
        }
    )
    found = read_metadata(file)
    assert (found.camera_model, found.title, found.keywords) == ("Model One", "A title", ["word"])


def test_the_photoshop_resources_within_a_tiff_are_read():
    resources = make.photoshop((0x0404, IPTC))
    assert read_metadata(make.tiff({tags.PHOTOSHOP_BLOCK: (make.BYTE, resources)})).keywords == ["word"]


def packed(text: bytes) -> bytes:
    return b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(text, 9)


ADVERSARIES = {
    "many bombs in a PNG": make.in_png(
        *[(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\0" * MAX_BLOCK_BYTES, 9))] * 5_000
    ),
    "XMP of 70,000 attributes": make.in_png(
        (b"iTXt", packed(make.xmp(attributes=" ".join(f'xmp:a{i}=""' for i in range(70_000)))))
    ),
    "XMP with a namespace of 500,000 characters": make.in_png(
        (b"iTXt", packed(make.xmp(f'<n:a xmlns:n="{"u" * 500_000}">' + "<n:b/>" * 60_000 + "</n:a>")))
    ),
    "XMP with 100,000 keywords": make.in_png(
        (b"iTXt", packed(make.xmp(make.xmp_list("dc:subject", [str(i) for i in range(100_000)]))))
    ),
    "Photoshop resources of 64 MB": make.jpeg(*[(0xED, b"Photoshop 3.0\0" + b"x" * 65_000)] * 1_000),
    "long texts in every tag of a TIFF": make.tiff(
        dict.fromkeys((tags.MAKE, tags.MODEL, tags.ARTIST, tags.SOFTWARE), (make.ASCII, b"\xe9" * MAX_BLOCK_BYTES))
    ),
}


@pytest.mark.parametrize("file", ADVERSARIES.values(), ids=ADVERSARIES)
def test_memory_stays_bounded_whatever_the_file_asks_for(file):
    tracemalloc.start()
    read_metadata(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * MAX_BLOCK_BYTES


def test_only_the_first_texts_of_a_png_are_unpacked():
    empty, real = (b"tEXt", b"Raw profile type exif\0"), (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)
    other = (b"tEXt", b"Comment\0no metadata")
    assert find_blocks(make.in_png(*[other] * 100, *[empty] * (MAX_PNG_TEXTS - 1), real)).xmp == XMP
    assert find_blocks(make.in_png(*[empty] * MAX_PNG_TEXTS, real)).xmp is None


FILES = [
    make.in_jpeg(EXIF, XMP, IPTC),
    make.in_png((b"eXIf", EXIF), (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)),
    make.in_webp((b"EXIF", EXIF), (b"XMP ", XMP)),
    make.in_heic(EXIF, XMP, version=1),
    make.box(b"JXL ", b"\r\n\x87\n") + make.box(b"Exif", b"\0\0\0\0" + EXIF) + make.box(b"xml ", XMP),
    EXIF,
]


@pytest.mark.parametrize("file", FILES, ids=["jpeg", "png", "webp", "heic", "jxl", "tiff"])
def test_a_file_cut_anywhere_is_searched_without_an_error(file):
    for end in range(len(file)):
        read_metadata(file[:end])


@given(st.sampled_from(FILES), st.integers(0, 3_000), st.binary(min_size=1, max_size=8))
def test_a_file_damaged_anywhere_is_searched_without_an_error(file, place, noise):
    place %= len(file)
    read_metadata(file[:place] + noise + file[place + len(noise) :])


def test_other_content_has_no_blocks():
    assert find_blocks(b"") == Blocks()
    assert find_blocks(b"%PDF-1.7" + b"Exif\0\0" + EXIF) == Blocks()
