"""Files to stored vectors on a GPU, against decoding alone on all cores and the model's forward pass alone.

    python -m benchmarks.embed_gpu                  # tars of 500-pixel JPEGs; ViT-B/32 and ViT-L/14 in bf16
    python -m benchmarks.embed_gpu --quick          # a tiny model, on the processor where there is no GPU

The models are transformers' own, with random weights. Decoding is scaled decoding and preparation as the workers do it,
a process a core, from bytes in memory. The forward pass runs in this process at the best of several sizes of a batch,
with its pixels on the device. What is embedded is read from tars in the page cache, and start-up counts. It needs no
Lance and no FAISS, and `PHOTOS` may name another folder of JPEGs than the test photos.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.corpus import photos
from benchmarks.figures import Figure, table
from benchmarks.measure import ROOT, WORK, load_average, machine, run
from benchmarks.options import Options, chosen_options, parser
from benchmarks.scan import own_state
from tintype.codec.decode import decode
from tintype.codec.limits import Limits
from tintype.models import registry
from tintype.models.adding.adding import add
from tintype.models.adding.wishes import Wishes
from tintype.models.card import Card
from tintype.models.engines import Engine, load
from tintype.models.preparing import prepared

BATCHES = (32, 64, 128, 256, 512, 1024)
_DECODED = 2_000  # images, by each process that decodes


@dataclass(frozen=True)
class Network:
    """A vision transformer, how many images are embedded with it, and the share of its bound that is asked for."""

    name: str
    layers: int
    hidden: int
    heads: int
    patch: int
    images: int
    bound: float


NETWORKS = (Network("vit_b_32", 12, 768, 12, 32, 200_000, 0.9), Network("vit_l_14", 24, 1024, 16, 14, 40_000, 0.95))
TINY = Network("vit_tiny", 2, 64, 2, 32, 400, 0.9)


def measure(options: Options) -> list[Figure]:
    figures = []
    for network in (TINY,) if options.quick else NETWORKS:
        with tempfile.TemporaryDirectory(prefix="tintype-bench-") as work:
            os.environ.update(own_state(Path(work)))
            figures += _network(options, network, Path(work))
    return figures


def _network(options: Options, network: Network, work: Path) -> list[Figure]:
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    engine = Engine("torch", "bf16" if device == "cuda" else "fp32", device)
    card = made(network, work)
    tars = shards(2_000 if not options.quick else 200, network.images)
    cores = len(os.sched_getaffinity(0))
    decoding = decoded_per_s(tars[0], card, cores, _DECODED if not options.quick else 200)
    forward, batch = forward_per_s(card, engine, BATCHES if not options.quick else (8,))
    words = ["embed", *map(str, tars), "--output", str(work / "out"), "--model", card.name, "--backend", str(engine)]
    words += ["--shard-images", "1000"]  # none has an image twice, and the last ones end together
    began = time.perf_counter()
    cost = run([*options.tintype, *words, "--workers", str(cores), "--json"])
    wall_s = time.perf_counter() - began
    answer = json.loads(cost.stdout)
    if answer["vectors"] != network.images:
        raise RuntimeError(f"not every image has a vector: {cost.stdout[:500]}")
    embedded = network.images / wall_s
    limit = min(decoding, forward)
    what = f"{engine}, {cores} cores, {torch.cuda.get_device_name(0) if device == 'cuda' else 'no GPU'}"
    spent = ", ".join(f"{name} {seconds:.1f}" for name, seconds in answer["time"].items())
    return [
        Figure(f"{network.name}: decoding alone", decoding, "images/s", detail=what),
        Figure(f"{network.name}: forward alone", forward, "images/s", detail=f"batches of {batch}"),
        Figure(
            f"{network.name}: files to vectors", embedded, "images/s", detail=f"{network.images:,} images; {spent} s"
        ),
        Figure(f"{network.name}: of the lesser", embedded / limit, "", network.bound, "at least"),
    ]


def made(network: Network, work: Path) -> Card:
    """The card of such a network with seeded weights, added as any folder of transformers is."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=network.hidden,
        num_hidden_layers=network.layers,
        num_attention_heads=network.heads,
        intermediate_size=4 * network.hidden,
        patch_size=network.patch,
        image_size=224,
    )
    folder = work / network.name
    transformers.ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    transformers.CLIPImageProcessor().save_pretrained(folder)
    (card,) = add(str(folder), Wishes(name=network.name, license="Apache-2.0", with_onnx=False))
    return registry.card(card.name)


def shards(distinct: int, images: int) -> list[Path]:
    """Tars of 10,000 images that come again and again under other names, made once."""
    folder = WORK / f"tars-{distinct}-{images}"
    if not folder.exists():
        half = Path(tempfile.mkdtemp(prefix=".half-", dir=WORK))
        found = _photos(distinct)
        for number, start in enumerate(range(0, images, 10_000)):
            with tarfile.open(half / f"{number:05}.tar", "w") as tar:
                for image in range(start, min(start + 10_000, images)):
                    tar.add(found[image % len(found)], arcname=f"{image:07}.jpg")
        half.rename(folder)
    return sorted(folder.glob("*.tar"))


def _photos(distinct: int) -> list[Path]:
    named = os.environ.get("PHOTOS")
    folder = Path(named) if named else photos(distinct)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def decoded_per_s(tar: Path, card: Card, cores: int, count: int) -> float:
    """Of all cores together: each process says when it began and ended to decode, loading not counted."""
    command = [sys.executable, "-m", "benchmarks.embed_gpu", "--decode", str(tar), card.name, str(count)]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(cores)]
    spans = [json.loads(process.communicate()[0]) for process in running]
    seconds = max(end for _, end in spans) - min(begin for begin, _ in spans)
    return float(cores * count / seconds)


def _decode(tar: str, name: str, count: str) -> None:
    card = registry.card(name)
    with tarfile.open(tar) as opened:
        data = [opened.extractfile(member).read() for member in opened.getmembers()[: int(count)]]  # type: ignore[union-attr]  # all are files
    begin = time.time()
    for number in range(int(count)):
        image = decode(data[number % len(data)], limits=Limits(), shorter_px=card.pixels.least_shorter_px)
        prepared([image.rgb], card.pixels, [(image.width, image.height)])
    print(json.dumps([begin, time.time()]))


def forward_per_s(card: Card, engine: Engine, batches: tuple[int, ...]) -> tuple[float, int]:
    """The most images a second, and the size of the batch at which the model runs them."""
    import torch

    runner: Any = load(card, engine)
    tower, dtype = runner.tower, next(runner.tower.parameters()).dtype
    found = []
    for batch in batches:
        pixels = torch.from_numpy(np.zeros((batch, 3, card.pixels.height, card.pixels.width), np.float32))
        pixels = pixels.to(engine.device, dtype=dtype, memory_format=torch.channels_last)
        with torch.inference_mode():
            for _ in range(3):
                tower(pixels)
            _wait(engine)
            began, rounds = time.perf_counter(), 0
            while time.perf_counter() - began < 2:
                for _ in range(5):
                    tower(pixels)
                _wait(engine)
                rounds += 5
        found.append((batch * rounds / (time.perf_counter() - began), batch))
    return max(found)


def _wait(engine: Engine) -> None:
    import torch

    if engine.device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--decode"]:
        _decode(*sys.argv[2:5])
    else:
        given = chosen_options(parser(__doc__).parse_args())
        print(machine())
        print(f"load average before: {load_average():.2f}", flush=True)
        print(table(measure(given), judged=not given.quick))
