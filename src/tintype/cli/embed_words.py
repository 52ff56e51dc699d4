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
    yield from _problems("Problems", [(entry["uri"], entry["reason"]) for entry in document["problems"]])


def status_blocks(document: Document) -> Iterator[Block]:
    """How an output or a collection stands."""
    is_output = "output" in document
    place = document["output"] if is_output else document["collection"]
    again = f"tintype work {place}" if is_output else "tintype scan"
    state = "complete" if document["complete"] else "not complete"
    if is_output:
        yield Line(f"{place} is {state}: {document['done']:,} of {document['images']:,} images are done")
    else:
        yield Line(f"{place} has {document['images']:,} images; its last scan is {state}")
        if document["scanned_by"]:
            yield Line(f"Scanned just now by {document['scanned_by']}")
    if document["retried"]:
        yield Line(f"{document['retried']:,} shards will be tried again: {again}")
    if document["shards"]:
        yield Line(f"Shards: {counts(document['shards'])}")
    if document["status"]:
        yield Line(f"Images: {counts(document['status'])}")
    if document.get("images_per_second"):
        left = document["seconds_left"]
        yield Line(f"{document['images_per_second']:,.0f} images/s of late; {duration(left)} left")
    given_up = [(str(entry["shard"]), f"{entry['images']:,}", entry["reason"]) for entry in document["abandoned"]]
    if given_up:
        yield Table("Shards given up", ("shard", ">images", "why"), given_up[:MAX_PROBLEMS])
        yield Line(f"To try them once more: tintype status {place} --retry" if is_output else f"The next {again} does")
    failed = [(entry["id"], f"{entry['status']}: {entry['reason']}") for entry in document["failures"]]
    yield from _problems("Images without a vector (some)" if is_output else "Images that failed (some)", failed)


def verified_blocks(document: Document) -> Iterator[Block]:
    """Whether an output is whole."""
    verdict = "is whole" if document["whole"] else "is NOT whole"
    yield Line(
        f"{document['output']} {verdict}: {document['vectors']:,} vectors of {document['images']:,} images in "
        f"{document['files']:,} files, {size(document['bytes'])}"
    )
    yield from _problems("Problems", [(entry["what"], entry["reason"]) for entry in document["problems"]])


def _problems(title: str, rows: list[tuple[str, str]]) -> Iterator[Block]:
    if rows:
        yield Table(title, ("where", "what"), rows[:MAX_PROBLEMS])
        if len(rows) > MAX_PROBLEMS:
            yield Line(f"… and {len(rows) - MAX_PROBLEMS:,} more; --json lists all")
