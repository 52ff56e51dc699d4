"""Small pictures in every format, made in code, and the tools that the codec's tests compare with."""

import io
import struct

import numpy as np
from PIL import Image as PillowImage

from tintype.codec.decode import decode
from tintype.codec.image import Image
from tintype.codec.limits import Limits

LIMITS = Limits()


def scene(width: int = 96, height: int = 64) -> PillowImage.Image:
    """A picture with edges, ramps and a distinct color in each corner, so that no turn of it looks like another."""
    down, across = np.mgrid[0:height, 0:width]
    pixels = np.stack([across * 255 // width, down * 255 // height, (across + down) * 127 // (width + height)], axis=-1)
    pixels[: height // 4, : width // 4] = (250, 20, 20)
    pixels[: height // 4, -width // 4 :] = (20, 250, 20)
    pixels[-height // 4 :, : width // 4] = (20, 20, 250)
    return PillowImage.fromarray(pixels.astype(np.uint8))


def saved(image: PillowImage.Image, name: str, **settings) -> bytes:
    file = io.BytesIO()
    image.save(file, name, **settings)
    return file.getvalue()


def photoshop(image: PillowImage.Image) -> bytes:
    """A PSD without layers whose picture is stored plain (Adobe Photoshop File Formats Specification)."""
    width, height = image.size
    start = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, height, width, 8, 3)
    planes = np.moveaxis(np.asarray(image), -1, 0).tobytes()
    return start + struct.pack(">IIIH", 0, 0, 0, 0) + planes


def small_files() -> dict[str, bytes]:
    """One sound file of each format that Pillow reads."""
    image = scene()
    return {
        "jpeg": saved(image, "JPEG", quality=90),
        "progressive": saved(image, "JPEG", quality=90, progressive=True),
        "png": saved(image, "PNG"),
        "palette": saved(image.quantize(16), "PNG"),
        "webp": saved(image, "WEBP", quality=80),
        "gif": saved(image, "GIF"),
        "tiff": saved(image, "TIFF", compression="tiff_lzw"),
        "tiff_raw": saved(image, "TIFF"),
        "bmp": saved(image, "BMP"),
        "avif": saved(image, "AVIF", quality=60),
        "jp2": saved(image, "JPEG2000"),
        "ico": saved(image.resize((48, 48)), "ICO"),
        "ppm": saved(image, "PPM"),
        "psd": photoshop(image),
    }


def decoded(data: bytes, side_px: int = 1_000) -> Image:
    return decode(data, side_px=side_px, limits=LIMITS)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB; infinite for equal pictures."""
    error = np.mean((one.astype(np.float64) - other) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))
