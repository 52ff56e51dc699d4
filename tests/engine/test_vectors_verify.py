"""`verify` finds whatever is done to an output."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tintype import api
from tintype.engine.vectors import verifying
from tintype.testing.pictures import encoded, fill_folder, scene

FILE = "00001.parquet"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("verify")
    fill_folder(place / "root", 20)
    (place / "root" / "cut.jpg").write_bytes(encoded(scene(1))[:600])
    api.embed_to(place / "out", place / "root", model="descriptor", shard_images=8, workers=1)
    return place / "out"


@pytest.fixture
def output(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "out"))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def change_manifest(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def harm(output: Path) -> None:
        document = json.loads((output / "manifest.json").read_text())
        change(document)
        (output / "manifest.json").write_text(json.dumps(document))

    return harm


def rewrite(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    """As a program with a fault would have written it, hash and all."""

    def harm(output: Path) -> None:
        rows = change(pq.read_table(output / FILE))
        pq.write_table(rows, output / FILE)
        content = (output / FILE).read_bytes()
        document = json.loads((output / "manifest.json").read_text())
        document["files"][1] |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        (output / "manifest.json").write_text(json.dumps(document))

    return harm


def first_vector(value: float) -> Callable[[pa.Table], pa.Table]:
    def change(rows: pa.Table) -> pa.Table:
        vectors = rows["embedding"].to_pylist()
        vectors[0] = [value] * len(vectors[0])
        column = pa.array(vectors, rows.schema.field("embedding").type)
        return rows.set_column(1, rows.schema.field("embedding"), column)

    return change


def first_id_again(rows: pa.Table) -> pa.Table:
    ids = rows["id"].to_pylist()
    return rows.set_column(0, rows.schema.field("id"), pa.array([ids[0], ids[0], *ids[2:]], pa.string()))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda output: flip(output / FILE), "SHA-256"),
        (lambda output: (output / FILE).write_bytes(b""), "has 0 bytes"),
        (lambda output: (output / FILE).unlink(), "is not there"),
        (lambda output: (output / "00009.parquet").write_bytes(b"x"), "no file of this output"),
        (lambda output: next(output.glob("plan/*/00001.arrow")).write_bytes(b"x"), "cannot be read"),
        (lambda output: next(output.glob("plan/*/00001.arrow")).unlink(), "cannot be read"),
        (change_manifest(lambda document: document.update(images=20)), "manifest.json"),
        (change_manifest(lambda document: document["status"].update(ok=19)), "counts by status"),
        (change_manifest(lambda document: document["files"].pop()), "not in the manifest"),
        (change_manifest(lambda document: document.update(fingerprint="0" * 32)), "fingerprint"),
        (rewrite(lambda rows: rows.slice(1)), "others were written"),
        (rewrite(first_id_again), "has no row"),
        (rewrite(first_vector(0.0)), "not of unit length"),
        (rewrite(first_vector(float("nan"))), "not of unit length"),
    ],
)
def test_harm_is_found(output: Path, harm: Callable[[Path], None], words: str) -> None:
    assert api.verify(output).is_whole
    harm(output)
    found = api.verify(output)
    assert not found.is_whole
    assert any(re.search(words, f"{what} {reason}") for what, reason in found.problems), found.problems


def test_ids_that_come_twice_are_found_in_any_number_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [[f"image {number}" for number in range(start, start + 50)] for start in range(0, 500, 50)]
    blocks[7][3], blocks[9][9] = blocks[1][1], blocks[2][2]
    expected = sorted([blocks[1][1], blocks[2][2]])
    for held in (10_000, 100, 7):
        monkeypatch.setattr(verifying, "_HASHED_AT_ONCE", held)
        assert verifying._repeated(lambda: iter(blocks), 500) == expected
