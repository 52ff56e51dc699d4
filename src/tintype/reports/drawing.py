"""What is drawn over a picture, as inline SVG: the frame of a crop, an F that shows a turn, and hidden parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tintype.reports.alignment import Point, Polygon, area, inverse, is_turned, moved, shared, transform_of
from tintype.reports.content import Alignment, Box, Picture

_LONGER_SIDE = 400  # units of a drawing
_WHOLE = 0.97  # a shared part of at least this share is the whole picture, but for the error of the alignment
_SMALLEST = 0.0004  # of a picture: what is smaller than this is not seen
_MOST_FRAMES = 9  # on one picture
# The strokes of an F of height 1: no turn or mirror image of it looks like another.
_LETTER: tuple[tuple[Point, ...], ...] = (((0.62, 0), (0, 0), (0, 1)), ((0, 0.47), (0.48, 0.47)))


@dataclass(frozen=True)
class Marks:
    """What is to be drawn over one picture, in shares of its sides."""

    frames: tuple[tuple[str, Polygon], ...] = ()  # with the number that stands beside it, or none
    letter: tuple[Polygon, ...] = ()
    boxes: tuple[Box, ...] = ()

    def drawn(self, picture: Picture) -> Markup:
        """The drawing, which takes the place of the picture; empty where there is nothing to draw."""
        width, height = _units(picture)
        if not width or not (self.frames or self.letter or self.boxes):
            return Markup("")
        parts = [_frames(self.frames, width, height), _letter(self.letter, width, height)]
        parts += [_box(box, width, height) for box in self.boxes]
        return Markup(
            '<svg class="marks" viewBox="0 0 {} {}" preserveAspectRatio="xMidYMid meet" aria-hidden="true">{}</svg>'
        ).format(_number(width), _number(height), Markup("").join(parts))


def marks_of_pair(a: Picture, b: Picture, alignment: Alignment | None) -> tuple[Marks, Marks]:
    """What is to be drawn on a and on b."""
    transform = transform_of(alignment)
    boxes = tuple(box for box in (alignment.overlaid if alignment else ()) if _is_seen(box))
    if transform is None:
        return Marks(), Marks(boxes=boxes)
    on_a, on_b = shared(inverse(transform)), shared(transform)
    letter = _letter_on(a, on_a) if is_turned(transform, b) else ()
    return (
        Marks(_framed(on_a), letter),
        Marks(_framed(on_b), tuple(moved(stroke, transform) for stroke in letter), boxes),
    )


def marks_of_kept(on_kept: Sequence[Marks]) -> Marks:
    """What is to be drawn on a group's kept picture, from what each pair with another would draw there in turn.

    Frames are numbered as the pictures of the group are, the kept one being 1.
    """
    frames = [(str(number), polygon) for number, marks in enumerate(on_kept, 2) for _, polygon in marks.frames]
    letter = next((marks.letter for marks in on_kept if marks.letter), ())
    if len(on_kept) == 1:
        frames = [("", polygon) for _, polygon in frames]
    return Marks(tuple(frames[:_MOST_FRAMES]), letter)


def lies(alignment: Alignment | None) -> str:
    """The transform from b to a as six numbers, for the script that lays b over a; empty where it is unknown."""
    transform = transform_of(alignment)
    return "" if transform is None else " ".join(f"{one + 0:.5g}" for one in inverse(transform))


def _framed(polygon: Polygon) -> tuple[tuple[str, Polygon], ...]:
    return (("", polygon),) if _SMALLEST < area(polygon) < _WHOLE else ()


def _is_seen(box: Box) -> bool:
    left, top, right, bottom = box
    return 0 <= left < right <= 1 and 0 <= top < bottom <= 1


def _letter_on(picture: Picture, part: Polygon) -> tuple[Polygon, ...]:
    """An F in the upper left of a part of a picture."""
    width, height = _units(picture)
    if not width or area(part) <= _SMALLEST:
        return ()
    across, down = zip(*part, strict=True)
    side = 0.24 * min((max(across) - min(across)) * width, (max(down) - min(down)) * height)
    middle = (sum(across) / len(part), sum(down) / len(part))
    corner = min(part, key=lambda point: (point[0] + point[1], point))
    x, y = (m + 0.84 * (c - m) for m, c in zip(middle, corner, strict=True))
    return tuple([(x + dx * side / width, y + dy * side / height) for dx, dy in stroke] for stroke in _LETTER)


def _units(picture: Picture) -> tuple[float, float]:
    """Width and height of the drawing; (0, 0) where the picture's are unknown."""
    width, height = picture.width or 0, picture.height or 0
    if width <= 0 or height <= 0:
        return 0, 0
    scale = _LONGER_SIDE / max(width, height)
    return width * scale, height * scale


def _frames(frames: Sequence[tuple[str, Polygon]], width: float, height: float) -> Markup:
    parts = []
    for number, polygon in frames:
        path = _path(polygon, width, height) + "Z"
        if len(frames) == 1:  # one frame is set off by shading what lies outside; several would shade each other
            around = f"M0 0H{_number(width)}V{_number(height)}H0Z{path}"
            parts.append(Markup('<path class="shade" fill-rule="evenodd" d="{}"/>').format(around))
        parts.append(Markup('<path class="casing" d="{0}"/><path class="frame-line" d="{0}"/>').format(path))
        if number:
            parts.append(_numbered(number, polygon, width, height))
    return Markup("").join(parts)


def _numbered(number: str, polygon: Polygon, width: float, height: float) -> Markup:
    x, y = min(polygon, key=lambda point: (point[0] + point[1], point))
    left, top = x * width, y * height
    return Markup(
        '<g class="number"><rect x="{}" y="{}" width="{}" height="34"/><text x="{}" y="{}">{}</text></g>'
    ).format(_number(left), _number(top), 14 + 16 * len(number), _number(left + 7), _number(top + 27), number)


def _letter(strokes: Sequence[Polygon], width: float, height: float) -> Markup:
    if not strokes:
        return Markup("")
    path = "".join(_path(stroke, width, height) for stroke in strokes)
    return Markup('<path class="casing thick" d="{0}"/><path class="letter" d="{0}"/>').format(path)


def _box(box: Box, width: float, height: float) -> Markup:
    left, top, right, bottom = box
    numbers = (left * width, top * height, (right - left) * width, (bottom - top) * height)
    return Markup('<rect class="overlaid" x="{}" y="{}" width="{}" height="{}"/>').format(*map(_number, numbers))


def _path(points: Iterable[Point], width: float, height: float) -> str:
    return "M" + "L".join(f"{_number(x * width)} {_number(y * height)}" for x, y in points)


def _number(value: float) -> str:
    """At most one decimal, and never a negative zero."""
    return f"{round(value, 1) + 0:.1f}".removesuffix(".0")
