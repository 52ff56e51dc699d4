"""Search by words over a million vectors with a filter: what words take, what comparing takes, and what loading does.

Vectors are two descriptors of real and made pictures in a row (`benchmarks/descriptor_sets.py`), 512 numbers as those
of CLIP's ViT-B/32; the text tower has the size of that model's and random weights. Each search is for other words; half
of the rows pass the filter. That the answers are those of comparing all exactly is counted.
"""

from __future__ import annotations

import importlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.descriptor_sets import descriptors
from benchmarks.descriptors import unit
from benchmarks.figures import Figure, spread
from benchmarks.measure import ROOT
from benchmarks.options import Options, report
from tintype.store.collection import Collection
from tintype.store.lance import LanceStore
from tintype.store.layout import Layout, new_record, write_record

WIDTH = 512
SEARCHES, CHECKED = 40, 10
FILTER = "width >= 1000"
BOUND_MS = 100.0
_ROWS_AT_ONCE = 50_000
_SCHEMA = pa.schema(
    [
        pa.field("uri", pa.string()),
        pa.field("digest", pa.binary(16)),
        pa.field("status", pa.string()),
        pa.field("width", pa.int32()),
        pa.field("embed_words", pa.list_(pa.float16(), WIDTH)),
        pa.field("_shard", pa.string()),
    ]
)
_THINGS = ("a dog", "two cats", "a red car", "a street", "a sofa", "the beach", "a photo", "the night")
_PLACES = ("on a beach", "at night", "in 2024", "parked", "and a sofa")


def measure(options: Options) -> list[Figure]:
    import tintype

    rows = 50_000 if options.quick else 1_000_000
    with tempfile.TemporaryDirectory(prefix="tintype-bench-") as work:
        os.environ["TINTYPE_MODELS"] = str(Path(work) / "models")
        _add_model(Path(work) / "clip")
        collection = _collection(Path(work) / "collection", rows)
        began = time.perf_counter()
        searcher = tintype.open_search(collection)
        loading_s = time.perf_counter() - began
        said = [f"{thing} {place}" for thing in _THINGS for place in _PLACES]
        searcher.search(said[0], where=FILTER)
        seconds = [_took(lambda words=words: searcher.search(words, where=FILTER)) for words in said[:SEARCHES]]
        whole = [_took(lambda words=words: searcher.search(words)) for words in said[:SEARCHES]]
        by_words = [_took(lambda words=words: _text_vector(words)) for words in said[:SEARCHES]]
        found = [searcher.search(words, where=FILTER).to_json()["answers"] for words in said[:CHECKED]]
        exact = [tintype.search(collection, words, where=FILTER).to_json()["answers"] for words in said[:CHECKED]]
    same = sum(len({row["uri"] for row in a} & {row["uri"] for row in b}) for a, b in zip(found, exact, strict=True))
    share = same / sum(map(len, exact))
    about = f"{rows:,} vectors of {WIDTH}, the nearest 50"
    middle = statistics.median
    return [
        Figure(
            "a search by words with a filter", 1000 * middle(seconds), "ms", BOUND_MS, detail=f"{_ms(seconds)}; {about}"
        ),
        Figure("a search by words", 1000 * middle(whole), "ms", detail=_ms(whole)),
        Figure("of which making a vector of the words", 1000 * middle(by_words), "ms", detail=_ms(by_words)),
        Figure("loading", loading_s, "s", detail="the vectors and the text model, once"),
        Figure("answers that comparing all exactly gives", share, "", 0.999, "at least", f"of {CHECKED} searches"),
    ]


def _took(call: Any) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _ms(seconds: list[float]) -> str:
    return f"{spread([1000 * one for one in seconds])} ms by the clock, {SEARCHES} searches"


def _text_vector(words: str) -> None:
    from tintype.models import registry
    from tintype.models.words import text_vectors

    text_vectors(registry.card("words_text"), [words])


def _collection(place: Path, rows: int) -> Collection:
    layout = Layout(place)
    place.mkdir()
    store = LanceStore.create(layout.images, _SCHEMA)
    writer = store.writer()
    store.commit([writer.write(f"b:{start}", part) for start, part in _tables(rows)])
    write_record(layout, new_record(layout, [str(place.parent)]))
    return Collection.open(place)


def _tables(rows: int) -> Iterator[tuple[int, pa.Table]]:
    vectors = np.load(descriptors(rows), mmap_mode="r")
    order = np.random.default_rng(5).permutation(rows)
    for start in range(0, rows, _ROWS_AT_ONCE):
        at = np.arange(start, min(rows, start + _ROWS_AT_ONCE))
        both = np.concatenate([vectors[at], vectors[np.sort(order[at])]], axis=1).astype(np.float32)
        made = unit(both).astype(np.float16)
        yield (
            start,
            pa.table(
                {
                    "uri": [f"{row // 1000:06}/{row % 1000:04}.jpg" for row in at],
                    "digest": pa.array([int(row).to_bytes(16, "big") for row in at], pa.binary(16)),
                    "status": ["ok"] * len(at),
                    "width": pa.array(at * 7919 % 2000, pa.int32()),
                    "embed_words": pa.FixedSizeListArray.from_arrays(pa.array(made.ravel()), WIDTH),
                    "_shard": [f"b:{start}"] * len(at),
                },
                schema=_SCHEMA,
            ),
        )


def _add_model(folder: Path) -> None:
    """A text tower of CLIP's ViT-B/32 with random weights, beside a tiny tower of images."""
    sys.path.insert(0, str(ROOT / "tests" / "models"))
    torch_libraries = importlib.import_module("torch_libraries")
    import transformers

    import tintype
    from tintype.models.adding.wishes import Wishes

    tokenizer = torch_libraries.save_clip(folder) and transformers.CLIPTokenizer.from_pretrained(folder)
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    text = {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 8}
    text |= {"vocab_size": 49_408, "max_position_embeddings": 77} | ids
    config = transformers.CLIPConfig(projection_dim=WIDTH, vision_config=torch_libraries.VISION, text_config=text)
    transformers.CLIPModel(config).save_pretrained(folder)
    tintype.add_model(folder, Wishes(name="words", license="MIT"))


if __name__ == "__main__":
    report(measure, __doc__)
