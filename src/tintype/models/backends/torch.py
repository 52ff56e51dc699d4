"""PyTorch on the processor or a GPU: the engine of safetensors, and the reference of the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from tintype.core.errors import ModelError
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
        try:
            given = [torch.from_numpy(_writable(inputs[name])) for name in self._card.input_names]
            rows = len(given[0])
            starts, step = (range(rows), 1) if self._device == "cpu" else (range(0, max(rows, 1), max(rows, 1)), rows)
            with torch.inference_mode():
                parts = [self._forward(*(part[start : start + step] for part in given)) for start in starts]
                return {
                    output.name: _joined([part[at] for part in parts], output.shape)
                    for at, output in enumerate(self._card.outputs)
                }
        except torch.OutOfMemoryError as error:
            raise MemoryError(f"{self._card.name}: {len(given[0])} rows do not fit the memory of the GPU") from error
        except (RuntimeError, ValueError, IndexError, KeyError) as error:
            first = " ".join(str(error).split())[:200]
            raise ModelError(f"card {self._card.name}: PyTorch cannot run it: {first}") from error

    def _forward(self, *given: torch.Tensor) -> list[torch.Tensor]:
        moved = [part.to(self._device, non_blocking=True) for part in given]
        if isinstance(self._card.input, PixelInput):
            moved[0] = self._normalized(moved[0])
        made = self.tower(*moved)
        return [(output.float() if output.is_floating_point() else output).cpu() for output in made]

    def _normalized(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, h, w, 3) uint8 as the network takes it; in float32 until the last step, as `preparing.network_input`."""
        planes = pixels.permute(0, 3, 1, 2)[:, self._channels].to(torch.float32)
        values = planes * self._scale + self._shift
        return values.to(_DTYPES[self._precision], memory_format=torch.channels_last)


class TorchBackend:
    """Loads cards whose weights are safetensors."""

    def load(self, card: Card, device: Device = "cpu", precision: Precision = "fp32") -> TorchRunner:
        """Raises ModelError for weights that are not what the card says, a device that is not there, and half
        precision on a processor; MissingExtra where the model's library is not installed."""
        if device == "cpu" and precision != "fp32":
            raise ModelError(f"{precision} is for GPUs; on a processor models run in fp32")
        if device == "cuda" and not torch.cuda.is_available():
            raise ModelError("PyTorch finds no GPU here. Use the processor, or see: tintype doctor")
        if device == "cpu":
            torch.set_num_threads(1)  # there is one worker for each core
        return TorchRunner(card, device, precision)


def _writable(values: NDArray[Any]) -> NDArray[Any]:
    """Views of a batch are frozen, which PyTorch cannot express."""
    return np.ascontiguousarray(values) if values.flags.writeable else values.copy()


def _joined(parts: list[torch.Tensor], shape: tuple[int, ...]) -> NDArray[Any]:
    values: NDArray[Any] = torch.cat(parts).numpy() if parts else np.empty((0, *shape), np.float32)
    return values
