"""What a detector found becomes rows of `objects`, like boxes that people drew."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from onnx_makers import CELLS, save_bright_cells
from PIL import Image

import tintype
from tintype import api, doctor
from tintype.api.objects import scan_objects
from tintype.cli.objects import objects as verb
from tintype.core.errors import SourceError, UsageError
from tintype.models.adding.adding import add
from tintype.models.adding.wishes import Wishes

TOLD = Wishes(
    name="bright",
    task="detect",
    fit="squeeze",
    filter="box",
    mean=(0.0, 0.0, 0.0),
    std=(255.0, 255.0, 255.0),
    boxes="center",
    unit="share",
    scores="probabilities",
)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, name in (("XDG_STATE_HOME", "state"), ("XDG_CONFIG_HOME", "config"), ("TINTYPE_MODELS", "models")):
        monkeypatch.setenv(variable, str(tmp_path / name))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three dark pictures with a white cell each, the last one turned by EXIF, and a broken one; scanned."""
    (tmp_path / "names.txt").write_text("lamp\n")
    add(str(save_bright_cells(tmp_path / "bright.onnx")), Wishes(**{**vars(TOLD), "labels": tmp_path / "names.txt"}))
    folder = tmp_path / "root"
    folder.mkdir()
    for number in range(3):
        rgb = np.zeros((80 * CELLS, 40 * CELLS, 3), np.uint8)
        rgb[80 * number : 80 * (number + 1), 40:80] = 255
        picture, exif = Image.fromarray(rgb), Image.Exif()
        if number == 2:
            picture, exif[0x0112] = picture.rotate(90, expand=True), 6
        picture.save(folder / f"{number}.png", exif=exif)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    tintype.scan(folder, stages=["objects:bright", "exif"], workers=1)
    return folder


def test_boxes_are_cut_out_upright_with_their_label_and_confidence(root: Path) -> None:
    objects = scan_objects(root, column="objects_bright", stages=["colors"], workers=1)
    rows = objects.table(["uri", "object_of", "label_label", "label_confidence", "mean_rgb", "status"]).to_pylist()
    assert [row["uri"] for row in rows] == [f"{number}.png#xywh=40,{80 * number},40,80" for number in range(3)]
    assert {(row["label_label"], row["label_confidence"], row["status"]) for row in rows} == {("lamp", 1.0, "ok")}
    assert all(min(row["mean_rgb"]) > 250 for row in rows), "what was cut out is not the bright place"
    assert all(check.ok is not False for check in doctor.examine(str(root)).checks)
    found = api.open(root).objects().table(["uri"], where="label_label = 'lamp' and label_confidence > 0.9")
    assert len(found) == 3


def test_the_report_draws_what_was_found_over_its_picture(root: Path) -> None:
    tintype.scan(root, stages=["thumbnail"], workers=1)
    api.report(api.open(root), root.parent / "report.html")
    page = (root.parent / "report.html").read_text("utf-8")
    sheet = page[page.index('<section id="sheet"') :]
    assert sheet.count('class="overlaid"') == 3
    assert sheet.count("<dt>Objects (bright)</dt><dd>lamp</dd>") == 3


def test_the_same_again_cuts_nothing_and_other_boxes_replace_the_first(root: Path, tmp_path: Path) -> None:
    scan_objects(root, column="objects_bright", stages=["colors"], workers=1)
    again = scan_objects(root, column="objects_bright", stages=["colors"], workers=1)
    assert again.last_scan is not None
    assert again.last_scan.new == 0
    (tmp_path / "boxes.csv").write_text("image,x,y,w,h,label\n0.png,1,2,30,30,mine\n")
    both = scan_objects(root, tmp_path / "boxes.csv", column="objects_bright", stages=["colors"], workers=1)
    assert sorted(both.table(["label_label"])["label_label"].to_pylist()) == ["lamp", "lamp", "lamp", "mine"]
    config = tintype.config().replace({"objects.min_confidence": 0.5, "objects.most": 1})
    (root / "1.png").unlink()
    tintype.scan(root, stages=["objects:bright", "exif"], workers=1, config=config)
    fewer = scan_objects(root, column="objects_bright", stages=["colors"], workers=1)
    assert fewer.table(["object_of"])["object_of"].to_pylist() == ["0.png", "2.png"]


def test_a_column_that_holds_no_boxes_is_refused(root: Path) -> None:
    with pytest.raises(UsageError, match=r"has no column of boxes 'width'\. There are: objects_bright"):
        scan_objects(root, column="width")
    with pytest.raises(UsageError, match="no annotations"):
        scan_objects(root)


def test_where_nothing_was_found_nothing_is_made(root: Path) -> None:
    for number in range(3):
        Image.new("RGB", (80, 80)).save(root / f"{number}.png")
    tintype.scan(root, stages=["objects:bright", "exif"], workers=1)
    boxes = api.open(root).table(["objects_bright", "objects_bright_count", "status"])
    assert boxes["objects_bright"].to_pylist() == [[], [], [], None]
    assert boxes["objects_bright_count"].to_pylist() == [0, 0, 0, None]
    assert boxes.schema.field("objects_bright_count").type == pa.int32()
    with pytest.raises(SourceError):
        scan_objects(root, column="objects_bright")


def test_the_command_takes_the_column(root: Path) -> None:
    words = [str(root), "--from", "objects_bright", "--stages", "colors", "--workers", "1", "--quiet"]
    said = CliRunner().invoke(verb, words, catch_exceptions=False)
    assert (said.exit_code, "3 images: ok 3" in said.output) == (0, True), said.output
    with pytest.raises(UsageError, match="'objects_birght'"):
        CliRunner().invoke(verb, [str(root), "--from", "objects_birght"], catch_exceptions=False)
