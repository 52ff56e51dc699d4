"""Indexes in words: the JSON documents of the verbs of `cli.indexes`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tintype.cli.output import Block, Line, Table
from tintype.cli.progress import duration
from tintype.core.names import shown

Document = Mapping[str, Any]

_KINDS = {"flat": "flat: all are compared", "graph": "graph (HNSW)", "lists": "inverted lists"}
_CODINGS = {"float16": "as float16", "int8": "8 bits a number", "product": "product quantizer after a rotation"}
_SKIPPED = {
    "missing": "without a vector",
    "not_finite": "not finite",
    "zero": "zero",
    "without_id": "without an id",
    "duplicate": "of an id that stands before",
}


def index_blocks(index: Document) -> Iterator[Block]:
    """What an index is, and what was measured."""
    yield Table("Index", ("", ""), list(_figures(index)))
    if not index["is_reached"]:
        yield Line(
            f"The recall asked for ({index['recall_asked']:g}) was not reached. More --memory may help: vectors are "
            "coded less coarsely then"
        )
    if index["is_outdated"]:
        yield Line("The vectors that it was built from have changed since: tintype index add INDEX VECTORS")


def hit_blocks(document: Document) -> Iterator[Block]:
    """What was found, nearest first."""
    if not document["hits"]:
        yield Line("Nothing found.")
        return
    yield Table("Nearest", ("id", ">score"), [(shown(hit["id"]), f"{hit['score']:.4f}") for hit in document["hits"]])


def change_blocks(document: Document, did: str, else_: str) -> Iterator[Block]:
    """What a change did, and what the index is now."""
    rest = f"; {document['unchanged']:,} {else_}" if document["unchanged"] else ""
    yield Line(f"{document['changed']:,} {did}{rest}{_skipped(document['skipped'])}")
    yield from index_blocks(document["index"])


def _figures(index: Document) -> Iterator[tuple[str, str]]:
    yield "place", shown(index["place"])
    removed = f"; {index['removed']:,} removed" if index["removed"] else ""
    yield "vectors", f"{index['vectors']:,} of {index['dimensions']} numbers{removed}"
    yield "kind", f"{_KINDS[index['kind']]}, {_CODINGS[index['coding']]}, {index['bytes_per_vector']} bytes a vector"
    if index["recall_sample"]:
        k = index["recall_k"]
        yield (
            f"recall@{k}",
            f"{index['recall']:.3f} of {index['recall_sample']} sampled; asked for {index['recall_asked']:g}",
        )
        yield "a search", f"{index['median_ms']:.2f} ms, 95 of 100 below {index['slowest_ms']:.2f} ms, one thread"
    yield (
        "memory",
        f"{index['resident_bytes'] / 1e6:,.0f} MB looked through; {index['disk_bytes'] / 1e6:,.0f} MB on disk",
    )
    yield "built in", duration(index["build_seconds"])
    if index["skipped"]:
        yield "left out", _skipped(index["skipped"]).removeprefix("; left out: ")


def _skipped(counts: Mapping[str, int]) -> str:
    words = [f"{count:,} {_SKIPPED[name]}" for name, count in counts.items()]
    return f"; left out: {', '.join(words)}" if words else ""
