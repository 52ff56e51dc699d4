"""A report is wholly written or not at all, and never over something that is no report."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from report_makers import report_of

from tintype.core.errors import StorageFull, TintypeError, UsageError
from tintype.reports.page import render, write_report


def test_writes_the_page_and_nothing_else(tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", report_of())
    assert os.listdir(tmp_path) == ["report.html"]
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == render(report_of())


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_the_mode_honors_the_umask(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        write_report(tmp_path / "report.html", report_of())
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "report.html").stat().st_mode) == mode


def test_an_older_report_is_replaced(tmp_path: Path) -> None:
    place = tmp_path / "report.html"
    write_report(place, report_of("old.jpg"))
    write_report(place, report_of("new.jpg"))
    assert "new.jpg" in place.read_text(encoding="utf-8")
    assert "old.jpg" not in place.read_text(encoding="utf-8")


@pytest.mark.parametrize("content", [b"\xff\xd8\xff\xe0 a photo", b"<!doctype html>\n<p>someone's page"])
def test_a_file_that_is_no_report_is_left_alone(tmp_path: Path, content: bytes) -> None:
    place = tmp_path / "photo.jpg"
    place.write_bytes(content)
    with pytest.raises(UsageError, match="is no report"):
        write_report(place, report_of())
    assert place.read_bytes() == content


def test_a_link_to_a_file_that_is_no_report_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"a photo")
    (tmp_path / "report.html").symlink_to("photo.jpg")
    with pytest.raises(UsageError, match="is no report"):
        write_report(tmp_path / "report.html", report_of())
    assert (tmp_path / "photo.jpg").read_bytes() == b"a photo"


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "shelf").mkdir()
    (tmp_path / "report.html").symlink_to("shelf/real.html")
    write_report(tmp_path / "report.html", report_of())
    assert (tmp_path / "report.html").is_symlink()
    assert (tmp_path / "shelf" / "real.html").stat().st_size > 0


def test_a_folder_is_never_replaced(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        write_report(tmp_path, report_of())


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        write_report(tmp_path / "not" / "there.html", report_of())


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="not a plain file"):
        write_report(tmp_path / "pipe", report_of())


def test_a_circle_of_links_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(TintypeError):
        write_report(tmp_path / "a", report_of())


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, StorageFull), (errno.EIO, TintypeError), (errno.EROFS, TintypeError)]
)
def test_a_failed_write_leaves_the_old_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[TintypeError]
) -> None:
    place = tmp_path / "report.html"
    write_report(place, report_of("old.jpg"))
    before = place.read_bytes()

    def failing(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(error) as caught:
        write_report(place, report_of("new.jpg"))
    assert caught.type is error
    assert "report.html" in str(caught.value)
    assert place.read_bytes() == before
    assert os.listdir(tmp_path) == ["report.html"]


def test_a_thumbnail_reader_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def failing(uris: object) -> dict[str, bytes]:
        raise TintypeError("the table is damaged")

    with pytest.raises(TintypeError, match="the table is damaged"):
        write_report(tmp_path / "report.html", report_of(thumbnails=failing))
    assert os.listdir(tmp_path) == []


def test_a_name_with_control_characters_is_named_harmlessly(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        write_report(tmp_path / "not\x1b[31m\nthere" / "r.html", report_of())
    assert str(caught.value).isprintable()
