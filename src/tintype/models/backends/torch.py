"""PyTorch on the processor or a GPU: the engine of safetensors, and the reference of the others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from tintype.core.errors import DeviceMemoryFull, ModelError
from tintype.models.backends.torch_modules import tower
from tintype.models.base import RunnerInfo
from tintype.models.card import Card, PixelInput

Device = Literal["cpu", "cuda"]
Precision = Literal["fp32", "bf16", "fp16"]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class TorchRunner:
    """One model on one device.

    On a processor images and texts run one by one, in one thread: PyTorch takes other kernels for other sizes of a
    batch, and a row's last bits would depend on its neighbors. On a GPU a batch runs as a whole.
    """

    def __init__(self, card: Card, device: Device, precision: Precision) -> None:
        self._card, self._device, self._precision = card, device, precision
        made = tower(card).to(device=torch.device(device), dtype=_DTYPES[precision])
        self.tower = made.to(memory_format=torch.channels_last)
        if isinstance(card.input, PixelInput):
            self._channels = [2, 1, 0] if card.input.order == "bgr" else [0, 1, 2]
            mean, std = card.input.mean, card.input.std
            scale = [1 / std[channel] for channel in self._channels]
            shift = [-mean[channel] / std[channel] for channel in self._channels]
            self._scale = torch.tensor(scale, device=device).view(1, 3, 1, 1)
            self._shift = torch.tensor(shift, device=device).view(1, 3, 1, 1)

    @property
    def info(self) -> RunnerInfo:
        return RunnerInfo(self._card, "torch", self._device, self._precision)

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs of the card by name, float32 or int64 (n, ...).

        Raises MemoryError where the device has too little memory for so many rows, ModelError for whatever else goes
        wrong.
        """
        rows = len(inputs[self._card.input_names[0]]) if self._card.input_names[0] in inputs else 0
        with told(self._card, rows), torch.inference_mode():
            given = [torch.from_numpy(_writable(inputs[name])) for name in self._card.input_names]
            made = self.compute([part.to(self._device, non_blocking=True) for part in given])
            return {output.name: values.cpu().numpy() for output, values in zip(self._card.outputs, made, strict=True)}

    def compute(self, given: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """All outputs for inputs on the device, there: float32 or int64 (n, ...). Raises whatever PyTorch raises."""
        rows = len(given[0])
        if self._device != "cpu":
            return self._forward(*given)
        parts = [self._forward(*(part[row : row + 1] for part in given)) for row in range(rows)]
        nothing = [torch.empty((0, *output.shape)) for output in self._card.outputs]
        return [torch.cat(values) for values in zip(*parts, strict=True)] if parts else nothing

    def _forward(self, *given: torch.Tensor) -> list[torch.Tensor]:
        if isinstance(self._card.input, PixelInput):
            given = (self._normalized(given[0]), *given[1:])
        made = self.tower(*given)
        return [output.float() if output.is_floating_point() else output for output in made]

    def _normalized(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, h, w, 3) uint8 as the network takes it; in float32 until the last step, as `preparing.network_input`."""
        planes = pixels.permute(0, 3, 1, 2)[:, self._channels].to(torch.float32)
        values = planes * self._scale + self._shift
        return values.to(_DTYPES[self._precision], memory_format=torch.channels_last)


class TorchBackend:
    """Loads cards whose weights are safetensors."""

    def load(self, card: Card, device: Device = "cpu", precision: Precision = "fp32") -> TorchRunner:
        """Raises ModelError for weights that are not what the card says, a device that is not there, and half
        precision on a processor; DeviceMemoryFull; MissingExtra where the model's library is not installed."""
        if device == "cpu" and precision != "fp32":
            raise ModelError(f"{precision} is for GPUs; on a processor models run in fp32")
        if device == "cuda" and not torch.cuda.is_available():
            raise ModelError("PyTorch finds no GPU here. Use the processor, or see: tintype doctor")
        if device == "cpu":
            torch.set_num_threads(1)  # there is one worker for each core
        try:
            return TorchRunner(card, device, precision)
        except RuntimeError as error:
            if is_of_memory(error):
                raise DeviceMemoryFull(
                    f"the model {card.name} does not fit the memory of the GPU in {precision}. Close other programs "
                    "that use it, or take less precision (--backend torch:bf16:cuda) or a smaller model (--model)"
                ) from error
            raise


def _writable(values: NDArray[Any]) -> NDArray[Any]:
    """Views of a batch are frozen, which PyTorch cannot express."""
    return np.ascontiguousarray(values) if values.flags.writeable else values.copy()


@contextlib.contextmanager
def told(card: Card, rows: int) -> Iterator[None]:
    """What goes wrong on so many rows: MemoryError where the device has too little memory, else ModelError."""
    try:
        yield
    except (RuntimeError, ValueError, IndexError, KeyError) as error:
        if is_of_memory(error):
            raise MemoryError(f"{card.name}: {rows} rows do not fit the memory of the GPU") from error
        raise ModelError(f"card {card.name}: PyTorch cannot run it: {one_line(error)}") from error


def is_of_memory(error: BaseException) -> bool:
    """Whether a device has too little memory: its libraries take some past PyTorch's own allocator."""
    words = str(error)
    return isinstance(error, torch.OutOfMemoryError) or "CUDA error: out of memory" in words or "ALLOC_FAILED" in words


def one_line(error: BaseException) -> str:
    """What PyTorch says, cut to 200 characters."""
    return " ".join(str(error).split())[:200]
