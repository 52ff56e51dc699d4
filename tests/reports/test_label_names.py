"""What images are called, counted by hand and however the rows are cut."""

from collections import Counter

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tintype.reports.labels import add_labels, label_columns
from tintype.reports.summary import summary
from tintype.reports.tally import Names

BOX = pa.struct([("label", pa.string()), ("confidence", pa.float32())])
SCHEMA = pa.schema(
    [
        ("label_kind", pa.string()),
        ("label_price", pa.float64()),
        ("classify_net", pa.string()),
        ("classify_net_top", pa.list_(BOX)),
        ("classify_net_confidence", pa.float32()),
        ("objects_net", pa.list_(BOX)),
        ("objects_net_count", pa.int32()),
        ("objects_odd", pa.list_(pa.struct([("name", pa.string())]))),
        ("caption_net", pa.string()),
        ("uri", pa.string()),
    ]
)


def test_columns_of_names_are_told_from_all_others() -> None:
    assert label_columns(SCHEMA) == ["label_kind", "classify_net", "objects_net"]


def test_a_thing_that_is_there_twice_counts_once_an_image() -> None:
    column = pa.array(
        [[{"label": "dog"}, {"label": "dog"}, {"label": "cat"}], [], None, [{"label": "dog"}], [{"label": None}]],
        pa.list_(BOX),
    )
    for part in (column, pa.concat_arrays([column[:0], column])[:], pa.concat_arrays([column, column]).slice(5)):
        names = Names()
        add_labels(names, part)
        assert names.most(20).to_json() == {"named": {"dog": 2, "cat": 1}, "others": 0, "unknown": 3}


_things = st.none() | st.lists(st.sampled_from(["a", "b", "c"]), max_size=5)


@given(st.lists(st.tuples(st.none() | st.sampled_from(["x", "y"]), _things), max_size=20), st.integers(1, 20))
def test_figures_are_those_of_counting(rows: list[tuple[str | None, list[str] | None]], size: int) -> None:
    table = pa.table(
        {
            "scenes_net": pa.array([one for one, _ in rows], pa.string()),
            "tags_net": pa.array(
                [None if many is None else [{"label": name} for name in many] for _, many in rows], pa.list_(BOX)
            ),
        }
    )
    figures = summary(table.to_batches(max_chunksize=size)).labels
    if not rows:
        assert figures == {}
        return
    once = Counter(name for _, many in rows for name in set(many or ()))
    assert figures["tags_net"].named == once
    assert figures["tags_net"].unknown == sum(not many for _, many in rows)
    assert figures["scenes_net"].named == Counter(one for one, _ in rows if one)


def test_names_are_safe_to_show_and_not_endless() -> None:
    names = Names()
    add_labels(names, pa.array(["\x1b[31mred", "x" * 500, "  ", None]))
    told = names.most(20)
    assert told.unknown == 2
    assert all("\x1b" not in name and len(name) <= 80 for name in told.named)
