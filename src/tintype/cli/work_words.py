"""What is said of work that several processes share: what one of them did, and how the whole stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tintype.cli.embed_words import problem_blocks
from tintype.cli.output import Block, Line, Table
from tintype.cli.progress import counts, duration
from tintype.cli.words import MAX_PROBLEMS

Document = Mapping[str, Any]


def helped_blocks(document: Document) -> Iterator[Block]:
    """What a process did for a scan."""
    place = document["collection"]
    yield Line(f"{document['images']:,} images done here, in {document['shards']:,} shards")
    if document["status"]:
        yield Line(f"New or changed: {counts(document['status'])}")
    if document["updated"]:
        yield Line(f"New columns of known images: {document['updated']:,}")
    if document["images"]:
        yield Line(
            f"{duration(document['seconds'])}, {document['images_per_second']:,.0f} images/s, "
            f"{document['cpu_seconds']:,.1f} s of CPU; most time went to: {document['bottleneck']}"
        )
    if document["superseded"]:
        yield Line(f"Another scan has begun since; it does what was not done. To help it: tintype work {place}")
    elif document["scanned_by"]:
        yield Line(f"{place} is scanned by {document['scanned_by']}, which takes it in")
    elif document["waiting"]:
        yield Line(_scan_again(document["waiting"], place))
    if document["given_up"]:
        yield Line(f"{document['given_up']:,} shards were given up; why: tintype status {place}")
    yield from problem_blocks("Problems", [(entry["uri"], entry["reason"]) for entry in document["problems"]])


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
        yield from _scanning(document, place)
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
    yield from problem_blocks("Images without a vector (some)" if is_output else "Images that failed (some)", failed)


def _scanning(document: Document, place: str) -> Iterator[Block]:
    """Who scans a collection, and who could."""
    if document["scanned_by"]:
        yield Line(f"Scanned just now by {document['scanned_by']}")
    elif waiting := document["shards"].get("done"):
        yield Line(_scan_again(waiting, place))
    if document["helpable"]:
        how = "To help" if document["scanned_by"] else "To finish what that scan had planned"
        yield Line(f"{how}: tintype work {place}")


def _scan_again(waiting: int, place: str) -> str:
    return f"Nobody scans {place} any more: scan again to take in the {waiting:,} shards that are done"
