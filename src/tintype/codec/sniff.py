"""Which image format bytes are in, told by their first bytes, and which names say image."""

from __future__ import annotations

import re

HEAD_BYTES = 64
"""How many first bytes `sniff` wants to see."""

_PREFIXES = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\0\x10\0\0\0CR\x02\0", "cr2"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),  # BigTIFF
    (b"MM\0+", "tiff"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2"),
    (b"\xff\x4f\xff\x51", "j2k"),
    (b"\xff\x0a", "jxl"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "jxl"),
    (b"8BPS", "psd"),
    (b"IIRO", "orf"),
    (b"IIRS", "orf"),
    (b"MMOR", "orf"),
    (b"IIU\0", "rw2"),
    (b"FUJIFILMCCD-RAW", "raf"),
    (b"FOVb", "x3f"),
    (b"\0MRM", "mrw"),
    (b"DDS ", "dds"),
    (b"BLP1", "blp"),
    (b"BLP2", "blp"),
    (b"\x76\x2f\x31\x01", "exr"),
    (b"#?RADIANCE", "hdr"),
    (b"gimp xcf ", "xcf"),
    (b"II\xbc\x01", "jxr"),
    (b"qoif", "qoi"),
    (b"icns", "icns"),
    (b"\x01\xda\x00\x01", "sgi"),
    (b"\x01\xda\x00\x02", "sgi"),
    (b"\x01\xda\x01\x01", "sgi"),
    (b"\x01\xda\x01\x02", "sgi"),
)

_HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_PORTABLE = re.compile(rb"P([1-6]|f)[ \t\r\n]+[0-9#]")
_SVG = re.compile(
    rb"^(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*)*<(?:svg|!DOCTYPE svg)[\s>]", re.DOTALL
)

RAW_FORMATS = frozenset(("cr2", "cr3", "crw", "dng", "nef", "arw", "pef", "orf", "rw2", "raf", "x3f", "mrw", "raw"))
"""Formats of camera raw files: read with the extra `raw`."""

_EXTENSIONS = """
    jpg jpeg jpe jfif jif mpo png apng webp gif tif tiff bmp dib avif avifs heic heif heics hif
    jp2 j2k j2c jpc jpx jpf ico cur ppm pgm pbm pnm pfm psd psb tga icb vda vst jxl jxr wdp hdp svg svgz
    dds sgi rgb rgba bw fli flc blp pcx exr hdr xcf qoi icns xbm xpm ras
    dng nef nrw cr2 cr3 crw arw srf sr2 pef orf rw2 raf x3f mrw raw rwl 3fr fff iiq kdc dcr erf mef mos srw gpr
"""
IMAGE_EXTENSIONS = frozenset(f".{extension}" for extension in _EXTENSIONS.split())
"""Extensions that say image, in lower case with the dot."""


def sniff(head: bytes) -> str | None:
    """The format of the first bytes (64 suffice) in the words of the column `format`; None where no image.

    Says what is recognized, not what can be decoded: svg and dds have words too. Raw files that begin like
    any TIFF (nef, arw, dng) are "tiff" here. A TGA has no signature and is never recognized.
    """
    if head.startswith(b"\xff\xd8") and head[2:3] in (b"\xff", b""):
        return "jpeg"
    for prefix, name in _PREFIXES:
        if head.startswith(prefix):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":
        return _brand(head)
    return _weakly_signed(head)


def looks_like_image(name: str, head: bytes) -> bool:
    """Whether the name or the first bytes say image."""
    dot = name.rfind(".")
    return (dot >= 0 and name[dot:].lower() in IMAGE_EXTENSIONS) or sniff(head) is not None


def _brand(head: bytes) -> str | None:
    """The image format of an ISO base media file (ISO/IEC 14496-12), by its brands; None for a video."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))}
    if head[8:12] == b"crx ":
        return "cr3"
    if brands & _AVIF_BRANDS:
        return "avif"
    return "heic" if brands & _HEIF_BRANDS else None


def _weakly_signed(head: bytes) -> str | None:
    """Formats whose signature is so short that more of the header has to make sense."""
    if head[:2] == b"BM" and 12 <= int.from_bytes(head[14:18], "little") <= 124:
        return "bmp"
    if head[:4] == b"\0\0\1\0" and _is_icon_directory(head):
        return "ico"
    if head[6:14] == b"HEAPCCDR":
        return "crw"
    if _PORTABLE.match(head):
        return "pfm" if head[1:2] == b"f" else "ppm"
    return "svg" if _SVG.match(head) else None


def _is_icon_directory(head: bytes) -> bool:
    count = int.from_bytes(head[4:6], "little")
    if count == 0:
        return len(head) <= 22  # no image inside: nothing else can follow
    planes, bits = (int.from_bytes(head[at : at + 2], "little") for at in (10, 12))
    return count <= 255 and planes <= 1 and bits in (0, 1, 2, 4, 8, 16, 24, 32)
