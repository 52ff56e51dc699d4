"""Suspect labels: planted mistakes on made and real images, conflicting labels, odd columns, overlapping classes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from finder_makers import inputs
from hypothesis import given
from hypothesis import strategies as st

from tintype.core.columns import DIGEST
from tintype.core.errors import ConfigError, UsageError
from tintype.finders.folds import folds_of, near_groups
from tintype.finders.label_evidence import log_votes
from tintype.finders.labels import CONFLICTING, FINDER, SUSPECT, Settings, labels
from tintype.index.base import Neighbors
from tintype.models.backends.onnx_runtime import onnxruntime
from tintype.testing.finders import FinderContract

NAMES = np.array(["ant", "bee", "cat", "dog"])


class TestLabelsContract(FinderContract):
    finder = FINDER


def table_of(vectors, given, **more):
    count = len(vectors)
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    columns = {
        "uri": [f"{at:05d}.jpg" for at in range(count)],
        "digest": pa.array([bytes(np.random.default_rng([at, 7]).bytes(16)) for at in range(count)], DIGEST),
        "descriptor": pa.FixedSizeListArray.from_arrays(unit.ravel(), unit.shape[1]),
        "label_class": pa.array(given),
    }
    return pa.table(columns | more)


def crowds(count, classes=4, width=16, seed=0, spread=1.0):
    """Vectors around as many centers as there are classes, and the class of each."""
    random = np.random.default_rng(seed)
    true = np.arange(count) % classes
    centers = 2.0 * np.random.default_rng(9).standard_normal((classes, width))
    return centers[true] + spread * random.standard_normal((count, width)), true


def suspects(table, **options):
    answer = labels(inputs(table), Settings(label="class", **options))
    return answer, {row["a_uri"]: row for row in answer.table.to_pylist()}


def test_planted_mistakes_are_found_with_the_right_class():
    vectors, true = crowds(400)
    given = true.copy()
    given[[5, 50, 333]] = (true[[5, 50, 333]] + 1) % 4
    _, rows = suspects(table_of(vectors, NAMES[given]))
    assert set(rows) == {"00005.jpg", "00050.jpg", "00333.jpg"}
    row = rows["00050.jpg"]
    assert (row["kind"], row["given"], row["suggested"]) == (SUSPECT, NAMES[given[50]], NAMES[true[50]])
    assert row["score"] > 0.9
    assert row["reason"].startswith(f"labeled {row['given']}, looks like {row['suggested']} (")
    assert re.search(rf"of its (\d+) nearest \1 are labeled {row['suggested']}, 0 {row['given']};", row["reason"])
    assert row["reason"].endswith(f"the nearest of them is {row['b_uri']}")
    assert int(row["b_uri"][:5]) % 4 == true[50]


def test_right_labels_raise_no_doubt():
    vectors, true = crowds(400)
    answer, rows = suspects(table_of(vectors, NAMES[true]))
    assert rows == {}
    assert answer.overlaps == []


@pytest.mark.parametrize("count", [20, 40, 300])
@pytest.mark.parametrize("seed", range(3))
def test_labels_by_chance_are_not_called_wrong(count, seed):
    """Nothing can be learned, so nothing is listed."""
    random = np.random.default_rng(seed)
    _, rows = suspects(table_of(random.standard_normal((count, 16)), NAMES[random.integers(0, 4, count)]))
    assert rows == {}


@pytest.mark.parametrize("count", [20, 40, 100])
@pytest.mark.parametrize("seed", range(4))
def test_in_a_small_set_one_wrong_label_is_listed_and_no_right_one(count, seed):
    """A few images of each class, which lie apart: one label says little of how many are wrong, and need not."""
    vectors, true = crowds(count, width=64, seed=seed)
    given = true.copy()
    given[7] = (true[7] + 1) % 4
    assert list(suspects(table_of(vectors, NAMES[given]))[1]) == ["00007.jpg"]
    assert suspects(table_of(vectors, NAMES[true]))[1] == {}


def test_each_suspect_comes_with_its_nearest_images_and_their_labels():
    vectors, true = crowds(200)
    given = true.copy()
    given[17] = (true[17] + 2) % 4
    vectors[18], given[18] = vectors[17], given[17]  # a copy has no vote
    table = table_of(vectors, NAMES[given])
    answer, rows = suspects(table)
    assert list(rows) == ["00017.jpg", "00018.jpg"]
    unit = np.array(table["descriptor"].to_pylist(), np.float32)
    cosine = unit @ unit[17]
    expected = [at for at in np.argsort(-cosine).tolist() if at not in (17, 18)][:5]
    assert rows["00017.jpg"]["nearest"] == [f"{at:05d}.jpg" for at in expected]
    assert rows["00017.jpg"]["nearest_label"] == NAMES[given[expected]].tolist()
    assert np.allclose(rows["00017.jpg"]["nearest_similarity"], cosine[expected], atol=2e-3)
    near = answer.to_json()["suspects"][0]["nearest"]
    assert [one["uri"] for one in near] == rows["00017.jpg"]["nearest"]
    assert near[0].keys() == {"uri", "label", "similarity"}


@pytest.mark.parametrize(
    "kind",
    [lambda given: given, lambda given: given.astype(float), lambda given: given > 1, lambda given: NAMES[given]],
)
def test_labels_may_be_numbers_truth_values_or_text(kind):
    vectors, true = crowds(200)
    given = true.copy()
    given[17] = (true[17] + 2) % 4
    answer, rows = suspects(table_of(vectors, kind(given)))
    assert list(rows) == ["00017.jpg"]
    assert sum(answer.classes.values()) == 200


def test_nulls_are_ignored_and_counted():
    vectors, true = crowds(200)
    texts = [None if at % 5 == 0 else str(name) for at, name in enumerate(NAMES[true])]
    answer, rows = suspects(table_of(vectors, texts), least_score=0)
    assert answer.unlabeled == 40
    assert len(rows) == 160
    assert answer.to_json()["unlabeled"] == 40


def test_a_class_of_one_or_two_is_never_judged_and_said():
    vectors, true = crowds(200)
    texts = NAMES[true].astype(object)
    texts[[3, 4, 5]] = "cta", "cta", "dgo"
    answer, rows = suspects(table_of(vectors, texts.tolist()), least_score=0)
    assert answer.not_judged == ["cta", "dgo"]
    assert not {"00003.jpg", "00004.jpg", "00005.jpg"} & set(rows)
    assert not {row["suggested"] for row in rows.values()} & {"cta", "dgo"}


@pytest.mark.parametrize("texts", [["ant"] * 60, [f"label {at}" for at in range(60)], [None] * 60])
def test_one_class_or_none_that_is_large_enough_gives_nothing(texts):
    answer, rows = suspects(table_of(crowds(60)[0], pa.array(texts, pa.string())))
    assert rows == {}
    assert len(answer.not_judged) == len({*texts} - {None})


@pytest.mark.parametrize("count", [1, 2, 5, 6, 7, 12])
def test_a_handful_of_images_is_no_trouble(count):
    vectors, true = crowds(count, classes=2)
    suspects(table_of(vectors, NAMES[true]), least_score=0)


def test_images_without_a_vector_are_left_out():
    vectors, true = crowds(200)
    table = table_of(vectors, NAMES[true])
    holes = pa.array(np.arange(200) % 10 == 0)
    lists = pa.FixedSizeListArray.from_arrays(table["descriptor"].combine_chunks().flatten(), 16, mask=holes)
    _, rows = suspects(table.set_column(2, "descriptor", lists), least_score=0)
    assert len(rows) == 180


def test_all_images_equal_are_no_trouble():
    vectors = np.ones((300, 16))
    answer, _ = suspects(table_of(vectors, NAMES[np.arange(300) % 4]), least_score=0)
    assert max(answer.table["score"].to_pylist()) < 0.5


def test_near_copies_do_not_vouch_for_each_other():
    """Five copies of one image, all with the same wrong label: each is judged by the others alone."""
    vectors, true = crowds(300)
    vectors[:5] = vectors[0] + 0.01 * np.random.default_rng(2).standard_normal((5, 16))
    given = true.copy()
    given[:5] = (true[0] + 1) % 4
    _, rows = suspects(table_of(vectors, NAMES[given]))
    assert [rows[f"{at:05d}.jpg"]["suggested"] for at in range(5)] == [NAMES[true[0]]] * 5
    assert all(f"0 {NAMES[given[0]]}" in row["reason"] for row in rows.values())


def conflicting(texts, extra=0):
    """Files of the same bytes with these labels, and others."""
    vectors, true = crowds(100)
    table = table_of(vectors, NAMES[true])
    same = table.slice(0, 1).drop_columns(["uri", "label_class"])
    rows = pa.concat_tables([same] * len(texts))
    rows = rows.append_column("uri", pa.array([f"same-{at}.jpg" for at in range(len(texts))]))
    rows = rows.append_column("label_class", pa.array(texts, pa.string()))
    return pa.concat_tables([table.slice(1), rows.select(table.column_names)])


def test_of_the_same_bytes_those_with_the_rarer_label_come_first():
    answer, rows = suspects(conflicting(["ant", "ant", "bee", None]))
    first = answer.table.to_pylist()[0]
    assert (first["a_uri"], first["kind"], first["score"]) == ("same-2.jpg", CONFLICTING, 1.0)
    assert (first["given"], first["suggested"], first["b_uri"]) == ("bee", "ant", "same-0.jpg")
    assert first["reason"] == "labeled bee, but the same bytes are labeled ant in same-0.jpg"
    assert (first["nearest"], first["nearest_label"], first["nearest_similarity"]) == (["same-0.jpg"], ["ant"], [1.0])
    assert list(rows) == ["same-2.jpg"]


def test_where_no_label_of_the_same_bytes_is_commonest_all_are_listed():
    _, rows = suspects(conflicting(["bee", "ant"]))
    assert {uri: (row["given"], row["suggested"]) for uri, row in rows.items()} == {
        "same-0.jpg": ("bee", None),
        "same-1.jpg": ("ant", None),
    }


def test_classes_that_overlap_are_told_with_counts_both_ways():
    vectors, true = crowds(600, classes=3)
    random = np.random.default_rng(4)
    mixed = np.flatnonzero(true < 2)
    vectors[mixed] = vectors[0] + 2.0 * random.standard_normal((len(mixed), 16))
    vectors[:, 0] += np.where(true == 1, 1.5, 0)
    answer, _ = suspects(table_of(vectors, NAMES[true]))
    assert {(one.one, one.other) for one in answer.overlaps} == {("ant", "bee"), ("bee", "ant")}
    assert all(one.share == one.images / 200 and one.images > 10 for one in answer.overlaps)
    assert answer.overlaps[0].share >= answer.overlaps[1].share
    assert answer.to_json()["overlaps"][0].keys() == {"one", "other", "images", "share"}


def test_the_folder_may_be_the_label():
    vectors, true = crowds(200)
    given = true.copy()
    given[17] = (true[17] + 2) % 4
    uris = [f"train/{name}/{at:05d}.jpg" for at, name in enumerate(NAMES[given])]
    table = table_of(vectors, NAMES[true]).drop_columns("uri").append_column("uri", pa.array(uris))
    found = labels(inputs(table), Settings(label="folder")).table
    assert found["a_uri"].to_pylist() == [uris[17]]


def test_a_column_that_holds_no_labels_is_refused():
    vectors, _ = crowds(20)
    with pytest.raises(UsageError, match=r"label_class.*list<item: int64>"):
        suspects(table_of(vectors, [[1, 2]] * 20))


@pytest.mark.parametrize("option", ["neighbors", "folds", "near_copies_at"])
def test_settings_that_make_no_sense_are_refused(option):
    with pytest.raises(ConfigError, match=f"labels.{option} must be"):
        Settings(**{option: 0})
    with pytest.raises(ConfigError, match="least_score must be"):
        Settings(least_score=1.5)


def test_hostile_names_stay_on_one_line():
    vectors, true = crowds(100, classes=2)
    texts = np.array(["a\nb", "\x1b[2J"], object)[true]
    texts[7] = "a\nb" if texts[7] != "a\nb" else "\x1b[2J"
    _, rows = suspects(table_of(vectors, texts.tolist()))
    assert list(rows) == ["00007.jpg"]
    assert rows["00007.jpg"]["reason"].isprintable()


def test_mistakes_in_real_photos_of_clothes_are_found(data):
    """5 % of the labels changed by chance: of those doubted most, most are wrong."""
    vectors, names = clothes(data)
    random = np.random.default_rng(0)
    classes, true = np.unique(names, return_inverse=True)
    hit = random.choice(len(true), len(true) // 20, replace=False)
    given = true.copy()
    given[hit] = (true[hit] + random.integers(1, len(classes), len(hit))) % len(classes)
    answer = labels(inputs(table_of(vectors, classes[given])), Settings(label="class", least_score=0))
    doubted = [int(uri[:5]) in set(hit.tolist()) for uri in answer.table["a_uri"].to_pylist()]
    assert sum(doubted[: len(hit)]) > 0.6 * len(hit)
    assert sum(doubted[: len(hit) // 2]) >= 0.8 * (len(hit) // 2)


def clothes(data):
    """Vectors of photos of clothes, (n, 256), by the smallest pretrained network, and the names of their kinds."""
    table = pq.read_table(data / "clothing-168" / "train.parquet").slice(0, 800)
    pixels = [
        cv2.resize(cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_COLOR), (128, 128))[..., ::-1]
        for shot in table["image"].combine_chunks().field("bytes").to_pylist()
    ]
    session = onnxruntime.InferenceSession(data / "models" / "mobilenet_v1_025_128_imagenet.onnx")
    images = (np.stack(pixels).astype(np.float32).transpose(0, 3, 1, 2) - 128) / 128
    parts = [session.run(["features"], {"image": images[at : at + 64]})[0] for at in range(0, len(images), 64)]
    return np.concatenate(parts), np.array(table["label"].to_pylist())


SCRIPT = """
import sys; sys.path[:0] = {path!r}
from test_labels import crowds, table_of, NAMES, suspects
vectors, true = crowds(3_000, width=64, spread=4.0)
answer, _ = suspects(table_of(vectors, NAMES[true]), least_score=0)
print(answer.to_json())
"""


def test_the_number_of_threads_changes_nothing():
    path = [str(Path(__file__).parent), *sys.path]
    answers = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT.format(path=path)],
            env=os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for threads in ("1", "3")
    ]
    assert answers[0] == answers[1] != ""


@given(st.lists(st.integers(-1, 4), min_size=1, max_size=200), st.integers(2, 7))
def test_folds_deal_out_each_class_evenly(of_class, count):
    given = np.array(of_class)
    fold = folds_of(given, np.arange(len(given)), count)
    for one in np.unique(given):
        sizes = np.bincount(fold[given == one], minlength=count)
        assert sizes.max() - sizes.min() <= 1


@given(st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_near_groups_are_the_connected_components(count, seed):
    random = np.random.default_rng(seed)
    rows = np.stack([random.permutation(np.delete(np.arange(count), at))[:2] for at in range(count)])
    similarity = random.random(rows.shape).astype(np.float32)
    groups = near_groups(Neighbors(rows.astype(np.int32), similarity), 0.8, count)
    expected = np.arange(count)
    for _ in range(count):
        for a, place in zip(*np.nonzero(similarity >= 0.8), strict=True):
            b = rows[a, place]
            expected[[a, b]] = min(expected[a], expected[b])
    assert groups.tolist() == expected.tolist()


def test_a_crowd_of_near_images_is_no_group():
    neighbors = Neighbors(np.array([[1], [2], [3], [2]], np.int32), np.ones((4, 1), np.float32))
    assert near_groups(neighbors, 0.9, 3).tolist() == [0, 1, 2, 3]
    assert near_groups(neighbors, 0.9, 4).tolist() == [0, 0, 0, 0]


def test_votes_of_nearer_ones_count_more_and_none_is_ruled_out():
    shares = np.exp(log_votes(np.array([[0, 1, 1], [-1, -1, -1], [0, 0, 0]]), 2))
    assert np.allclose(shares.sum(axis=1), 1)
    assert shares[0, 0] > shares[0, 1]
    assert np.allclose(shares[1], 0.5)
    assert 0 < shares[2, 1] < 0.25
