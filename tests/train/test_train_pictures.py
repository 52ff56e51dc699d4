"""Training pictures: photos as stages see them, and pictures made by program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tintype.core.errors import SourceError
from tintype.testing.pictures import scene
from tintype.train.pictures import at_view_size, made, photos, squares


def test_made_pictures_differ_by_number_and_come_again_by_seed() -> None:
    first, again, other = made(6, seed=1), made(3, seed=1), made(3, seed=2)
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=False))
    assert len({picture.tobytes() for picture in [*first, *other]}) == 9
    assert all(160 <= side <= 320 for picture in first for side in picture.shape[:2])


def test_squares_are_what_the_stage_is_given() -> None:
    large = scene(5, 900, 500)
    assert max(at_view_size(large).shape) == 320
    assert squares([large, scene(6, 40, 30)], 128).shape == (2, 128, 128, 3)


def test_training_photos_are_the_train_part_alone(data: Path) -> None:
    found = photos(data)
    assert len(found) == 3_068
    assert max(side for photo in found for side in photo.shape[:2]) <= 320


def test_photos_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="clothing-168"):
        photos(tmp_path)
