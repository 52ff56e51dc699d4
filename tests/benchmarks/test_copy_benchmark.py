"""The copy benchmark makes what it says and judges as it says."""

import numpy as np
import pytest
from benchmarks.copy_truth import SAME_SCENE, Tally, Truth, add_series, make, pair_of, read_photos, read_truth
from benchmarks.edits import NAMED, TUNED, Relation, copy_of, encoded, one_of, pixels_of
from benchmarks.held_out_edits import HELD_OUT
from benchmarks.seen_edits import SEEN


@pytest.fixture
def photos(data):
    return read_photos(data / "clothing-168" / "test.parquet")[:20]


@pytest.fixture
def photo(photos):
    return photos[3].data


ALL = {edit.name: edit for edit in (*NAMED, *TUNED, *SEEN, *HELD_OUT)}


def test_there_are_ten_named_kinds_ten_tuned_ten_seen_and_five_held_out():
    assert [len(NAMED), len(TUNED), len(SEEN), len(HELD_OUT), len(ALL)] == [10, 10, 10, 5, 35]


@pytest.mark.parametrize("name", ALL)
def test_the_same_seed_makes_the_same_picture(name, photo, photos):
    partner = photos[4].data
    copies = [copy_of(ALL[name], photo, ".jpg", np.random.default_rng(seed), partner) for seed in (1, 1)]
    assert copies[0].data == copies[1].data
    assert pixels_of(copies[0].data).size


@pytest.mark.parametrize("name", sorted(set(ALL) - {"exact"}))
def test_an_edit_changes_the_picture(name, photo, photos):
    edited = pixels_of(copy_of(ALL[name], photo, ".jpg", np.random.default_rng(1), photos[4].data).data)
    assert edited.shape != pixels_of(photo).shape or (edited != pixels_of(photo)).any()


def test_edits_take_pictures_of_one_pixel(photo):
    small = encoded(pixels_of(photo)[:1, :1], "PNG")
    for edit in ALL.values():
        assert pixels_of(copy_of(edit, small, ".jpg", np.random.default_rng(0), small).data).size


@pytest.mark.parametrize(
    ("found", "right"),
    [
        ("cropped + mirrored", True),
        ("mirrored + cropped + re-encoded", True),
        ("mirrored", False),
        ("cropped + mirrored + rotated", False),
        ("near", False),
    ],
)
def test_a_relation_needs_its_main_words_and_no_wrong_ones(found, right):
    relation = Relation((frozenset({"mirrored"}), frozenset({"cropped"})))
    assert relation.fits(found) is right


def test_a_gray_photo_cannot_be_told_to_have_lost_its_color(photo):
    gray = ALL["gray_png"].save(pixels_of(photo), np.random.default_rng(0))[0]
    assert copy_of(ALL["gray_png"], gray, ".png", np.random.default_rng(0)).relation.fits("same pixels")


def test_a_folder_has_as_many_copies_of_every_kind(tmp_path, photos):
    truth = make(tmp_path, photos, [*NAMED, *SEEN, *HELD_OUT], each=2, seed=5)
    kinds = [kind for kind, _ in truth.wanted.values()]
    assert {kinds.count(edit.name) for edit in (*NAMED, *SEEN, *HELD_OUT)} == {2}
    files = {path.name for path in tmp_path.iterdir()}
    copies = 2 * len((*NAMED, *SEEN, *HELD_OUT))
    assert len(files) == len(photos) - 2 + copies  # two were kept out, to stand beside others in collages
    assert {name for pair in truth.wanted for name in pair} <= files
    assert not (truth.also | truth.sharing) & truth.wanted.keys()


def test_the_same_seed_makes_the_same_folder(tmp_path, photos):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        make(tmp_path / name, photos, TUNED, each=1, seed=5)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two


def test_series_bring_pairs_of_one_scene_alone(tmp_path, data):
    truth = Truth()
    add_series(tmp_path, truth, data / "opensfm-series")
    assert len(list(tmp_path.iterdir())) == 32
    assert len(truth.scene) == 3 + 29 * 28 // 2
    assert not truth.wanted


def test_the_test_data_say_which_pairs_are_true(data):
    truth = read_truth(data / "neardup-pdq")
    assert len(truth.wanted) > 100
    assert not truth.wanted.keys() & (truth.scene | truth.unjudged)


TRUTH = Truth(
    wanted={("a", "b"): ("crop", one_of("cropped")), ("a", "c"): ("turn", one_of("rotated"))},
    also={("b", "c")},
    scene={("s", "t")},
)


def test_finding_all_and_no_more_is_perfect():
    tally = Tally()
    tally.add(TRUTH, {("a", "b"): "cropped", ("a", "c"): "rotated", ("b", "c"): "", ("s", "t"): SAME_SCENE})
    assert (tally.precision, tally.recall(), tally.relation_accuracy(), tally.scene_told) == (1, 1, 1, 1)


def test_finding_nothing_has_no_recall():
    tally = Tally()
    tally.add(TRUTH, {})
    assert (tally.precision, tally.recall(), tally.missed) == (1, 0, ["a ~ b", "a ~ c"])


def test_wrong_pairs_cost_precision_and_wrong_words_accuracy():
    tally = Tally()
    tally.add(TRUTH, {("a", "b"): "rotated", ("a", "c"): SAME_SCENE, ("s", "t"): "cropped", pair_of("z", "a"): ""})
    assert (tally.precision, tally.recall(["crop"]), tally.recall(["turn"])) == (1 / 3, 1, 0)
    assert tally.relation_accuracy() == 0
    assert tally.scene_called_copy == ["s ~ t (cropped)"]
    assert tally.false == ["a ~ z", "s ~ t (cropped)"]
