"""Who may help a scan, with what, and what is said to those who may not or need not. Those who do: tests/faults."""

import io
import json
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tintype import api
from tintype.cli.main import main
from tintype.codec.limits import Limits
from tintype.core.errors import (
    CollectionDamaged,
    CollectionError,
    CollectionNotTrusted,
    MissingExtra,
    ModelError,
    PluginError,
    SourceError,
    TintypeError,
    UsageError,
)
from tintype.core.progress import Progress
from tintype.engine.ledger.sqlite import SqliteLedger, look_at
from tintype.engine.prepare import work_of
from tintype.engine.scan import locked
from tintype.engine.telling import Asked, told, work_told
from tintype.sources.folder import FolderSource
from tintype.stages.registry import DEFAULT_STAGES
from tintype.store.layout import Layout
from tintype.store.scan_run import read_run, write_run
from tintype.testing.pictures import fill_folder

DOCS = Path(__file__).parents[2] / "docs"


class Stop(Exception):
    """As if the scanning process had died."""


def stop(progress: Progress) -> None:
    if progress.phase == "scanning":
        raise Stop


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder whose scan stopped when all was planned and nothing done, and what it told its helpers."""
    root = tmp_path_factory.mktemp("helping") / "photos"
    fill_folder(root, 40)
    with pytest.raises(Stop):
        api.scan(root, stages=["phash", "embed:descriptor"], workers=1, progress=stop)
    return root, Layout(root / ".tintype").run.read_text()


@pytest.fixture
def root(stopped: tuple[Path, str]) -> Iterator[Path]:
    """The same; nobody may have begun to help."""
    root, record = stopped
    layout = Layout(root / ".tintype")
    layout.run.write_text(record)
    before = look_at(layout.ledger)
    assert before == {"pending": 2}
    yield root
    assert look_at(layout.ledger) == before


def changed(root: Path, path: str, value: Any) -> None:
    """Let the record have another value at a path such as `stages.0.state`."""
    place = Layout(root / ".tintype").run
    document = inner = json.loads(place.read_text())
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in way:
        inner = inner[part]
    inner[last] = value(inner[last]) if callable(value) else value
    place.write_text(json.dumps(document))


def printed(*words: str) -> str:
    with redirect_stdout(io.StringIO()) as out:
        assert main(list(words)) == 0
    return out.getvalue()


@pytest.mark.parametrize(
    ("path", "value", "error", "words"),
    [
        ("tintype", "0.0.1", UsageError, "Help with the same version"),
        ("stages.0.state", lambda state: state + 1, UsageError, "phash as another version makes it"),
        ("stages.1.state", lambda state: state + 1, UsageError, "another version of the stage or its model"),
        ("stages.0.settings.noise_levels", 0.5, UsageError, "phash as another version makes it"),
        ("stages.0.settings.unknown", 1, UsageError, "settings of phash that there are not here"),
        ("stages.0.name", "sharpness", PluginError, "sharpness"),
        ("stages.1.name", "embed:nobody", ModelError, "nobody"),
        ("stages.1.backend", "tensorrt:fp16:cuda", (MissingExtra, ModelError), "tensorrt"),
        ("decoding", lambda state: state + 1, UsageError, "with other decoders"),
        ("sources", ["/nowhere/at/all"], SourceError, "not there"),
        ("hidden", "no", CollectionDamaged, "Scan again"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_who_would_do_it_otherwise_is_refused(
    root: Path, path: str, value: Any, error: type[TintypeError], words: str
) -> None:
    if path == "stages.0.settings.unknown":
        changed(root, "stages.0.settings", lambda known: known | {"unknown": 1})
    else:
        changed(root, path, value)
    with pytest.raises(error, match=words) as caught:
        api.work(root)
    assert "\n" not in str(caught.value)


def test_a_source_that_is_empty_here_is_refused(root: Path, tmp_path: Path) -> None:
    changed(root, "sources", [str(tmp_path)])
    with pytest.raises(SourceError, match=r"no images there now.*mounted"):
        api.work(root)


def test_a_collection_of_somebody_elses_is_not_worked_on(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tintype.store.trust.trusted_folder", lambda: tmp_path)
    with pytest.raises(CollectionNotTrusted, match="tintype trust"):
        api.work(root)


def test_where_locks_cannot_be_relied_on_nobody_helps(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tintype.api.joining.network_file_system", lambda place: "nfs4")
    with pytest.raises(CollectionError, match=r"network file system \(nfs4\) here.*on the machine that scans it"):
        api.work(root)


def test_without_a_scan_under_way_it_says_what_to_run(root: Path) -> None:
    Layout(root / ".tintype").run.unlink()
    with pytest.raises(CollectionError, match=r"no scan is under way that could be helped\. Begin one: tintype scan"):
        api.work(root)
    assert not api.status(root).is_helpable


def test_a_scan_that_lists_is_waited_for(root: Path) -> None:
    """The plan never comes here: when the collection is let go of, there is none."""
    layout = Layout(root / ".tintype")
    layout.run.unlink()
    phases = []
    is_seen = threading.Event()

    def hold() -> None:
        with locked(layout):
            is_held.set()
            is_seen.wait(10)

    def see(progress: Progress) -> None:
        phases.append(progress.phase)
        is_seen.set()

    is_held = threading.Event()
    scanner = threading.Thread(target=hold)
    scanner.start()
    is_held.wait(10)
    with pytest.raises(CollectionError, match="no scan is under way"):
        api.work(root, progress=see)
    scanner.join()
    assert set(phases) == {"listing"}


def test_what_a_stopped_scan_left_is_told_with_what_to_do(root: Path) -> None:
    found = api.status(root)
    assert (found.is_helpable, found.scanned_by, found.is_complete) == (True, None, False)
    assert "To finish what that scan had planned: tintype work" in printed("status", str(root))
    with locked(Layout(root / ".tintype")):
        assert "To help: tintype work" in printed("status", str(root))
    changed(root, "run", "damaged")
    assert not api.status(root).is_helpable


def test_where_all_is_done_a_helper_ends_at_once_and_says_so(stopped: tuple[Path, str], tmp_path: Path) -> None:
    place = Path(shutil.copytree(stopped[0] / ".tintype", tmp_path / "collection"))
    Layout(place).run.write_text(stopped[1])
    with closing(SqliteLedger(Layout(place).ledger)) as ledger:
        first, second = ledger.lease("scanner", 60), ledger.lease("scanner", 60)
        assert first is not None
        assert second is not None
        ledger.finish(first, b"{}")
        ledger.fail(second, "the disk is gone", 1)
    document = api.work(place).to_json()
    assert (document["images"], document["shards"], document["scanned_by"]) == (0, 0, None)
    assert (document["waiting"], document["given_up"], document["superseded"]) == (1, 1, False)
    said = printed("work", str(place))
    assert "scan again to take in the 1 shards that are done" in said
    assert "1 shards were given up; why: tintype status" in said
    assert "scan again to take in the 1 shards that are done" in printed("status", str(place))
    with closing(SqliteLedger(Layout(place).ledger)) as ledger:
        ledger.begin()
    assert "Another scan has begun since" in printed("work", str(place))
    page = (DOCS / "commands.md").read_text()
    table = page.partition("### JSON of work of a collection")[2].partition("\n## ")[0]
    keys = [*document, *(f"time.{name}" for name in document["time"]), "problems[].uri", "problems[].reason"]
    assert sorted(re.findall(r"^\| `(.+?)` \|", table, re.M)) == sorted(keys)


def test_the_same_work_is_made_of_what_is_told(tmp_path: Path) -> None:
    """Settings from wherever they come, lists among them, are the stage's own again."""
    changes = {"quality.noise_weight": 0.1, "phash.hashes": ["phash", "dhash"], "thumbnail.jpeg_quality": 60}
    config = api.config(None).replace(changes)
    names = (*DEFAULT_STAGES, "embed:descriptor")
    source, limits = FolderSource(tmp_path), Limits(pixels=1_000_000, cpu_seconds=7)
    work = work_of(source, names, config.get, limits)
    asked = Asked(sources=(str(tmp_path),), ignore=("*.tmp",), hidden=True, stages=names)
    run = told(asked, work, run="0" * 12, version=1, has_known=False, images=3, lease_s=9.0)
    layout = Layout(tmp_path)
    layout.cache.mkdir()
    write_run(layout, run)
    read = read_run(layout)
    assert read is not None
    assert read.ignore == ("*.tmp",)
    assert read.hidden
    assert work_told(read, source, "here") == work
