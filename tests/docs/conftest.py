"""A folder as the pages speak of it: a home with pictures, some photos, shards and tables."""

import io
import json
import runpy
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pages import REPOSITORY
from workplace import Workplace

SHARDS, IMAGES_PER_SHARD = 3, 6


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """What each page gets a copy of."""
    home = tmp_path_factory.mktemp("docs")
    _make_pictures(home / "Pictures")
    samples = sorted((REPOSITORY / "examples" / "photos").glob("*.jpg"))[:6]
    (home / "photos").mkdir()
    for sample in (*samples, samples[0]):
        copy = home / "photos" / sample.name
        shutil.copy2(sample, copy if not copy.exists() else copy.with_stem("copy"))
    shutil.copy2(samples[0], home / "photo.jpg")
    table = pq.read_table(data / "clothing-168" / "validation.parquet")
    rows = table.slice(0, SHARDS * IMAGES_PER_SHARD).to_pylist()
    (home / "shards").mkdir()
    for number in range(SHARDS):
        part = rows[number * IMAGES_PER_SHARD : (number + 1) * IMAGES_PER_SHARD]
        _write_shard(home / "shards" / f"{number:05}.tar", part)
    shutil.copy2(home / "shards" / "00000.tar", home / "train-000.tar")
    pq.write_table(table.slice(100, 12), home / "dataset.parquet")
    return home


@pytest.fixture
def workplace(original: Path, tmp_path: Path) -> Workplace:
    """A copy of its own, with times as in the original."""
    home = tmp_path / "home"
    shutil.copytree(original, home)
    return Workplace(home)


@pytest.fixture
def tiny_models(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models without training, as their makers would give them: an ONNX file, and folders of transformers."""
    from onnx_makers import save_bright_cells

    torch_libraries = pytest.importorskip("torch_libraries", reason="the models of the page run on torch")
    import box_libraries
    import word_libraries

    save_bright_cells(workplace.home / "bright.onnx")
    for name, save in (
        ("owlvit", box_libraries.save_owlvit),
        ("vit_gpt2", word_libraries.save_vit_gpt2),
        ("vilt", word_libraries.save_vilt),
        ("sam", box_libraries.save_sam),
    ):
        save(workplace.home / name)
    monkeypatch.setenv("PYTHONPATH", str(torch_libraries.WORKERS))


@pytest.fixture
def triton(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server over what the page has written, as far as the wheel of pytriton can run it."""
    from triton_server import Server, missing, run_by_python

    from tintype.models import registry
    from tintype.models.triton_repository import write_repository

    if missing():
        pytest.skip(missing())
    pytest.importorskip("tritonclient.grpc", reason="tritonclient is not installed: pip install 'tintype[triton]'")
    place = tmp_path / "triton" / "models"
    write_repository(registry.card("descriptor"), place)
    run_by_python(place / "descriptor")
    server = Server(place, place.parent)
    try:
        server.start()
        monkeypatch.setenv("TINTYPE_TRITON", server.address("grpc"))
        yield
    finally:
        server.kill()


def _make_pictures(place: Path) -> None:
    """The pictures that `make demo` makes, without their scan."""
    demo: dict[str, Any] = runpy.run_path(str(REPOSITORY / "examples" / "demo.py"))
    shutil.copytree(demo["PHOTOS"], place / "originals", ignore=shutil.ignore_patterns("*.md"))
    originals = sorted((place / "originals").glob("*.jpg"))
    for name, content in (*demo["copies"](originals), *demo["oddities"](originals)):
        target = place / name
        target.parent.mkdir(exist_ok=True)
        if isinstance(content, bytes):
            target.write_bytes(content)
        else:
            content.convert("RGB").save(target, quality=85)


def _write_shard(place: Path, rows: list[dict[str, Any]]) -> None:
    with tarfile.open(place, "w") as tar:
        for number, row in enumerate(rows):
            label = json.dumps({"label": row["label"]}).encode()
            for extension, content in ((".jpg", row["image"]["bytes"]), (".json", label), (".cls", b"3")):
                member = tarfile.TarInfo(f"{number:04}{extension}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
