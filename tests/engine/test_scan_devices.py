"""Columns of models come from one process a device, and are those that workers make; its faults are no image's."""

import dataclasses
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from device_jobs import PYTHONPATH, DeviceScanJob
from test_vectors_devices import DEVICE, WORKER, children

from tintype import api
from tintype.core.errors import DeviceMemoryFull
from tintype.core.progress import Progress
from tintype.engine.scan_job import hosted_models
from tintype.engine.work import StageRun
from tintype.models import registry
from tintype.stages.registry import stage
from tintype.testing.pictures import fill_folder

IMAGES = 70
STAGES = ("phash", "embed:descriptor")
COLUMNS = ["uri", "status", "phash", "embed_descriptor"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("pictures")
    fill_folder(place, IMAGES)
    return place


@pytest.fixture(scope="module")
def undisturbed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    return _scanned(root, tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture(autouse=True)
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What the device is like."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([PYTHONPATH, os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setattr("tintype.engine.scan.ScanJob", DeviceScanJob)
    monkeypatch.setattr(DeviceScanJob, "device", {})
    yield DeviceScanJob.device
    assert children(os.getpid(), DEVICE) == children(os.getpid(), WORKER) == []


def _scanned(root: Path, place: Path, progress: Any = None) -> pa.Table:
    made = api.scan(root, collection=place, stages=STAGES, workers=2, progress=progress)
    return made.table(COLUMNS).sort_by("uri")


def test_columns_are_the_same_though_the_device_process_is_killed(
    root: Path, undisturbed: pa.Table, device: dict[str, Any], tmp_path: Path
) -> None:
    device["each_s"] = 0.3
    killed: list[int] = []

    def disturb(progress: Progress) -> None:
        if progress.phase == "scanning" and not killed and progress.done:
            killed.extend(children(os.getpid(), DEVICE)[:1])
            os.kill(killed[0], signal.SIGKILL)

    assert _scanned(root, tmp_path / "c", disturb).equals(undisturbed)
    assert len(killed) == 1


def test_too_little_memory_ends_the_scan_and_blames_no_image(
    root: Path, undisturbed: pa.Table, device: dict[str, Any], tmp_path: Path
) -> None:
    device["full_after"] = 1
    with pytest.raises(DeviceMemoryFull, match=r"too small for the model descriptor") as told:
        _scanned(root, tmp_path / "c")
    assert (told.value.exit_code, "\n" in str(told.value)) == (17, False)
    found = api.open(tmp_path / "c").table(["embed_descriptor"])["embed_descriptor"]
    assert found.null_count == 0
    del device["full_after"]
    assert _scanned(root, tmp_path / "c").equals(undisturbed)


def test_a_scan_hosts_the_models_that_are_on_a_gpu_each_once() -> None:
    plain = stage("embed:descriptor")
    on_gpu = registry.card("descriptor")
    runs = [StageRun(_on(plain, word), plain.settings(), 1) for word in ("", "onnx:fp32:cpu", "onnx:fp32:cuda")]
    hosted = hosted_models([*runs, runs[2], StageRun(stage("phash"), stage("phash").settings(), 1)])
    assert [(one.card, one.engine) for one in hosted] == [(on_gpu, "onnx:fp32:cuda")]


def _on(made: Any, word: str) -> Any:
    return dataclasses.replace(made, needs=dataclasses.replace(made.needs, backend=word))
