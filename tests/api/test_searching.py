"""Words and images are compared by two towers of one model; brute force says the same."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import tintype
from tintype.api.searching import Answers
from tintype.cli.main import main
from tintype.core.errors import ModelError, UsageError
from tintype.models import registry
from tintype.models.words import text_vectors
from tintype.testing.models import real_card

torch_libraries = pytest.importorskip("torch_libraries", reason="a model of images and words is made with torch")

PHOTOS = sorted((Path(__file__).parents[2] / "examples" / "photos").glob("*.jpg"))[:10]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tintype.Collection]:
    """Real photos, embedded by a tiny CLIP with random weights: its answers mean nothing, but are always the same."""
    from tintype.models.adding.adding import add
    from tintype.models.adding.wishes import Wishes

    place = tmp_path_factory.mktemp("search")
    patch = pytest.MonkeyPatch()
    patch.setenv("TINTYPE_MODELS", str(place / "models"))
    torch_libraries.save_clip(place / "clip")
    add(str(place / "clip"), Wishes(name="tiny", license="MIT"))
    (place / "photos").mkdir()
    for photo in PHOTOS:
        shutil.copy(photo, place / "photos")
    tintype.scan(place / "photos")
    yield tintype.embed(place / "photos", model="tiny")
    patch.undo()


def cosines(photos: tintype.Collection, query: np.ndarray) -> dict[str, float]:
    rows = photos.table(["uri", "embed_tiny"]).to_pylist()
    unit = query / np.linalg.norm(query)
    vectors = {row["uri"]: np.array(row["embed_tiny"], np.float64) for row in rows if row["embed_tiny"]}
    return {uri: float(vector @ unit / np.linalg.norm(vector)) for uri, vector in vectors.items()}


def said(words: str) -> np.ndarray:
    return text_vectors(registry.card("tiny_text"), [words])[0].astype(np.float64)


def seen(photos: tintype.Collection, uri: str) -> np.ndarray:
    vector = np.array(photos.table(["embed_tiny"], f"uri = '{uri}'")["embed_tiny"][0].as_py(), np.float64)
    return vector / np.linalg.norm(vector)


def check(answers: Answers, expected: dict[str, float]) -> None:
    found = dict(
        zip(answers.nearest.table["b_uri"].to_pylist(), answers.nearest.table["cosine"].to_pylist(), strict=True)
    )
    assert found == pytest.approx({uri: expected[uri] for uri in found}, abs=2e-3)
    best = sorted(expected.values(), reverse=True)[: len(found)]
    assert sorted(found.values(), reverse=True) == pytest.approx(best, abs=2e-3)


def test_words_find_what_is_nearest_to_them(photos: tintype.Collection) -> None:
    check(tintype.search(photos, "a dog on a beach", k=4), cosines(photos, said("a dog on a beach")))


def test_words_and_an_image_are_weighed_and_the_image_is_not_its_own_answer(photos: tintype.Collection) -> None:
    uri = PHOTOS[2].name
    for weight in (0.0, 0.3, 1.0):
        answers = tintype.search(photos, "two cats", image=uri, k=20, words_weight=weight)
        assert uri not in answers.nearest.table["b_uri"].to_pylist()
        expected = cosines(photos, weight * said("two cats") + (1 - weight) * seen(photos, uri))
        expected.pop(uri)
        check(answers, expected)


def test_what_is_not_wanted_is_subtracted(photos: tintype.Collection) -> None:
    query = said("a dog on a beach") - 0.5 * said("night")
    check(tintype.search(photos, "a dog on a beach", without="night", k=5), cosines(photos, query))


def test_an_image_from_elsewhere_and_a_filter(photos: tintype.Collection, tmp_path: Path) -> None:
    outside = Path(shutil.copy(PHOTOS[4], tmp_path / "outside.jpg"))
    assert tintype.search(photos, image=outside, k=1).to_json()["answers"][0]["uri"] == PHOTOS[4].name
    where = f"uri != '{PHOTOS[4].name}'"
    answers = tintype.search(photos, image=outside, k=50, where=where).to_json()
    assert len(answers["answers"]) == len(PHOTOS) - 1
    assert answers["asked"]["where"] == where


def test_a_searcher_answers_as_a_search_does(photos: tintype.Collection) -> None:
    searcher = tintype.open_search(photos)
    uri = PHOTOS[2].name
    for asked in (
        {"words": "a dog on a beach"},
        {"words": "two cats", "image": uri, "words_weight": 0.3},
        {"words": "a red car", "without": "night", "where": "width > 0 and uri != 'x.jpg'"},
        {"image": PHOTOS[4], "where": f"uri != '{uri}'"},
        {"words": "a dog", "where": "width < 0"},
    ):
        assert searcher.search(**asked, k=4).to_json() == tintype.search(photos, **asked, k=4).to_json()
    with pytest.raises(UsageError, match="nothing to search for"):
        searcher.search(" ")
    assert "10 images" in repr(searcher)


def test_a_searcher_stays_with_what_it_read(photos: tintype.Collection, tmp_path: Path) -> None:
    place = tmp_path / "more"
    place.mkdir()
    for photo in PHOTOS[:3]:
        shutil.copy(photo, place)
    tintype.scan(place)
    searcher = tintype.open_search(tintype.embed(place, model="tiny"))
    before = searcher.search("a dog", k=5).to_json()
    (place / PHOTOS[0].name).unlink()
    shutil.copy(PHOTOS[5], place)
    tintype.scan(place)
    assert searcher.search("a dog", k=5).to_json() == before
    assert len(before["answers"]) == 3


def test_what_cannot_be_searched_is_refused(photos: tintype.Collection, tmp_path: Path, data: Path) -> None:
    with pytest.raises(UsageError, match="nothing to search for"):
        tintype.search(photos, "  ")
    with pytest.raises(UsageError, match="k must be"):
        tintype.search(photos, "a dog", k=0)
    with pytest.raises(UsageError, match="words_weight"):
        tintype.search(photos, "a dog", words_weight=1.5)
    with pytest.raises(UsageError, match="no vectors of descriptor"):
        tintype.search(photos, "a dog", model="descriptor")
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(PHOTOS[0], other)
    with pytest.raises(UsageError, match="not embedded"):
        tintype.search(tintype.scan(other, stages=["thumbnail"]), "a dog")
    registry.add(*real_card(data, "mobilenet_v1_025_128_imagenet", "features"))
    embedded = tintype.embed(other, model="mobilenet_v1_025_128_imagenet")
    with pytest.raises(ModelError, match="no companion"):
        tintype.search(embedded, "a dog")
    assert len(tintype.search(embedded, image=PHOTOS[0]).to_json()["answers"]) == 1


def test_the_command_prints_answers_and_writes_them_as_a_page(
    photos: tintype.Collection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, page = photos.sources[0], tmp_path / "answers.html"
    words = "<b>a dog</b> & a cat"
    assert main(["search", place, words, "-k", "3", "-o", str(page), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["answers"]) == 3
    assert document["page"] == str(page)
    text = page.read_text("utf-8")
    assert "&lt;b&gt;a dog&lt;/b&gt; &amp; a cat" in text
    assert "<b>a dog" not in text
    assert all(row["uri"].split(".")[0] in text.replace("<wbr>", "") for row in document["answers"])
    before = page.read_bytes()
    assert main(["search", place, words, "-k", "3", "-o", str(page)]) == 0
    assert page.read_bytes() == before
    capsys.readouterr()
    (tmp_path / "mine.html").write_text("mine")
    assert main(["search", place, "a dog", "-o", str(tmp_path / "mine.html")]) == 2
