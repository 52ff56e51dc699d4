"""Hashes as numbers: turning them is turning the image they stand for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tintype.core.hashes import BACK, TURNS, distances, packed, phash_turns

HASHES = st.lists(st.integers(0, 2**64 - 1), max_size=9).map(lambda values: np.array(values, np.uint64))


def signs_of(value: int) -> NDArray[np.int64]:
    """The 8x8 matrix of signs that a hash stands for, the most significant bit first."""
    return np.array([1 if value >> (63 - i) & 1 else -1 for i in range(64)]).reshape(8, 8)


def turned(signs: NDArray[np.int64], turn: str) -> NDArray[np.int64]:
    """The signs of the coefficients after the image was turned; waves of odd frequency change sign in a mirror."""
    odd = np.array([-1, 1] * 4)
    across, down = signs * odd[None, :], signs * odd[:, None]
    both = across * odd[:, None]
    return {
        "upright": signs,
        "mirrored": across,
        "turned_180": both,
        "flipped": down,
        "transposed": signs.T,
        "turned_90": signs.T * odd[None, :],  # transposed, then mirrored
        "transversed": both.T,
        "turned_270": signs.T * odd[:, None],  # transposed, then flipped
    }[turn]


@given(HASHES)
def test_turns_agree_with_turning_the_matrix_of_signs(hashes: NDArray[np.uint64]) -> None:
    turns = phash_turns(hashes)
    assert turns.shape == (len(hashes), 8)
    assert turns.dtype == np.uint64
    for value, row in zip(hashes.tolist(), turns.tolist(), strict=True):
        for turn, result in zip(TURNS, row, strict=True):
            assert np.array_equal(signs_of(result), turned(signs_of(value), turn)), turn


@given(HASHES)
def test_each_turn_is_undone_by_its_counterpart(hashes: NDArray[np.uint64]) -> None:
    turns = phash_turns(hashes)
    for i, back in enumerate(BACK):
        assert np.array_equal(phash_turns(turns[:, i])[:, back], hashes)


@given(HASHES)
def test_turned_hashes_have_the_same_eight_turns(hashes: NDArray[np.uint64]) -> None:
    turns = phash_turns(hashes)
    for i in range(8):
        assert np.array_equal(np.sort(phash_turns(turns[:, i])), np.sort(turns))


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_distance_counts_differing_bits(a: int, b: int) -> None:
    found = distances(np.array([a, a], np.uint64), np.array([b, a], np.uint64))
    assert found.tolist() == [(a ^ b).bit_count(), 0]


def test_distance_broadcasts_over_turns() -> None:
    hashes = np.array([1, 2, 3], np.uint64)
    assert distances(phash_turns(hashes), hashes[:, None])[:, 0].tolist() == [0, 0, 0]


@given(st.integers(0, 2**64 - 1))
def test_packed_puts_the_first_bit_highest(value: int) -> None:
    bits = (signs_of(value) > 0).reshape(1, 64)
    assert packed(bits).tolist() == [value]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_packed_gives_one_hash_a_row(count: int) -> None:
    assert packed(np.ones((count, 64), bool)).tolist() == [2**64 - 1] * count
