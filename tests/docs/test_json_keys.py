"""Each key of each JSON document is explained, and each key that is explained is there."""

import contextlib
import io
import json
import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from pages import DOCS, section
from workplace import Workplace

from tintype.cli.main import main

COMMANDS = {
    "scan": ("scan", "PLACE", "--quiet", "--stages", "exif,quality,phash,colors,thumbnail,descriptor,embed:descriptor"),
    "duplicates": ("duplicates", "PLACE"),
    "issues": ("issues", "PLACE"),
    "neighbors": ("neighbors", "PLACE", "--image", "originals/Casio_EX-S1.jpg"),
    "outliers": ("outliers", "PLACE", "--set", "outliers.least_score=0"),
    "clusters": ("clusters", "PLACE"),
    "leaks": ("leaks", "PLACE", "--by", "folder"),
    "labels": ("labels", "PLACE", "--label", "folder"),
    "select": ("select", "PLACE", "-n", "3"),
    "map": ("map", "PLACE"),
    "decide": ("decide", "PLACE", "not-duplicate", "originals/Sanyo_SR6.jpg", "originals/Casio_EX-S1.jpg"),
    "decisions": ("decisions", "PLACE"),
    "models": ("models",),
    "embed": ("embed", "PLACE", "--output", "vectors", "--model", "descriptor", "--quiet"),
    "status": ("status", "vectors"),
    "status of a collection": ("status", "PLACE"),
    "verify": ("verify", "vectors"),
    "models head": ("models", "head", "place", "--over", "descriptor", "--column", "folder", "--from", "PLACE"),
    "predict": ("predict", "PLACE", "--model", "place"),
    "info": ("info", "PLACE"),
    "search": ("search", "PLACE", "--image", "originals/Casio_EX-S1.jpg"),
    "index": ("index", "build", "PLACE", "--column", "descriptor"),
    "report": ("report", "PLACE", "-o", "report.html"),
    "trust": ("trust", "PLACE"),
    "config show": ("config", "show"),
    "doctor": ("doctor", "PLACE"),
    "plugins": ("plugins",),
    "completion": ("completion", "bash"),
    "version": ("version",),
}
"""In the order in which they are run; PLACE are the pictures of the demo."""

OPEN = frozenset(
    [
        *("status", "formats", "years", "cameras.named", "shapes", "skipped", "versions", "time.stages"),
        *("members", "splits", "images", "classes", "left_out", "models", "model", "shards", "index.skipped"),
        *("speeds", "labels[].named"),
        *("settings[].value", "settings[].default"),
    ]
)
"""Objects whose keys are names that depend on the images or the installation."""

_FIGURES = re.compile(r"sizes|megapixels|measures\.\w+")


@pytest.fixture(scope="module")
def documents(original, tmp_path_factory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("json") / "home"
    shutil.copytree(original, home)
    return {name: _document(words, Workplace(home)) for name, words in COMMANDS.items()}


def _document(words: tuple[str, ...], workplace: Workplace) -> Any:
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        for name, value in workplace.environ.items():
            patch.setenv(name, value)
        patch.chdir(workplace.home)
        pictures = str(workplace.home / "Pictures")
        assert main([pictures if word == "PLACE" else word for word in (*words, "--json")]) == 0
    return json.loads(printed.getvalue())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_keys_of_a_document_are_those_of_its_section(name, documents):
    explained = set(re.findall(r"^\| `([a-z_.*\[\]]+)` \|", section(DOCS / "commands.md", f"### JSON of {name}"), re.M))
    there = set(_keys(documents[name]))
    if name == "scan":  # only where there are any
        explained -= {"problems[].uri", "problems[].reason"}
    if name == "info":  # likewise
        explained -= {f"models[].{key}" for key in ("column", "engine", "images_from", "images")}
    assert there == explained


def _keys(value: Any, key: str = "") -> Iterator[str]:
    """Dotted keys; `[]` for the members of a list, `*` for objects of one kind."""
    if _FIGURES.fullmatch(key):
        yield key.partition(".")[0]
        yield from _keys(value, "*")
        return
    if key and key != "*" and not key.endswith("]"):
        yield key
    if key in OPEN:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _keys(inner, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, dict):
                yield from _keys(inner, f"{key}[]")
