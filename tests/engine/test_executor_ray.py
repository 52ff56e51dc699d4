"""Workers on Ray: the same files as from processes, whoever dies; and in one line what is wrong with a cluster.

Ray is large and no part of the development environment. To run these with it:

    python3 -m venv .peers/ray && .peers/ray/bin/pip install -e '.[ray,aws,cloud,testing]' 'moto[server]' onnx
    .peers/ray/bin/python -m pytest tests/engine/test_executor_ray.py
"""

import os
import signal
import sys
import threading
import time
import types
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from embed_slowly import SlowJob
from embedding import files_of

from tintype import api
from tintype.api import outputs
from tintype.core.errors import MissingExtra, StorageFull, UsageError, WorkerFailed
from tintype.core.progress import EmbedSummary
from tintype.engine.executors.base import Finished
from tintype.engine.executors.ray import RayExecutor, _cpus_per_gpu, connected
from tintype.engine.ledger.base import Lease
from tintype.store.outputs.manifest import MANIFEST_FILE
from tintype.store.places.base import Place
from tintype.store.places.opening import open_place
from tintype.testing.pictures import fill_folder

IMAGES, SHARD_IMAGES = 80, 4
SHARDS = IMAGES // SHARD_IMAGES
LEASE_S = 3.0
HERE = Path(__file__).parent


@pytest.fixture(scope="module", autouse=True)
def _importable() -> Iterator[None]:
    """What Ray starts, and what that starts, finds the modules of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        places = [HERE.parent / "faults", HERE, HERE.parent]
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, places)))
        yield


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """Ray, connected to a cluster of one machine with two processors."""
    ray = pytest.importorskip("ray", reason="comes with the extra ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100_000_000)
    yield ray
    ray.shutdown()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fill_folder(tmp_path / "root", IMAGES)
    return tmp_path / "root"


def slow_member(output: str, workers: int) -> Iterator[Finished | None]:
    """Works slowly enough to be killed in the middle."""
    outputs.EmbedJob = SlowJob  # type: ignore[misc]  # in the place of the plain one
    yield from outputs.member(output, workers)


def embed(output: str | Path, root: str | Path, executor: str = "ray", **how: Any) -> EmbedSummary:
    return api.embed_to(
        output,
        root,
        model="descriptor",
        shard_images=SHARD_IMAGES,
        workers=2,
        executor=executor,
        lease_s=LEASE_S,
        **how,
    )


def test_the_files_are_those_that_processes_make(ray: Any, root: Path, tmp_path: Path) -> None:
    done = embed(tmp_path / "ray", root)
    assert (done.embedded, done.vectors) == (IMAGES, IMAGES)
    assert set(done.time) == {"read", "decode", "copy", "compute", "write"}
    assert done.time["decode"] > 0
    embed(tmp_path / "processes", root, "processes")
    assert files_of(tmp_path / "ray") == files_of(tmp_path / "processes")
    assert not (tmp_path / "ray" / "parts").exists()
    assert embed(tmp_path / "ray", root).embedded == 0


def pids_of(name: str) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if (folder / "cmdline").read_bytes().replace(b"\0", b" ").startswith(name.encode()):
                    found.append(int(folder.name))
            except OSError:
                continue  # gone by now
    return found


def early(place: Place, act: Callable[[], None]) -> tuple[threading.Thread, list[bool]]:
    """Do something as soon as a fifth of the shards is done; the list says whether the rest was not, after that."""
    was_early: list[bool] = []

    def wait() -> None:
        until = time.monotonic() + 60
        while sum(name.endswith(".parquet") for name in place.names()) < SHARDS // 5 and time.monotonic() < until:
            time.sleep(0.05)
        act()
        was_early.append(MANIFEST_FILE not in place.names())

    thread = threading.Thread(target=wait)
    thread.start()
    return thread, was_early


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_a_process_of_rays_that_dies_loses_nothing(
    ray: Any, root: Path, tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "member", slow_member)

    def disturb() -> None:
        pid = pids_of("ray::tintype")[0]
        os.kill(pid, number)
        if number == signal.SIGSTOP:
            threading.Timer(LEASE_S + 1, os.kill, (pid, signal.SIGCONT)).start()

    output = tmp_path / "out"
    thread, was_early = early(open_place(str(output)), disturb)
    done = embed(output, root)
    thread.join()
    assert was_early == [True]
    assert done.vectors == IMAGES
    embed(tmp_path / "undisturbed", root, "processes")
    assert files_of(output) == files_of(tmp_path / "undisturbed")
    assert api.verify(output).is_whole


def test_a_machine_without_what_is_needed_is_said_in_one_line(ray: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = types.ModuleType("absent")
    exec("def begin(workers):\n    yield None", absent.__dict__)
    absent.begin.__module__ = "absent"
    monkeypatch.setitem(sys.modules, "absent", absent)
    with pytest.raises(
        WorkerFailed, match=r"^a worker on Ray cannot begin \(No module named 'absent'\). Install the same"
    ):
        list(RayExecutor(absent.begin, 1).run())


def finish_one(workers: int) -> Iterator[Finished | None]:
    yield None
    yield Finished(Lease(1, 1, "embed", b"", 0), {"rows": 1}, {})


def fill_the_disk(workers: int) -> Iterator[Finished | None]:
    yield None
    raise StorageFull("/somewhere")


def die(workers: int) -> Iterator[Finished | None]:
    os._exit(3)
    yield None


def test_what_ends_the_work_of_a_member_ends_the_run_as_itself(ray: Any) -> None:
    with pytest.raises(StorageFull, match="no space left for /somewhere"):
        list(RayExecutor(fill_the_disk, 1).run())


def test_members_that_only_die_are_not_begun_for_ever(ray: Any) -> None:
    with pytest.raises(WorkerFailed, match="workers on Ray end before they finish a shard"):
        list(RayExecutor(die, 1).run())


def test_where_there_is_no_room_it_says_what_is_wanted(ray: Any) -> None:
    with pytest.raises(WorkerFailed, match="no room: each worker takes a GPU and a processor"):
        list(RayExecutor(finish_one, 1, needs_gpu=True, no_room_s=1.0).run())


def count_workers(workers: int) -> Iterator[Finished | None]:
    yield Finished(Lease(1, 1, "embed", b"", 0), {"rows": workers}, {})


def test_a_member_has_a_worker_on_each_of_its_processors(ray: Any) -> None:
    executor = RayExecutor(count_workers, 1, cpus=2).run()
    assert next(one.result["rows"] for one in executor if one is not None) == 2
    executor.close()
    with pytest.raises(WorkerFailed, match="each worker takes a GPU and 64 processors"):
        list(RayExecutor(finish_one, 1, cpus=64, needs_gpu=True, no_room_s=0.5).run())


def test_the_gpu_with_the_fewest_processors_beside_it_says_how_many_feed_one() -> None:
    nodes = [
        {"Resources": {"CPU": 64.0}},
        {"Resources": {"CPU": 16.0, "GPU": 2.0}},
        {"Resources": {"CPU": 9.0, "GPU": 1.0}},
    ]
    assert _cpus_per_gpu(nodes) == 8
    assert _cpus_per_gpu([{"Resources": {"CPU": 1.0, "GPU": 4.0}}]) == _cpus_per_gpu([]) == 1


def test_those_for_whom_there_is_no_room_are_not_waited_for(ray: Any) -> None:
    finished = [one for one in RayExecutor(finish_one, 5).run() if one is not None]
    assert 1 <= len(finished) <= 5


def test_an_address_where_nothing_answers_is_said_in_one_line() -> None:
    ray = pytest.importorskip("ray", reason="comes with the extra ray")
    ray.shutdown()
    for address, words in (("127.0.0.1:1", "can be joined at 127.0.0.1:1 ("), ("ray://h:1", "Ray's client")):
        with pytest.raises(UsageError) as caught, connected(address):
            pass
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.fixture
def images_and_aws(bucket: str, root: Path) -> str:
    import boto3

    for path in root.rglob("*.jpg"):
        boto3.client("s3").upload_file(str(path), bucket, f"in/{path.name}")
    return f"s3://{bucket}/in/"


def test_a_machine_that_dies_loses_nothing(
    images_and_aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two machines, as Ray sees them, that share nothing but a bucket and the ledger in DynamoDB and SQS."""
    ray = pytest.importorskip("ray", reason="comes with the extra ray")
    from ray.cluster_utils import Cluster

    ray.shutdown()  # the cluster of the tests above
    monkeypatch.setattr(outputs, "member", slow_member)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        second = cluster.add_node(num_cpus=1)
        output = images_and_aws.replace("/in/", "/out/")
        with pytest.raises(UsageError, match=r"2 machines.*--ledger dynamodb:NAME"):
            embed(tmp_path / "out", images_and_aws, address=cluster.address)
        place = open_place(output)
        thread, was_early = early(place, lambda: cluster.remove_node(second, allow_graceful=False))
        ledger = f"dynamodb:ray-{uuid.uuid4().hex[:8]}"
        assert embed(output, images_and_aws, address=cluster.address, ledger=ledger).vectors == IMAGES
        thread.join()
        assert was_early == [True]
        embed(tmp_path / "undisturbed", images_and_aws, "processes")
        kept = open_place(str(tmp_path / "undisturbed"))
        names = [name for name in place.names() if not name.startswith("plan")]
        assert len(names) == SHARDS + 1
        assert {name: place.read(name) for name in names} == {name: kept.read(name) for name in names}
        assert api.verify(output).is_whole
    finally:
        cluster.shutdown()


def test_without_ray_it_says_what_to_install(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"tintype\[ray\]"):
        embed(tmp_path / "out", root)
    assert not (tmp_path / "out").exists()


def test_words_that_do_not_fit_are_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no executor 'slurm'; there are processes, ray"):
        embed(tmp_path / "out", root, "slurm")
    with pytest.raises(UsageError, match="say --executor ray"):
        embed(tmp_path / "out", root, "processes", address="h:1")
