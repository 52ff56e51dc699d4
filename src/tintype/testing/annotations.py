"""The contract of a format that boxes are written in: what the list of objects relies on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tintype.core.errors import SourceError
from tintype.core.names import uri_from_path
from tintype.sources.annotations import base
from tintype.sources.annotations.base import BOXES, Annotations
from tintype.sources.base import Notes
from tintype.sources.boxes import Box
from tintype.sources.object_list import IMAGES, ObjectList, write_list

SIZE = (640, 480)
"""Of the images that the boxes lie in, in px."""


class Drawn(NamedTuple):
    """A box with its class."""

    box: Box
    label: str


Boxes = Mapping[str, Sequence[Drawn]]
"""Boxes in px by the name of their image."""

_places = st.integers(-5_000, 60_000).map(lambda n: n / 100)
_sizes = st.integers(400, 30_000).map(lambda n: n / 100)
_boxes = st.builds(Box, _places, _places, _sizes, _sizes, st.sampled_from((0.0, 0.0, 0.0, 15.5, -90.0, 120.25)))
SOME_BOXES = st.dictionaries(
    st.sampled_from(("a.jpg", "sub/b.jpg", "sub/c d.jpg", "é%#.jpg")),
    st.lists(st.builds(Drawn, _boxes, st.sampled_from(("cat", "007", "two words", "<é&'\">"))), min_size=1, max_size=4),
    min_size=1,
)
"""A strategy: boxes in hundredths of px, some beyond their image, some turned, some the same."""


_as_inherited = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.differing_executors])


def images_named(names: Sequence[str]) -> pa.Table:
    """Rows of IMAGES of the size SIZE; the names are uris."""
    rows = [
        {"uri": name, "status": "ok", "width": SIZE[0], "height": SIZE[1], "size_bytes": 1}
        for name in sorted(names, key=str.encode)
    ]
    return pa.Table.from_pylist(rows, schema=IMAGES)


def listed(annotations: Annotations, images: pa.Table, notes: Notes | None = None) -> list[tuple[str, str | None]]:
    """Uri and class of every object, in their order."""
    with TemporaryDirectory() as folder:
        write_list(Path(folder), [annotations], images, notes or Notes())
        batches = list(ObjectList(Path(folder)).batches())
        return [(row["uri"], row["label"]) for batch in batches for row in batch.to_pylist()]


def table_of(annotations: Annotations, notes: Notes | None = None) -> pa.Table:
    """All boxes, as they are read."""
    return pa.Table.from_batches(annotations.batches(notes or Notes()), BOXES)


class AnnotationsContract:
    """What every format promises. Subclass it with a method `write`."""

    def write(self, folder: Path, boxes: Boxes) -> Annotations:
        """Write boxes of images of the size SIZE into an empty folder, as the format has them, and open them."""
        raise NotImplementedError("the subclass writes the format")

    @pytest.fixture
    def written(self, tmp_path: Path) -> Annotations:
        boxes = [Drawn(Box(n, 2 * n, 30 + n, 40.25), f"class {n % 3}") for n in range(10)]
        return self.write(tmp_path, {"a.jpg": boxes[:7], "b.jpg": boxes[7:]})

    @given(boxes=SOME_BOXES)
    @_as_inherited
    def test_the_objects_are_the_boxes_that_were_written(self, boxes: Boxes) -> None:
        """In px of hundredths, turned, named by their image, with their class; one that stands twice twice."""
        with TemporaryDirectory() as folder:
            annotations = self.write(Path(folder), boxes)
            notes = Notes()
            found = listed(annotations, images_named([uri_from_path(name) for name in boxes]), notes)
        assert sorted((uri.partition("&n=")[0], label or "") for uri, label in found) == sorted(
            (f"{uri_from_path(name)}#xywh={_as_text(one.box)}", one.label) for name in boxes for one in boxes[name]
        )
        assert len({uri for uri, _ in found}) == len(found)
        assert not notes.skipped

    def test_gives_rows_of_the_declared_columns(self, written: Annotations) -> None:
        batches = list(written.batches(Notes()))
        assert sum(batch.num_rows for batch in batches) == 10
        for batch in batches:
            assert batch.schema.equals(BOXES)
            batch.validate(full=True)

    def test_gives_the_same_again(self, written: Annotations) -> None:
        first, second = Notes(), Notes()
        assert table_of(written, first).equals(table_of(written, second))
        assert first == second

    def test_batches_are_bounded(self, written: Annotations, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = table_of(written).to_pylist()
        monkeypatch.setattr(base, "ROWS_PER_BATCH", 3)
        batches = list(written.batches(Notes()))
        assert len(batches) > 1
        assert [row for batch in batches for row in batch.to_pylist()] == whole

    def test_the_class_is_a_label(self, written: Annotations) -> None:
        assert set(table_of(written)["label"].to_pylist()) == {"class 0", "class 1", "class 2"}
        types = {column.name: column.type for column in written.labels}
        assert types["label_label"] == pa.string()
        assert all(name.startswith("label_") for name in types)

    def test_says_where_it_lies(self, written: Annotations, tmp_path: Path) -> None:
        assert Path(written.place).is_absolute()
        assert Path(written.place).is_relative_to(tmp_path)

    @pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
    def test_a_box_that_is_not_finite_is_refused_alone(self, tmp_path: Path, bad: float) -> None:
        good = Drawn(Box(1, 2, 30, 40), "cat")
        notes = Notes()
        annotations = self.write(tmp_path, {"a.jpg": [good, Drawn(Box(bad, 2, 30, 40), "cat"), good]})
        assert len(table_of(annotations, notes)) == 2
        assert notes.skipped == {"refused": 1}
        assert all("\n" not in reason for _, reason in notes.problems)

    @pytest.mark.parametrize(
        ("box", "problem"),
        [(Box(50, 60, -20, -20), "a box of negative size"), (Box(700, 500, 20, 20), "the box lies outside")],
    )
    def test_a_box_that_makes_no_sense_is_an_object_with_a_problem(
        self, tmp_path: Path, box: Box, problem: str
    ) -> None:
        (tmp_path / "list").mkdir()
        (tmp_path / "boxes").mkdir()
        annotations = self.write(tmp_path / "boxes", {"a.jpg": [Drawn(box, "cat"), Drawn(Box(1, 2, 3, 4), "cat")]})
        write_list(tmp_path / "list", [annotations], images_named(["a.jpg"]), Notes())
        (batch,) = ObjectList(tmp_path / "list").batches()
        problems = batch["problem"].to_pylist()
        assert problems.count(None) == 1
        assert any(said and said.startswith(problem) for said in problems)

    def test_images_that_are_not_here_are_counted(self, tmp_path: Path) -> None:
        one = Drawn(Box(1, 2, 30, 40), "cat")
        notes = Notes()
        found = listed(self.write(tmp_path, {"a.jpg": [one], "gone.jpg": [one] * 3}), images_named(["a.jpg"]), notes)
        assert [uri for uri, _ in found] == ["a.jpg#xywh=1,2,30,40"]
        assert notes.skipped == {"boxes of images that are not here": 3}
        assert len(notes.problems) == 1
        assert "gone" in notes.problems[0][0]

    @given(data=st.data())
    @_as_inherited
    def test_damaged_files_cost_boxes_and_nothing_else(self, data: st.DataObject) -> None:
        """Whatever is written over a part of a file: sound rows, refusals in one line, or one error in one line."""
        with TemporaryDirectory() as name:
            folder = Path(name)
            boxes = {"a.jpg": [Drawn(Box(1, 2, 30, 40), "cat"), Drawn(Box(1, 2, 30, 40, 15), "dog")]}
            annotations = self.write(folder, boxes)
            path = data.draw(st.sampled_from(sorted(path for path in folder.rglob("*") if path.is_file())))
            before = path.read_bytes()
            start = data.draw(st.integers(0, len(before)))
            end = data.draw(st.integers(start, len(before)))
            path.write_bytes(before[:start] + data.draw(st.binary(max_size=12)) + before[end:])
            notes, said = Notes(), []
            try:
                table_of(annotations, notes).validate(full=True)
                assert isinstance(annotations.labels, tuple)
            except SourceError as error:
                said = [str(error)]
            assert not any("\n" in one for one in (*said, *(reason for _, reason in notes.problems)))


def _as_text(box: Box) -> str:
    """As a uri has it; the numbers have two decimals at most."""
    places = ",".join(f"{number:.2f}".rstrip("0").rstrip(".") for number in (box.x, box.y, box.width, box.height))
    return places + (f"&angle={box.angle:g}" if box.angle else "")
