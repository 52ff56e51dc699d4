"""Perceptual hashes: against plain oracles, on turned and changed copies, and on images without structure."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from stages.pictures import RGB, batch, blobs, flat, gray, noise, photos, recompressed, run, scaled, turned
from tintype.core.errors import ConfigError
from tintype.core.hashes import TURNS, distances, phash_turns
from tintype.stages.phash import HASHES, STAGE


def phashes(*pictures: RGB) -> np.ndarray:
    return run(STAGE, *pictures)["phash"].to_numpy()


def test_phash_is_the_signs_of_low_cosine_coefficients() -> None:
    """Oracle: each coefficient as a plain sum over the pixels."""
    picture = blobs(5, 300, 200)
    luma = batch(picture).luma(64)[0].astype(float)
    places = np.arange(64) + 0.5
    value = 0
    for down in range(1, 9):
        for across in range(1, 9):
            wave = np.outer(np.cos(np.pi * down * places / 64), np.cos(np.pi * across * places / 64))
            value = value << 1 | int((luma * wave).sum() > 0)
    assert phashes(picture).tolist() == [value]


@given(st.integers(0, 10_000), st.integers(24, 500), st.integers(24, 500))
@settings(max_examples=40)
def test_the_turns_of_a_hash_are_the_hashes_of_the_turned_image(seed: int, height: int, width: int) -> None:
    picture = blobs(seed, height, width)
    found = phashes(*(turned(picture, turn) for turn in TURNS))
    assert np.array_equal(phash_turns(found[:1])[0], found)


def test_turned_photos_have_the_turned_hashes(data: Path) -> None:
    for photo in photos(data, 10):
        found = phashes(*(turned(photo, turn) for turn in TURNS))
        assert np.array_equal(phash_turns(found[:1])[0], found)


CHANGES: dict[str, tuple[Callable[[RGB], RGB], int]] = {
    "stored again at quality 40": (lambda photo: recompressed(photo, 40), 2),
    "half size": (lambda photo: scaled(photo, 0.5), 4),
    "1.6 times the size": (lambda photo: scaled(photo, 1.6), 4),
    "gray": (lambda photo: np.asarray(Image.fromarray(photo).convert("L").convert("RGB")), 4),
    "a fifth darker": (lambda photo: (photo * 0.8).astype(np.uint8), 3),
    "a tenth brighter": (lambda photo: np.asarray(ImageEnhance.Brightness(Image.fromarray(photo)).enhance(1.1)), 8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_stay_near(data: Path, change: str) -> None:
    changed, most_bits = CHANGES[change]
    originals = photos(data, 25)
    apart = distances(phashes(*originals), phashes(*map(changed, originals)))
    assert apart.max() <= most_bits


def test_different_photos_are_far_apart_in_every_turn(data: Path) -> None:
    found = phashes(*photos(data, 60))
    apart = distances(phash_turns(found)[:, None, :], found[None, :, None]).min(axis=2)
    np.fill_diagonal(apart, 64)
    assert apart.min() >= 10


@pytest.mark.parametrize(
    "picture",
    [flat(0), flat(255), flat((200, 40, 90)), noise(3), recompressed(flat((13, 77, 200)), 30), flat(9, 1, 1)],
    ids=["black", "white", "red", "grain", "jpeg", "one pixel"],
)
def test_an_even_image_has_no_phash(picture: RGB) -> None:
    row = run(STAGE, picture).to_pylist()[0]
    assert row["phash"] is None
    assert row["phash_sure_bits"] < 24


def test_photos_have_many_sure_bits(data: Path) -> None:
    table = run(STAGE, *photos(data, 40))
    assert table["phash"].null_count == 0
    assert min(table["phash_sure_bits"].to_pylist()) >= 45


def test_only_the_hashes_asked_for_are_computed() -> None:
    assert {name for name in HASHES if run(STAGE, blobs(1, 99, 99))[name].null_count == 0} == {"phash"}
    table = run(STAGE, blobs(1, 99, 99), hashes=("dhash", "whash"))
    assert {name for name in HASHES if table[name].null_count == 0} == {"dhash", "whash"}


def bits_of(value: int) -> np.ndarray:
    return np.array([value >> (63 - i) & 1 for i in range(64)]).reshape(8, 8)


def test_ahash_and_whash_compare_cells_with_their_mean_and_median() -> None:
    picture = blobs(8, 128, 192)
    cells = batch(picture).luma(64)[0].reshape(8, 8, 8, 8).mean(axis=(1, 3))
    row = run(STAGE, picture, hashes=("ahash", "whash")).to_pylist()[0]
    assert np.array_equal(bits_of(row["ahash"]), cells > cells.mean())
    assert np.array_equal(bits_of(row["whash"]), cells > np.median(cells))


def test_dhash_tells_where_brightness_rises() -> None:
    rising, falling = np.linspace(0, 255, 90)[None, :], np.linspace(255, 0, 90)[None, :]
    table = run(STAGE, *(gray(np.repeat(row, 80, axis=0)) for row in (rising, falling)), hashes=("dhash",))
    assert table["dhash"].to_pylist() == [2**64 - 1, 0]


def test_dhash_agrees_with_means_of_nine_columns() -> None:
    luma = batch(blobs(4, 64, 64)).luma(64)[0]
    fine = np.repeat(luma, 9, axis=1).astype(float)  # 576 columns divide by nine
    means = fine.reshape(8, 8, 9, 64).mean(axis=(1, 3))
    row = run(STAGE, blobs(4, 64, 64), hashes=("dhash",)).to_pylist()[0]
    assert np.array_equal(bits_of(row["dhash"]), np.diff(means, axis=1) > 0)


def test_an_unknown_hash_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="'mhash'"):
        STAGE.settings(hashes=("phash", "mhash"))
