"""Tags of images: equal to those that a tagger's makers get, with thresholds for each tag and category."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tagger_folder import reference_input, reference_tags, save_tagger

import tintype
from tintype.core.errors import ConfigError, ModelError
from tintype.models.adding.adding import add
from tintype.models.adding.wishes import Wishes
from tintype.models.backends.onnx_runtime import onnxruntime
from tintype.models.card import Card
from tintype.models.card_file import built_in
from tintype.models.tag_names import tags_of
from tintype.stages.classification import stage as classify
from tintype.stages.registry import fingerprint
from tintype.stages.tags import MOST_TAGS, TAG, Settings, sigmoid, stage, tagged
from tintype.testing.pictures import scene
from tintype.testing.stages import StageContract

PHOTOS = sorted((Path(__file__).parents[2] / "examples" / "photos").glob("*.jpg"))[:8]


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Card:
    place = tmp_path_factory.mktemp("tags")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINTYPE_MODELS", str(place / "models"))
        (card,) = add(str(save_tagger(place / "wd")), Wishes(name="wd", license="Apache-2.0"))
    return card


class TestTags(StageContract):
    @pytest.fixture(autouse=True)
    def _model(self, tagger: Card) -> None:
        self.stage = stage(tagger)


def scanned(tagger: Card, place: Path, monkeypatch: pytest.MonkeyPatch, **told: object) -> list[dict]:
    monkeypatch.setenv("TINTYPE_MODELS", str(tagger.folder.parent))
    monkeypatch.setenv("XDG_STATE_HOME", str(place.parent / "state"))
    config = tintype.config().replace({f"tags.{name}": value for name, value in told.items()})
    photos = tintype.scan(place, collection=place.parent / "c.tintype", stages=["tags:wd"], workers=1, config=config)
    return photos.table(["uri", "tags_wd", "tags_wd_text"]).to_pylist()


def expected(tagger: Card, path: Path) -> np.ndarray:
    session = onnxruntime.InferenceSession(tagger.folder / "model.onnx", providers=["CPUExecutionProvider"])
    (values,) = session.run(["output"], {"input": reference_input(path)})
    return np.asarray(values)[0]


def test_pictures_have_the_tags_of_their_makers_preparation(
    tagger: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Losslessly stored ones to the last bit: landscape, portrait, square, tiny, of one column, half transparent."""
    place = tmp_path / "root"
    place.mkdir()
    for number, size in enumerate([(96, 64), (50, 171), (64, 64), (3, 2), (1, 90), (700, 33)]):
        Image.fromarray(scene(number, *size)).save(place / f"{number}.png")
    alpha = np.dstack([scene(9, 64, 48), np.linspace(0, 255, 64 * 48).reshape(48, 64).astype(np.uint8)])
    Image.fromarray(alpha, "RGBA").save(place / "alpha.png")
    rows = scanned(tagger, place, monkeypatch)
    seen = set()
    for row in rows:
        found = [(one["label"], one["confidence"]) for one in row["tags_wd"]]
        wanted = reference_tags(expected(tagger, place / row["uri"]))
        assert [name for name, _ in found] == [name for name, _ in wanted]
        tolerance = 2e-3 if row["uri"] == "alpha.png" else 1e-6  # Pillow rounds what shines through down
        assert [value for _, value in found] == pytest.approx([value for _, value in wanted], abs=tolerance)
        seen |= {name for name, _ in found}
    assert len(seen) > 8


def test_photos_have_the_tags_of_their_makers_preparation(
    tagger: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decoder scales these, so what is close to its threshold may fall on either side."""
    place = tmp_path / "root"
    place.mkdir()
    for photo in PHOTOS:
        (place / photo.name).write_bytes(photo.read_bytes())
    for row in scanned(tagger, place, monkeypatch):
        found = {one["label"]: one["confidence"] for one in row["tags_wd"]}
        values = expected(tagger, place / row["uri"])
        for name, value in reference_tags(values, 0.38, 0.88):
            assert found[name] == pytest.approx(value, abs=0.03)
        assert set(found) <= {name for name, _ in reference_tags(values, 0.32, 0.82)}


def test_tags_can_be_filtered_by(tagger: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "root"
    place.mkdir()
    for number in range(6):
        Image.fromarray(scene(number)).save(place / f"{number}.png")
    rows = scanned(tagger, place, monkeypatch)
    photos = tintype.open(place, tmp_path / "c.tintype")
    for name in ("long hair", "^_^", "hair", "general"):
        wanted = {row["uri"] for row in rows if name in [one["label"] for one in row["tags_wd"]]}
        found = photos.table(["uri"], f"tags_wd_text contains '; {name};'")["uri"].to_pylist()
        assert set(found) == wanted
    assert len({row["tags_wd_text"] for row in rows}) > 1


# Thresholds


def told(card: Card, values: list[float] | np.ndarray, **given_: object) -> list[tuple[str, float]]:
    confidence = np.asarray(values, np.float32).reshape(1, -1)
    columns = tagged("t", confidence, card, Settings(**given_))  # type: ignore[arg-type]  # wrong on purpose, or of many types
    return [(one["label"], round(one["confidence"], 4)) for one in columns["t"].to_pylist()[0]]


def filled(card: Card, **values: float) -> np.ndarray:
    names = list(tags_of(card).names)
    made = np.zeros(len(names), np.float32)
    for name, value in values.items():
        made[names.index(name.replace("_", " "))] = value
    return made


def test_a_tag_counts_before_its_category_and_that_before_all(tagger: Card) -> None:
    values = filled(tagger, long_hair=0.5, multiple_girls=0.5, hatsune_miku=0.5, general=0.1)
    assert told(tagger, values) == [("long hair", 0.5), ("multiple girls", 0.5), ("general", 0.1)]
    assert ("hatsune miku", 0.5) in told(tagger, values, categories=("character=0.4",))
    assert told(tagger, values, categories=("general=0.6",)) == [("hatsune miku", 0.5), ("general", 0.1)]
    some = told(tagger, values, tags=("long hair=0.6", "hatsune miku=0.5"))
    assert some == [("multiple girls", 0.5), ("hatsune miku", 0.5), ("general", 0.1)]


def test_there_is_one_rating_and_it_is_the_likeliest(tagger: Card) -> None:
    values = filled(tagger, general=0.2, explicit=0.3, sensitive=0.3)
    assert told(tagger, values, min_confidence=0.0, categories=("rating=0.9", "general=1", "character=1")) == [
        ("sensitive", 0.3)
    ]


def test_categories_are_told(tagger: Card) -> None:
    columns = tagged("t", filled(tagger, long_hair=0.5, hatsune_miku=0.9, explicit=0.6)[None], tagger, Settings())
    assert {one["label"]: one["category"] for one in columns["t"].to_pylist()[0]} == {
        "hatsune miku": "character",
        "explicit": "rating",
        "long hair": "general",
    }


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), least=st.sampled_from([0.0, 0.3, 0.5, 1.0]), holes=st.booleans())
def test_any_values_are_told_as_a_loop_would(tagger: Card, seed: int, least: float, holes: bool) -> None:
    tags = tags_of(tagger)
    random = np.random.default_rng(seed)
    values = random.integers(0, 11, (4, len(tags.names))).astype(np.float32) / 10
    if holes:
        values[random.random(values.shape) < 0.3] = np.nan
        values[0] = np.nan
    chosen = Settings(min_confidence=least)
    columns = tagged("t", values, tagger, chosen)
    assert columns["t"].type == pa.list_(TAG)
    limits = chosen.thresholds(tags)
    for row, found, text in zip(values, columns["t"].to_pylist(), columns["t_text"].to_pylist(), strict=True):
        ratings = [tag for tag in range(len(row)) if tags.categories[tag] == "rating" and not np.isnan(row[tag])]
        kept = [tag for tag in range(len(row)) if tags.categories[tag] != "rating" and row[tag] >= limits[tag]]
        kept += sorted(ratings, key=lambda tag: -row[tag])[:1]
        kept.sort(key=lambda tag: (-row[tag], tag))
        assert [one["label"] for one in found] == [tags.names[tag] for tag in kept]
        assert text == "; " + "".join(f"{tags.names[tag]}; " for tag in kept)


def test_no_image_has_more_tags_than_are_kept(tagger: Card, tmp_path: Path) -> None:
    count = MOST_TAGS + 50
    (tmp_path / "many.txt").write_text("".join(f"tag {number}\n" for number in range(count)))
    from tintype.models.card_file import hashed

    output = dataclasses.replace(tagger.outputs[0], shape=(count,), labels=hashed(tmp_path / "many.txt"))
    many = dataclasses.replace(tagger, outputs=(output,), folder=tmp_path)
    values = np.linspace(0.4, 0.9, count, dtype=np.float32)
    found = told(many, values)
    assert (len(found), found[0][0], found[-1][0]) == (MOST_TAGS, f"tag {count - 1}", "tag 50")


def test_logits_become_probabilities_each_of_its_own() -> None:
    values = sigmoid(np.array([[-1e4, 0.0, np.log(3), 1e4, np.nan]], np.float32))
    assert values[0, :4] == pytest.approx([0, 0.5, 0.75, 1])
    assert np.isnan(values[0, 4])


def test_other_thresholds_make_rows_stale(tagger: Card) -> None:
    made = stage(tagger)
    numbers = {fingerprint(made, Settings(**one)) for one in ({}, {"min_confidence": 0.4}, {"tags": ("a=0.5",)})}  # type: ignore[arg-type]  # wrong on purpose, or of many types
    assert len(numbers) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_confidence": -0.1},
        {"min_confidence": float("nan")},
        {"categories": ("character",)},
        {"categories": ("character=high",)},
        {"categories": ("=0.5",)},
        {"tags": ("a=1.5",)},
        {"tags": ("a=nan",)},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"^tags\.[^\n]*$"):
        Settings(**wrong)  # type: ignore[arg-type]  # wrong on purpose, or of many types


def test_a_tag_with_the_sign_of_a_threshold_in_it_has_one() -> None:
    assert Settings(tags=("=_==0.5",)).tags == ("=_==0.5",)


def test_each_kind_of_model_has_its_own_stage(tagger: Card) -> None:
    with pytest.raises(ModelError, match="tells no tags"):
        stage(built_in("descriptor"))
    with pytest.raises(ModelError, match="--stages tags:wd"):
        classify(tagger)
