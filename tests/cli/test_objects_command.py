"""The verb `objects`: its words, its JSON, and the collection that it names."""

import json

import pytest
from click.testing import CliRunner

import tintype
from tintype.cli.objects import objects
from tintype.core.errors import SourceError, UsageError
from tintype.testing.pictures import encoded, scene


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(encoded(scene(1, 192, 128)))
    (tmp_path / "boxes.csv").write_text(
        "image,x,y,w,h,label\na.jpg,1,2,30,40,cat\na.jpg,9,9,90,90,dog\nb.jpg,1,1,1,1,x\n"
    )
    tintype.scan(folder, stages=("thumbnail",), workers=1)
    return folder


def run(*words):
    return CliRunner().invoke(objects, [str(word) for word in words], catch_exceptions=False)


def test_says_what_was_done_and_where_the_objects_are(photos):
    words = (photos, "--boxes", photos.parent / "boxes.csv", "--stages", "thumbnail", "--workers", "1")
    document = json.loads(run(*words, "--json").stdout)
    assert (document["images"], document["new"], document["status"]) == (2, 2, {"ok": 2})
    assert document["skipped"] == {"boxes of images that are not here": 1}
    assert document["collection"] == str(photos / ".tintype" / "objects")
    assert len(tintype.open(document["collection"])) == 2
    said = run(*words)
    assert "2 unchanged" in said.stdout
    assert str(photos / ".tintype" / "objects") in said.stdout
    assert "b.jpg" in said.stdout


def test_takes_its_options(photos):
    words = (photos, "--boxes", photos.parent / "boxes.csv", "--stages", "thumbnail", "--workers", "1", "--json")
    made = run(
        *words, "--format", "table", "--unit", "share", "--orientation", "upright", "--set", "limits.pixels=9999"
    )
    assert json.loads(made.stdout)["images"] == 2
    with pytest.raises(SourceError, match="--images"):
        run(*words, "--images", "elsewhere")


def test_words_that_do_not_fit_are_refused(photos):
    with pytest.raises(UsageError, match="a table, or a column of boxes"):
        run(photos)
    assert run(photos, "--boxes", "x.json", "--format", "dota").exit_code == 2
