"""PyTorch behind a pipe gives the bits of the plain runner; its own errors become ours. No GPU: streams do nothing."""

import os
from typing import Any

import numpy as np
import pytest
from device_models import Tight, job, on_path, pixels
from torch_libraries import WORKERS, save_timm, torch

from tintype.core.errors import DeviceMemoryFull, ModelError
from tintype.models.adding.adding import add
from tintype.models.adding.wishes import Wishes
from tintype.models.backends import torch as torch_backend
from tintype.models.backends.torch import TorchBackend, TorchRunner
from tintype.models.backends.torch_pipe import TorchPipe
from tintype.models.card import Card
from tintype.models.devices.batches import Batches
from tintype.models.devices.client import DeviceRunner, reach_devices
from tintype.models.devices.pipes import DeviceLost
from tintype.models.devices.starting import devices_for
from tintype.models.devices.trial import most_rows
from tintype.models.engines import TORCH, load


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Card:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("timm")
        patch.setenv("TINTYPE_MODELS", str(folder / "models"))
        save_timm(folder / "vit")
        return add(str(folder / "vit"), Wishes(license="Apache-2.0"))[0]


@pytest.fixture
def runner(card: Card) -> TorchRunner:
    return TorchBackend().load(card)


def run(batches: Batches) -> list[Any]:
    over: list[Any] = []
    while not batches.is_idle:
        over += batches.step()
    return over


def test_rows_of_several_batches_are_those_of_the_runner(card: Card, runner: TorchRunner) -> None:
    values = pixels(card, 20)
    wanted = runner.run({card.input.name: values})
    batches = Batches([TorchPipe(runner)], [7])
    jobs = [(job(card, values[start : start + 5]), start) for start in range(0, 20, 5)]
    for one, _ in jobs:
        batches.add(one)
    assert len(run(batches)) == 4
    for one, start in jobs:
        for output, made in zip(card.outputs, one.outputs, strict=True):
            assert np.array_equal(made, wanted[output.name][start : start + 5])
        assert one.compute_s > 0
        assert one.copy_s > 0


def test_a_device_process_gives_them_too(card: Card, runner: TorchRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(WORKERS), on_path()]))
    values = pixels(card, 30)
    wanted = runner.run({card.input.name: values})
    with devices_for([Tight(card, str(TORCH), most=10)]) as devices:
        devices.wait()
        reach_devices(devices.reach(0))
        served = load(card, TORCH)
        reach_devices(None)
        assert isinstance(served, DeviceRunner)
        made = served.run({card.input.name: values})
    assert made.keys() == wanted.keys()
    assert all(np.array_equal(made[name], wanted[name]) for name in wanted)


def raising(runner: TorchRunner, error: Exception, above: int = 0) -> TorchPipe:
    """What PyTorch raises of more rows than that, where it raises it: in the forward pass."""
    plain = runner.compute

    def compute(given: Any) -> Any:
        if len(given[0]) > above:
            raise error
        return plain(given)

    runner.compute = compute  # type: ignore[method-assign]  # of this one alone
    return TorchPipe(runner)


OUT_OF_MEMORY = torch.OutOfMemoryError(
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of …"
)
PAST_THE_ALLOCATOR = torch.AcceleratorError("CUDA error: out of memory")
IN_A_LIBRARY = RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


@pytest.mark.parametrize(
    "error", [OUT_OF_MEMORY, PAST_THE_ALLOCATOR, IN_A_LIBRARY], ids=["allocator", "driver", "library"]
)
def test_a_batch_that_does_not_fit_is_run_in_halves(card: Card, runner: TorchRunner, error: Exception) -> None:
    values = pixels(card, 64)
    wanted = runner.run({card.input.name: values[30:34]})
    batches = Batches([raising(runner, error, above=40)], [64])
    batches.add(job(card, values))
    (one,) = run(batches)
    assert batches.most == [32]
    assert np.array_equal(one.outputs[0][30:34], wanted[card.outputs[0].name])


def test_one_row_that_does_not_fit_is_told(card: Card, runner: TorchRunner) -> None:
    batches = Batches([raising(runner, OUT_OF_MEMORY)], [64])
    batches.add(job(card, pixels(card, 3)))
    (one,) = run(batches)
    assert one.is_too_large


def test_a_device_that_is_lost_is_no_fault_of_a_batch(card: Card, runner: TorchRunner) -> None:
    batches = Batches([raising(runner, torch.AcceleratorError("CUDA error: unspecified launch failure"))], [64])
    batches.add(job(card, pixels(card, 3)))
    with pytest.raises(DeviceLost, match="unspecified launch failure"):
        batches.step()


def test_any_other_error_is_a_models(card: Card, runner: TorchRunner) -> None:
    batches = Batches([raising(runner, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))], [64])
    batches.add(job(card, pixels(card, 3)))
    (one,) = run(batches)
    assert "cannot be multiplied" in str(one.failure)


def test_a_trial_ends_where_memory_does(card: Card, runner: TorchRunner) -> None:
    """On a processor twice the rows bring nothing: the time that each takes is made to be the same."""
    ticks = iter(range(10**6))
    assert most_rows(raising(runner, OUT_OF_MEMORY, above=40), card, 1e9, lambda: next(ticks)) == 32
    assert most_rows(raising(runner, OUT_OF_MEMORY, above=3), card, 1e9, lambda: next(ticks)) == 2
    with pytest.raises(MemoryError):
        most_rows(raising(runner, OUT_OF_MEMORY), card, 1e9, lambda: next(ticks))


def test_weights_that_do_not_fit_are_told(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: Any) -> None:
        raise OUT_OF_MEMORY

    monkeypatch.setattr(torch_backend, "TorchRunner", no_room)
    with pytest.raises(DeviceMemoryFull, match=f"the model {card.name} does not fit the memory of the GPU in fp32"):
        TorchBackend().load(card)


def test_no_gpu_is_said(card: Card) -> None:
    with pytest.raises(ModelError, match="PyTorch finds no GPU here"):
        TorchBackend().load(card, "cuda", "bf16")
