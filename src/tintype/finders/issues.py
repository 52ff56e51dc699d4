"""What single images may be faulted for: damage, light, blur, emptiness, odd size or shape, lack of color."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.core.errors import ConfigError
from tintype.finders.base import Finder, Inputs, findings, require_numbers

ISSUES = ("dark", "bright", "blurred", "low_information", "odd_size", "odd_aspect_ratio", "gray")
"""Kinds of findings about images that were decoded. The others are the statuses but `ok`: damaged, rejected, …"""

COLUMNS = (
    "uri", "digest", "status", "reason", "width", "height", "color_mode", "luma_p05", "luma_p99", "sharpness",
    "entropy", "dynamic_range", "is_gray",
)  # fmt: skip

_FEWEST_SIZES = 10  # images that a usual size can be told from

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """From where on something is an issue (decisions/0013-issue-thresholds.md)."""

    dark_below: float = 0.32  # luma that 99 % of the pixels do not exceed, 0 black to 1 white
    bright_above: float = 0.72  # luma that all but 5 % of the pixels exceed, 0 black to 1 white
    blurred_below: float = 0.22  # sharpness, 0 to 1
    entropy_below: float = 3.0  # bits of the histogram of the luma, 0 to 8; less is low information
    tones_below: float = 0.08  # share of the range from black to white that is used; less is low information
    odd_size_times: float = 4.0  # larger or smaller than the middle half of the collection, in side length
    odd_aspect_ratio_above: float = 3.0  # longer side by shorter one
    gray: bool = True  # whether gray images are reported

    def __post_init__(self) -> None:
        require_numbers("issues", self)
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, bool) and not 0 <= value < float("inf"):
                raise ConfigError(f"issues.{field.name} must be 0 or more, not {value}")
        for name in ("odd_size_times", "odd_aspect_ratio_above"):
            if getattr(self, name) < 1:
                raise ConfigError(f"issues.{name} must be 1 or more, not {getattr(self, name)}")


@dataclass(frozen=True)
class Issues:
    """Findings about single images, as a table of FINDINGS sorted by `a_uri`, then `kind`."""

    table: pa.Table

    def to_json(self) -> dict[str, Any]:
        """`schema` 1 and `findings`, as JSON has it."""
        shown = self.table.select(["a_uri", "kind", "score", "reason"])
        shown = shown.rename_columns(["uri", "issue", "score", "reason"])
        shown = shown.set_column(2, "score", pc.round(shown["score"].cast(pa.float64()), 4))
        return {"schema": 1, "findings": shown.to_pylist()}


def needs(settings: Settings) -> tuple[str, ...]:
    """Columns that are read; those of stages that never ran may be all null, and then give no findings."""
    return COLUMNS


def find(inputs: Inputs, settings: Settings) -> Iterator[pa.RecordBatch]:
    """One row for each image and issue, sorted by `a_uri`, then `kind`; only what is past its threshold.

    The score is 0.5 at the threshold and 1 where it cannot be worse. A file that could not be decoded has one
    finding, whose kind is its status, with score 1. An image of low information has no sharpness to be missed.
    """
    usual = _usual_sides(inputs)
    parts = [part for batch in inputs.columns.batches(COLUMNS) for part in _of_batch(batch, usual, settings)]
    if parts:
        table = pa.Table.from_batches(parts)
        yield from table.sort_by([("a_uri", "ascending"), ("kind", "ascending")]).to_batches(max_chunksize=65_536)


def issues(inputs: Inputs, settings: Settings | None = None) -> Issues:
    """All issues of all images."""
    return Issues(pa.Table.from_batches(find(inputs, settings or Settings()), FINDER.schema))


@dataclass(frozen=True)
class _Rows:
    """The measures of images that were decoded: floats with NaN for null, and how large images here usually are."""

    batch: pa.RecordBatch
    usual: tuple[float, float] | None

    def __getitem__(self, name: str) -> Floats:
        values = pc.fill_null(self.batch[name].cast(pa.float64()), float("nan"))
        return np.asarray(values.to_numpy(zero_copy_only=False))

    @property
    def side(self) -> Floats:
        """Side of a square with as many pixels, in px."""
        return np.asarray(np.sqrt(self["width"] * self["height"]))


@dataclass(frozen=True)
class _Verdicts:
    """How far past a threshold each row is: 0 at it, 1 where it cannot be worse, less or NaN before it; and words."""

    excess: Floats
    reason: pa.Array


def _of_batch(batch: pa.RecordBatch, usual: tuple[float, float] | None, settings: Settings) -> Iterator[pa.RecordBatch]:
    failed = batch.filter(pc.not_equal(batch["status"], "ok"))
    reason = pc.fill_null(failed["reason"].cast(pa.string()), "no reason is known")
    yield findings(
        a=failed["digest"], a_uri=failed["uri"], kind=failed["status"], score=1.0, reason=reason, rows=len(failed)
    )
    rows = _Rows(batch.filter(pc.equal(batch["status"], "ok")), usual)
    for kind, check in _CHECKS.items():
        verdicts = check(rows, settings)
        found = np.flatnonzero(verdicts.excess > 0)
        at = pa.array(found)
        yield findings(
            a=rows.batch["digest"].take(at),
            a_uri=rows.batch["uri"].take(at),
            kind=kind,
            score=pa.array(0.5 + 0.5 * np.minimum(verdicts.excess[found], 1), pa.float32()),
            reason=verdicts.reason.take(at),
            rows=len(found),
        )


def _usual_sides(inputs: Inputs) -> tuple[float, float] | None:
    """First and third quartile of the sides of all images that are ok, in px; None where they are too few."""
    sides = [np.empty(0)]
    for batch in inputs.columns.batches(("status", "width", "height")):
        side = _Rows(batch.filter(pc.equal(batch["status"], "ok")), None).side
        sides.append(side[side > 0])
    together = np.concatenate(sides)
    if len(together) < _FEWEST_SIZES:
        return None
    low, high = np.quantile(together, [0.25, 0.75])
    return float(low), float(high)


def _dark(rows: _Rows, settings: Settings) -> _Verdicts:
    level = rows["luma_p99"] / 255
    return _Verdicts(
        _below(level, settings.dark_below),
        _words("99 % of the pixels are no brighter than ", level * 100, " % of white"),
    )


def _bright(rows: _Rows, settings: Settings) -> _Verdicts:
    level = rows["luma_p05"] / 255
    return _Verdicts(
        _below(1 - level, 1 - settings.bright_above),
        _words("95 % of the pixels are brighter than ", level * 100, " % of white"),
    )


def _blurred(rows: _Rows, settings: Settings) -> _Verdicts:
    sharpness = rows["sharpness"]
    excess = np.where(_emptiness(rows, settings) > 0, np.nan, _below(sharpness, settings.blurred_below))
    return _Verdicts(excess, _words("sharpness is ", sharpness * 100, " % of that of a sharp photo"))


def _low_information(rows: _Rows, settings: Settings) -> _Verdicts:
    tones = _words("its tones span ", rows["dynamic_range"] * 100, " % of the range from black to white, ")
    bits = _words("its histogram holds ", rows["entropy"], " of 8 bits", 1)
    return _Verdicts(_emptiness(rows, settings), pc.binary_join_element_wise(tones, bits, ""))


def _emptiness(rows: _Rows, settings: Settings) -> Floats:
    by_entropy = _below(rows["entropy"], settings.entropy_below)
    return np.asarray(np.fmax(by_entropy, _below(rows["dynamic_range"], settings.tones_below)))


def _odd_size(rows: _Rows, settings: Settings) -> _Verdicts:
    if rows.usual is None:
        return _Verdicts(np.full(len(rows.batch), np.nan), pa.nulls(len(rows.batch), pa.string()))
    low, high = rows.usual
    with np.errstate(divide="ignore"):
        times = np.fmax(low / rows.side, rows.side / high)
    sizes = _sizes(rows)
    usual = f" px; the middle half here has the pixels of squares of {low:.0f} to {high:.0f} px"
    return _Verdicts(_above(times, settings.odd_size_times), pc.binary_join_element_wise(sizes, usual, ""))


def _odd_aspect_ratio(rows: _Rows, settings: Settings) -> _Verdicts:
    longer, shorter = np.fmax(rows["width"], rows["height"]), np.fmin(rows["width"], rows["height"])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = longer / shorter
    times = _words(" px: the longer side is ", ratio, " times the shorter one", 1)
    return _Verdicts(
        _above(ratio, settings.odd_aspect_ratio_above), pc.binary_join_element_wise(_sizes(rows), times, "")
    )


def _gray(rows: _Rows, settings: Settings) -> _Verdicts:
    gray = pc.fill_null(rows.batch["is_gray"].cast(pa.bool_()), False)
    stored = pc.fill_null(pc.starts_with(rows.batch["color_mode"].cast(pa.string()), "gray"), False)
    excess = pc.or_(gray, stored).cast(pa.float64()).to_numpy(zero_copy_only=False) * settings.gray
    reason = pc.if_else(stored, "stored without color", "stored in color, but all of it is gray")
    return _Verdicts(excess, reason)


def _below(values: Floats, limit: float) -> Floats:
    """0 at the limit, 1 at 0."""
    return (limit - values) / limit if limit else np.full(len(values), np.nan)


def _above(times: Floats, limit: float) -> Floats:
    """0 at the limit, nearing 1 as the factor grows."""
    return 1 - limit / times


def _words(before: str, values: Floats, after: str, decimals: int = 0) -> pa.Array:
    """Sentences with the values in them."""
    numbers = pa.array(np.round(values, decimals)).cast(pa.string())
    return pc.binary_join_element_wise(before, numbers, after, "")


def _sizes(rows: _Rows) -> pa.Array:
    width, height = (rows.batch[name].cast(pa.string()) for name in ("width", "height"))
    return pc.binary_join_element_wise(width, height, " × ")


_CHECKS: dict[str, Callable[[_Rows, Settings], _Verdicts]] = {
    "dark": _dark,
    "bright": _bright,
    "blurred": _blurred,
    "low_information": _low_information,
    "odd_size": _odd_size,
    "odd_aspect_ratio": _odd_aspect_ratio,
    "gray": _gray,
}

FINDER = Finder("issues", needs=needs, settings=Settings, find=find)
