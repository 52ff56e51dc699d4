"""An image that kills or hangs the worker which reads or decodes it costs its own row of an output."""

import os
from pathlib import Path

import pytest
from embedding import DeadlyJob, DeadlySource, rows_of

from tintype import api
from tintype.testing.pictures import encoded, fill_folder, scene

LIMITS = {"limits.cpu_seconds": 0.5}


@pytest.fixture(autouse=True)
def _deadly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setattr("tintype.api.outputs.EmbedJob", DeadlyJob)
    monkeypatch.setattr("tintype.sources.resolve.FolderSource", DeadlySource)


def embed(root: Path, output: Path) -> dict[str, tuple[str, str | None]]:
    config = api.config(flags=LIMITS)
    done = api.embed_to(output, root, model="descriptor", shard_images=20, workers=2, config=config)
    assert api.verify(output).problems == []
    rows = rows_of(output)
    assert len(rows) == done.images
    return {row["id"]: (row["status"], row["reason"]) for row in rows if row["status"] != "ok"}


def test_images_that_kill_the_decoder_cost_their_own_rows(tmp_path: Path) -> None:
    root = tmp_path / "root"
    fill_folder(root, 30)
    for name, order in (("a.jpg", b"decode-crash"), ("m.jpg", b"decode-crash"), ("z.jpg", b"decode-hang")):
        (root / name).write_bytes(encoded(scene(ord(name[0]))) + order)
    assert embed(root, tmp_path / "out") == {
        "a.jpg": ("crashed", "the decoder died (SIGSEGV)"),
        "m.jpg": ("crashed", "the decoder died (SIGSEGV)"),
        "z.jpg": ("timeout", "takes more than 0.5 CPU-seconds (limits.cpu_seconds)"),
    }


@pytest.mark.slow
def test_images_that_cannot_even_be_read_cost_their_own_rows(tmp_path: Path) -> None:
    """They are read ahead, so others are at hand when the worker dies: none of these is blamed."""
    root = tmp_path / "root"
    fill_folder(root, 30)
    for name in ("b read-crash.jpg", "folder 1/read-crash.jpg", "p read-sleep.jpg"):
        (root / name).write_bytes(encoded(scene(len(name))))
    assert embed(root, tmp_path / "out") == {
        "b read-crash.jpg": ("crashed", "the process died while the file was read (SIGSEGV)"),
        "folder 1/read-crash.jpg": ("crashed", "the process died while the file was read (SIGSEGV)"),
        "p read-sleep.jpg": ("timeout", "no answer after 10 seconds (limits.cpu_seconds)"),
    }
