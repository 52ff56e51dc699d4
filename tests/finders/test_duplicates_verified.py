"""Copies that are found by what they show: relations, groups, memory, verdicts of a person, a second collection."""

import cv2
import numpy as np
import pyarrow as pa
import pytest
from finder_makers import Kept, described, digest, inputs, photos, scanned

from tintype.finders.base import Inputs
from tintype.finders.duplicates import Settings, duplicates
from tintype.finders.verify.compare import VERSION
from tintype.testing.finders import TableColumns


def saved(image, quality=85):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def vectors_of(*families, size=64):
    """A vector for each: equal families are near each other, others far apart."""
    random = np.random.default_rng(7)
    centers = random.normal(size=(max(families) + 1, size))
    return np.stack([centers[family] for family in families]) + random.normal(0, 0.05, (len(families), size))


def found_in(table, settings=None, **options):
    return duplicates(Inputs(TableColumns(table), **options), settings or Settings())


def kinds(found):
    return {(row["a_uri"], row["b_uri"]): row["kind"] for row in found.pairs.to_pylist()}


PAIR = ("00000.jpg", "00001.jpg")


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("re-encoded", lambda rgb: saved(rgb, 40)),
        ("resized", lambda rgb: cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)),
        ("cropped", lambda rgb: rgb[20:212, 40:296]),
        ("mirrored", lambda rgb: rgb[:, ::-1]),
        ("rotated", lambda rgb: np.rot90(rgb)),
        ("recolored", lambda rgb: np.clip(rgb * 0.7 + 60, 0, 255).astype(np.uint8)),
        ("gray", lambda rgb: cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)),
        ("cropped + mirrored", lambda rgb: rgb[20:212, 40:296][:, ::-1]),
    ],
)
def test_the_relation_tells_what_was_done(kind, change):
    (rgb,) = photos(1)
    table = described(scanned(rgb, change(rgb), *photos(12, seed=3)), vectors_of(0, 0, *range(1, 13)))
    assert kinds(found_in(table)) == {PAIR: kind}


def test_what_covers_a_part_is_overlaid():
    (rgb,) = photos(1)
    covered = rgb.copy()
    covered[200:] = 0
    table = described(scanned(rgb, covered), vectors_of(0, 0))
    assert kinds(found_in(table)) == {PAIR: "overlaid"}


def test_a_crop_is_told_in_numbers():
    (rgb,) = photos(1)
    (row,) = found_in(described(scanned(rgb, rgb[48:192, 64:256]), vectors_of(0, 0))).pairs.to_pylist()
    assert row["frame_in"] == "a"
    assert row["frame"] == pytest.approx([0.2, 0.2, 0.6, 0.6], abs=0.01)
    assert row["transform"] == pytest.approx([1 / 0.6, 0, -1 / 3, 0, 1 / 0.6, -1 / 3], abs=0.03)
    assert (row["overlap_a"], row["overlap_b"]) == pytest.approx((0.36, 1), abs=0.02)
    assert row["scale"] == pytest.approx(1, abs=0.03)
    assert "36% of the area" in row["reason"]


def test_a_slanted_turn_is_told_in_degrees():
    (rgb,) = photos(1)
    matrix = cv2.getRotationMatrix2D((160, 120), -15, 1)  # OpenCV counts counterclockwise
    (row,) = found_in(
        described(scanned(rgb, cv2.warpAffine(rgb, matrix, (320, 240))), vectors_of(0, 0))
    ).pairs.to_pylist()
    assert "rotated" in row["kind"]
    assert row["degrees"] == pytest.approx(15, abs=0.5)
    assert "turned 15° clockwise" in row["reason"]


def test_the_same_thumbnail_and_size_are_the_same_pixels():
    (rgb,) = photos(1)
    found = found_in(scanned(rgb, rgb))
    assert kinds(found) == {PAIR: "same pixels"}
    assert found.work.verified == 0


def test_another_size_is_not_the_same_pixels():
    (rgb,) = photos(1)
    table = scanned(rgb, rgb)
    wide = pa.array([320, 640], pa.int32())
    table = table.set_column(table.schema.get_field_index("width"), "width", wide)
    assert "same pixels" not in kinds(found_in(table)).values()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_even_pictures_are_copies_only_where_they_are_equal(level):
    """Two black ones of one size are the same picture; of other sizes, or a shade lighter, nothing tells that."""
    even = np.full((240, 320, 3), level, np.uint8)
    other = even + np.uint8(8) if level < 255 else even - np.uint8(8)
    table = described(scanned(even, even, even[:200], other), vectors_of(0, 0, 0, 0))
    assert kinds(found_in(table)) == {PAIR: "same pixels"}


def test_pictures_without_detail_are_no_copies_of_each_other():
    """Skies, gradients, small things in front of white: descriptors say alike, and nothing that shows is."""
    ramp = np.linspace(40, 220, 320, dtype=np.float32)
    sky = np.repeat(np.repeat(ramp[None, :, None], 240, 0), 3, 2)
    things = []
    for at in range(3):
        white = np.full((240, 320, 3), 255, np.uint8)
        cv2.circle(white, (100 + 40 * at, 110 + 10 * at), 12 + 6 * at, (30, 60, 200), -1)
        things.append(white)
    images = [sky.astype(np.uint8), (sky * 0.8 + 30).astype(np.uint8), *things]
    table = described(scanned(*images), vectors_of(*[0] * len(images)))
    assert kinds(found_in(table)) == {}


def test_a_shared_frame_or_half_makes_no_copies():
    framed = []
    for rgb in photos(2, seed=5):
        page = photos(1, seed=9)[0].copy()
        page[30:210, 40:280] = rgb[30:210, 40:280]
        framed.append(page)
    halves = []
    for rgb in photos(2, seed=6):
        half = photos(1, seed=9)[0].copy()
        half[:, :176] = rgb[:, :176]
        halves.append(half)
    for images in (framed, halves):
        told = kinds(found_in(described(scanned(*images), vectors_of(0, 0))))
        assert set(told.values()) <= {"same scene"}


def test_a_part_is_found_by_its_region():
    """The whole pictures are unlike; the vector of the part is near that of a region of the other."""
    rgb, other = photos(2)
    page = other.copy()
    page[:120, :160] = cv2.resize(rgb, (160, 120), interpolation=cv2.INTER_AREA)
    images = [page, rgb, *photos(14, seed=4)]
    vectors = vectors_of(*range(len(images)))
    regions = np.random.default_rng(1).normal(size=(len(images), 5, vectors.shape[1]))
    plain = described(scanned(*images), vectors)
    settings = Settings(nearness=0.4)
    assert kinds(found_in(plain, settings)) == {}
    regions[0, 2] = vectors[1] + 0.01
    told = kinds(found_in(described(scanned(*images), vectors, regions), settings))
    assert "cropped" in told[PAIR]


def test_a_collage_does_not_bring_its_photos_together():
    """Each photo is a copy of a part of it, but no group holds both, nor a copy of either with the other."""
    one, other = photos(2, side_px=640)
    collage = np.concatenate([one, other], axis=1)
    found = found_in(described(scanned(collage, one, other, saved(one, 60), saved(other, 60)), vectors_of(*[0] * 5)))
    assert {("00000.jpg", f"0000{at}.jpg") for at in range(1, 5)} <= kinds(found).keys()
    groups = [set(group.members) for group in found.groups]
    assert sorted(map(len, groups)) == [2, 3]
    assert {frozenset(group - {"00000.jpg"}) for group in groups} == {
        frozenset({"00001.jpg", "00003.jpg"}),
        frozenset({"00002.jpg", "00004.jpg"}),
    }


def test_a_remembered_collage_does_not_bring_new_photos_together():
    one, other = photos(2, side_px=640)
    remembered = described(scanned(np.concatenate([one, other], axis=1)), vectors_of(0))
    at = remembered.schema.get_field_index("digest")
    remembered = remembered.set_column(at, remembered.schema.field(at), pa.array([digest(99)], pa.binary(16)))
    found = found_in(described(scanned(one, other), vectors_of(0, 0)), against=TableColumns(remembered))
    assert len(kinds(found)) == 2
    assert [len(group.members) for group in found.groups] == [2]


def test_groups_hold_what_was_compared_with_the_best():
    (rgb,) = photos(1, side_px=640)
    images = [rgb, rgb[:, ::-1], saved(rgb, 50)[:460, :600], np.rot90(rgb), *photos(3, seed=8)]
    found = found_in(described(scanned(*images), vectors_of(0, 0, 0, 0, 1, 2, 3)))
    (group,) = found.groups
    assert set(group.members) == {f"0000{at}.jpg" for at in range(4)}
    assert len(kinds(found)) == 6  # each pair of the four is told
    with_best = {row["b_uri"] for row in found.pairs.to_pylist() if row["why"] is not None}
    assert with_best == set(group.members[1:])


def test_a_second_run_looks_at_new_pairs_only():
    images = [*photos(4), *(saved(rgb, 60) for rgb in photos(4)), photos(1, seed=2)[0]]
    table = described(scanned(*images), vectors_of(0, 1, 2, 3, 0, 1, 2, 3, 4))
    memory = Kept()
    first = found_in(table.slice(0, 7), memory=memory)
    again = found_in(table.slice(0, 7), memory=memory)
    assert first.work.verified > 0
    assert (again.work.verified, again.work.remembered) == (0, first.work.verified)
    assert again.pairs.equals(first.pairs)
    more = found_in(table, memory=memory)
    assert more.work.verified > 0
    assert more.pairs.equals(found_in(table).pairs)


@pytest.mark.parametrize("damage", ["version", "columns", "rows"])
def test_a_memory_that_does_not_fit_is_not_used(damage):
    images = [*photos(2), *(saved(rgb, 60) for rgb in photos(2))]
    table, memory = described(scanned(*images), vectors_of(0, 1, 0, 1)), Kept()
    first = found_in(table, memory=memory)
    kept = memory.tables["verified"]
    at = kept.schema.get_field_index("version")
    memory.tables["verified"] = {
        "version": kept.set_column(at, "version", pa.array([VERSION + 1] * kept.num_rows, pa.int32())),
        "columns": kept.drop_columns(["via"]),
        "rows": kept.slice(0, 0),
    }[damage]
    again = found_in(table, memory=memory)
    assert again.work.remembered == 0
    assert again.pairs.equals(first.pairs)


def test_what_a_person_told_apart_is_never_a_pair_nor_in_one_group():
    (rgb,) = photos(1)
    table = described(scanned(rgb, saved(rgb, 60), rgb[:, ::-1]), vectors_of(0, 0, 0))
    assert len(kinds(found_in(table))) == 3
    apart = frozenset({(digest(1), digest(2))})
    found = found_in(table, apart=apart)
    assert {("00000.jpg", "00001.jpg"), ("00000.jpg", "00002.jpg")} >= set(kinds(found))
    assert all(not {"00001.jpg", "00002.jpg"} <= set(group.members) for group in found.groups)


def test_the_same_pixels_can_be_told_apart_too():
    (rgb,) = photos(1)
    assert kinds(found_in(scanned(rgb, rgb), apart=frozenset({(digest(0), digest(1))}))) == {}


@pytest.mark.parametrize("is_black", [False, True])
def test_a_verdict_changes_its_own_pair_alone(is_black):
    """Three files of the same pixels, and in photos a re-encoded one: whichever pair is told apart, the others stay."""
    (rgb,) = photos(1)
    images = [np.zeros((60, 80, 3), np.uint8)] * 3 if is_black else [rgb, rgb, rgb, saved(rgb, 60)]
    table = described(scanned(*images), vectors_of(*[0] * len(images)))
    before = kinds(found_in(table))
    assert sum(kind == "same pixels" for kind in before.values()) == 2
    for a, b in [(0, 1), (0, 2), (1, 2), *([] if is_black else [(0, 3), (1, 3), (2, 3)])]:
        decided = f"{a:05d}.jpg", f"{b:05d}.jpg"
        found = found_in(table, apart=frozenset({(digest(a), digest(b))}))
        after = kinds(found)
        assert decided not in after
        expected = {pair: kind for pair, kind in before.items() if pair != decided}
        assert after == after | expected
        assert all(kind == "same pixels" for pair, kind in after.items() if pair not in expected)
        assert all(not {*decided} <= set(group.members) for group in found.groups)


def test_a_verdict_on_the_same_pixels_holds_in_a_comparison_too():
    (rgb,) = photos(1)
    before, table = scanned(rgb), scanned(rgb, rgb, digest=[digest(10), digest(11)])
    found = found_in(table, against=TableColumns(before), apart=frozenset({(digest(0), digest(10))}))
    assert kinds(found) == {("00001.jpg", "00000.jpg"): "same pixels"}


def test_of_two_remembered_copies_the_one_that_is_not_mirrored_is_kept():
    (rgb,) = photos(1)
    new = described(scanned(rgb, digest=[digest(10)]), vectors_of(0))
    upright, mirrored = saved(rgb, 20), rgb[:, ::-1]  # which agrees more, to the last pixel
    for images in ([upright, mirrored], [mirrored, upright]):
        found = found_in(new, against=TableColumns(described(scanned(*images), vectors_of(0, 0))))
        kept = {row["kind"]: row["why"] is not None for row in found.pairs.to_pylist()}
        assert kept == {"re-encoded": True, "mirrored": False}


def test_a_second_collection_is_compared_with_and_keeps_its_own():
    old, new = photos(3), photos(1, seed=2)
    before = described(scanned(*old), vectors_of(0, 1, 2))
    images = [saved(old[1], 50), new[0], cv2.resize(old[2], None, fx=2, fy=2), old[2][:, ::-1]]
    table = described(scanned(*images, digest=[digest(at) for at in range(10, 14)]), vectors_of(1, 3, 2, 2))
    memory = Kept()
    found = found_in(table, against=TableColumns(before), memory=memory)
    assert set(kinds(found)) == {("00000.jpg", "00001.jpg"), ("00002.jpg", "00002.jpg"), ("00003.jpg", "00002.jpg")}
    assert {(row["b"], row["keep"]) for row in found.pairs.to_pylist()} == {(digest(1), "b"), (digest(2), "b")}
    assert [group.keep for group in found.groups] == ["00001.jpg", "00002.jpg"]
    assert memory.tables == {}


def test_identical_files_of_a_second_collection_are_told():
    (rgb,) = photos(1)
    table = scanned(rgb)
    found = found_in(table, against=TableColumns(table))
    assert kinds(found) == {("00000.jpg", "00000.jpg"): "identical"}


def test_without_descriptors_hashes_bring_the_candidates():
    (rgb,) = photos(1)
    found = found_in(scanned(rgb, np.rot90(rgb), *photos(3, seed=4)))
    assert kinds(found) == {PAIR: "rotated"}


def test_descriptors_of_another_kind_are_left_aside():
    (rgb,) = photos(1)
    table = scanned(rgb, np.rot90(rgb)).append_column("descriptor_regions", pa.array([["x"], ["y"]]))
    assert kinds(found_in(table)) == {PAIR: "rotated"}
    few = described(scanned(rgb, np.rot90(rgb)), np.full((2, 3), np.nan))
    assert kinds(found_in(few)) == {PAIR: "rotated"}


@pytest.mark.parametrize("thumbnail", [None, b"", b"no JPEG at all"])
def test_a_thumbnail_that_cannot_be_read_leaves_the_hash(thumbnail):
    (rgb,) = photos(1)
    table = scanned(rgb, saved(rgb, 60), *photos(2, seed=4))
    values = [table["thumbnail"][0].as_py(), thumbnail, *table["thumbnail"].to_pylist()[2:]]
    at = table.schema.get_field_index("thumbnail")
    assert kinds(found_in(table.set_column(at, "thumbnail", pa.array(values, pa.binary())))) == {PAIR: "near"}


def test_the_order_of_rows_does_not_matter():
    images = [*photos(4), *(saved(rgb[10:], 60) for rgb in photos(4)), *(rgb[:, ::-1] for rgb in photos(4))]
    table = described(scanned(*images), vectors_of(*[0, 1, 2, 3] * 3))
    order = pa.array(np.random.default_rng(3).permutation(table.num_rows))
    shuffled = duplicates(inputs(table.take(order), batch_rows=5))
    assert shuffled.pairs.equals(duplicates(inputs(table)).pairs)


@pytest.mark.parametrize("same_bytes", [True, False])
def test_thousands_of_equal_pictures_give_one_group(same_bytes):
    """All near each other, all black, all equal: read once each, compared by nothing but equality."""
    count = 5_000
    black = scanned(np.zeros((60, 80, 3), np.uint8)).drop_columns(["uri", "digest"]).take(pa.array([0] * count))
    digests = [digest(0 if same_bytes else at) for at in range(count)]
    black = black.append_column("uri", pa.array([f"{at:05d}.jpg" for at in range(count)]))
    black = black.append_column("digest", pa.array(digests, pa.binary(16)))
    found = found_in(described(black, np.ones((count, 32)), np.ones((count, 5, 32))))
    assert found.pairs.num_rows == count - 1
    assert found.work.verified == 0
    assert [len(group.members) for group in found.groups] == [count]
