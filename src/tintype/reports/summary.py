"""What a collection holds, in figures: counts, histograms and top lists made from streams of columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.core.columns import STATUSES
from tintype.core.names import shown
from tintype.reports.labels import add_labels, label_columns
from tintype.reports.tally import Names, Tally

SCHEMA = 1
"""Version of the JSON that `Summary.to_json` gives."""

MEASURES: Mapping[str, tuple[float, float]] = {
    "quality": (0, 1),
    "sharpness": (0, 1),
    "brightness": (0, 1),
    "contrast": (0, 1),
    "dynamic_range": (0, 1),
    "clipping": (0, 1),
    "entropy": (0, 8),
    "noise": (0, 1),
    "colorfulness": (0, 150),
}
"""Measures that get a histogram, each with the lowest and highest value of its bins, in the column's unit."""

COLUMNS = (
    "status",
    "format",
    "size_bytes",
    "width",
    "height",
    "frames",
    "taken_at",
    "camera_make",
    "camera_model",
    "gps_latitude",
    "is_gray",
    *MEASURES,
)
"""Columns that `summary` reads where they are there."""

_MEASURE_BINS = 20
_SIZE_EDGES = (10_000, 100_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 50_000_000)
_PIXEL_EDGES = tuple(int(megapixels * 1e6) for megapixels in (0.1, 0.5, 1, 2, 5, 8, 12, 24, 50))
_MILLIONTHS = 1_000_000  # sums of measures are kept as whole millionths, so that no order of adding shows
_NAME_LENGTH = 80  # characters of a name that are kept
_CAMERAS_SHOWN = 20
_LABELS_SHOWN = 20
_FORMATS_SHOWN = 50
_YEARS_SHOWN = 200


@dataclass(frozen=True)
class Bin:
    """Values from `low` to below `high`; a null end is open. The last bin of a measure has its `high` too."""

    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True)
class Histogram:
    """How values are spread: `known` of them in all, the mean and the ends null where there are none."""

    bins: tuple[Bin, ...]
    known: int
    total: float
    lowest: float | None
    highest: float | None

    @property
    def mean(self) -> float | None:
        return self.total / self.known if self.known else None

    def to_json(self) -> dict[str, Any]:
        return {
            "known": self.known,
            "mean": None if self.mean is None else round(self.mean, 4),
            "lowest": self.lowest,
            "highest": self.highest,
            "histogram": [{"from": b.low, "to": b.high, "count": b.count} for b in self.bins],
        }


@dataclass(frozen=True)
class ModelValues:
    """How many images have values in a model's column that an engine made, and what of the images it saw."""

    column: str
    engine: str
    images_from: str  # "originals" or "thumbnails"
    images: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The figures of a collection. What no stage has computed yet is null, which is not the same as 0."""

    images: int
    status: Mapping[str, int]
    formats: Tally
    bytes: int
    sizes: Histogram  # bytes
    pixels: Histogram  # width × height of one image
    shapes: Mapping[str, int]  # landscape, portrait, square
    animated: int
    gray: int | None
    with_date: int | None
    years: Tally | None  # by year, the earliest first
    with_camera: int | None
    cameras: Tally | None
    with_gps: int | None
    measures: Mapping[str, Histogram]
    labels: Mapping[str, Tally] = field(default_factory=dict)  # by column; what models or people call the images
    skipped: Mapping[str, int] = field(default_factory=dict)
    models: tuple[ModelValues, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The document of `info --json`: the same figures give the same keys in the same order."""
        return {
            "schema": SCHEMA,
            "images": self.images,
            "status": dict(self.status),
            "formats": self.formats.to_flat_json(),
            "bytes": self.bytes,
            "sizes": self.sizes.to_json(),
            "megapixels": _in_megapixels(self.pixels).to_json(),
            "shapes": dict(self.shapes),
            "animated": self.animated,
            "gray": self.gray,
            "with_date": self.with_date,
            "years": None if self.years is None else self.years.to_flat_json(),
            "with_camera": self.with_camera,
            "cameras": None if self.cameras is None else self.cameras.to_json(),
            "with_gps": self.with_gps,
            "measures": {name: histogram.to_json() for name, histogram in self.measures.items()},
            "labels": [{"column": name, **tally.to_json()} for name, tally in self.labels.items()],
            "skipped": dict(self.skipped),
            "models": [asdict(one) for one in self.models],
        }


def summary(batches: Iterable[pa.RecordBatch], skipped: Mapping[str, int] | None = None) -> Summary:
    """Add up a stream of columns (those of `COLUMNS` and of labels that are there). Neither the borders of batches nor
    the size of the collection matter: memory is bounded, and equal rows in equal order give equal figures. `skipped`
    counts what the listing passed over, by kind.
    """
    figures = _Figures()
    for batch in batches:
        figures.add(batch)
    return figures.result(dict(sorted((skipped or {}).items())))


class _Spread:
    """A histogram in the making. Whole numbers only: values are multiplied by `unit` and rounded."""

    def __init__(self, edges: NDArray[np.float64], *, closed: bool, unit: int = 1) -> None:
        self.edges = edges
        self.closed = closed  # the ends are the lowest and highest value there can be, not open
        self.unit = unit
        self.counts = np.zeros(len(edges) - 1 if closed else len(edges) + 1, np.int64)
        self.known = self.total = 0
        self.lowest: int | None = None
        self.highest: int | None = None

    def add(self, values: NDArray[Any]) -> None:
        """Count finite values, (n,)."""
        if not len(values):
            return
        inner = self.edges[1:-1] if self.closed else self.edges
        places = np.searchsorted(inner, values, side="right")
        self.counts += np.bincount(places, minlength=len(self.counts))
        whole = np.rint(values * self.unit).astype(np.int64)
        self.known += len(whole)
        self.total += sum(int(part.sum()) for part in np.array_split(whole, 1 + len(whole) // 4096))
        low, high = int(whole.min()), int(whole.max())
        self.lowest = low if self.lowest is None else min(self.lowest, low)
        self.highest = high if self.highest is None else max(self.highest, high)

    def result(self) -> Histogram:
        edges = self.edges.tolist()
        ends = edges if self.closed else [None, *map(int, edges), None]
        bins = tuple(Bin(low, high, int(n)) for (low, high), n in zip(pairwise(ends), self.counts, strict=True))
        lowest, highest = self._scaled(self.lowest), self._scaled(self.highest)
        return Histogram(bins, self.known, self.total / self.unit, lowest, highest)

    def _scaled(self, value: int | None) -> float | None:
        return value if value is None or self.unit == 1 else value / self.unit


class _Figures:
    """The running sums behind a `Summary`."""

    def __init__(self) -> None:
        self.images = 0
        self.statuses = Names()
        self.formats = Names()
        self.years = Names()
        self.cameras = Names()
        self.counts: dict[str, int] = {"landscape": 0, "portrait": 0, "square": 0, "animated": 0}
        self.seen: set[str] = set()  # columns that occurred
        self.sizes = _Spread(np.array(_SIZE_EDGES, np.float64), closed=False)
        self.pixels = _Spread(np.array(_PIXEL_EDGES, np.float64), closed=False)
        self.measures: dict[str, _Spread] = {}
        self.labels: dict[str, Names] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        columns = {name: batch.column(name) for name in COLUMNS if name in batch.schema.names}
        self.seen |= columns.keys()
        self.images += batch.num_rows
        if "status" in columns:
            self.statuses.add_column(columns["status"])
        if "format" in columns:
            self.formats.add_column(columns["format"])
        if "size_bytes" in columns:
            self.sizes.add(_finite(columns["size_bytes"]))
        if "frames" in columns:
            self._count("animated", pc.greater(columns["frames"], 1))
        if {"width", "height"} <= columns.keys():
            self._add_sides(columns["width"], columns["height"])
        self._add_metadata(columns)
        for name in MEASURES.keys() & columns.keys():
            self._spread(name).add(_finite(columns[name]))
        for name in label_columns(batch.schema):
            add_labels(self.labels.setdefault(name, Names()), batch.column(name))

    def _count(self, name: str, flags: pa.Array) -> None:
        self.counts[name] = self.counts.get(name, 0) + (pc.sum(flags).as_py() or 0)

    def _spread(self, name: str) -> _Spread:
        if name not in self.measures:
            edges = np.linspace(*MEASURES[name], _MEASURE_BINS + 1)
            self.measures[name] = _Spread(edges, closed=True, unit=_MILLIONTHS)
        return self.measures[name]

    def _add_sides(self, width: pa.Array, height: pa.Array) -> None:
        self._count("landscape", pc.greater(width, height))
        self._count("portrait", pc.less(width, height))
        self._count("square", pc.equal(width, height))
        self.pixels.add(_finite(pc.multiply(width.cast(pa.int64()), height.cast(pa.int64()))))

    def _add_metadata(self, columns: Mapping[str, pa.Array]) -> None:
        if "is_gray" in columns:
            self._count("gray", columns["is_gray"])
        if "gps_latitude" in columns:
            self._count("with_gps", pc.is_valid(columns["gps_latitude"]))
        if "taken_at" in columns:
            self.years.add_column(pc.year(columns["taken_at"]))
        if "camera_model" in columns or "camera_make" in columns:
            self._add_cameras(columns)

    def _add_cameras(self, columns: Mapping[str, pa.Array]) -> None:
        some = columns.get("camera_model", columns.get("camera_make"))
        missing = pa.nulls(len(some), pa.string())
        pairs = pa.table({"make": columns.get("camera_make", missing), "model": columns.get("camera_model", missing)})
        # Without threads the groups come in the order in which they first occur.
        grouped = pairs.group_by(["make", "model"], use_threads=False).aggregate([([], "count_all")])
        for row in grouped.to_pylist():
            self.cameras.add(camera_name(row["make"], row["model"]), row["count_all"])

    def result(self, skipped: Mapping[str, int]) -> Summary:
        counts, seen = self.counts, self.seen
        has_camera = bool(seen & {"camera_make", "camera_model"})
        cameras, years = self.cameras.most(_CAMERAS_SHOWN), self.years.in_order(_YEARS_SHOWN)
        return Summary(
            images=self.images,
            status=_in_known_order(self.statuses),
            formats=self.formats.most(_FORMATS_SHOWN),
            bytes=self.sizes.total,
            sizes=self.sizes.result(),
            pixels=self.pixels.result(),
            shapes={name: counts[name] for name in ("landscape", "portrait", "square")},
            animated=counts["animated"],
            gray=counts.get("gray"),
            with_date=years.known if "taken_at" in seen else None,
            years=years if "taken_at" in seen else None,
            with_camera=cameras.known if has_camera else None,
            cameras=cameras if has_camera else None,
            with_gps=counts.get("with_gps"),
            measures={name: self.measures[name].result() for name in MEASURES if name in self.measures},
            labels={name: names.most(_LABELS_SHOWN) for name, names in sorted(self.labels.items())},
            skipped=skipped,
        )


def camera_name(make: str | None, model: str | None) -> str:
    """One name for a camera, safe to show; the make is left out where the model says it. Empty for nulls."""
    make, model = (make or "").strip(), (model or "").strip()
    if make and model and not model.lower().startswith(make.split()[0].lower()):
        model = f"{make} {model}"
    name = shown(model or make)
    return name if len(name) <= _NAME_LENGTH else name[: _NAME_LENGTH - 1] + "…"


def _finite(column: pa.Array) -> NDArray[Any]:
    values: NDArray[Any] = column.drop_null().to_numpy(zero_copy_only=False)
    finite: NDArray[Any] = values[np.isfinite(values)]
    return finite


def _in_known_order(names: Names) -> dict[str, int]:
    """Status counts in the order of the data dictionary, `ok` always there; words it lacks come last."""
    counts = {"ok": 0, **names.counts}
    unknown = sorted(counts.keys() - set(STATUSES))
    ordered = {name: counts[name] for name in (*STATUSES, *unknown) if name in counts}
    return {**ordered, "unknown": names.unknown} if names.unknown else ordered


def _in_megapixels(pixels: Histogram) -> Histogram:
    def scaled(value: float | None) -> float | None:
        return None if value is None else value / 1_000_000

    return Histogram(
        tuple(Bin(scaled(b.low), scaled(b.high), b.count) for b in pixels.bins),
        pixels.known,
        pixels.total / 1_000_000,
        scaled(pixels.lowest),
        scaled(pixels.highest),
    )
