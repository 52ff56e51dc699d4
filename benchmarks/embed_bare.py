"""CPU-seconds of the three bare parts of embedding, on one core: scaled decoding, preprocessing, the model's session.

Arguments: a folder of JPEGs and a card's file. Bytes are read beforehand, nothing is checked, nothing is kept, and
neither start-up nor loading the model counts.
"""

from __future__ import annotations

import json
import sys
import time
from math import ceil
from pathlib import Path

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from tintype.codec.scale import power_of_two_below
from tintype.models.backends.onnx_runtime import onnxruntime
from tintype.models.card_file import read_card
from tintype.models.preparing import network_input, prepared

BATCH = 8  # as the engine has it on a processor


def main(folder: str, card_file: str) -> None:
    card = read_card(Path(card_file))
    pixels, vectors = card.pixels, card.vectors()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    weights = str(card.folder / card.weights_for("onnx").file.name)
    session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
    session.run([vectors.name], {pixels.name: np.zeros((BATCH, 3, pixels.height, pixels.width), np.float32)})
    spent = {"decode": 0.0, "prepare": 0.0, "session": 0.0}
    paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    for start in range(0, len(paths), BATCH):
        data = [path.read_bytes() for path in paths[start : start + BATCH]]
        sizes = [simplejpeg.decode_jpeg_header(one)[:2] for one in data]
        begin = time.process_time()
        images = [
            _decoded(one, size[0], size[1], pixels.least_shorter_px) for one, size in zip(data, sizes, strict=True)
        ]
        decoded = time.process_time()
        ready = network_input(prepared(images, pixels), pixels)
        made = time.process_time()
        session.run([vectors.name], {pixels.name: ready})
        spent["decode"] += decoded - begin
        spent["prepare"] += made - decoded
        spent["session"] += time.process_time() - made
    print(json.dumps({"images": len(paths), **spent}))


def _decoded(data: bytes, height: int, width: int, shorter_px: int) -> NDArray[np.uint8]:
    longer_px = min(max(height, width), ceil(shorter_px * max(height, width) / min(height, width)))
    divisor = power_of_two_below(max(height, width), longer_px, 8)
    rgb: NDArray[np.uint8] = simplejpeg.decode_jpeg(
        data, "RGB", min_height=-(-height // divisor), min_width=-(-width // divisor)
    )
    return rgb


if __name__ == "__main__":
    main(*sys.argv[1:])
