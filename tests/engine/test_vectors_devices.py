"""Workers that share a process a device make the same files, whichever of them dies, and say what they lack."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from device_jobs import PYTHONPATH, DeviceJob
from embedding import files_of, rows_of

from tintype import api
from tintype.core.errors import DeviceMemoryFull, WorkerFailed
from tintype.core.progress import Progress
from tintype.engine.messages import Slot
from tintype.engine.vectors.run import _advice
from tintype.testing.pictures import encoded, fill_folder, scene

IMAGES = 40
HOW: dict[str, Any] = {"model": "descriptor", "shard_images": 8, "workers": 2}
DEVICE, WORKER = "tintype.models.devices.process", "tintype.engine.worker"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    fill_folder(tmp_path_factory.mktemp("root"), IMAGES)
    return tmp_path_factory.getbasetemp() / "root0"


@pytest.fixture(scope="module")
def undisturbed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    api.embed_to(output, root, **HOW)
    return files_of(output)


@pytest.fixture(autouse=True)
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What the device is like."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([PYTHONPATH, os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setattr("tintype.api.outputs.EmbedJob", DeviceJob)
    monkeypatch.setattr(DeviceJob, "device", {})
    yield DeviceJob.device
    assert children(os.getpid(), DEVICE) == children(os.getpid(), WORKER) == []


def children(parent: int, module: str) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found += [int(folder.name)] if module.encode() in (folder / "cmdline").read_bytes() else []
        except OSError:
            continue  # gone by now
    return found


def kill(module: str, number: int = signal.SIGKILL) -> None:
    for pid in children(os.getpid(), module)[:1]:
        os.kill(pid, number)


def test_files_are_the_same_whoever_is_killed(
    root: Path, undisturbed: dict[str, bytes], device: dict[str, Any], tmp_path: Path
) -> None:
    """The device process in the middle of a batch, then a worker with batches out."""
    device["each_s"] = 0.3
    left = [DEVICE, WORKER, DEVICE]

    def disturb(progress: Progress) -> None:
        if progress.phase == "embedding" and left and progress.done > IMAGES // 5 * (3 - len(left)):
            kill(left.pop(0))

    done = api.embed_to(tmp_path / "out", root, progress=disturb, **HOW)
    assert left == []
    assert files_of(tmp_path / "out") == undisturbed
    assert (done.embedded, done.vectors) == (IMAGES, IMAGES)
    assert done.time["compute"] > 0.3 > done.time["copy"] > 0
    assert done.bottleneck == "compute"


def test_images_that_kill_the_decoder_cost_their_own_rows(tmp_path: Path) -> None:
    """Batches of others are with the device just then."""
    fill_folder(tmp_path / "root", 80)
    (tmp_path / "root" / "x.jpg").write_bytes(encoded(scene(1)) + b"decode-crash")
    api.embed_to(tmp_path / "out", tmp_path / "root", **HOW | {"shard_images": 100, "workers": 1})
    failed = {row["id"]: row["reason"] for row in rows_of(tmp_path / "out") if row["status"] != "ok"}
    assert failed == {"x.jpg": "the decoder died (SIGSEGV)"}


def test_too_little_memory_ends_the_run_and_blames_no_image(
    root: Path, undisturbed: dict[str, bytes], device: dict[str, Any], tmp_path: Path
) -> None:
    device |= {"most": 5, "full_after": 3}
    one = HOW | {"workers": 1}
    with pytest.raises(
        DeviceMemoryFull, match=r"too small for the model descriptor .* What was finished is kept"
    ) as told:
        api.embed_to(tmp_path / "out", root, **one)
    assert (told.value.exit_code, "\n" in str(told.value)) == (17, False)
    found = api.status(tmp_path / "out")
    assert set(found.shards) <= {"done", "pending"}
    assert not found.abandoned
    del device["full_after"]
    api.embed_to(tmp_path / "out", root, **one)
    assert files_of(tmp_path / "out") == undisturbed


def test_a_device_that_is_lost_again_and_again_ends_the_run(
    root: Path, device: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device["lost_after"] = 0
    monkeypatch.setattr("tintype.models.devices.starting.MOST_DEATHS", 1)
    with pytest.raises(
        WorkerFailed, match=r"descriptor on the processor ended 2 times \(CUDA error: an illegal"
    ) as told:
        api.embed_to(tmp_path / "out", root, **HOW | {"workers": 1})
    assert (told.value.exit_code, "\n" in str(told.value)) == (15, False)
    assert api.status(tmp_path / "out").shards == {"pending": 5}


def test_a_worker_that_waits_for_a_device_is_at_no_image_and_alive(tmp_path: Path) -> None:
    slot = Slot.create(tmp_path)
    slot.at(3, 5, alone=False)
    with slot.away() as still:
        before = slot.read()
        still()
        assert (before.first < 0, before.is_away, before != slot.read()) == (True, True, True)
    after = slot.read()
    assert (after.first, after.last, after.alone, after.reading, after.is_away) == (3, 5, False, False, False)
    slot.close()


@pytest.mark.parametrize(
    ("bottleneck", "on_gpu", "workers", "words"),
    [
        ("decode", True, 1, "the GPU waits for decoding: more workers"),
        ("decode", True, 1_000, "the GPU waits for decoding: more machines"),
        ("read", True, 1, "reading takes longest"),
        ("copy", True, 1, "copying to the GPU takes longest"),
        ("compute", True, 1, "the GPU is the limit"),
        ("compute", False, 1, "more workers use the processors that are idle"),
        ("compute", False, 1_000, "the model takes longest: a GPU"),
    ],
    ids=lambda value: str(value).replace(" ", "_")[:20],
)
def test_advice_tells_a_waiting_gpu_from_a_busy_one(
    bottleneck: str, on_gpu: bool, workers: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tintype.engine.vectors.run.available_cpus", lambda: 4)
    assert words in str(_advice(bottleneck, workers, on_gpu=on_gpu))
