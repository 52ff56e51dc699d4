"""Figures come out as counted by hand, whatever way the rows are cut into batches."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tintype.reports import tally
from tintype.reports.summary import camera_name, summary

SCHEMA = pa.schema(
    [
        ("uri", pa.string()),
        ("status", pa.string()),
        ("format", pa.string()),
        ("size_bytes", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("frames", pa.int32()),
        ("taken_at", pa.timestamp("us")),
        ("camera_make", pa.string()),
        ("camera_model", pa.string()),
        ("gps_latitude", pa.float64()),
        ("is_gray", pa.bool_()),
        ("sharpness", pa.float32()),
        ("entropy", pa.float32()),
    ]
)

KNOWN = pa.RecordBatch.from_pylist(
    [
        {
            "uri": "a.jpg", "status": "ok", "format": "jpeg", "size_bytes": 1_000, "width": 400, "height": 300,
            "frames": 1, "taken_at": datetime(2008, 5, 30), "camera_make": "Canon", "camera_model": "Canon EOS 40D",
            "gps_latitude": 0.0, "is_gray": False, "sharpness": 1.0, "entropy": 8.0,
        },
        {
            "uri": "b.gif", "status": "ok", "format": "gif", "size_bytes": 10_000, "width": 1000, "height": 1000,
            "frames": 12, "is_gray": True, "sharpness": 0.0, "entropy": 0.0,
        },
        {
            "uri": "c.jpg", "status": "ok", "format": "jpeg", "size_bytes": 60_000_000, "width": 3000,
            "height": 4000, "frames": 1, "taken_at": datetime(1999, 12, 31, 23), "camera_make": "NIKON CORPORATION",
            "camera_model": "NIKON D70", "is_gray": False, "sharpness": 0.5, "entropy": 7.0,
        },
        {"uri": "d.jpg", "status": "damaged", "size_bytes": 9_999},
    ],
    schema=SCHEMA,
)  # fmt: skip


def test_counts_what_is_there() -> None:
    figures = summary([KNOWN], {"other": 3, "hidden": 1}).to_json()
    assert {name: figures[name] for name in figures if name not in ("sizes", "megapixels", "measures")} == {
        "schema": 1,
        "images": 4,
        "status": {"ok": 3, "damaged": 1},
        "formats": {"jpeg": 2, "gif": 1, "unknown": 1},
        "bytes": 60_020_999,
        "shapes": {"landscape": 1, "portrait": 1, "square": 1},
        "animated": 1,
        "gray": 1,
        "with_date": 2,
        "years": {"1999": 1, "2008": 1, "unknown": 2},
        "with_camera": 2,
        "cameras": {"named": {"Canon EOS 40D": 1, "NIKON D70": 1}, "others": 0, "unknown": 2},
        "with_gps": 1,
        "labels": [],
        "skipped": {"hidden": 1, "other": 3},
        "models": [],
    }
    assert list(figures["skipped"]) == ["hidden", "other"]


def test_a_value_at_an_edge_belongs_to_the_bin_above() -> None:
    sizes = summary([KNOWN]).to_json()["sizes"]
    filled = {(b["from"], b["to"]): b["count"] for b in sizes["histogram"] if b["count"]}
    assert filled == {(None, 10_000): 2, (10_000, 100_000): 1, (50_000_000, None): 1}
    assert (sizes["known"], sizes["lowest"], sizes["highest"]) == (4, 1_000, 60_000_000)


def test_megapixels_are_of_upright_sides() -> None:
    megapixels = summary([KNOWN]).to_json()["megapixels"]
    filled = {(b["from"], b["to"]): b["count"] for b in megapixels["histogram"] if b["count"]}
    assert filled == {(0.1, 0.5): 1, (1, 2): 1, (12, 24): 1}
    assert megapixels["mean"] == pytest.approx((0.12 + 1 + 12) / 3, abs=1e-4)


def test_the_highest_value_of_a_measure_is_in_its_last_bin() -> None:
    measures = summary([KNOWN]).to_json()["measures"]
    assert list(measures) == ["sharpness", "entropy"]
    for histogram, middle in ((measures["sharpness"], 10), (measures["entropy"], 17)):
        counts = [b["count"] for b in histogram["histogram"]]
        assert [i for i, n in enumerate(counts) if n] == [0, middle, 19]
    assert measures["sharpness"]["mean"] == 0.5


def test_what_no_stage_has_computed_is_null_and_not_nought() -> None:
    figures = summary([KNOWN.select(["uri", "status"])]).to_json()
    assert [figures[name] for name in ("with_gps", "with_date", "with_camera", "cameras", "years", "gray")] == [
        None
    ] * 6
    assert figures["measures"] == {}


@pytest.mark.parametrize("batches", [[], [KNOWN.slice(0, 0)]])
def test_an_empty_collection_has_figures(batches: list[pa.RecordBatch]) -> None:
    figures = summary(batches).to_json()
    assert (figures["images"], figures["status"], figures["bytes"]) == (0, {"ok": 0}, 0)
    assert figures["sizes"]["mean"] is None
    json.dumps(figures, allow_nan=False)


def test_values_that_are_no_numbers_are_left_out() -> None:
    batch = pa.RecordBatch.from_pydict({"sharpness": pa.array([0.25, np.nan, np.inf, None], pa.float32())})
    histogram = summary([batch]).to_json()["measures"]["sharpness"]
    assert (histogram["known"], histogram["mean"]) == (1, 0.25)


def test_statuses_stand_in_the_order_of_the_data_dictionary() -> None:
    batch = pa.RecordBatch.from_pydict({"status": ["crashed", "zebra", "damaged", "ok", "timeout", None]})
    assert list(summary([batch]).status) == ["ok", "damaged", "timeout", "crashed", "zebra", "unknown"]


def test_a_cut_list_says_how_many_it_leaves_out() -> None:
    models = [f"Model {i:03d}" for i in range(100) for _ in range(100 - i)]
    cameras = summary([pa.RecordBatch.from_pydict({"camera_model": models})]).cameras
    assert cameras is not None
    assert list(cameras.named)[:2] == ["Model 000", "Model 001"]
    assert len(cameras.named) == 20
    assert sum(cameras.named.values()) + cameras.others == len(models)


def test_names_beyond_those_told_apart_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "_NAMES_KEPT", 3)
    models = ["a", "b", "c", "d", "d", "d", "a"]
    cameras = summary([pa.RecordBatch.from_pydict({"camera_model": models})]).cameras
    assert cameras is not None
    assert (dict(cameras.named), cameras.others) == ({"a": 2, "b": 1, "c": 1}, 3)


@pytest.mark.parametrize(
    ("make", "model", "name"),
    [
        ("Canon", "Canon EOS 40D", "Canon EOS 40D"),
        ("NIKON CORPORATION", "NIKON D70", "NIKON D70"),
        ("SONY", "DSC-W55", "SONY DSC-W55"),
        (" Apple ", None, "Apple"),
        (None, None, ""),
        ("", "  ", ""),
        ("Evil\x1b[31m", "<b>\n", "Evil\\x1b[31m <b>"),
        ("x" * 500, None, "x" * 79 + "…"),
    ],
)
def test_cameras_have_one_name_that_is_safe_to_print(make: str | None, model: str | None, name: str) -> None:
    assert camera_name(make, model) == name


rows = st.lists(
    st.fixed_dictionaries(
        {
            "status": st.sampled_from(["ok", "damaged", None]),
            "format": st.sampled_from(["jpeg", "png", None]),
            "size_bytes": st.one_of(st.none(), st.integers(0, 2**45)),
            "width": st.one_of(st.none(), st.integers(1, 2**31 - 1)),
            "height": st.one_of(st.none(), st.integers(1, 2**31 - 1)),
            "camera_make": st.one_of(st.none(), st.text(max_size=3)),
            "camera_model": st.one_of(st.none(), st.text(max_size=3)),
            "taken_at": st.one_of(st.none(), st.datetimes()),
            "sharpness": st.one_of(st.none(), st.floats(0, 1, width=32)),
        }
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(rows=rows, cuts=st.lists(st.integers(0, 12), max_size=4))
def test_borders_of_batches_do_not_matter(rows: list[dict[str, object]], cuts: list[int]) -> None:
    whole = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    ends = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    parts = [whole.slice(a, b - a) for a, b in pairwise(ends)] or [whole]
    assert json.dumps(summary(parts).to_json()) == json.dumps(summary([whole]).to_json())


@settings(max_examples=60)
@given(rows=rows)
def test_nothing_is_lost_between_the_bins(rows: list[dict[str, object]]) -> None:
    figures = summary([pa.RecordBatch.from_pylist(rows, schema=SCHEMA)])
    known = [row["size_bytes"] for row in rows if row["size_bytes"] is not None]
    assert sum(b.count for b in figures.sizes.bins) == len(known)
    assert figures.bytes == sum(known)  # type: ignore[arg-type]  # sizes are integers
    assert sum(figures.status.values()) == len(rows)
    assert figures.formats.known + figures.formats.unknown == len(rows)
