"""What lies by itself is found with its nearest; copies neither make nor hide an outlier."""

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vector_collections import WIDTH, around, directions, inputs, unit, with_vectors

from tintype.core.errors import ConfigError
from tintype.finders.outliers import FINDER, Settings, outliers
from tintype.models.backends.onnx_runtime import onnxruntime
from tintype.testing.finders import FinderContract


class TestOutliersContract(FinderContract):
    finder = FINDER


def crowd(size=60):
    """Three clusters in the first half of the dimensions, so that a stranger in the other half is like none."""
    centers = np.zeros((3, WIDTH))
    centers[:, : WIDTH // 2] = directions(3, width=WIDTH // 2)
    return around(centers, size, spread=0.5)


def stranger(at=WIDTH - 1):
    return np.eye(WIDTH)[at]


def uris_of(vectors, **options):
    return outliers(inputs(with_vectors(vectors)), Settings(**options)).table["a_uri"].to_pylist()


def test_a_stranger_is_found_with_its_nearest_as_the_reason():
    vectors = np.vstack([crowd(), stranger()])
    (row,) = outliers(inputs(with_vectors(vectors))).table.to_pylist()
    cosine = np.float16(vectors[:-1]).astype(float) @ np.float16(vectors[-1]).astype(float)
    nearest = np.argsort(-cosine)[:5]
    assert row["a_uri"] == "00180.jpg"
    assert row["kind"] == "outlier"
    assert row["b"] is None
    assert 0.7 < row["score"] < 1
    assert row["nearest"] == [f"{at:05d}.jpg" for at in nearest]
    assert row["nearest_similarity"] == pytest.approx(cosine[nearest], abs=2e-3)
    assert row["reason"].startswith(f"nearest is {nearest[0]:05d}.jpg at {cosine[nearest[0]]:.2f}; half of the images")


def test_a_library_of_like_images_has_none():
    assert uris_of(crowd()) == []


def test_every_image_has_a_score_when_asked_for():
    found = outliers(inputs(with_vectors(np.vstack([crowd(), stranger()]))), Settings(least_score=0)).table
    assert found.num_rows == 181
    scores = found["score"].to_pylist()
    assert scores == sorted(scores, reverse=True)
    assert found["a_uri"][0].as_py() == "00180.jpg"


@pytest.mark.parametrize("copies", [2, 6])
def test_near_copies_do_not_hide_a_stranger(copies):
    """They are each other's nearest, and all of them are told."""
    random = np.random.default_rng(1)
    strangers = unit(stranger() + 0.01 * random.standard_normal((copies, WIDTH)))
    found = outliers(inputs(with_vectors(np.vstack([crowd(), strangers])))).table
    assert sorted(found["a_uri"].to_pylist()) == [f"{at:05d}.jpg" for at in range(180, 180 + copies)]
    assert f"besides {copies - 1} near-cop" in found["reason"][0].as_py()
    assert set(np.concatenate(found["nearest"].to_pylist())) <= {f"{at:05d}.jpg" for at in range(180)}


def test_many_copies_of_one_image_make_no_outlier_of_those_around_them():
    """A local outlier factor would be without bounds there: copies are infinitely dense."""
    vectors = crowd()
    again = np.repeat(vectors[:1], 40, axis=0)
    assert uris_of(np.vstack([vectors, again])) == []


def test_two_strangers_of_a_kind_do_not_excuse_each_other():
    kind = unit(stranger() + 0.1 * np.random.default_rng(2).standard_normal((2, WIDTH)))
    assert (kind[0] @ kind[1]) < 0.97
    assert sorted(uris_of(np.vstack([crowd(), kind]))) == ["00180.jpg", "00181.jpg"]


def test_fifty_thousand_equal_images_have_none_and_a_stranger_among_them_is_one():
    equal = np.repeat(stranger(0)[None], 50_000, axis=0)
    assert uris_of(equal) == []
    assert uris_of(np.vstack([equal, stranger(1)])) == ["50000.jpg"]


def test_files_with_the_same_bytes_count_once():
    vectors = np.vstack([crowd(), stranger(), stranger()])
    table = with_vectors(vectors)
    digest = table["digest"].to_pylist()
    digest[-1] = digest[-2]
    found = outliers(inputs(table.set_column(1, "digest", pa.array(digest, pa.binary(16))))).table
    assert found["a_uri"].to_pylist() == ["00180.jpg"]


@pytest.mark.parametrize("count", [0, 1, 2, 19])
def test_a_few_images_have_no_outliers(count):
    assert uris_of(directions(20)[:count], least_score=0) == []


@pytest.mark.parametrize("count", [20, 21, 40])
def test_more_neighbors_than_images_are_no_trouble(count):
    assert len(uris_of(directions(count), least_score=0, neighbors=50)) == count


def test_vectors_that_say_nothing_are_left_out():
    vectors = np.vstack([crowd(), stranger(), np.full(WIDTH, np.nan), np.zeros(WIDTH)])
    assert uris_of(vectors) == ["00180.jpg"]


def test_names_with_line_breaks_stay_in_one_line():
    vectors = np.vstack([crowd(), stranger()])
    table = with_vectors(vectors, uri=[f"a\nb\x1b[31m{row}.jpg" for row in range(181)])
    (row,) = outliers(inputs(table)).table.to_pylist()
    assert row["reason"].isprintable()
    assert "\n" in row["nearest"][0]


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.integers(20, 120), st.integers(1, 12))
def test_the_order_of_rows_changes_nothing(seed, count, neighbors):
    random = np.random.default_rng(seed)
    vectors = directions(6, seed)[random.integers(0, 6, count)] + 0.3 * random.standard_normal((count, WIDTH))
    table = with_vectors(unit(vectors))
    shuffled = table.take(pa.array(random.permutation(count)))
    options = Settings(least_score=0, neighbors=neighbors)
    assert outliers(inputs(shuffled, 7), options).table.equals(outliers(inputs(table), options).table)


def test_photos_of_clothes_are_found_among_small_pictures_of_animals_and_vehicles(data):
    """Ranked by a network of the test data: 20 among 500 come first, but for a few (average precision over 0.95)."""
    network = onnxruntime.InferenceSession(data / "models" / "mobilenet_v1_025_128_imagenet.onnx")

    def features(file, count):
        encoded = [picture["bytes"] for picture in pq.read_table(data / file)["image"].to_pylist()[:count]]
        decoded = (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1] for data in encoded)
        pixels = np.stack([cv2.resize(rgb, (128, 128), interpolation=cv2.INTER_AREA) for rgb in decoded])
        return network.run(["features"], {"image": (pixels.transpose(0, 3, 1, 2).astype(np.float32) - 128) / 128})[0]

    vectors = np.vstack([features("cifar10/test.parquet", 500), features("clothing-168/test.parquet", 20)])
    order = uris_of(unit(vectors.reshape(520, -1)), least_score=0)
    hit = np.array([uri >= "00500.jpg" for uri in order])
    assert (np.cumsum(hit) / np.arange(1, len(hit) + 1))[hit].mean() > 0.95


def test_json_has_uris_scores_and_the_nearest():
    answer = outliers(inputs(with_vectors(np.vstack([crowd(), stranger()])))).to_json()
    (found,) = answer["outliers"]
    assert answer["schema"] == 1
    assert list(found) == ["uri", "score", "reason", "nearest"]
    assert len(found["nearest"]) == 5
    assert found["nearest"][0]["similarity"] == round(found["nearest"][0]["similarity"], 4)


@pytest.mark.parametrize(
    "options", [{"neighbors": 0}, {"least_score": 1.5}, {"copies_above": 0}, {"least_score": float("nan")}]
)
def test_settings_that_make_no_sense_are_refused(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        Settings(**options)
