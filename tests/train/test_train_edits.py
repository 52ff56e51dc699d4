"""Random edits for training: the same for the same seed, never empty, and never written into what they were given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tintype.testing.pictures import scene
from tintype.train.edits import EDITS, edited

OTHERS = (scene(1, 80, 50), scene(2, 30, 90))
SIDES = st.integers(1, 200)


@pytest.mark.parametrize("name", EDITS)
@given(width=SIDES, height=SIDES, seed=st.integers(0, 10_000))
@settings(max_examples=40)
def test_an_edit_gives_a_picture_of_any_picture(name: str, width: int, height: int, seed: int) -> None:
    picture = scene(seed, width, height)
    picture.flags.writeable = False  # an edit that writes into its input fails
    changed = EDITS[name](picture, np.random.default_rng(seed), OTHERS)
    assert changed.dtype == np.uint8
    assert changed.ndim == 3
    assert changed.shape[2] == 3
    assert min(changed.shape) > 0


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_does_something(name: str) -> None:
    picture = scene(3, 120, 90)
    changed = EDITS[name](picture, np.random.default_rng(5), OTHERS)
    assert changed.shape != picture.shape or not np.array_equal(changed, picture)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_the_same_seed_gives_the_same_edits(seed: int) -> None:
    first, second = (edited(scene(4, 100, 70), np.random.default_rng(seed), OTHERS) for _ in range(2))
    assert np.array_equal(first, second)


def test_other_seeds_give_other_edits() -> None:
    copies = [edited(scene(4, 100, 70), np.random.default_rng(seed), OTHERS) for seed in range(20)]
    assert len({(copy.shape, copy.tobytes()) for copy in copies}) == len(copies)


def test_edits_need_no_other_pictures() -> None:
    for seed in range(40):
        assert edited(scene(seed, 60, 40), np.random.default_rng(seed)).size
