"""CPU of describing an image by the built-in descriptor, from the 320-px view on, beside the network it started from.

One process with one thread, as a worker of a scan: the square is made of the view that all stages share, eight images
run at once. Both models take turns.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np

from benchmarks.copy_truth import DATA, read_photos
from benchmarks.edits import pixels_of
from benchmarks.figures import Figure, spread
from benchmarks.options import Options, report
from tintype.codec.image import Image
from tintype.models.backends.onnx_runtime import onnxruntime
from tintype.models.running import runner
from tintype.stages.base import SHARED_SIDE_PX, Batch
from tintype.stages.descriptor import CARD, STAGE, Settings

START = DATA / "models" / "mobilenet_v1_050_160_imagenet.onnx"
START_PX, AT_ONCE = 160, 8
ROUNDS = 7
BOUND_MS = 1.0


def measure(options: Options) -> list[Figure]:
    cv2.setNumThreads(1)
    photos = read_photos(DATA / "photos-imagenet")[: 40 if options.quick else 200]
    views = [Batch([b""], [_image(pixels_of(photo.data))]).fitted(SHARED_SIDE_PX)[0] for photo in photos]
    jobs: dict[str, Callable[[], None]] = {
        "describing an image": lambda: _describe(views),
        "of which making the square": lambda: _square(views),
        "the start at 160 px, its network alone": _start(len(views)),
    }
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(ROUNDS):
        for name, job in jobs.items():
            began = time.process_time()
            job()
            taken[name].append(1000 * (time.process_time() - began) / len(views))
    bounds = {"describing an image": BOUND_MS}
    figures = [
        Figure(name, statistics.median(values), "ms CPU/image", bounds.get(name), detail=f"{spread(values)} ms")
        for name, values in taken.items()
    ]
    rounds = [ours / theirs for ours, theirs in zip(taken["describing an image"], taken[[*jobs][2]], strict=True)]
    return [*figures, Figure("describing / the start's network", statistics.median(rounds), "", detail=spread(rounds))]


def _image(rgb: np.ndarray) -> Image:
    from tintype.testing.stages import image_of

    return image_of(rgb)


def _batches(views: list[np.ndarray]) -> list[Batch]:
    parts = [views[start : start + AT_ONCE] for start in range(0, len(views), AT_ONCE)]
    return [Batch([b""] * len(part), [_image(view) for view in part], runner(CARD)) for part in parts]


def _describe(views: list[np.ndarray]) -> None:
    for batch in _batches(views):
        STAGE.compute(batch, Settings())


def _square(views: list[np.ndarray]) -> None:
    for batch in _batches(views):
        batch.rgb(CARD.pixels.width)


def _start(count: int) -> Callable[[], None]:
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(START), settings, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    pixels = np.random.default_rng(0).uniform(-1, 1, (AT_ONCE, 3, START_PX, START_PX)).astype(np.float32)

    def run() -> None:
        for _ in range(-(-count // AT_ONCE)):
            session.run(None, {name: pixels})

    return run


if __name__ == "__main__":
    report(measure, __doc__)
