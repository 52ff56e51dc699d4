"""What annotations are is told by their name, their folder or their root."""

import pytest

from tintype.core.errors import SourceError, UsageError
from tintype.sources.annotations.base import Annotations
from tintype.sources.annotations.cvat import CVAT
from tintype.sources.annotations.resolve import resolve_annotations
from tintype.sources.annotations.voc import VOC
from tintype.sources.annotations.yolo import YOLO


def kind(path, *names, **options) -> str:
    """The name of the format that a place with these empty files is taken for."""
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).touch()
    return resolve_annotations(str(path), **options)._format.name


def test_a_folder_is_told_by_what_lies_in_it(tmp_path):
    assert kind(tmp_path / "a", "labels/1.txt", "labels/2.txt", "stray.xml") == "yolo"
    assert kind(tmp_path / "b", "train/1.xml", "train/2.XML", "README.txt") == "voc"
    assert kind(tmp_path / "c", "annotations.xml", "images/a.txt") == "cvat"
    assert kind(tmp_path / "d", ".hidden/1.xml", "images/a.jpg") == "yolo"
    assert kind(tmp_path / "e", "annotations.xml", kind="voc") == "voc"


def test_an_xml_file_is_told_by_its_root(tmp_path):
    path = tmp_path / "any.xml"
    for text, expected in (("<annotation/>", VOC.name), ("\ufeff<?xml version='1.0'?><annotations>", CVAT.name)):
        path.write_text(text)
        assert kind(path) == expected
    for text, words in (("<html/>", "its root is <html>"), ("", "not XML"), ("<!DOCTYPE a><a/>", "document type")):
        path.write_text(text)
        with pytest.raises(SourceError, match=words):
            kind(path)


def test_a_folder_of_cvat_has_its_file(tmp_path):
    with pytest.raises(SourceError, match=r"annotations.xml: cannot be read"):
        list(resolve_annotations(str(tmp_path), "cvat").batches(None))


def test_units_are_for_tables(tmp_path):
    assert Annotations(YOLO, tmp_path).unit == "share"
    with pytest.raises(UsageError, match="--unit is for tables"):
        resolve_annotations(str(tmp_path), "voc", "px")
    (tmp_path / "a.doc").touch()
    with pytest.raises(SourceError, match="nothing that boxes can be read from"):
        resolve_annotations(str(tmp_path / "a.doc"))
