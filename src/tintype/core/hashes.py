"""Perceptual hashes as 64-bit numbers: their distance, and the hashes of the eight ways an image can be turned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TURNS = (
    "upright",
    "mirrored",  # left and right change places
    "turned_180",
    "flipped",  # top and bottom change places
    "transposed",  # rows become columns
    "turned_90",  # a quarter turn clockwise
    "transversed",  # mirrored at the other diagonal
    "turned_270",  # a quarter turn counterclockwise
)
"""The eight flips and quarter turns, in the order of EXIF's orientations 1 to 8."""

BACK = (0, 1, 2, 3, 4, 7, 6, 5)
"""`BACK[i]` is the turn that undoes turn i."""

# Bit 63 - (8·i + j) of a pHash is the sign of the cosine coefficient of i + 1 half waves down and j + 1 across.
# Mirroring an image negates the coefficients of odd frequency: every other column or row, from the first on.
_ODD_ACROSS = np.uint64(0xAAAA_AAAA_AAAA_AAAA)
_ODD_DOWN = np.uint64(0xFF00_FF00_FF00_FF00)

# Transposes an 8x8 bit matrix by swapping ever larger blocks (Warren, "Hacker's Delight", 2nd edition, 7-3).
_SWAPS = (
    (np.uint64(7), np.uint64(0x00AA_00AA_00AA_00AA)),
    (np.uint64(14), np.uint64(0x0000_CCCC_0000_CCCC)),
    (np.uint64(28), np.uint64(0x0000_0000_F0F0_F0F0)),
)


def phash_turns(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The pHashes that these images would have if they were turned: (n,) uint64 → (n, 8) uint64.

    Column i is the image after `TURNS[i]`; column 0 is `hashes` itself. Exact, as a pHash is a matrix of signs;
    only coefficients of exactly zero (an image that is its own mirror image) break it, and there the turned
    image is the image itself, which column 0 finds.
    """
    upright = np.asarray(hashes, np.uint64)
    transposed = _transposed(upright)
    half = _ODD_ACROSS ^ _ODD_DOWN
    turns = (
        upright,
        upright ^ _ODD_ACROSS,
        upright ^ half,
        upright ^ _ODD_DOWN,
        transposed,
        transposed ^ _ODD_ACROSS,
        transposed ^ half,
        transposed ^ _ODD_DOWN,
    )
    return np.stack(turns, axis=-1)


def distances(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Number of bits, 0 to 64, in which the hashes differ; broadcasts like `a ^ b`."""
    return np.bitwise_count(np.bitwise_xor(a, b))


def packed(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Hashes of their bits: (n, 64) bool → (n,) uint64; the first bit is the most significant."""
    octets = np.packbits(bits, axis=1)  # (n, 8)
    return np.ascontiguousarray(octets).view(">u8").astype(np.uint64).reshape(len(bits))


def _transposed(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    for shift, mask in _SWAPS:
        swapped = (hashes ^ (hashes >> shift)) & mask
        hashes = hashes ^ swapped ^ (swapped << shift)
    return hashes
