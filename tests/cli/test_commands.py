"""The verbs on real folders: what they print, what they exit with, and hostile names all the way through."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from cli.conftest import COMMAND

NAMES = (
    b"new\nline.jpg",
    b"\x1b[31mred.jpg",
    b"<b>html.jpg",
    b"-dash.jpg",
    b"not-utf8-\xff.jpg",
    b"100%#1.jpg",
    "日本.jpg".encode(),
)
URIS = {
    "new\nline.jpg",
    "\x1b[31mred.jpg",
    "<b>html.jpg",
    "-dash.jpg",
    "not-utf8-%FF.jpg",
    "100%25%231.jpg",
    "日本.jpg",
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory, data, tintype) -> Path:
    """A scanned folder: one photo under seven hostile names, three others, a damaged one and a text file."""
    folder = tmp_path_factory.mktemp("photos")
    first, *others = sorted((data / "photos-imagenet").iterdir())[:4]
    for name in NAMES:
        shutil.copy(os.fsencode(first), os.fsencode(folder) + b"/" + name)
    for other in others:
        shutil.copy(other, folder)
    (folder / "cut.jpg").write_bytes(first.read_bytes()[:3000])
    (folder / "words.txt").write_text("no image")
    ended = tintype("scan", folder, "--workers", "1", "--json")
    assert ended.code == 0, ended.err
    (folder.parent / "first-scan.json").write_text(ended.out)
    return folder


def document(ended) -> dict:
    assert ended.code == 0, ended.err
    assert ended.out.isascii()
    found = json.loads(ended.out)
    assert found["schema"] == 1
    return found


def test_a_scan_counts_what_it_did(photos):
    found = json.loads((photos.parent / "first-scan.json").read_text())
    assert (found["images"], found["new"], found["status"]) == (11, 11, {"ok": 10, "damaged": 1})
    assert found["skipped"] == {"other": 1}
    assert found["seconds"] > 0
    assert found["cpu_seconds"] > 0


def test_a_second_scan_reads_nothing(photos, tintype):
    ended = tintype("scan", photos, "--workers", "1")
    assert ended.code == 0
    assert "11 images: ok 10, damaged 1\nIn this scan: 11 unchanged\nPassed over: other 1\n" in ended.out
    assert "looking for images" in ended.err


def test_quiet_says_nothing_but_the_result(photos, called):
    ended = called("scan", photos, "--quiet", "--json")
    assert (document(ended)["unchanged"], ended.err) == (11, "")


def test_stdout_holds_the_document_alone_and_words_go_to_stderr(photos, tintype):
    ended = tintype("scan", photos, "--json")
    assert document(ended)["unchanged"] == 11
    assert ended.err != ""


@pytest.mark.parametrize("verb", ["info", "duplicates", "issues"])
def test_every_answer_is_one_document_or_plain_words(verb, photos, called):
    assert document(called(verb, photos, "--json"))
    ended = called(verb, photos)
    assert (ended.code, ended.err) == (0, "")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", ended.out)


def test_info_counts_what_passes_the_filter(photos, called):
    assert document(called("info", photos, "--json"))["images"] == 11
    assert document(called("info", photos, "--json", "--where", "status = 'damaged'"))["images"] == 1
    assert document(called("info", photos, "--json", "--where", "uri like '%-dash%' and width > 10"))["images"] == 1
    words = called("info", photos).out
    assert re.search(r"Images +11\n", words)
    assert re.search(r"Status\n  ok +10\n  damaged +1\n", words)


def test_a_filter_that_cannot_be_read_is_one_line(photos, called):
    ended = called("info", photos, "--where", "widht > 3")
    assert (ended.code, ended.out, ended.err) == (14, "", "tintype: no column widht; near names: width, height\n")


def test_duplicates_name_the_keeper_and_each_reason(photos, called):
    found = document(called("duplicates", photos, "--json"))
    assert [set(group["members"]) | {group["keep"]} for group in found["groups"]] == [URIS]
    assert {pair["relation"] for pair in found["pairs"]} == {"identical"}
    words = called("duplicates", photos).out
    assert words.startswith("1 groups; 6 images beside the ones to keep\n\nGroup 1: keep ")
    for uri in URIS:
        assert uri.encode("unicode_escape").decode() in words or uri in words
    assert words.count("identical") >= 6


def test_max_distance_reaches_the_finder(photos, called):
    assert document(called("duplicates", photos, "--max-distance", "0", "--json"))["groups"]
    assert called("duplicates", photos, "--max-distance", "65").code == 2


def test_issues_are_listed_by_kind(photos, called):
    found = document(called("issues", photos, "--json"))
    assert ("cut.jpg", "damaged") in {(finding["uri"], finding["issue"]) for finding in found["findings"]}
    assert re.search(r"Damaged \(1\)\n  cut\.jpg", called("issues", photos).out)


def test_settings_given_to_an_answer_change_it(photos, called):
    before = {finding["issue"] for finding in document(called("issues", photos, "--json"))["findings"]}
    ended = called("issues", photos, "--json", "--set", "issues.dark_below=0.99")
    assert "dark" in {finding["issue"] for finding in document(ended)["findings"]} - before


def test_a_report_is_written_where_it_is_asked_for(photos, called, tmp_path):
    target = tmp_path / "page.html"
    assert document(called("report", photos, "-o", target, "--json")) == {"schema": 1, "report": str(target)}
    page = target.read_text()
    assert "<b>html.jpg" not in page
    assert "&lt;b&gt;html.jpg" in page


def test_doctor_finds_a_scanned_folder_well(photos, called):
    found = document(called("doctor", photos, "--json"))
    assert found["is_well"]
    assert {"record", "trust", "table", "ledger"} <= {check["name"] for check in found["checks"]}


def test_doctor_finds_a_damaged_table(photos, called, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(photos / ".tintype", broken / ".tintype")
    for file in (broken / ".tintype" / "images.lance" / "data").iterdir():
        file.write_bytes(b"")
    ended = called("doctor", broken, "--json")
    assert ended.code == 1
    found = json.loads(ended.out)
    assert not found["is_well"]
    assert any(check["ok"] is False and check["message"] for check in found["checks"])


def test_a_place_without_a_collection_says_what_to_do(called, tmp_path):
    for verb in ("info", "duplicates", "issues", "report", "trust"):
        ended = called(verb, tmp_path)
        assert (ended.code, ended.out) == (6, "")
        assert ended.err == f"tintype: {tmp_path}: no collection here. Make one: tintype scan {tmp_path}\n"
    found = called("doctor", tmp_path, "--json")
    assert found.code == 1
    assert not json.loads(found.out)["is_well"]


def test_a_collection_from_elsewhere_is_only_read_until_it_is_trusted(photos, called, tmp_path):
    copied = tmp_path / "copied"
    shutil.copytree(photos, copied)
    (copied / "tintype.yaml").write_text("scan: {nonsense: 1}\n")
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    assert document(called("info", copied, "--json", env=state))["images"] == 11
    refused = called("scan", copied, env=state)
    assert refused.code == 10
    assert refused.err.endswith(f"tintype trust {copied / '.tintype'}\n")
    assert document(called("trust", copied, "--json", env=state))["collection"] == str(copied / ".tintype")
    assert called("scan", copied, env=state).err.startswith(
        f"tintype: {copied / 'tintype.yaml'}:1: no setting 'scan.nonsense'"
    )


def test_the_folder_s_settings_are_read_and_flags_go_over_them(called, tmp_path, data):
    shutil.copy(next((data / "demo-photos").glob("*.jpg")), tmp_path / "a.jpg")
    (tmp_path / ".hidden.jpg").write_bytes((tmp_path / "a.jpg").read_bytes())
    (tmp_path / "tintype.yaml").write_text("scan:\n  hidden: true\n  stages: [phash]\n")
    assert document(called("scan", tmp_path, "--json", "--workers", "1"))["images"] == 2
    again = document(called("scan", tmp_path, "--json", "--set", "scan.hidden=no", "--stages", "phash, colors"))
    assert (again["images"], again["gone"], again["updated"]) == (1, 1, 1)


def test_unknown_stages_are_refused_by_name(called, photos):
    ended = called("scan", photos, "--stages", "phsh")
    assert ended.code == 13
    assert "no stage is named 'phsh'" in ended.err


def test_a_scan_on_a_terminal_draws_and_leaves_the_words_alone(tintype, environment, tmp_path, data):
    for number, photo in enumerate(sorted((data / "photos-imagenet").iterdir())[:30]):
        shutil.copy(photo, tmp_path / f"{number}.jpg")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "scan", tmp_path, "--workers", "1", "--json"],
        env=environment | {"TERM": "xterm"},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    drawn = read_all(ours)
    assert json.loads(process.stdout.read())["new"] == 30
    process.stdout.close()
    assert process.wait() == 0
    assert "of 30" in drawn
    assert "images/s" in drawn


def test_no_color_takes_the_colors_from_the_drawing(environment, tmp_path, data):
    shutil.copy(next((data / "demo-photos").glob("*.jpg")), tmp_path / "a.jpg")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "scan", tmp_path, "--workers", "1"],
        env=environment | {"TERM": "xterm", "NO_COLOR": "1"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    drawn = read_all(ours)
    assert process.wait() == 0
    assert not re.search(r"\x1b\[(?:[0-9;]*;)?[349][0-7]m", drawn)


def test_an_interrupted_scan_keeps_what_it_has_and_goes_on(tintype, environment, tmp_path, data):
    photos = sorted((data / "photos-imagenet").iterdir())
    for number in range(600):
        shutil.copy(photos[number % 200], tmp_path / f"{number}.jpg")
    process = subprocess.Popen(
        [*COMMAND, "scan", tmp_path, "--workers", "1"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    )
    worker = only_child(process.pid)
    time.sleep(0.3)
    os.kill(worker, signal.SIGSTOP)  # however busy the machine is, the scan does not end before it is interrupted
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == (
        "tintype: interrupted. What was finished is kept; the same command goes on where this one stopped"
    )
    assert "Traceback" not in err
    found = document(tintype("scan", tmp_path, "--json"))
    assert (found["images"], found["status"]) == (600, {"ok": 600})


def only_child(parent: int) -> int:
    """The first process that another one starts."""
    while True:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.01)


def read_all(handle: int) -> str:
    """What a terminal was sent until the other side closed."""
    parts = []
    while True:
        try:
            part = os.read(handle, 65_536)
        except OSError:  # Linux says so where the other side is gone
            part = b""
        if not part:
            os.close(handle)
            return b"".join(parts).decode()
        parts.append(part)
