"""How often unrelated photos look alike to a perceptual hash, and the distance up to which that is rare enough."""

from __future__ import annotations

from dataclasses import dataclass

# Share of the pairs of different photos whose pHashes differ in at most 0, 1, 2, … bits in one of eight turns.
# Measured at 1,000,000 hashes that collide as real ones; see decisions/0012-duplicate-search.md.
_HASH_ALONE = (2e-11, 1.5e-10, 9e-10, 4e-9, 1.4e-8)
_TONES_AGREE = (2e-12, 1.2e-11, 5.5e-11, 1.7e-10, 4.5e-10)
_PER_IMAGES = 10_000


@dataclass(frozen=True)
class Reach:
    """How many bits of 64 two pHashes may differ in: by themselves, and where light and contrast agree too."""

    alone: int
    toned: int


def reach(images: int, chance_pairs: float) -> Reach:
    """The largest distances, 0 to 4, at which so many images give at most `chance_pairs` chance finds per 10,000.

    The chance finds of one image grow with the number of images, so the distances shrink with it; each of the two
    may give half of them. For one chance find they are, alone and where tones agree: 4 and 4 bits up to 7,100
    images, 2 and 4 at 100,000, 0 and 2 at a million. Equal hashes are always taken.
    """
    partners = max(images - 1, 1) / 2  # of an image, each pair counted once
    most = chance_pairs / 2 / (_PER_IMAGES * partners)
    return Reach(alone=_largest(_HASH_ALONE, most), toned=_largest(_TONES_AGREE, most))


def _largest(shares: tuple[float, ...], most: float) -> int:
    return max((at for at, share in enumerate(shares) if share <= most), default=0)
