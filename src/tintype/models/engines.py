"""Engines: their names, which of them run here, and the runner that one makes of a card."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from tintype.core.errors import MissingExtra, ModelError, UsageError
from tintype.core.names import shown
from tintype.models.base import Runner
from tintype.models.card import Card
from tintype.models.devices.client import device_runner

BACKENDS = ("onnx", "torch", "tensorrt", "triton")
AUTO = "auto"

_PRECISIONS = {
    "onnx": ("fp32", "tf32"),
    "torch": ("fp32", "bf16", "fp16"),
    "tensorrt": ("fp16", "fp32"),
    "triton": ("served",),
}
_DEVICES = {"onnx": ("cpu", "cuda"), "torch": ("cpu", "cuda"), "tensorrt": ("cuda",), "triton": ("server",)}


@dataclass(frozen=True)
class Engine:
    """A backend, how precisely it computes, and on what; as a word `torch:bf16:cuda`.

    The word stands in `stages.base.Model.backend` and so in the number that tells stale rows. Where a Triton server is
    does not: that is the machine's to say (`TINTYPE_TRITON`), and what it runs is compared with the card.
    """

    backend: str
    precision: str
    device: str

    def __str__(self) -> str:
        return f"{self.backend}:{self.precision}:{self.device}"

    @classmethod
    def of(cls, word: str) -> Engine:
        """The engine of a word. Raises UsageError for one that there is not."""
        parts = word.split(":")
        if len(parts) == 3 and parts[1] in _PRECISIONS.get(parts[0], ()) and parts[2] in _DEVICES[parts[0]]:
            return cls(*parts)
        raise UsageError(f"{shown(word)!r} is no engine; one is written as in onnx:fp32:cpu or torch:bf16:cuda")


ONNX = Engine("onnx", "fp32", "cpu")
TORCH = Engine("torch", "fp32", "cpu")


def default(card: Card) -> Engine:
    """What runs a card where nobody asked for anything else."""
    there = {part.engine for part in card.weights}
    return TORCH if "torch" in there and "onnx" not in there else ONNX


def load(card: Card, engine: Engine) -> Runner:
    """A runner of exactly that engine; that of a device process where one runs the card for this worker.

    Raises ModelError where it cannot run the card, MissingExtra without it.
    """
    if (served := device_runner(card, engine.backend, engine.precision, engine.device)) is not None:
        return served
    if engine.backend == "onnx":
        from tintype.models.backends.onnx import OnnxBackend  # the runtimes are slow to load

        return OnnxBackend().load(card, engine.device, engine.precision)  # type: ignore[arg-type]  # checked by `of`
    if engine.backend == "torch":
        if find_spec("torch") is None:
            raise MissingExtra(f"running the model {card.name} on PyTorch", "torch")
        from tintype.models.backends.torch import TorchBackend

        return TorchBackend().load(card, engine.device, engine.precision)  # type: ignore[arg-type]  # checked by `of`
    if engine.backend == "tensorrt":
        from tintype.models.backends.tensorrt import TensorRTBackend

        return TensorRTBackend().load(card, engine.precision)
    if engine.backend == "triton":
        from tintype.models.backends.triton import TritonBackend

        return TritonBackend().load(card)
    raise ModelError(f"there is no engine {shown(engine.backend)!r}; there are {', '.join(BACKENDS)}")


def engines(card: Card) -> tuple[Engine, ...]:
    """The engines that are installed here and that the card has weights for, the default one first."""
    there = {part.engine for part in card.weights}
    found = [ONNX] if "onnx" in there else []
    if "onnx" in there:
        from tintype.models.backends.onnx import has_gpu as has_onnx_gpu

        found += [Engine("onnx", precision, "cuda") for precision in _PRECISIONS["onnx"] if has_onnx_gpu()]
    if "torch" in there and find_spec("torch") is not None:
        from tintype.models.backends.torch_devices import has_gpu

        found.append(TORCH)
        found += [Engine("torch", precision, "cuda") for precision in _PRECISIONS["torch"] if has_gpu()]
    if "onnx" in there and find_spec("tensorrt") is not None:
        found += [Engine("tensorrt", precision, "cuda") for precision in _PRECISIONS["tensorrt"]]
    if find_spec("tritonclient") is not None:
        from tintype.models.backends.triton import is_named

        found += [Engine("triton", "served", "server")] if is_named() else []
    return tuple(found)
