"""Leaks between splits: known answers by bytes and by hash, third images between two, and what tells splits apart."""

import cv2
import numpy as np
import pyarrow as pa
import pytest
from finder_makers import copies, digest, inputs

from tintype.core.columns import DIGEST
from tintype.core.errors import ConfigError, UsageError
from tintype.finders.leaks import FINDER, LEAK, Settings, _linked, _nearest, leaks
from tintype.finders.leaks import _Images as Images
from tintype.finders.splits import count_splits, splits, usual_splits
from tintype.testing.finders import FinderContract, TableColumns, made_collection


class TestLeaksContract(FinderContract):
    finder = FINDER


def files(*rows):
    """Files as (uri, number of the digest, split)."""
    return pa.table(
        {
            "uri": [uri for uri, _, _ in rows],
            "digest": pa.array([digest(number) for _, number, _ in rows], DIGEST),
            "status": ["ok"] * len(rows),
            "size_bytes": [1_000] * len(rows),
            "width": [100] * len(rows),
            "height": [100] * len(rows),
            "label_split": pa.array([split for _, _, split in rows], pa.string()),
        }
    )


def found(table, **options):
    answer = leaks(inputs(table), Settings(**options))
    return [(row["a_uri"], row["b_uri"], row["a_split"], row["b_split"]) for row in answer.table.to_pylist()]


TRAIN = [(f"{at}.jpg", at, "train") for at in range(5)]


def test_the_same_bytes_on_both_sides_are_told_from_the_smaller_side():
    table = files(*TRAIN, ("x.jpg", 3, "test"), ("y.jpg", 9, "test"))
    assert found(table) == [("x.jpg", "3.jpg", "test", "train")]
    document = leaks(inputs(table)).to_json()
    assert document == {
        "schema": 1,
        "leaks": [
            {
                "a": "x.jpg", "b": "3.jpg", "a_split": "test", "b_split": "train", "kind": "leak",
                "relation": "identical", "score": 1.0, "reason": "also in train as 3.jpg: same bytes",
            }
        ],
        "splits": {"test": 2, "train": 5},
        "images": {"test": {"in_train": 1}},
    }  # fmt: skip


def test_an_image_in_three_splits_leaks_between_each_two():
    """Of equal files each has a pair with the best alone, so one of these leaks is known only through it."""
    table = files(*TRAIN, ("v.jpg", 2, "validation"), ("w.jpg", 8, "validation"), ("x.jpg", 2, "test"))
    assert found(table) == [
        ("x.jpg", "2.jpg", "test", "train"),
        ("x.jpg", "v.jpg", "test", "validation"),
        ("v.jpg", "2.jpg", "validation", "train"),
    ]


def test_two_splits_meet_through_an_image_that_is_in_none():
    table = files(("0.jpg", 1, None), ("t.jpg", 1, "train"), ("u.jpg", 2, "train"), ("x.jpg", 1, "test"))
    assert found(table) == [("x.jpg", "t.jpg", "test", "train")]


def test_copies_within_a_split_are_no_leak():
    assert found(files(*TRAIN, ("z.jpg", 1, "train"), ("x.jpg", 9, "test"))) == []


def test_every_image_is_listed_once_for_each_other_split():
    """All of 3,000 copies of one image, 1,000 of them in the smaller split."""
    names = np.where(np.arange(3_000) % 3 == 0, "test", "train")
    table = copies(3_000).append_column("label_split", pa.array(names))
    answer = leaks(inputs(table))
    assert answer.images == {"test": {"train": 1_000}}
    assert len(set(answer.table["a_uri"].to_pylist())) == len(answer.table) == 1_000


def links_of(pairs, split, apart=()):
    """The nearest counterparts among images 0, 1, … whose splits are given by number, the first the smaller."""
    table = pa.table(
        {
            "a_uri": [str(a) for a, _, _, _ in pairs],
            "b_uri": [str(b) for _, b, _, _ in pairs],
            "kind": [kind for _, _, kind, _ in pairs],
            "score": pa.array([score for _, _, _, score in pairs], pa.float32()),
        }
    )
    uri = pa.array([str(at) for at in range(len(split))])
    images = Images(uri, uri, np.array(split), ["a", "b", "c"])
    result = _nearest(_linked(table, images), images, np.array([1, 2, 3]), frozenset(apart))
    return [(int(row["image"]), int(row["other"]), round(float(row["score"]), 3), bool(row["scene"])) for row in result]


def test_a_direct_copy_goes_before_one_through_a_third_image():
    assert links_of([(1, 0, "resized", 0.9), (1, 2, "cropped", 0.8)], [0, 1, 1]) == [(0, 1, 0.9, False)]


def test_through_a_third_image_the_scores_are_multiplied():
    assert links_of([(1, 0, "resized", 0.9), (1, 2, "cropped", 0.8)], [0, -1, 1]) == [(0, 2, 0.72, False)]


def test_of_several_through_one_image_one_that_was_declared_apart_makes_room():
    pairs = [(1, 0, "resized", 0.9), (1, 2, "cropped", 0.8), (1, 3, "gray", 0.95)]
    assert links_of(pairs, [0, -1, 1, 1], apart=[("0", "3")]) == [(0, 2, 0.72, False)]


def test_of_several_through_one_image_the_surest_is_named():
    pairs = [(1, 0, "resized", 0.9), (1, 2, "cropped", 0.8), (1, 3, "gray", 0.95)]
    assert links_of(pairs, [0, -1, 1, 1]) == [(0, 3, 0.855, False)]


def test_one_scene_makes_no_chains_and_gives_way_to_copies():
    assert links_of([(1, 0, "resized", 0.9), (1, 2, "same scene", 0.4)], [0, -1, 1]) == []
    assert links_of([(0, 1, "same scene", 0.4)], [0, 1]) == [(0, 1, 0.4, True)]
    assert links_of([(0, 1, "same scene", 0.4), (0, 2, "gray", 0.3)], [0, 1, 1]) == [(0, 2, 0.3, False)]


def test_the_oracle_agrees_on_random_pairs():
    """Against a search over all pairs and all third images, one by one."""
    random = np.random.default_rng(5)
    for _ in range(30):
        count = 12
        split = random.integers(-1, 3, count)
        ends = {tuple(sorted(pair)) for pair in random.integers(0, count, (14, 2)).tolist() if pair[0] != pair[1]}
        pairs = [
            (a, b, "same scene" if random.random() < 0.3 else "resized", float(np.float32(random.random())))
            for a, b in sorted(ends)
        ]
        assert {(a, split[b]): (round(score, 3), scene) for a, b, score, scene in links_of(pairs, split)} == {
            key: (round(score, 3), scene) for key, (score, scene) in slow_answer(pairs, split).items()
        }


def slow_answer(pairs, split):
    direct = {}
    for a, b, kind, score in pairs:
        direct[a, b] = direct[b, a] = (score, kind == "same scene")
    best = {}
    for a in range(len(split)):
        for b in range(len(split)):
            if not 0 <= split[a] < split[b]:
                continue
            ways = [direct[a, b]] if (a, b) in direct else []
            for third in range(len(split)):
                one, two = direct.get((a, third)), direct.get((third, b))
                if one and two and not one[1] and not two[1]:
                    ways.append((one[0] * two[0], False))
            for score, scene in ways:
                key = (a, split[b])
                if key not in best or (not scene, score) > (not best[key][1], best[key][0]):
                    best[key] = (score, scene)
    return best


@pytest.mark.parametrize(
    ("uri", "split"),
    [
        ("train/cat/1.jpg", "train"),
        ("images/val2017/1.jpg", "validation"),
        ("data/Test/1.jpg", "test"),
        ("train-00000-of-00004.parquet#7", "train"),
        ("shards/valid_003.tar#a/1.jpg", "validation"),
        ("set.tar#test/1.jpg", "test"),
        ("trains/1.jpg", None),
        ("testament/1.jpg", None),
        ("train.jpg", None),
        ("holidays/1.jpg", None),
    ],
)
def test_the_path_may_name_the_split(uri, split):
    assert usual_splits(pa.array([uri])).to_pylist() == [split]


def test_a_column_goes_before_the_path():
    table = files(("test/0.jpg", 1, "train"), ("test/1.jpg", 2, None))
    ((_, said),) = splits(TableColumns(table).batches(["label_split", "split", "uri"]), "split")
    assert said.to_pylist() == ["train", "test"]


@pytest.mark.parametrize(
    ("uri", "name"),
    [("a/b/1.jpg", "a"), ("a-00001-of-00003.parquet#9", "a"), ("a_12.tar#x/1.jpg", "a"), ("1.jpg", None)],
)
def test_folder_is_the_first_part_of_the_uri(uri, name):
    table = files((uri, 1, None))
    assert count_splits(TableColumns(table), "folder") == ({name: 1} if name else {})


def test_splits_may_be_folders():
    table = files(("a/0.jpg", 1, None), ("b/0.jpg", 1, None), ("b/1.jpg", 2, None))
    assert found(table, by="folder") == [("a/0.jpg", "b/0.jpg", "a", "b")]


def test_one_split_has_no_leaks_and_is_counted():
    answer = leaks(inputs(files(*TRAIN, ("x.jpg", 1, "train"))))
    assert (len(answer.table), answer.splits) == (0, {"train": 6})


def test_a_column_that_sorts_nothing_is_refused():
    table = files(*TRAIN).append_column("label_boxes", pa.array([[1]] * 5))
    with pytest.raises(UsageError, match=r"label_boxes.*sorts images into nothing"):
        leaks(inputs(table), Settings(by="boxes"))
    with pytest.raises(ConfigError):
        Settings(by="")


def test_scenes_can_be_left_out():
    assert Settings(scenes=False) != Settings()
    kinds = set(leaks(inputs(made_collection(300)), Settings(scenes=False)).table["kind"].to_pylist())
    assert kinds == {LEAK}


def thumbnail(rgb):
    return cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


@pytest.fixture(scope="module")
def photos(data):
    """A dozen photos, as thumbnails are made of them: (h, w, 3) uint8 RGB."""
    names = sorted((data / "photos-imagenet").glob("*.[jJ]*"))[:12]
    shots = [cv2.imread(str(name))[..., ::-1] for name in names]
    scales = [320 / max(shot.shape[:2]) for shot in shots]
    return [
        cv2.resize(shot, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for shot, scale in zip(shots, scales, strict=True)
    ]


def test_copies_of_photos_are_found_across_splits(photos):
    """Twelve photos in train; in test one of them mirrored, one in gray, and one at half the size."""
    from tintype.stages import phash
    from tintype.stages.base import Batch
    from tintype.testing.stages import image_of

    changed = [
        photos[0][:, ::-1],
        cv2.cvtColor(cv2.cvtColor(photos[1], cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB),
        cv2.resize(photos[2], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    ]
    shots = [np.ascontiguousarray(shot) for shot in [*photos, *changed]]
    hashes = phash.compute(Batch([b""] * len(shots), [image_of(shot) for shot in shots]), phash.Settings())
    table = files(
        *((f"train/{at}.jpg", at, "train") for at in range(len(photos))),
        *((f"test/{at}.jpg", 100 + at, "test") for at in range(len(changed))),
    )
    table = table.append_column("thumbnail", pa.array([thumbnail(shot) for shot in shots], pa.binary()))
    table = table.append_column("phash", hashes["phash"])
    for name, side in (("height", 0), ("width", 1)):
        sizes = pa.array([shot.shape[side] for shot in shots])
        table = table.set_column(table.column_names.index(name), name, sizes)
    answer = leaks(inputs(table))
    rows = [(row["a_uri"], row["b_uri"], row["kind"], row["relation"]) for row in answer.table.to_pylist()]
    assert rows == [
        ("test/0.jpg", "train/0.jpg", LEAK, "mirrored"),
        ("test/1.jpg", "train/1.jpg", LEAK, "gray"),
        ("test/2.jpg", "train/2.jpg", LEAK, "resized"),
    ]
