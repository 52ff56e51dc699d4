"""A real device process and what may happen to it: killed, stopped, lied to, without memory, refused."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from device_models import ONNX, Tight, descriptor, on_path, pixels

from tintype.core.errors import DeviceMemoryFull, MissingExtra, ModelError, UsageError, WorkerFailed
from tintype.models.devices import starting
from tintype.models.devices.client import DeviceRunner, Reach, reach_devices
from tintype.models.devices.connection import Connection
from tintype.models.devices.hosted import Hosted
from tintype.models.devices.starting import Devices, devices_for
from tintype.models.devices.wire import HELLO, MOST_BYTES, MOST_ROWS, REFUSED, Answer, Request
from tintype.models.engines import Engine, load

CARD = descriptor()
NAME, SIDE = CARD.input.name, CARD.pixels.width
ROWS = pixels(CARD, 100)


@pytest.fixture(scope="module")
def wanted() -> dict[str, np.ndarray]:
    return load(CARD, Engine.of(ONNX)).run({NAME: ROWS})


@pytest.fixture(scope="module", autouse=True)
def _found() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", on_path())
        yield


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    yield
    reach_devices(None)


def runner_of(devices: Devices, seat: int = 0) -> DeviceRunner:
    reach_devices(devices.reach(seat))
    made = load(CARD, Engine.of(ONNX))
    assert isinstance(made, DeviceRunner)
    return made


def pid_of(devices: Devices, device: int = 0) -> int:
    running = devices._processes[device]._running
    assert running is not None
    return running._process.pid


@contextlib.contextmanager
def ready(*hosted: Hosted, ids: tuple[str, ...] | None = None) -> Iterator[Devices]:
    with devices_for(hosted, ids) as devices:
        devices.wait()
        yield devices


@contextlib.contextmanager
def watched(devices: Devices) -> Iterator[None]:
    """As an executor does, see that the processes live. They end with the thread that started them."""
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.02):
            devices.check()

    thread = threading.Thread(target=watch)
    thread.start()
    yield
    is_over.set()
    thread.join()


@pytest.fixture(scope="module")
def shared(_found: None) -> Iterator[Devices]:
    """A device process for several tests."""
    with ready(Tight(CARD, ONNX, each_s=0.02)) as devices, watched(devices):
        yield devices


def assert_same(made: dict[str, np.ndarray], wanted: dict[str, np.ndarray], rows: slice) -> None:
    assert made.keys() == wanted.keys()
    assert all(np.array_equal(made[name], wanted[name][rows]) for name in wanted)


def test_rows_are_those_of_the_plain_runner_and_survive_the_process(wanted: dict[str, np.ndarray]) -> None:
    with ready(Tight(CARD, ONNX, each_s=0.05)) as devices, watched(devices):
        runner = runner_of(devices)
        assert (runner.info.card, f"{runner.info.backend}:{runner.info.precision}:{runner.info.device}") == (CARD, ONNX)
        assert_same(runner.run({NAME: ROWS}), wanted, slice(0, 100))
        assert runner.run({NAME: ROWS[:0]})[CARD.outputs[0].name].shape == (0, *CARD.outputs[0].shape)
        first, second = runner.submit({NAME: ROWS[:10]}), runner.submit({NAME: list(ROWS[10:30])})
        os.kill(pid_of(devices), signal.SIGKILL)
        third = runner.submit({NAME: ROWS[30:40]})  # waits for the first, in the process that comes after
        for ticket, rows in ((first, slice(0, 10)), (second, slice(10, 30)), (third, slice(30, 40))):
            assert_same(runner.wait(ticket), wanted, rows)
        spent = runner.spent()
        assert spent["compute"] > spent["copy"] > 0
        assert runner.spent() == {"copy": 0, "compute": 0}


def test_one_that_is_stopped_is_waited_for_and_then_given_up(
    shared: Devices, wanted: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks: list[float] = []

    @contextlib.contextmanager
    def away() -> Iterator[object]:
        yield lambda: ticks.append(time.monotonic())

    reach = shared.reach(0)
    assert reach is not None
    runner = DeviceRunner(CARD, load(CARD, Engine.of(ONNX)).info, Connection(reach.path, away), 0)
    ticks.clear()
    before = pid_of(shared)
    os.kill(before, signal.SIGSTOP)
    threading.Timer(1.2, os.kill, (before, signal.SIGCONT)).start()
    assert_same(runner.run({NAME: ROWS[:10]}), wanted, slice(0, 10))
    assert len(ticks) == 1  # a second
    assert pid_of(shared) == before
    monkeypatch.setattr(starting, "SILENT_S", 0.3)
    os.kill(before, signal.SIGSTOP)
    while pid_of(shared) == before:
        time.sleep(0.01)
    monkeypatch.undo()
    assert_same(runner.run({NAME: ROWS[:10]}), wanted, slice(0, 10))


def test_one_that_ends_again_and_again_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "MOST_DEATHS", 2)
    with ready(Tight(CARD, ONNX)) as devices:
        killed: list[int] = []

        def kill_it_again() -> None:
            while True:
                devices.check()
                if pid_of(devices) not in killed and devices._processes[0].is_ready:
                    killed.append(pid_of(devices))
                    os.kill(killed[-1], signal.SIGKILL)
                time.sleep(0.01)

        with pytest.raises(WorkerFailed, match=r"ended 3 times \(SIGKILL\)\. What was finished is kept"):
            kill_it_again()
        assert len(killed) == 3


def test_nonsense_is_refused_and_costs_nobody_else(shared: Devices, wanted: dict[str, np.ndarray]) -> None:
    runner = runner_of(shared)
    reach = shared.reach(0)
    assert reach is not None
    liar = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    liar.connect(reach.path)
    liar.settimeout(10)
    assert Answer.of(liar.recv(MOST_BYTES)).kind == HELLO

    def told(message: bytes) -> str:
        ticket = runner.submit({NAME: ROWS[:5]})
        liar.send(message)
        answer = Answer.of(liar.recv(MOST_BYTES))
        assert answer.kind == REFUSED
        assert_same(runner.wait(ticket), wanted, slice(0, 5))
        return answer.words

    right = [4, SIDE, SIDE, 3]
    assert "no card 1" in told(Request(1, 1, 0, right).packed())
    assert "no slot 2" in told(Request(1, 0, 2, right).packed())
    for dims in ([4, SIDE + 1, SIDE, 3], [4, SIDE, SIDE, 2**31], right[:3], [*right, 1], [], [0, *right[1:]]):
        assert "cannot have the shape" in told(Request(1, 0, 0, dims).packed())
    assert "does not fit" in told(Request(1, 0, 0, [2**32 - 1, SIDE, SIDE, 3]).packed())
    assert f"{MOST_ROWS} rows at most" in told(Request(1, 0, 0, [MOST_ROWS + 1, SIDE, SIDE, 3]).packed())
    whole = Request(1, 0, 0, right).packed()
    for message in (b"x", whole[:-1], whole + b"x", os.urandom(MOST_BYTES), os.urandom(4 * MOST_BYTES)):
        assert told(message)
    for _ in range(20):  # until its first batch still waits for others when the second comes
        os.kill(pid_of(shared), signal.SIGSTOP)  # so that it finds all of this at once
        ticket = runner.submit({NAME: ROWS[:64]})
        liar.send(whole)
        liar.send(Request(2, 0, 0, right).packed())
        os.kill(pid_of(shared), signal.SIGCONT)
        answers = [Answer.of(liar.recv(MOST_BYTES)) for _ in range(2)]
        assert_same(runner.wait(ticket), wanted, slice(0, 64))
        if second := [answer.words for answer in answers if answer.number == 2 and answer.kind == REFUSED]:
            break
    assert second == ["slot 0 has a batch already"]
    for _ in range(50):  # asks, and never reads
        with contextlib.suppress(OSError):
            liar.send(whole, socket.MSG_DONTWAIT)
    liar.close()  # with batches on their way
    pid = pid_of(shared)
    assert_same(runner.run({NAME: ROWS}), wanted, slice(0, 100))
    assert pid_of(shared) == pid
    handles = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
    for there in ("\n".join(handles), Path(f"/proc/{pid}/maps").read_text()):
        assert there.count("memfd:tintype") == 1  # the liar's memory is given back


def test_workers_take_arrays_of_the_card_alone(shared: Devices) -> None:
    runner = runner_of(shared)
    for inputs, words in (
        ({NAME: ROWS[:2].astype(np.float32)}, "is uint8, not float32"),
        ({NAME: ROWS[:2, :-1]}, "cannot have the shape"),
        ({"other": ROWS[:2]}, f"not given {NAME}"),
    ):
        with pytest.raises(ModelError, match=words):
            runner.run(inputs)
    assert len(runner.run({NAME: ROWS[:2]})[CARD.outputs[0].name]) == 2
    before = resource.prlimit(pid_of(shared), resource.RLIMIT_FSIZE)
    resource.prlimit(pid_of(shared), resource.RLIMIT_FSIZE, (100_000, before[1]))
    reach = shared.reach(0)
    assert reach is not None
    with pytest.raises(ModelError, match=r"no memory for \d+ MB that a worker shares.*Use fewer --workers"):
        Connection(reach.path)
    resource.prlimit(pid_of(shared), resource.RLIMIT_FSIZE, before)
    assert len(runner.run({NAME: ROWS[:2]})[CARD.outputs[0].name]) == 2


def test_a_lack_of_memory_is_told_before_and_in_the_middle(wanted: dict[str, np.ndarray]) -> None:
    words = rf"the memory of the processor is too small for the model {CARD.name} on {ONNX}, even for one image"
    with pytest.raises(DeviceMemoryFull, match=words), ready(Tight(CARD, ONNX, most=0)):
        pass
    with ready(Tight(CARD, ONNX, most=20, full_after=8)) as devices:
        runner = runner_of(devices)
        assert_same(runner.run({NAME: ROWS[:60]}), wanted, slice(0, 60))
        with pytest.raises(DeviceMemoryFull, match=words):
            runner.run({NAME: ROWS})
        with pytest.raises(DeviceMemoryFull, match=words):
            runner.run({NAME: ROWS[:1]})


@pytest.mark.parametrize(
    ("engine", "error", "words"),
    [
        ("onnx:fp32:cuda", ModelError, "ONNX Runtime finds no GPU here"),
        ("tensorrt:fp16:cuda", MissingExtra, "tensorrt"),
    ],
    ids=["onnx", "tensorrt"],
)
def test_what_cannot_be_loaded_is_refused_with_its_reason(engine: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words), ready(Hosted(CARD, engine)):
        pass


def test_a_folder_too_deep_for_a_socket_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(UsageError, match="too long a path for a socket"), ready(Tight(CARD, ONNX)):
        pass


def test_each_device_has_a_process(wanted: dict[str, np.ndarray]) -> None:
    with ready(Tight(CARD, ONNX), ids=("3", "GPU-1f")) as devices:
        pids = [pid_of(devices, at) for at in range(2)]
        for pid, device in zip(pids, ("3", "GPU-1f"), strict=True):
            told = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            assert f"CUDA_VISIBLE_DEVICES={device}".encode() in told
        assert [devices.reach(seat) for seat in (2, 3)] == [devices.reach(0), devices.reach(1)]
        assert devices.reach(0) != devices.reach(1)
        for seat in range(2):
            assert_same(runner_of(devices, seat).run({NAME: ROWS[:3]}), wanted, slice(0, 3))
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_none_stays_when_its_parent_is_killed() -> None:
    script = "import time\nfrom device_models import *\nfrom tintype.models.devices.starting import devices_for\n"
    script += "with devices_for([Tight(descriptor(), ONNX)]) as devices:\n"
    script += "    print(devices._processes[0]._running._process.pid, flush=True)\n    time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    parent.kill()
    parent.communicate()
    until = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()


def test_what_is_not_hosted_costs_nothing() -> None:
    with devices_for([]) as devices:
        devices.check()
        assert devices.reach(0) is None
    reach_devices(Reach("/nowhere", (("another card", ONNX), (CARD.fingerprint, "torch:bf16:cuda"))))
    assert not isinstance(load(CARD, Engine.of(ONNX)), DeviceRunner)
