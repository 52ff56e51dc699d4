"""What a scan tells its helpers is read as it was written, and nothing else is taken for it."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tintype.codec.limits import Limits
from tintype.core.errors import CollectionDamaged, UsageError
from tintype.store.layout import Layout
from tintype.store.scan_run import ScanRun, StageTold, read_run, remove_run, write_run

RUN = ScanRun(
    run="0123456789ab",
    sources=("/pictures/na\u00efve \udcff", "s3://bucket/more/"),
    ignore=("*.tmp",),
    hidden=False,
    stages=(StageTold(name="phash", settings={"hashes": ["phash"]}, backend="", thumbnails=0, state=7),),
    limits=Limits(cpu_seconds=2),
    decoding=12,
    version=3,
    has_known=True,
    images=9,
    lease_s=60.0,
)
FIELDS = ("tintype", *asdict(RUN))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    layout = Layout(tmp_path_factory.mktemp("run"))
    layout.cache.mkdir()
    return layout


def spoiled(layout: Layout, **changes: Any) -> None:
    write_run(layout, RUN)
    layout.run.write_text(json.dumps(json.loads(layout.run.read_text()) | changes))


def test_it_is_read_as_it_was_written_and_gone_when_it_is_removed(layout: Layout) -> None:
    write_run(layout, RUN)
    assert read_run(layout) == RUN
    remove_run(layout)
    remove_run(layout)
    assert read_run(layout) is None


@given(name=st.sampled_from(FIELDS), value=json_values)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_it_is_taken_or_refused_in_one_line(layout: Layout, name: str, value: Any) -> None:
    spoiled(layout, **{name: value})
    said = ""
    try:
        read_run(layout)
    except (CollectionDamaged, UsageError) as error:
        said = str(error)
    assert "\n" not in said


@pytest.mark.parametrize(
    "changes",
    [
        {"run": "../../../tmp/x"},
        {"run": "0123456789AB"},
        {"sources": []},
        {"sources": "/pictures"},
        {"hidden": 0},
        {"version": True},
        {"lease_s": 0.0},
        {"lease_s": float("nan")},
        {"lease_s": 60},
        {"limits": {"pixels": "many"}},
        {"limits": {"unknown": 1}},
        {"stages": [{"name": "phash"}]},
        {"stages": [[]]},
    ],
    ids=lambda changes: "-".join(f"{name} {str(value)[:12]}" for name, value in changes.items()).replace("/", "_"),
)
def test_what_no_scan_writes_is_refused(layout: Layout, changes: dict[str, Any]) -> None:
    spoiled(layout, **changes)
    with pytest.raises(CollectionDamaged, match=r"run\.json is not what a scan writes .*Scan again"):
        read_run(layout)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"{}"], ids=lambda one: repr(one[:4]))
def test_what_is_no_record_at_all_is_refused(layout: Layout, content: bytes) -> None:
    layout.run.write_bytes(content)
    with pytest.raises(CollectionDamaged):
        read_run(layout)


def test_another_version_is_told_so(layout: Layout) -> None:
    spoiled(layout, tintype="99.0", stages="of another kind")
    with pytest.raises(UsageError, match=r"by Tintype '99\.0', and here is"):
        read_run(layout)
