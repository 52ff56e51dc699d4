"""TensorRT on a GPU of NVIDIA's: an engine built from the card's ONNX weights for this device, and kept.

Written to the interface that TensorRT 10 documents (docs.nvidia.com/deeplearning/tensorrt, Python API: Builder,
IOptimizationProfile, OnnxParser, IExecutionContext) and to cuda-python's `cuda.bindings.runtime`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from blake3 import blake3
from numpy.typing import NDArray

from tintype.core.errors import MissingExtra, ModelError
from tintype.core.names import shown
from tintype.core.platform import write_atomically
from tintype.models.base import RunnerInfo
from tintype.models.card import Card, PixelInput, TextInput
from tintype.models.card_file import read_file
from tintype.models.preparing import network_input

MOST_ROWS = 256
USUAL_ROWS = 64
_DTYPES = {"FLOAT": np.float32, "HALF": np.float16, "INT64": np.int64, "INT32": np.int32, "UINT8": np.uint8}
_PRECISIONS = ("fp16", "fp32")

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Built:
    """All that a built engine depends on: it runs on no other device and with no other TensorRT."""

    card: str  # fingerprint
    weights: str  # SHA-256
    device: str
    capability: str
    tensorrt: str
    precision: str
    most_rows: int = MOST_ROWS

    @property
    def path(self) -> Path:
        """Where it lies in the user's cache folder."""
        name = blake3(json.dumps(asdict(self), sort_keys=True).encode()).digest(16).hex()
        return Path(platformdirs.user_cache_dir("tintype", appauthor=False)) / "tensorrt" / f"{name}.plan"


def shapes(card: Card) -> dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """The least, usual and largest shape of each input, for the optimization profile."""
    given = card.single_input
    if isinstance(given, PixelInput):
        row: tuple[int, ...] = (
            (3, given.height, given.width) if given.layout == "NCHW" else (given.height, given.width, 3)
        )
        rows = {given.name: (row, row)}
    elif isinstance(given, TextInput):
        short = (given.length,) if given.pad_to_length else (1,)
        rows = {name: (short, (given.length,)) for name in (given.name, given.mask) if name}
    else:
        raise ModelError(f"card {card.name} ({card.task}) runs on vectors, which is not worth a GPU")
    return {name: ((1, *least), (USUAL_ROWS, *most), (MOST_ROWS, *most)) for name, (least, most) in rows.items()}


class TensorRTBackend:
    """Loads cards that have ONNX weights."""

    def load(self, card: Card, precision: str = "fp16") -> TensorRTRunner:
        """Builds the engine where none is kept, which takes minutes for a large model.

        Raises ModelError without ONNX weights, without a GPU, and for weights that TensorRT cannot build;
        MissingExtra where TensorRT or cuda-python is not installed.
        """
        if precision not in _PRECISIONS:
            raise ModelError(f"{shown(precision)} is not for TensorRT; there are {', '.join(_PRECISIONS)}")
        weights = card.weights_for("onnx")
        wanted = shapes(card)
        try:
            import tensorrt
            from cuda.bindings import runtime as cuda
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in ("tensorrt", "cuda"):
                raise
            raise MissingExtra(f"running the model {card.name} on TensorRT", "tensorrt") from error
        if not hasattr(tensorrt.BuilderFlag, "FP16"):
            raise ModelError(f"TensorRT {tensorrt.__version__} is newer than is known. Install tensorrt<11")
        status, properties = cuda.cudaGetDeviceProperties(0)
        if int(status) != 0:
            raise ModelError("TensorRT needs a GPU of NVIDIA's, and CUDA finds none here. See: tintype doctor")
        built = Built(
            card=card.fingerprint,
            weights=weights.file.sha256,
            device=properties.name.decode() if isinstance(properties.name, bytes) else str(properties.name),
            capability=f"{properties.major}.{properties.minor}",
            tensorrt=tensorrt.__version__,
            precision=precision,
        )
        logger = tensorrt.Logger(tensorrt.Logger.ERROR)
        engine = _kept(tensorrt, logger, built.path)
        if engine is None:
            plan = _build(tensorrt, logger, card, wanted, precision)
            _keep(built.path, plan)
            engine = tensorrt.Runtime(logger).deserialize_cuda_engine(plan)
        if engine is None:
            raise ModelError(f"card {card.name}: TensorRT cannot load the engine that it built")
        return TensorRTRunner(card, engine, cuda, precision)


class TensorRTRunner:
    """One engine with one context and one stream, and device memory for the largest batch."""

    def __init__(self, card: Card, engine: Any, cuda: Any, precision: str) -> None:
        self._card, self._engine, self._cuda, self._precision = card, engine, cuda, precision
        names = [engine.get_tensor_name(at) for at in range(engine.num_io_tensors)]
        missing = [output.name for output in card.outputs if output.name not in names]
        if missing or card.input.name not in names:
            raise ModelError(
                f"card {card.name}: its inputs or outputs are not those of its weights: {', '.join(names)}"
            )
        self._context = engine.create_execution_context()
        self._stream = self._done(cuda.cudaStreamCreate())
        self._dtypes = {name: np.dtype(_DTYPES[engine.get_tensor_dtype(name).name]) for name in names}
        largest = {name: most for name, (_, _, most) in shapes(card).items()}
        largest |= {output.name: (MOST_ROWS, *output.shape) for output in card.outputs}
        self._memory = {}
        for name in names:
            if name not in largest:
                raise ModelError(f"card {card.name}: its weights have a tensor {name} that the card does not know")
            size = int(np.prod(largest[name])) * self._dtypes[name].itemsize
            self._memory[name] = self._done(cuda.cudaMalloc(size))
            self._context.set_tensor_address(name, int(self._memory[name]))

    @property
    def info(self) -> RunnerInfo:
        return RunnerInfo(self._card, "tensorrt", "cuda", self._precision)

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """As `base.Runner.run`."""
        given = self._given(inputs)
        count = len(next(iter(given.values())))
        parts = [
            self._part({name: rows[at : at + MOST_ROWS] for name, rows in given.items()})
            for at in range(0, count, MOST_ROWS)
        ]
        nothing = {output.name: np.empty((0, *output.shape), np.float32) for output in self._card.outputs}
        return {name: np.concatenate([none, *(part[name] for part in parts)]) for name, none in nothing.items()}

    def _given(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        given = self._card.input
        if isinstance(given, PixelInput):
            return {given.name: network_input(inputs[given.name], given)}
        return {name: inputs[name] for name in shapes(self._card)}

    def _part(self, given: Arrays) -> dict[str, NDArray[np.float32]]:
        cuda, copy = self._cuda, self._cuda.cudaMemcpyKind
        count = len(next(iter(given.values())))
        held = {name: np.ascontiguousarray(rows, self._dtypes[name]) for name, rows in given.items()}
        for name, rows in held.items():
            self._context.set_input_shape(name, rows.shape)
            self._done(
                cuda.cudaMemcpyAsync(
                    self._memory[name], rows.ctypes.data, rows.nbytes, copy.cudaMemcpyHostToDevice, self._stream
                )
            )
        if not self._context.execute_async_v3(int(self._stream)):
            raise ModelError(f"card {self._card.name}: TensorRT cannot run it on {count} rows")
        made = {}
        for output in self._card.outputs:
            rows = made[output.name] = np.empty((count, *output.shape), self._dtypes[output.name])
            self._done(
                cuda.cudaMemcpyAsync(
                    rows.ctypes.data, self._memory[output.name], rows.nbytes, copy.cudaMemcpyDeviceToHost, self._stream
                )
            )
        self._done(cuda.cudaStreamSynchronize(self._stream))
        return {name: rows.astype(np.float32, copy=False) for name, rows in made.items()}

    def _done(self, answer: tuple[Any, ...]) -> Any:
        """What a call of CUDA gave. Raises MemoryError where the device is full, ModelError for any other failure."""
        status, *values = answer
        if int(status) != 0:
            name = getattr(status, "name", str(status))
            if name == "cudaErrorMemoryAllocation":
                raise MemoryError(f"{self._card.name}: the memory of the GPU is full")
            raise ModelError(f"card {self._card.name}: CUDA failed: {name}")
        return values[0] if values else None


def _kept(tensorrt: Any, logger: Any, path: Path) -> Any:
    """The engine of an earlier time; None where there is none, or another one than this machine can load."""
    try:
        plan = path.read_bytes()
    except OSError:
        return None
    return tensorrt.Runtime(logger).deserialize_cuda_engine(plan)


def _keep(path: Path, plan: bytes) -> None:
    """A cache that cannot be written costs time, nothing else."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(path, plan, mode=0o600)
    except Exception:  # noqa: BLE001, S110  # a full disk among others
        pass


def _build(tensorrt: Any, logger: Any, card: Card, wanted: Mapping[str, Any], precision: str) -> bytes:
    builder = tensorrt.Builder(logger)
    network = builder.create_network(0)  # batches are always explicit since version 10
    parser = tensorrt.OnnxParser(network, logger)
    if not parser.parse(read_file(card, card.weights_for("onnx").file)):
        said = shown(str(parser.get_error(0).desc()))[:200] if parser.num_errors else "it does not say why"
        raise ModelError(f"card {card.name}: TensorRT cannot read its ONNX weights: {said}")
    config = builder.create_builder_config()
    if precision == "fp16":
        config.set_flag(tensorrt.BuilderFlag.FP16)
    profile = builder.create_optimization_profile()
    for name, (least, usual, most) in wanted.items():
        profile.set_shape(name, least, usual, most)
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise ModelError(f"card {card.name}: TensorRT cannot build an engine of its weights")
    return bytes(plan)
