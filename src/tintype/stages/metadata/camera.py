"""Which camera took the image, and how it was set.

EXIF's word counts before XMP's, as in the guidelines of the Metadata Working Group.
"""

from __future__ import annotations

from tintype.stages.metadata import tags
from tintype.stages.metadata.statements import Statements
from tintype.stages.metadata.tiff import Number

# What lies outside of these is taken for a placeholder or damage.
EXPOSURE_S = (1e-9, 7 * 86_400.0)
F_NUMBER = (0.1, 1_000.0)  # pinholes have some 300
FOCAL_LENGTH_MM = (0.1, 100_000.0)  # telescopes
ISO = (1.0, 100_000_000.0)

_ISO_IS_ELSEWHERE = 65_535  # EXIF 3.0, PhotographicSensitivity: too large for 16 bits
_FLASH_FIRED = 0x01  # EXIF 3.0, Flash


def within(number: Number, bounds: tuple[float, float]) -> float | None:
    """The number where it lies within the bounds, else None."""
    return float(number) if number is not None and bounds[0] <= number <= bounds[1] else None


def make(said: Statements) -> str | None:
    return said.exif_text(tags.MAKE) or said.xmp_text("tiff:Make")


def model(said: Statements) -> str | None:
    return said.exif_text(tags.MODEL) or said.xmp_text("tiff:Model")


def lens(said: Statements) -> str | None:
    """The lens's name; where only its specification is known, that: `18-55mm f/3.5-5.6`."""
    name = said.exif_text(tags.LENS_MODEL) or said.xmp_text("exifEX:LensModel") or said.xmp_text("aux:Lens")
    return name or _lens_specification(said)


def _lens_specification(said: Statements) -> str | None:
    """Shortest and longest focal length, then the f-numbers there: EXIF 3.0, LensSpecification."""
    value = said.exif.main.get(tags.LENS_SPECIFICATION)
    if not isinstance(value, tuple) or len(value) != 4:
        return None
    focal = _span(*(within(number, FOCAL_LENGTH_MM) for number in value[:2]))
    aperture = _span(*(within(number, F_NUMBER) for number in value[2:]))
    if focal is None:
        return None
    return f"{focal}mm f/{aperture}" if aperture else f"{focal}mm"


def _span(low: float | None, high: float | None) -> str | None:
    if low is None or high is None or low == high:
        known = low or high
        return f"{known:g}" if known else None
    return f"{low:g}-{high:g}"


def exposure_s(said: Statements) -> float | None:
    """Seconds; from the APEX shutter speed where the time itself is missing: EXIF 3.0 annex C."""
    seconds = within(said.exif_number(tags.EXPOSURE_TIME), EXPOSURE_S)
    if seconds is None:
        seconds = within(said.xmp_number("exif:ExposureTime"), EXPOSURE_S)
    if seconds is None:
        speed = within(said.exif_number(tags.SHUTTER_SPEED_APEX), (-20.0, 30.0))
        seconds = within(2.0**-speed, EXPOSURE_S) if speed is not None else None
    return seconds


def aperture(said: Statements) -> float | None:
    """The f-number; from the APEX aperture where it is missing: EXIF 3.0 annex C."""
    number = within(said.exif_number(tags.F_NUMBER), F_NUMBER) or within(said.xmp_number("exif:FNumber"), F_NUMBER)
    if number is None:
        apex = within(said.exif_number(tags.APERTURE_APEX), (0.01, 20.0))
        number = within(2.0 ** (apex / 2), F_NUMBER) if apex is not None else None
    return number


def iso(said: Statements) -> int | None:
    """The sensitivity; from its longer tags where it does not fit EXIF's first one."""
    number = said.exif_number(tags.ISO)
    if number is None or number == _ISO_IS_ELSEWHERE:
        longer = (tags.ISO_SPEED, tags.RECOMMENDED_EXPOSURE_INDEX, tags.STANDARD_OUTPUT_SENSITIVITY)
        number = next((found for tag in longer if (found := said.exif_number(tag))), number)
    sensitivity = within(number, ISO)
    for name in ("exifEX:PhotographicSensitivity", "exif:ISOSpeedRatings"):
        sensitivity = sensitivity or within(said.xmp_number(name), ISO)
    return round(sensitivity) if sensitivity else None


def focal_length_mm(said: Statements) -> float | None:
    focal = within(said.exif_number(tags.FOCAL_LENGTH), FOCAL_LENGTH_MM)
    return focal or within(said.xmp_number("exif:FocalLength"), FOCAL_LENGTH_MM)


def focal_length_35mm(said: Statements) -> float | None:
    focal = within(said.exif_number(tags.FOCAL_LENGTH_35MM), FOCAL_LENGTH_MM)
    return focal or within(said.xmp_number("exif:FocalLengthIn35mmFilm"), FOCAL_LENGTH_MM)


def flash_fired(said: Statements) -> bool | None:
    flash = said.exif_number(tags.FLASH)
    if isinstance(flash, int):
        return bool(flash & _FLASH_FIRED)
    fired = (said.xmp_text("exif:Fired") or "").lower()
    return fired == "true" if fired in ("true", "false") else None


def orientation(said: Statements) -> int | None:
    """EXIF's orientation, 1 to 8. XMP's does not count: no decoder turns an image by it."""
    number = said.exif_number(tags.ORIENTATION)
    return number if isinstance(number, int) and 1 <= number <= 8 else None
