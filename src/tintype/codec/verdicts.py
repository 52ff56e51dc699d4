"""Why an image is not ok: the three verdicts of the codec, the limits, and library messages made readable."""

from __future__ import annotations

from tintype.codec.image import Header
from tintype.codec.limits import Limits
from tintype.core.errors import ImageError

_LONGEST_MESSAGE = 160  # characters of a library's message


def damaged(reason: str) -> ImageError:
    """Broken or cut off."""
    return ImageError("damaged", reason)


def rejected(reason: str) -> ImageError:
    """Over a limit."""
    return ImageError("rejected", reason)


def unsupported(reason: str) -> ImageError:
    """Not an image, or of a kind that is not read."""
    return ImageError("unsupported", reason)


def message_of(error: BaseException) -> str:
    """A library's message as one printable line."""
    words = " ".join(str(error).split())
    printable = "".join(letter if letter.isprintable() else "?" for letter in words)
    return printable[:_LONGEST_MESSAGE] or type(error).__name__


def check_bytes(size_bytes: int, limits: Limits) -> None:
    """Raises ImageError `rejected` where the file is over `limits.bytes`."""
    if size_bytes > limits.bytes:
        raise rejected(f"{size_bytes:,} bytes is over the limit of {limits.bytes:,} (limits.bytes)")


def check_size(width: int, height: int, limits: Limits) -> None:
    """Raises ImageError: `damaged` where there is no pixel at all, `rejected` where there are too many."""
    if width <= 0 or height <= 0:
        raise damaged(f"the header says {width} × {height} px")
    longer, shorter = max(width, height), min(width, height)
    if width * height > limits.pixels:
        most = f"{limits.pixels / 1e6:g} megapixels"
        raise rejected(f"{width} × {height} px is over the limit of {most} (limits.pixels)")
    if longer > limits.side_px:
        raise rejected(f"{width} × {height} px is over the limit of {limits.side_px} px a side (limits.side_px)")
    if longer > limits.aspect * shorter:
        raise rejected(f"{width} × {height} px is over the limit of {limits.aspect:g} to 1 (limits.aspect)")


def check_frames(frames: int | None, limits: Limits) -> None:
    """Raises ImageError `rejected` where there are more frames than `limits.frames`."""
    if frames is not None and frames > limits.frames:
        raise rejected(f"more than the limit of {limits.frames} frames (limits.frames)")


def check_memory(needed_bytes: int, limits: Limits) -> None:
    """Raises ImageError `rejected` where decoding would take more than the memory that a worker may have."""
    if needed_bytes > limits.memory_mb * 1_000_000:
        raise rejected(
            f"decoding would take {needed_bytes / 1e6:,.0f} MB, over the limit of {limits.memory_mb} MB "
            "(limits.memory_mb)"
        )


def check_header(header: Header, limits: Limits) -> None:
    """All that a header can tell: size and frames."""
    check_size(header.width, header.height, limits)
    check_frames(header.frames, limits)
