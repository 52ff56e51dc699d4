"""The public calls: what they give is the same whatever the source, the number of workers and the way there."""

import importlib
import io
import json
import pkgutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tintype
from tintype.core.errors import CollectionError, CollectionNotFound, FilterError, UsageError
from tintype.testing.pictures import encoded, fill_folder, scene

NOT_OF_THE_FILE = {"uri", "modified_at"}


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    paths = fill_folder(tmp_path / "root", 24)
    (tmp_path / "root" / "copy.jpg").write_bytes(paths[0].read_bytes())
    (tmp_path / "root" / "smaller.jpg").write_bytes(encoded(scene(1)[::2, ::2], quality=70))
    return tmp_path / "root"


def test_public_names_are_sorted_and_each_loads() -> None:
    """Also after all of the package was imported: a package's name would take the place of a call's."""
    assert list(tintype.__all__) == sorted(tintype.__all__)
    for module in pkgutil.walk_packages(tintype.__path__, "tintype."):
        if module.name not in ("tintype.engine.worker", "tintype.engine.graph.worker", "tintype.train.tuning"):
            importlib.import_module(module.name)
    for name in tintype.__all__:
        assert callable(getattr(tintype, name)), name
    with pytest.raises(AttributeError, match="nothing"):
        tintype.nothing  # noqa: B018  asking is the test


def test_import_loads_nothing_heavy() -> None:
    code = "import sys, tintype; print({'numpy', 'pyarrow', 'lance', 'cv2', 'PIL'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_scan_is_opened_again_by_root_or_by_collection(root: Path) -> None:
    photos = tintype.scan(root)
    assert len(photos) == 26
    assert tintype.open(root).table().equals(photos.table())
    assert tintype.open(photos.place).table().equals(photos.table())
    with pytest.raises(CollectionNotFound, match="tintype scan"):
        tintype.open(root / "folder 1")


def test_a_plain_script_without_a_main_guard_works(root: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"import tintype\nprint(len(tintype.scan({str(root)!r})))\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert done.stdout == "26\n", done.stderr


def test_table_takes_columns_and_filters(root: Path) -> None:
    photos = tintype.scan(root)
    assert photos.table(["uri"], where="width < 60")["uri"].to_pylist() == ["smaller.jpg"]
    assert photos.table(["width"], where="uri = 'smaller.jpg'").to_pylist() == [{"width": 48}]
    with pytest.raises(FilterError, match="widht"):
        photos.table(where="widht > 3")
    with pytest.raises(UsageError, match="no_such"):
        photos.table(["no_such"])


def as_tar(root: Path, place: Path) -> Path:
    with tarfile.open(place, "w") as tar:
        for path in sorted(root.rglob("*.jpg")):
            tar.add(path, arcname=str(path.relative_to(root)))
    return place


def as_table(root: Path, place: Path) -> Path:
    paths = sorted(path for path in root.rglob("*.jpg"))
    images = [{"bytes": path.read_bytes(), "path": path.name} for path in paths]
    pq.write_table(pa.table({"image": images, "label": [path.parent.name for path in paths]}), place)
    return place


def of_the_files(photos: tintype.Collection) -> list[dict[str, object]]:
    names = [name for name in photos.columns if name not in NOT_OF_THE_FILE and not name.startswith("label_")]
    return sorted(photos.table(names).to_pylist(), key=str)


def test_folder_tar_and_table_give_the_same_columns(root: Path, tmp_path: Path) -> None:
    folder = of_the_files(tintype.scan(root))
    assert of_the_files(tintype.scan(as_tar(root, tmp_path / "shard.tar"))) == folder
    table = tintype.scan(as_table(root, tmp_path / "images.parquet"))
    assert of_the_files(table) == folder
    assert set(table.table(["label_label"])["label_label"].to_pylist()) == {"root", "folder 0", "folder 1", "folder 2"}


def test_labels_beside_the_images_of_a_tar_become_columns(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        for number in range(5):
            members = {
                "jpg": encoded(scene(number)),
                "json": json.dumps({"Split!": "train" if number else "test", "n": number}).encode(),
                "txt": f"picture {number}".encode(),
                "cls": str(number % 2).encode(),
            }
            for extension, content in members.items():
                entry = tarfile.TarInfo(f"{number:04d}.{extension}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    photos = tintype.scan(tmp_path / "shard.tar")
    rows = photos.table(["label_split", "label_n", "label_cls"], where="label_split = 'train'").to_pylist()
    assert rows == [{"label_split": "train", "label_n": n, "label_cls": n % 2} for n in range(1, 5)]
    assert photos.schema.field("label_split").metadata[b"label"] == b"Split!"


def test_several_sources_make_one_collection(root: Path, tmp_path: Path) -> None:
    shards = [as_tar(root, tmp_path / f"{number}.tar") for number in range(2)]
    with pytest.raises(UsageError, match="--collection"):
        tintype.scan(*shards)
    photos = tintype.scan(*shards, collection=tmp_path / "all.tintype")
    assert len(photos) == 52
    assert len(set(photos.table(["uri"])["uri"].to_pylist())) == 52
    again = tintype.scan(*shards, collection=tmp_path / "all.tintype")
    assert again.last_scan is not None
    assert again.last_scan.unchanged == 52
    with pytest.raises(CollectionError, match="is the collection of"):
        tintype.scan(root, collection=tmp_path / "all.tintype")


def test_answers_are_the_same_byte_for_byte_whatever_the_workers(root: Path, tmp_path: Path) -> None:
    answers = []
    for workers in (1, 3):
        photos = tintype.scan(root, collection=tmp_path / f"c{workers}", workers=workers)
        page = tintype.report(photos, tmp_path / f"{workers}.html").read_bytes()
        found = (tintype.info(photos), tintype.duplicates(photos), tintype.issues(photos))
        answers.append(([json.dumps(answer.to_json()) for answer in found], page))
    assert answers[0] == answers[1]


def test_findings_are_kept_and_made_anew_when_data_or_settings_change(root: Path) -> None:
    photos = tintype.scan(root)
    first = tintype.duplicates(photos)
    kept, facts = photos.findings("duplicates")
    assert kept.num_rows == first.pairs.num_rows
    assert facts["made_from"] == str(photos.version)
    assert tintype.duplicates(photos).to_json() == first.to_json()
    assert all(
        pair["relation"] == "identical" for pair in tintype.duplicates(photos, max_distance=0).to_json()["pairs"]
    )
    (root / "copy 2.jpg").write_bytes((root / "copy.jpg").read_bytes())
    later = tintype.scan(root)
    assert tintype.duplicates(later).pairs.num_rows == first.pairs.num_rows + 1


def test_the_projects_settings_hold_for_a_scan(root: Path) -> None:
    (root / "tintype.yaml").write_text("scan:\n  stages: [phash]\n  ignore: ['folder 1/']\n")
    photos = tintype.scan(root)
    assert "sharpness" not in photos.columns
    assert not any(uri.startswith("folder 1/") for uri in photos.table(["uri"])["uri"].to_pylist())
    assert photos.skipped["ignored"] == 1


def test_labels_keep_their_types_and_what_does_not_fit_is_kept_and_counted(tmp_path: Path) -> None:
    def table(labels: list[object]) -> None:
        rows = [{"image": {"bytes": encoded(scene(n)), "path": None}, "数": label} for n, label in enumerate(labels)]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")

    table([1, 2, 3])
    photos = tintype.scan(tmp_path / "t.parquet")
    (name,) = [column for column in photos.columns if column.startswith("label_") and column != "label_rest"]
    assert photos.table([name])[name].to_pylist() == [1, 2, 3]
    table(["4", "five", "6"])
    photos = tintype.scan(tmp_path / "t.parquet")
    assert photos.last_scan is not None
    assert photos.schema.field(name).type == pa.int64()
    rows = photos.table([name, "label_rest"]).to_pylist()
    assert sum(row["label_rest"] is not None for row in rows) == photos.last_scan.label_rest
    assert "five" in rows[1]["label_rest"]
