"""Taggers are added from their makers' layout, from ONNX with labels, and from classifiers of several labels each."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from small_hub import COMMIT, SmallHub
from tagger_folder import CHARACTERS, GENERAL, RATINGS, ROWS, SIDE, save_network, save_tagger

from tintype.core.errors import ModelError
from tintype.models import registry
from tintype.models.adding.adding import add
from tintype.models.adding.tags_folder import read_tags, spelled
from tintype.models.adding.wishes import Wishes
from tintype.models.card import Card, PixelInput
from tintype.models.preparing import prepared
from tintype.models.tag_names import tags_of
from tintype.testing.pictures import scene

TOLD = Wishes(task="multi-label", fit="squeeze", filter="bicubic", mean=(0.0,) * 3, std=(255.0,) * 3)


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))


def added(source: Path, wishes: Wishes | None = None) -> Card:
    (card,) = add(str(source), wishes or Wishes())
    return card


def test_the_folder_of_a_tagger_becomes_a_card(tmp_path: Path) -> None:
    folder = save_tagger(tmp_path / "wd-tiny-tagger-v3")
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\nA tagger.\n")
    (folder / "config.json").write_text(json.dumps({"architecture": "vit", "num_classes": 17}))
    card = added(folder)
    assert (card.name, card.task, card.license) == ("wd_tiny_tagger_v3", "multi-label", "apache-2.0")
    pixels = card.pixels
    assert (pixels.width, pixels.height, pixels.fit, pixels.filter, pixels.pad) == (
        SIDE,
        SIDE,
        "pad",
        "bicubic",
        (255, 255, 255),
    )
    assert (pixels.order, pixels.layout, pixels.dtype, pixels.mean, pixels.std) == (
        "bgr",
        "NHWC",
        "float32",
        (0.0,) * 3,
        (1.0,) * 3,
    )
    assert (card.outputs[0].shape, card.outputs[0].meaning) == ((len(ROWS),), "probabilities")
    tags = tags_of(card)
    assert tags.names[:6] == ("general", "sensitive", "questionable", "explicit", "1girl", "long hair")
    kinds = ["rating"] * len(RATINGS) + ["general"] * len(GENERAL) + ["character"] * len(CHARACTERS)
    assert list(tags.categories) == kinds
    assert registry.card(card.name) == card


def test_a_tagger_of_the_hub_is_downloaded_with_its_tags_and_no_other_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub", reason="the hub's client comes with the extra torch")
    import huggingface_hub.constants

    folder = save_tagger(tmp_path / "wd")
    (folder / "model.safetensors").write_bytes(b"not asked for")
    hub = SmallHub(folder, "SmilingWolf/wd-tiny-tagger")
    with hub.running() as address:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
        monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", address)
        monkeypatch.setattr(
            huggingface_hub.constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            address + "/{repo_id}/resolve/{revision}/{filename}",
        )
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        (card,) = add("SmilingWolf/wd-tiny-tagger", Wishes())
    assert {name for name, _ in hub.sent} == {"model.onnx", "selected_tags.csv"}
    assert card.source == f"SmilingWolf/wd-tiny-tagger at {COMMIT}"
    assert card.weights[0].revision == COMMIT


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("long_hair", "long hair", id="words"),
        pytest.param("hat_(clothing)", "hat (clothing)", id="brackets"),
        pytest.param("d.va_(overwatch)", "d.va (overwatch)", id="a name"),
        pytest.param("2b_(nier:automata)", "2b (nier:automata)", id="a number"),
        pytest.param("1girl", "1girl", id="no underscore"),
        pytest.param("東京_塔", "東京 塔", id="another script"),
    ],
)
def test_underscores_are_blanks(name: str, said: str) -> None:
    assert spelled(name) == said


FACES = "0_0 (o)_(o) +_+ +_- ._. <o>_<o> <|>_<|> =_= >_< 3_3 6_9 >_o @_@ ^_^ o_o u_u x_x |_| ||_|| ;_; -_- T_T"


@pytest.mark.parametrize("face", FACES.split(), ids=lambda face: face.encode("unicode_escape").hex())
def test_faces_stay_as_they_are(face: str) -> None:
    """The first nineteen are those that SmilingWolf's own program keeps."""
    assert spelled(face) == face


def changed(**values: str) -> list[Sequence[str]]:
    """The rows with other values in the sixth one."""
    row = dict(zip(("tag_id", "name", "category", "count"), ROWS[5], strict=True)) | values
    return [*ROWS[:5], tuple(row.values()), *ROWS[6:]]


def test_other_categories_have_their_names_or_numbers(tmp_path: Path) -> None:
    for category, name in (("3", "copyright"), ("12", "category 12"), ("species", "species")):
        folder = save_tagger(tmp_path / name, changed(category=category))
        assert tags_of(added(folder)).categories[5] == name


@pytest.mark.parametrize(
    ("said", "values"),
    [
        pytest.param("cannot be a name", {"name": "\x1b]0;owned\x07"}, id="control characters"),
        pytest.param("cannot be a name", {"name": "a\u202eb"}, id="text that runs backwards"),
        pytest.param("it is empty", {"name": " "}, id="blank"),
        pytest.param("1 to 200 printable", {"name": "a" * 201}, id="long"),
        pytest.param("not CSV|cannot be a name", {"name": "a" * 200_000}, id="longer than a field"),
        pytest.param("cannot be a name", {"category": "\x1b[2J"}, id="a hostile category"),
    ],
)
def test_names_that_a_terminal_would_obey_are_refused(said: str, values: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"^[^\n\x1b]*selected_tags\.csv[^\n\x1b]*({said})[^\n\x1b]*$"):
        added(save_tagger(tmp_path / "wd", changed(**values)))
    assert not (tmp_path / "models").exists()


def test_commas_quotes_and_line_breaks_in_names_do_no_harm(tmp_path: Path) -> None:
    folder = save_tagger(tmp_path / "wd", changed(name='a,"b"\nc\td'))
    card = added(folder)
    assert tags_of(card).names[5] == 'a,"b" c d'
    assert len(tags_of(card).names) == len(ROWS)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        pytest.param("no columns `name` and `category`", "tag,kind\na,0\n", id="other columns"),
        pytest.param("no columns `name` and `category`", "", id="empty"),
        pytest.param("it has no tags", "tag_id,name,category,count\n", id="no rows"),
        pytest.param("tag 1 has no name or no category", "tag_id,name,category,count\n1,a\n", id="a short row"),
        pytest.param("not CSV at line", 'name,category\n"a,0\n', id="a quote without an end"),
        pytest.param("not UTF-8", b"name,category\n\xff,0\n", id="not UTF-8"),
        pytest.param("more than 100,000 tags", "name,category\n" + "a,0\n" * 100_001, id="too many"),
        pytest.param("longer than 20,000,000 bytes", b"a" * 20_000_001, id="huge"),
        pytest.param(
            "gives \\(21,\\) values an image, and selected_tags.csv has 1 tags", "name,category\na,0\n", id="count"
        ),
    ],
)
def test_lists_of_tags_that_are_none_are_refused(said: str, text: str | bytes, tmp_path: Path) -> None:
    folder = save_tagger(tmp_path / "wd")
    (folder / "selected_tags.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ModelError, match=rf"^wd: [^\n]*{said}[^\n]*$"):
        added(folder)


@settings(max_examples=40)
@given(width=st.integers(1, 90), height=st.integers(1, 90), side=st.sampled_from([8, 32, 33]))
def test_images_of_any_size_are_prepared_as_the_makers_do_it(width: int, height: int, side: int) -> None:
    pixels = scene(width * 100 + height, width, height)
    wanted = PixelInput("pixels", "input", side, side, "pad", filter="bicubic", pad=(255, 255, 255))
    longer = max(width, height)
    square = Image.new("RGB", (longer, longer), "white")
    square.paste(Image.fromarray(pixels), ((longer - width) // 2, (longer - height) // 2))
    expected = np.asarray(square.resize((side, side), Image.Resampling.BICUBIC))
    assert np.array_equal(prepared([pixels], wanted)[0], expected)


@settings(max_examples=60)
@given(
    rows=st.lists(
        st.tuples(st.text(max_size=12), st.text(max_size=4)).filter(lambda row: row != ("", "")), min_size=1, max_size=5
    )
)
def test_any_table_of_names_is_read_whole_or_refused(rows: list[tuple[str, str]], tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    with path.open("w", newline="", encoding="utf-8", errors="replace") as file:
        csv.writer(file).writerows([("name", "category"), *rows])
    try:
        tags = read_tags(path, "t.csv")
    except ModelError as error:
        assert str(error).isprintable()  # noqa: PT017 - either outcome is right, and each has its own law
    else:
        assert len(tags.names) == len(rows)
        assert all(name.isprintable() and name.strip() for name in tags.names)


@pytest.mark.parametrize(
    ("said", "model"),
    [
        pytest.param("float32 images \\(n, side, side, 3\\)", {"shape": ("n", 3, SIDE, SIDE)}, id="channels first"),
        pytest.param("float32 images \\(n, side, side, 3\\)", {"shape": ("n", SIDE // 2, SIDE * 2, 3)}, id="no square"),
        pytest.param("float32 images \\(n, side, side, 3\\)", {"shape": ("n", "h", "w", 3)}, id="free sides"),
        pytest.param("no probabilities", {"ending": "Identity"}, id="logits"),
        pytest.param("gives \\(9,\\) values", {"outputs": 9}, id="fewer values than tags"),
    ],
)
def test_models_that_are_not_of_the_layout_are_refused(said: str, model: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"^wd: [^\n]*{said}[^\n]*$"):
        added(save_tagger(tmp_path / "wd", **model))


def test_an_onnx_file_with_labels_can_be_a_tagger(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a dog\na cat\tanimals\nindoors\tplaces\n", encoding="utf-8")
    told = Wishes(**vars(TOLD) | {"labels": tmp_path / "labels.txt"})
    for ending, meaning in (("Sigmoid", "probabilities"), ("Identity", "logits")):
        card = added(save_network(tmp_path / f"{meaning}.onnx", 3, ending), told)
        assert (card.task, card.outputs[0].meaning) == ("multi-label", meaning)
        assert tags_of(card).names == ("a dog", "a cat", "indoors")
        assert tags_of(card).categories == (None, "animals", "places")
    (tmp_path / "labels.txt").write_text("a dog\n\x1b[2J\nindoors\n", encoding="utf-8")
    with pytest.raises(ModelError, match="cannot be a name"):
        added(save_network(tmp_path / "bad.onnx", 3), told)


@pytest.mark.parametrize("library", ["transformers", "timm"])
def test_classifiers_of_several_labels_each_are_taggers(library: str, tmp_path: Path) -> None:
    libraries = pytest.importorskip("torch_libraries", reason="tiny models of theirs are made with torch")
    from tintype.models.running import runner
    from tintype.stages.tags import sigmoid

    folder = tmp_path / "many"
    model = libraries.save_vit(folder) if library == "transformers" else libraries.save_timm(folder)
    libraries.change_json(folder / "config.json", problem_type="multi_label_classification")
    card = added(folder, Wishes(with_onnx=False, license="MIT"))
    assert (card.task, card.outputs[0].meaning, len(tags_of(card).names)) == ("multi-label", "logits", 12)
    pixels = np.random.default_rng(0).integers(0, 256, (2, card.pixels.height, card.pixels.width, 3), dtype=np.uint8)
    ours = sigmoid(runner(card).run({card.input.name: pixels})["logits"])
    torch = libraries.torch
    from tintype.models.preparing import network_input

    with torch.inference_mode():
        made = model(torch.from_numpy(np.array(network_input(pixels, card.pixels))))
    logits = made.logits if library == "transformers" else made
    assert ours == pytest.approx(torch.sigmoid(logits).numpy(), abs=1e-4)
