"""What a person says about images, and later answers obey."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pyarrow as pa

from tintype.core.errors import CollectionError, UsageError
from tintype.core.expressions import In, Reference
from tintype.core.names import shown
from tintype.store import decisions as kept
from tintype.store.collection import Collection
from tintype.store.decisions import Decision
from tintype.store.trust import require_trust

MOST_IMAGES = 1_000  # of one call: their pairs are half a million

_URI = Reference("uri", pa.string())


def decide(collection: Collection, verdict: str, uris: Sequence[str]) -> list[Decision]:
    """Note a verdict on all pairs of some images; returns what was noted.

    `not-duplicate`: they are never again reported as copies of each other, wherever they are moved to; `undecided`
    takes that back. The verdict is about the images' bytes. Raises UsageError for uris that there are not, and
    CollectionNotTrusted.
    """
    require_trust(collection.layout, collection.record, "changed")
    if verdict not in kept.VERDICTS:
        raise UsageError(f"no verdict {shown(verdict)!r}; there are {', '.join(kept.VERDICTS)}")
    images = _images(collection, uris)
    made = [kept.decision(verdict, one, other) for one, other in combinations(sorted(images), 2) if one[0] != other[0]]
    if not made:
        raise UsageError("a decision is about two images or more with different bytes")
    try:
        kept.append(collection.layout.decisions, made)
    except OSError as error:
        raise CollectionError(
            f"{collection.layout.decisions} cannot be written ({error.strerror}). Nothing was decided"
        ) from error
    return made


def decisions(collection: Collection) -> list[Decision]:
    """The decisions that stand, in the order of the images' digests."""
    return kept.standing(kept.read(collection.layout.decisions)[0])


def apart(collection: Collection) -> frozenset[tuple[bytes, bytes]]:
    """The pairs of digests that were declared no copies. Those of a collection of somebody else's are not obeyed."""
    if not collection.is_trusted:
        return frozenset()
    return frozenset((one.a, one.b) for one in decisions(collection) if one.verdict == kept.NOT_DUPLICATE)


def _images(collection: Collection, uris: Sequence[str]) -> list[tuple[bytes, str]]:
    """(digest, uri) of each."""
    wanted = list(dict.fromkeys(uris))
    if len(wanted) > MOST_IMAGES:
        raise UsageError(f"{len(wanted):,} images at once; at most {MOST_IMAGES:,}")
    found: dict[str, bytes | None] = {}
    for batch in collection.store.batches(["uri", "digest"], where=In(_URI, tuple(wanted))):
        found.update(zip(batch["uri"].to_pylist(), batch["digest"].to_pylist(), strict=True))
    images = []
    for uri in wanted:
        digest = found.get(uri)
        if digest is None:
            why = "its bytes could not be read" if uri in found else "no such image; uris are as tintype lists them"
            raise UsageError(f"{shown(uri)}: {why}")
        images.append((digest, uri))
    return images
