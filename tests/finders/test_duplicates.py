"""What counts as a copy, which is the best of a group, and that the answer hangs on nothing else."""

from datetime import UTC, datetime

import cv2
import numpy as np
import pyarrow as pa
import pytest
from finder_makers import collection, copies, digest, inputs
from hypothesis import given
from hypothesis import strategies as st

from tintype.core.errors import ConfigError
from tintype.core.hashes import TURNS, distances, phash_turns
from tintype.finders.chance import reach
from tintype.finders.duplicates import Group, Settings, duplicates
from tintype.stages import phash
from tintype.stages.base import Batch
from tintype.testing.finders import made_collection
from tintype.testing.stages import image_of

MODIFIED = datetime(2020, 1, 1, tzinfo=UTC)


def pairs_of(table, **options):
    rows = duplicates(inputs(table), Settings(**options)).pairs.to_pylist()
    return {(row["a_uri"], row["b_uri"]): row for row in rows}


def groups_of(table, **options):
    return duplicates(inputs(table), Settings(**options)).groups


def test_the_same_bytes_are_identical():
    pairs = pairs_of(collection({"digest": digest(7)}, {"digest": digest(7)}, {}))
    assert list(pairs) == [("00000.jpg", "00001.jpg")]
    row = pairs["00000.jpg", "00001.jpg"]
    assert (row["kind"], row["score"], row["reason"]) == ("identical", 1.0, "same bytes")
    assert (row["a"], row["b"], row["distance"], row["orientation"]) == (digest(7), digest(7), None, None)


def test_two_bits_apart_are_near_with_the_turn_in_the_reason():
    turned = int(phash_turns(np.array([2**40 + 12345], np.uint64))[0, TURNS.index("turned_90")])
    pairs = pairs_of(collection({"phash": 2**40 + 12345}, {"phash": turned ^ 0b11}))
    row = pairs["00000.jpg", "00001.jpg"]
    assert row["reason"] == "looks the same turned 90° clockwise; pHash differs in 2 of 64 bits"
    assert (row["kind"], row["distance"], row["orientation"]) == ("near", 2, "turned_90")
    assert row["score"] == pytest.approx(1 - 3 / 33)


def test_the_score_falls_with_the_distance_and_stays_below_that_of_equal_bytes():
    table = collection(*({"phash": 2**bits - 1} for bits in (0, 1, 2, 3, 4)))
    pairs = pairs_of(table)
    scores = [pairs["00000.jpg", f"0000{at}.jpg"]["score"] for at in (1, 2, 3, 4)]
    assert scores == sorted(scores, reverse=True)
    assert max(scores) < 1
    assert pairs["00000.jpg", "00004.jpg"]["distance"] == 4


def test_all_eight_turns_of_real_photos_are_found_and_named(data):
    """Photos are turned as pixels and hashed by the stage, so hash and finder agree on what each turn is."""
    makers = {
        "upright": lambda rgb: rgb,
        "mirrored": lambda rgb: rgb[:, ::-1],
        "turned_180": lambda rgb: rgb[::-1, ::-1],
        "flipped": lambda rgb: rgb[::-1],
        "transposed": lambda rgb: rgb.transpose(1, 0, 2),
        "turned_90": lambda rgb: np.rot90(rgb, -1),
        "transversed": lambda rgb: np.rot90(rgb, 2).transpose(1, 0, 2),
        "turned_270": lambda rgb: np.rot90(rgb, 1),
    }
    files = sorted((data / "photos-imagenet").glob("*.[jJ]*"))[:12]
    rows = []
    for photo, file in enumerate(files):
        rgb = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
        images = [image_of(np.ascontiguousarray(makers[turn](rgb))) for turn in TURNS]
        hashes = phash.compute(Batch([b""] * 8, images), phash.Settings())["phash"].to_pylist()
        rows += [
            {"uri": f"{photo:02d}/{turn}", "phash": value, "width": 200 - (turn != "upright")}
            for turn, value in zip(TURNS, hashes, strict=True)
        ]
    table = collection(*rows)
    pairs = pairs_of(table)
    for photo in range(len(files)):
        for turn in TURNS[1:]:
            assert pairs[f"{photo:02d}/upright", f"{photo:02d}/{turn}"]["orientation"] == turn
    assert [len(group.members) for group in groups_of(table)] == [8] * len(files)
    assert {a[:2] == b[:2] for a, b in pairs} == {True}


def test_hard_links_are_one_file():
    link = {"digest": digest(3), "_inode": 5, "modified_at": MODIFIED}
    assert pairs_of(collection(link, link, link)) == {}


def test_a_link_and_a_copy_are_one_pair():
    link = {"digest": digest(3), "_inode": 5, "modified_at": MODIFIED}
    copy = {"digest": digest(3), "_inode": 6, "modified_at": MODIFIED}
    assert list(pairs_of(collection(link, copy, link))) == [("00000.jpg", "00001.jpg")]


def test_members_of_one_tar_are_files_of_their_own():
    """They share the inode of their container, but begin at different places in it."""
    member = {"digest": digest(3), "_inode": 5, "modified_at": MODIFIED}
    table = collection(member | {"_offset": 512}, member | {"_offset": 4096}, member | {"_offset": 512})
    assert list(pairs_of(table)) == [("00000.jpg", "00001.jpg")]


@pytest.mark.parametrize("inode", [0, None])
def test_an_unknown_inode_makes_no_links(inode):
    row = {"digest": digest(3), "_inode": inode, "modified_at": MODIFIED}
    assert len(pairs_of(collection(row, row))) == 1


def test_the_same_inode_on_another_disk_is_another_file():
    """Told by the time of modification: the number of a device changes when its disk is mounted again."""
    row = {"digest": digest(3), "_inode": 5}
    others = [row | {"modified_at": datetime(year, 1, 1, tzinfo=UTC), "_device": 1} for year in (2020, 2021)]
    assert len(pairs_of(collection(*others))) == 1
    mounted_again = [row | {"modified_at": MODIFIED, "_device": device} for device in (1, 2)]
    assert pairs_of(collection(*mounted_again)) == {}


def test_the_same_inode_with_other_bytes_is_another_file():
    """An inode is given anew when a file was replaced between two readings."""
    row = {"_inode": 5, "modified_at": MODIFIED, "phash": 77}
    assert len(pairs_of(collection(row, row))) == 1


def test_empty_files_are_no_copies():
    row = {"digest": digest(3), "size_bytes": 0, "status": "damaged"}
    assert pairs_of(collection(row, row)) == {}


def test_files_that_were_not_read_are_no_copies():
    row = {"digest": None, "status": "unreadable", "phash": None}
    assert pairs_of(collection(row, row)) == {}


def test_damaged_files_can_be_identical_but_not_near():
    table = collection(
        {"digest": digest(3), "status": "damaged", "phash": 9, "width": None, "height": None},
        {"digest": digest(3), "status": "damaged", "phash": 9, "width": None, "height": None},
        {"phash": 9},
    )
    assert list(pairs_of(table)) == [("00000.jpg", "00001.jpg")]


def test_images_without_a_hash_are_compared_by_bytes_alone():
    table = collection({"phash": None}, {"phash": None}, {"digest": digest(1)})
    assert list(pairs_of(table)) == [("00001.jpg", "00002.jpg")]


def test_perceptual_search_can_be_left_out():
    assert pairs_of(collection({"phash": 9}, {"phash": 9}), perceptual=False) == {}


def test_fifty_thousand_copies_give_a_star():
    found = duplicates(inputs(copies(50_000)))
    assert found.pairs.num_rows == 49_999
    assert set(found.pairs["a_uri"].to_pylist()) == {"000000.jpg"}
    (group,) = found.groups
    assert len(group.members) == 50_000


def test_fifty_thousand_look_alikes_stay_linear():
    table = copies(50_000)
    unlike = pa.array([digest(at) for at in range(50_000)], pa.binary(16))
    found = duplicates(inputs(table.set_column(1, "digest", unlike)))
    assert found.pairs.num_rows == 49_999
    (group,) = found.groups
    assert len(group.members) == 50_000


BEST = [
    ("largest, 200 × 100 px; next 150 × 100 px", {"width": 200}, {"width": 150, "quality": 0.9}),
    ("best quality, 0.85; next 0.70", {"quality": 0.83}, {"quality": 0.71, "camera_make": "Canon"}),
    (
        "most metadata, time taken, camera and place; next camera",
        {"taken_at": datetime(2020, 1, 1), "camera_model": "X", "gps_latitude": 1.0},
        {"camera_make": "X", "modified_at": datetime(2001, 1, 1, tzinfo=UTC)},
    ),
    (
        "oldest, taken 2019-05-04 10:00:00; next taken 2020-05-04 10:00:00",
        {"taken_at": datetime(2019, 5, 4, 10)},
        {"taken_at": datetime(2020, 5, 4, 10)},
    ),
    (
        "oldest, modified 2019-05-04 10:00:00 UTC; next age not known",
        {"modified_at": datetime(2019, 5, 4, 10, tzinfo=UTC)},
        {"modified_at": None},
    ),
    ("equal in size, quality, metadata and age; first by name", {"uri": "a.jpg"}, {"uri": "b.jpg"}),
]


@pytest.mark.parametrize(("why", "better", "worse"), BEST)
def test_the_best_is_named_with_what_sets_it_apart(why, better, worse):
    """Resolution, then quality, then metadata, then age, then name; each has the lesser in all later respects."""
    table = collection({"uri": "y", "phash": 5} | worse, {"uri": "x", "phash": 5} | better)
    (group,) = groups_of(table)
    best = better.get("uri", "x")
    assert group == Group(keep=best, why=why, members=(best, worse.get("uri", "y")))


def test_quality_within_a_hundredth_does_not_decide():
    table = collection(
        {"uri": "a", "phash": 5, "quality": 0.8312, "modified_at": datetime(2020, 1, 1, tzinfo=UTC)},
        {"uri": "b", "phash": 5, "quality": 0.8297, "modified_at": datetime(2019, 1, 1, tzinfo=UTC)},
    )
    assert groups_of(table)[0].keep == "b"


def test_a_time_that_is_no_date_is_no_obstacle():
    far = pa.scalar(2**62, pa.int64()).cast(pa.timestamp("us", "UTC"))
    table = collection({"digest": digest(1)}, {"digest": digest(1), "modified_at": datetime(2020, 1, 1, tzinfo=UTC)})
    times = pa.array([far.value, 1_577_836_800_000_000]).cast(pa.timestamp("us", "UTC"))
    table = table.set_column(table.schema.get_field_index("modified_at"), "modified_at", times)
    assert groups_of(table)[0].why == (
        "oldest, modified 2020-01-01 00:00:00 UTC; next modified 9999-12-31 23:59:59 UTC"
    )


def test_files_of_the_same_second_are_of_one_age():
    table = collection(
        {"digest": digest(1), "modified_at": datetime(2020, 1, 1, 0, 0, 0, 900_000, tzinfo=UTC)},
        {"digest": digest(1), "modified_at": datetime(2020, 1, 1, 0, 0, 0, 100_000, tzinfo=UTC)},
    )
    assert groups_of(table)[0].why == "equal in size, quality, metadata and age; first by name"


def test_a_chain_is_not_a_group():
    """0, 4 and 8 bits: the last is near the second only, so it belongs to no group, but the pair is told."""
    table = collection(
        {"phash": 0, "width": 300}, {"phash": 0b1111, "width": 200}, {"phash": 0b1111_1111, "width": 100}
    )
    assert [group.members for group in groups_of(table)] == [("00000.jpg", "00001.jpg")]
    assert set(pairs_of(table)) == {("00000.jpg", "00001.jpg"), ("00001.jpg", "00002.jpg")}


def test_copies_of_a_member_belong_to_the_group_with_a_pair_of_their_own():
    table = collection({"phash": 0, "width": 300}, {"digest": digest(9), "phash": 1}, {"digest": digest(9), "phash": 1})
    (group,) = groups_of(table)
    assert group.members == ("00000.jpg", "00001.jpg", "00002.jpg")
    kinds = {pair: row["kind"] for pair, row in pairs_of(table).items()}
    assert kinds == {
        ("00000.jpg", "00001.jpg"): "near",
        ("00000.jpg", "00002.jpg"): "near",
        ("00001.jpg", "00002.jpg"): "identical",
    }


def test_json_has_the_shape_that_others_build_on():
    found = duplicates(inputs(collection({"phash": 0, "width": 300}, {"phash": 1})))
    assert found.to_json() == {
        "schema": 1,
        "work": {"images": 2, "candidates": 1, "verified": 0, "remembered": 0},
        "pairs": [
            {
                "a": "00000.jpg",
                "b": "00001.jpg",
                "relation": "near",
                "score": 0.9394,
                "reason": "looks the same; pHash differs in 1 of 64 bits",
            }
        ],
        "groups": [
            {
                "keep": "00000.jpg",
                "why": "largest, 300 × 100 px; next 100 × 100 px",
                "members": ["00000.jpg", "00001.jpg"],
            }
        ],
    }


@pytest.mark.parametrize("table", [collection(), collection({"phash": 1})], ids=["empty", "one image"])
def test_nothing_to_compare_gives_nothing(table):
    found = duplicates(inputs(table)).to_json()
    assert (found["pairs"], found["groups"]) == ([], [])


TONES = {"brightness": 0.5, "luma_p05": 20, "luma_p50": 120, "luma_p95": 220}


def test_in_a_large_collection_a_few_bits_apart_need_like_tones(monkeypatch):
    """The distance for a million images, where chance alone gives pairs of two bits; the test's own are few."""
    monkeypatch.setattr("tintype.finders.duplicates.reach", lambda images, chance: reach(1_000_000, chance))
    like, unlike = TONES | {"luma_p50": 125}, TONES | {"brightness": 0.6, "luma_p50": 150}
    table = collection(
        {"phash": 0} | TONES, {"phash": 0b11} | like, {"phash": 0b11 << 8} | unlike, {"phash": 0b11 << 16}
    )
    assert set(pairs_of(table)) == {("00000.jpg", "00001.jpg")}
    assert ("00000.jpg", "00003.jpg") in pairs_of(table, distance=2)


def test_the_reach_shrinks_as_the_collection_grows():
    sizes = [2, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000]
    alone = [reach(size, 1.0).alone for size in sizes]
    toned = [reach(size, 1.0).toned for size in sizes]
    assert alone == sorted(alone, reverse=True)
    assert toned == sorted(toned, reverse=True)
    assert (alone[1], toned[1]) == (3, 4)
    assert (alone[3], toned[3]) == (0, 2)
    assert all(a <= t for a, t in zip(alone, toned, strict=True))


@pytest.mark.parametrize("options", [{"distance": 17}, {"distance": -1}, {"chance_pairs": 0}])
def test_settings_that_make_no_sense_are_refused(options):
    with pytest.raises(ConfigError, match="duplicates"):
        Settings(**options)


@st.composite
def crowds(draw):
    """Rows with few distinct digests, hashes and ranks, so that all kinds of ties come up."""
    row = st.fixed_dictionaries(
        {
            "digest": st.integers(0, 12).map(digest),
            "width": st.sampled_from([100, 200]),
            "quality": st.sampled_from([None, 0.5, 0.9]),
            "_inode": st.integers(0, 6),
            "modified_at": st.just(MODIFIED),
        }
    )
    rows = draw(st.lists(row, max_size=25))
    flips = st.lists(st.integers(0, 9), max_size=5).map(lambda bits: sum({1 << bit for bit in bits}))
    hashes = draw(st.lists(flips, min_size=13, max_size=13))
    return [row | {"phash": hashes[row["digest"][-1]]} for row in rows]


@given(crowds(), st.integers(0, 5))
def test_every_member_is_within_the_distance_of_the_kept_one(rows, distance):
    """So the diameter of a group is at most twice the distance. No file is in two groups; the kept one is the best."""
    table = collection(*rows)
    by_uri = {row["uri"]: row for row in table.to_pylist()}
    seen = set()
    pairs = pairs_of(table, distance=distance)
    for group in groups_of(table, distance=distance):
        assert not seen & set(group.members)
        seen |= set(group.members)
        keep = by_uri[group.keep]
        for member in (by_uri[uri] for uri in group.members[1:]):
            turns = phash_turns(np.array([keep["phash"]], np.uint64))[0]
            assert distances(turns, np.uint64(member["phash"])).min() <= distance
            assert pairs[group.keep, member["uri"]]["why"] == group.why
            assert keep["width"] * 100 >= member["width"] * 100


@given(crowds(), st.randoms())
def test_the_order_of_rows_and_the_size_of_batches_do_not_matter(rows, random):
    table = collection(*rows)
    order = list(range(table.num_rows))
    random.shuffle(order)
    shuffled = table.take(pa.array(order, pa.int64()))
    assert duplicates(inputs(shuffled, batch_rows=3)).pairs.equals(duplicates(inputs(table)).pairs)


@given(crowds())
def test_all_pairs_of_a_small_collection_are_told(rows):
    """Against brute force over the digests; files with the same bytes are paired with the best of them."""
    hashes = {row["digest"]: row["phash"] for row in rows}
    told = {
        frozenset((row["a"], row["b"]))
        for row in pairs_of(collection(*rows), distance=3).values()
        if row["a"] != row["b"]
    }
    near = {
        frozenset((a, b))
        for a in hashes
        for b in hashes
        if a != b and distances(phash_turns(np.array([hashes[a]], np.uint64)), np.uint64(hashes[b])).min() <= 3
    }
    assert told == near


def test_a_thousand_rows_give_the_same_bytes_twice():
    table = made_collection(1_000)
    assert duplicates(inputs(table)).to_json() == duplicates(inputs(table, batch_rows=13)).to_json()
