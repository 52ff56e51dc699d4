"""What is said of stand-alone vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tintype.cli.output import Block, Line, Table
from tintype.cli.progress import counts, duration
from tintype.cli.words import MAX_PROBLEMS, size

Document = Mapping[str, Any]


def embedded_blocks(document: Document) -> Iterator[Block]:
    """What a run did."""
    yield Line(f"{document['vectors']:,} vectors of {document['images']:,} images: {counts(document['status'])}")
    yield Line(f"{document['output']}: {document['files']:,} files, manifest.json names them")
    if document["skipped"]:
        yield Line(f"Passed over: {counts(document['skipped'])}")
    if document["embedded"]:
        yield Line(
            f"{duration(document['seconds'])}, {document['images_per_second']:,.0f} images/s, "
            f"{document['cpu_seconds']:,.1f} s of CPU; most time went to: {document['bottleneck']}"
        )
    if document["advice"]:
        yield Line(document["advice"])
    yield from problem_blocks("Problems", [(entry["uri"], entry["reason"]) for entry in document["problems"]])


def verified_blocks(document: Document) -> Iterator[Block]:
    """Whether an output is whole."""
    verdict = "is whole" if document["whole"] else "is NOT whole"
    yield Line(
        f"{document['output']} {verdict}: {document['vectors']:,} vectors of {document['images']:,} images in "
        f"{document['files']:,} files, {size(document['bytes'])}"
    )
    yield from problem_blocks("Problems", [(entry["what"], entry["reason"]) for entry in document["problems"]])


def problem_blocks(title: str, rows: list[tuple[str, str]]) -> Iterator[Block]:
    """The first of them."""
    if rows:
        yield Table(title, ("where", "what"), rows[:MAX_PROBLEMS])
        if len(rows) > MAX_PROBLEMS:
            yield Line(f"… and {len(rows) - MAX_PROBLEMS:,} more; --json lists all")
