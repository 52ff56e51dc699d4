"""How often unrelated photos look alike to a perceptual hash, and the distance up to which that is rare enough."""

from __future__ import annotations

from dataclasses import dataclass

# Share of the pairs of different photos whose pHashes differ in at most 0, 1, 2, … bits in one of eight turns.
# Measured at 1,000,000 hashes of real photos; see decisions/0012-duplicate-search.md.
_HASH_ALONE = (4.4e-11, 3.5e-10, 1.8e-9, 5.4e-9, 1.4e-8)
_TONES_AGREE = (2e-12, 6e-12, 2.8e-11, 1.4e-10, 5e-10)
_PER_IMAGES = 10_000


@dataclass(frozen=True)
class Reach:
    """How many bits of 64 two pHashes may differ in: by themselves, and where light and contrast agree too."""

    alone: int
    toned: int


def reach(images: int, chance_pairs: float) -> Reach:
    """The largest distances, 0 to 4, at which so many images give at most `chance_pairs` chance finds per 10,000.

    The chance finds of one image grow with the number of images, so the distance shrinks with it: from 4 bits
    at 14,000 images to 0 at 570,000 for the hash alone, and from 4 at 400,000 to 2 at 7,000,000 where tones agree.
    Equal hashes are always taken.
    """
    return Reach(_largest(_HASH_ALONE, images, chance_pairs), _largest(_TONES_AGREE, images, chance_pairs))


def _largest(shares: tuple[float, ...], images: int, chance_pairs: float) -> int:
    partners = max(images - 1, 0) / 2  # of an image, each pair counted once
    rare = [at for at, share in enumerate(shares) if share * partners * _PER_IMAGES <= chance_pairs]
    return max(rare, default=0)
