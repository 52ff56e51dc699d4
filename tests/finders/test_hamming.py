"""The search for near hashes against brute force, on hashes as unevenly spread as real ones or worse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tintype.core.hashes import phash_turns
from tintype.finders import hamming
from tintype.finders.hamming import near_pairs


def unturned(hashes):
    return hashes[:, None]


def brute_force(hashes, distance, turned):
    """All pairs with their smallest distance over all turns, by comparing all with all."""
    turns = turned(hashes)
    differ = np.bitwise_count(turns[:, :, None] ^ hashes[None, None, :]).min(axis=1)
    first, second = np.nonzero(np.triu(differ <= distance, 1))
    return {(int(a), int(b)): int(differ[a, b]) for a, b in zip(first, second, strict=True)}


def found(hashes, distance, turned=phash_turns, **kwargs):
    pairs = near_pairs(hashes, distance, turned, **kwargs)
    listed = list(zip(pairs.first.tolist(), pairs.second.tolist(), pairs.distance.tolist(), strict=True))
    assert listed == sorted(listed, key=lambda pair: (pair[1], pair[0]))
    assert len({pair[:2] for pair in listed}) == len(listed)
    return {(a, b): distance for a, b, distance in listed}


def few_bits(bits):
    """Hashes that differ in their lowest bits alone, so that many are equal or near."""
    return st.lists(st.integers(0, 2**bits - 1), max_size=60).map(lambda values: np.array(values, np.uint64))


@st.composite
def clustered(draw):
    """Hashes around a few centers, turned at will, with copies among them."""
    centers = draw(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4))
    flips = st.lists(st.integers(0, 63), max_size=6).map(lambda bits: sum({1 << bit for bit in bits}))
    one = st.tuples(st.sampled_from(centers), st.integers(0, 7), flips)
    rows = draw(st.lists(one, max_size=50))
    return np.array([int(phash_turns(np.array([c], np.uint64))[0, t]) ^ f for c, t, f in rows], np.uint64)


EVERY_PAIR = 1_000


@given(few_bits(6), st.integers(0, 4))
def test_finds_what_brute_force_finds_among_crowded_hashes(hashes, distance):
    assert found(hashes, distance, pairs_each=EVERY_PAIR) == brute_force(hashes, distance, phash_turns)


@given(clustered(), st.integers(0, 9))
def test_finds_what_brute_force_finds_around_centers(hashes, distance):
    assert found(hashes, distance, pairs_each=EVERY_PAIR) == brute_force(hashes, distance, phash_turns)


@given(clustered(), st.integers(0, 9))
def test_works_without_turns_too(hashes, distance):
    assert found(hashes, distance, unturned, pairs_each=EVERY_PAIR) == brute_force(hashes, distance, unturned)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(0, 16), st.floats(0.02, 0.5))
def test_finds_what_brute_force_finds_among_biased_bits(seed, distance, share):
    """Each bit is set with its own probability, so hashes collide far more than even ones."""
    random = np.random.default_rng(seed)
    bits = random.random((150, 64)) < random.uniform(0, share, 64)
    hashes = np.packbits(bits, axis=1).view(">u8").astype(np.uint64).ravel()
    assert found(hashes, distance, pairs_each=EVERY_PAIR) == brute_force(hashes, distance, phash_turns)


def test_giant_buckets_are_searched_by_their_other_bits(monkeypatch):
    """With the limits lowered, a crowd that shares half of its bits is split, and nothing is lost."""
    monkeypatch.setattr(hamming, "_GIANT", 20)
    monkeypatch.setattr(hamming, "_PENDING", 5_000)
    random = np.random.default_rng(3)
    hashes = random.integers(0, 2**14, 600, np.uint64) | np.uint64(0xDEAD_BEEF << 32)
    for distance in (2, 4):
        assert found(hashes, distance, pairs_each=EVERY_PAIR) == brute_force(hashes, distance, phash_turns)


def test_a_hash_keeps_its_pairs_with_the_earliest():
    random = np.random.default_rng(4)
    hashes = np.uint64(1) << random.integers(0, 64, 300, np.uint64)  # all within two bits of each other
    kept = found(hashes, 2, pairs_each=5)
    for second in range(300):
        assert sorted(a for a, b in kept if b == second) == list(range(min(second, 5)))
    cut = near_pairs(hashes, 2, phash_turns, pairs_each=5).cut
    assert cut.tolist() == [second > 5 for second in range(300)]


@given(clustered(), st.integers(0, 6), st.integers(1, 4), st.randoms())
def test_cutting_does_not_depend_on_when_pairs_are_sorted_in(hashes, distance, pairs_each, random):
    """The pairs are those that cutting the full list gives, however few are held at a time."""
    full = found(hashes, distance, pairs_each=EVERY_PAIR)
    earliest = {}
    for first, second in sorted(full):
        earliest.setdefault(second, []).append(first)
    expected = {(a, b): full[a, b] for b, firsts in earliest.items() for a in firsts[:pairs_each]}
    before = hamming._PENDING
    hamming._PENDING = random.randint(0, 30)
    try:
        assert found(hashes, distance, pairs_each=pairs_each) == expected
    finally:
        hamming._PENDING = before


def test_only_accepted_pairs_are_found():
    hashes = np.arange(64, dtype=np.uint64)
    kept = found(hashes, 2, pairs_each=EVERY_PAIR, accept=lambda a, b, d: ((a + b) % 2 == 0) & (d > 1))
    expected = {
        pair: distance
        for pair, distance in brute_force(hashes, 2, phash_turns).items()
        if sum(pair) % 2 == 0 and distance > 1
    }
    assert kept == expected


def test_no_hash_and_one_hash_have_no_pairs():
    assert found(np.empty(0, np.uint64), 4) == {}
    assert found(np.array([7], np.uint64), 4) == {}


@pytest.mark.parametrize("distance", [-1, 17])
def test_distances_out_of_range_are_refused(distance):
    with pytest.raises(ValueError, match="distance must be 0 to 16"):
        near_pairs(np.zeros(3, np.uint64), distance, phash_turns)


def test_memory_stays_bounded_where_all_hashes_are_near():
    """The 820 hashes of one or two of 40 bits are all within four bits of each other; each keeps eight pairs."""
    single = np.uint64(1) << np.arange(40, dtype=np.uint64)
    hashes = np.unique(np.bitwise_or.outer(single, single))
    pairs = near_pairs(hashes, 4, phash_turns, pairs_each=8)
    assert np.bincount(pairs.second).tolist() == [min(second, 8) for second in range(len(hashes))]
    assert np.array_equal(pairs.cut, np.arange(len(hashes)) > 8)
