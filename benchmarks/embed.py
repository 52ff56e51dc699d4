"""CPU of embedding photos into files, start-up included, against its bare parts and against clip-retrieval."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.corpus import photos, test_photos
from benchmarks.figures import Figure, spread
from benchmarks.measure import ROOT, WORK, Cost, median, run
from benchmarks.options import Options, report
from benchmarks.peers import Peer, install, version
from benchmarks.scan import interleaved, own_state
from tintype.models.card_file import write_card
from tintype.testing.models import real_card

MODEL = "mobilenet_v1_features"
BOUND = 1.10

# clip-retrieval's own reader, writer and loop; its mapper is replaced by the same ONNX model. sys.argv: the folder of
# images, an empty folder, the model's weights. A torchvision for a processor only has to be told its operators first.
CLIP_RETRIEVAL_JOB = """
import importlib, sys
import torch
library = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import onnxruntime
from torchvision import transforms
importlib.import_module("clip_retrieval")
parts = (sys.modules[f"clip_retrieval.clip_inference.{name}"] for name in ("reader", "runner", "writer"))
reader, runner, writer = parts
folder, output, weights = sys.argv[1:]
torch.set_num_threads(1)
preprocess = transforms.Compose([
    transforms.Resize(256, transforms.InterpolationMode.BILINEAR),
    transforms.CenterCrop(224),
    lambda image: image.convert("RGB"),
    transforms.ToTensor(),
    transforms.Normalize([128 / 255] * 3, [128 / 255] * 3),
])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(weights, options)
def embed(batch):
    vectors = session.run(["features"], {"image": batch["image_tensor"].numpy()})[0]
    return {"image_embs": vectors.astype("float16"), "image_filename": batch["image_filename"]}
class Log:
    def start(self): ...
    def end(self): ...
    def __call__(self, facts): ...
runner.Runner(
    lambda sampler: reader.FilesReader(sampler, preprocess, None, folder, 256, 2, enable_text=False),
    lambda: embed,
    lambda part: writer.NumpyWriter(part, output, False, True, False, 1),
    lambda part: Log(),
    1,
)(0)
print(len(importlib.import_module("numpy").load(output + "/img_emb/img_emb_0.npy")), "images")
"""
CLIP_RETRIEVAL = Peer(
    "clip_retrieval",
    "clip_retrieval",
    ("clip_retrieval", "torch==2.13.0", "onnxruntime", "setuptools<81"),
    CLIP_RETRIEVAL_JOB,
)


def card() -> Path:
    """The card of the feature extractor of the test data, with its weights beside it."""
    made, (weights,) = real_card(test_photos()[0].parent.parent, MODEL, "features")
    folder = WORK / "cards"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(weights, folder / weights.name)
    write_card(made, folder / f"{MODEL}.json")
    return folder / f"{MODEL}.json"


def embedded(options: Options, folder: Path, model: Path, workers: int) -> Cost:
    """Embed into an output that is thrown away. Raises RuntimeError unless each image has a vector."""
    state = Path(tempfile.mkdtemp(prefix="tintype-bench-"))
    try:
        words = ["embed", str(folder), "--output", str(state / "out"), "--model", str(model), "--workers", str(workers)]
        cost = run([*options.tintype, *words, "--json"], env=own_state(state))
        answer = json.loads(cost.stdout)
        if answer["vectors"] != sum(path.is_file() for path in folder.rglob("*")):
            raise RuntimeError(f"not every image has a vector: {cost.stdout[:500]}")
        return cost
    finally:
        shutil.rmtree(state, ignore_errors=True)


def bare(folder: Path, model: Path) -> Cost:
    """What the three parts take; `cpu_s` is their sum."""
    cost = run([sys.executable, "-m", "benchmarks.embed_bare", str(folder), str(model)], env={"PYTHONPATH": str(ROOT)})
    spent = json.loads(cost.stdout)
    return Cost(spent["decode"] + spent["prepare"] + spent["session"], cost.wall_s, None, cost.stdout)


def clip_retrieval(folder: Path, model: Path) -> Cost:
    work = Path(tempfile.mkdtemp(prefix="clip-retrieval-"))
    try:
        weights = str(model.with_suffix(".onnx"))
        command = [str(CLIP_RETRIEVAL.python), "-c", CLIP_RETRIEVAL.job, str(folder), str(work), weights]
        cost = run(
            command,
            env={"OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1", "HOME": str(work), "PATH": os.environ["PATH"]},
        )
        count = sum(path.is_file() for path in folder.rglob("*"))
        if f"{count} images" not in cost.stdout:
            raise RuntimeError(f"clip-retrieval embedded others than {count} images: {cost.stdout[-500:]}")
        return cost
    finally:
        shutil.rmtree(work, ignore_errors=True)


def measure(options: Options) -> list[Figure]:
    images = 500 if options.quick else 5000
    folder, model = photos(images), card()
    install(CLIP_RETRIEVAL)
    peer = version(CLIP_RETRIEVAL)
    costs = interleaved(
        {
            "bare": partial(bare, folder, model),
            "one": partial(embedded, options, folder, model, 1),
            "two": partial(embedded, options, folder, model, 2),
            peer: partial(clip_retrieval, folder, model),
        },
        options.runs,
    )
    parts = json.loads(costs["bare"][-1].stdout)
    detail = ", ".join(f"{name} {1000 * parts[name] / images:.2f}" for name in ("decode", "prepare", "session"))
    return [
        _per_image(f"bare parts, {images:,} images", costs["bare"], images, f"{detail} ms (last run)"),
        _per_image("tintype embed, one worker", costs["one"], images),
        _per_image("tintype embed, two workers", costs["two"], images),
        _ratio("CPU of tintype embed / bare parts, one worker", costs, "one", "bare", BOUND),
        _ratio("CPU of tintype embed / bare parts, two workers", costs, "two", "bare", None),
        _per_image(peer, costs[peer], images),
        _ratio(f"CPU of tintype embed / {peer}", costs, "two", peer, None),
    ]


def _per_image(name: str, costs: list[Cost], images: int, detail: str = "") -> Figure:
    middle = median(costs)
    detail = detail or f"{spread([cost.cpu_s for cost in costs])} s of CPU, {middle.wall_s:.1f} s by the clock"
    return Figure(name, 1000 * middle.cpu_s / images, "ms CPU/image", detail=detail)


def _ratio(name: str, costs: dict[str, list[Cost]], ours: str, theirs: str, bound: float | None) -> Figure:
    rounds = [mine.cpu_s / other.cpu_s for mine, other in zip(costs[ours], costs[theirs], strict=True)]
    return Figure(name, statistics.median(rounds), "", bound, detail=f"median of the rounds, {spread(rounds)}")


if __name__ == "__main__":
    report(measure, __doc__)
