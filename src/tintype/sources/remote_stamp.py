"""What tells that an object of a store is unchanged, in the columns that a file's stamp has."""

from __future__ import annotations

from blake3 import blake3

from tintype.core.object_facts import Facts


def stamp_of(facts: Facts) -> tuple[int, int, int]:
    """mtime in ns, inode and device; the inode is the beginning of the ETag's BLAKE3, since most stores' ETags say
    whether the content is the same where the second of its writing does not."""
    return facts.mtime_ns, int.from_bytes(blake3(facts.e_tag.encode()).digest(8), "big"), 0
