"""Names in annotations find the images that they mean, or nothing."""

import random

import pyarrow as pa
import pytest

from tintype.core.names import uri_from_path
from tintype.sources.annotations.names import AMBIGUOUS, MISSING, ImageNames


def rows(names, uris, **options):
    return ImageNames(pa.array(uris, pa.string())).rows(pa.array(names, pa.string()), **options).tolist()


URIS = [
    "train/1.jpg",
    "train/2.jpg",
    "val/1.jpg",
    "50%25.jpg",
    "a%23b.jpg",
    "s.tar#d/3.jpg",
    "t.parquet#17",
    "x/y/z.png",
]


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("train/1.jpg", "train/1.jpg"),
        ("2.jpg", "train/2.jpg"),
        ("./train//2.jpg", "train/2.jpg"),
        ("../images/train/2.jpg", "train/2.jpg"),
        ("/home/ann/data/val/1.jpg", "val/1.jpg"),
        ("train\\2.jpg", "train/2.jpg"),
        ("C:\\data\\val\\1.jpg", "val/1.jpg"),
        ("50%.jpg", "50%25.jpg"),
        ("50%25.jpg", "50%25.jpg"),  # as a uri, for no file has that name
        ("a#b.jpg", "a%23b.jpg"),
        ("3.jpg", "s.tar#d/3.jpg"),
        ("d/3.jpg", "s.tar#d/3.jpg"),
        ("s.tar#d/3.jpg", "s.tar#d/3.jpg"),
        ("t.parquet#17", "t.parquet#17"),
        ("y/z.png", "x/y/z.png"),
        ("1.jpg", AMBIGUOUS),
        ("z.jpg", MISSING),
        ("test/1.jpg", MISSING),
        ("rain/1.jpg", MISSING),
        ("", MISSING),
        (".", MISSING),
        ("../..", MISSING),
        ("/etc/passwd", MISSING),
    ],
)
def test_a_name_finds_its_image(name, uri):
    expected = URIS.index(uri) if isinstance(uri, str) else uri
    assert rows([name], URIS) == [expected]


def test_the_whole_uri_goes_before_the_end_of_another_and_the_longer_end_before_the_shorter():
    uris = ["a.jpg", "b/a.jpg", "c/b/a.jpg"]
    assert rows(["a.jpg", "b/a.jpg", "c/b/a.jpg", "d/b/a.jpg", "e/a.jpg"], uris) == [0, 1, 2, 1, 0]


def test_a_folder_says_which_is_meant():
    assert rows(["1.jpg", "2.jpg"], URIS, beneath="val/") == [2, MISSING]


def test_label_files_lie_beside_their_images_or_in_a_folder_of_their_own():
    uris = [
        "images/train/1.jpg",
        "images/val/1.png",
        "flat/2.jpeg",
        "train/images/3.x.jpg",
        "dup/4.jpg",
        "dup/4.png",
        "5",
    ]
    names = ["labels/train/1", "train/1", "labels/val/1", "flat/2", "2", "train/labels/3.x", "dup/4", "5", "labels/6"]
    found = rows(names, uris, naming="label files")
    assert found == [0, 0, 1, 2, 2, 3, AMBIGUOUS, 6, MISSING]


def test_annotation_files_lie_beside_their_images_or_in_a_folder_of_their_own():
    uris = ["JPEGImages/1.jpg", "Segmentation/1.png", "JPEGImages/2.jpeg", "images/3.png", "train/4.jpg", "val/4.jpg"]
    names = [
        "Annotations/1.jpg",
        "Annotations/2",
        "annotations/3.png",
        "train/4.jpg",
        "xmls/val/4",
        "1.png",
        "1",
        "9.jpg",
    ]
    found = rows(names, uris, naming="annotation files")
    assert found == [0, 2, 3, 4, 5, 1, AMBIGUOUS, MISSING]


def test_a_row_of_a_table_is_meant_whatever_folder_names_begin_from():
    assert rows(["t.parquet#17", "1.jpg"], URIS, beneath="val") == [URIS.index("t.parquet#17"), 2]


def test_agrees_with_looking_at_every_pair():
    random.seed(3)
    parts = ["a", "b", "c%", "d"]
    uris = sorted({"/".join(random.choices(parts, k=random.randint(1, 4))) for _ in range(60)})
    names = ["/".join(random.choices(parts, k=random.randint(1, 5))) for _ in range(400)]
    uris = [uri_from_path(uri) for uri in uris]
    assert rows(names, uris) == [slowly(uri_from_path(name), uris) for name in names]


def slowly(name, uris):
    if name in uris:
        return uris.index(name)
    longer = [row for row, uri in enumerate(uris) if uri.endswith("/" + name)]
    if longer:
        return longer[0] if len(longer) == 1 else AMBIGUOUS
    shorter = [uri for uri in uris if name.endswith("/" + uri)]
    return uris.index(max(shorter, key=len)) if shorter else MISSING


def test_no_names_and_no_images():
    assert rows([], URIS) == []
    assert rows(["a.jpg"], []) == [MISSING]
