"""Stages of models that find, write, answer and mask: one scan with all of them, and what comes of their columns."""

from pathlib import Path
from typing import Any

import pytest
from small_photos import columns_of, save_small_photos

import tintype
from tintype.api.objects import scan_objects
from tintype.models import registry
from tintype.stages import answers, captions, finding, masks

torch_libraries = pytest.importorskip("torch_libraries", reason="these models run on torch")
box_libraries = pytest.importorskip("box_libraries", reason="tiny detectors are made with torch")
word_libraries = pytest.importorskip("word_libraries")

MAKERS = {
    "find": box_libraries.save_owlvit,
    "caption": word_libraries.save_vit_gpt2,
    "ask": word_libraries.save_vilt,
    "masks": box_libraries.save_sam,
}
SETTINGS: dict[str, Any] = {
    "find.prompt": "a red car. a tree",
    "find.min_confidence": 0.0,
    "ask.question": "What color is the dog?",
    "masks.grid": 2,
    "masks.min_confidence": 0.0,
    "masks.min_stability": 0.0,
    "masks.overlap": 1.0,
    "masks.most": 2,
}
STAGES = {
    "find": (finding, finding.Settings(prompt="a red car. a tree", min_confidence=0.0)),
    "caption": (captions, captions.Settings()),
    "ask": (answers, answers.Settings(question="What color is the dog?")),
    "masks": (masks, masks.Settings(grid=2, min_confidence=0.0, min_stability=0.0, overlap=1.0, most=2)),
}


def test_one_scan_runs_them_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In processes of its own, with a broken file among the photos, and as each stage says here."""
    from tintype.models.adding.adding import add
    from tintype.models.adding.wishes import Wishes

    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", str(torch_libraries.WORKERS))
    photos = save_small_photos(tmp_path / "photos")
    for kind, save in MAKERS.items():
        save(tmp_path / kind)
        add(str(tmp_path / kind), Wishes(name="tiny" if kind == "find" else f"tiny_{kind}", license="MIT"))
    names = {kind: "tiny" if kind == "find" else f"tiny_{kind}" for kind in MAKERS}
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    stages = [f"{kind}:{name}" for kind, name in names.items()]
    config = tintype.config().replace(SETTINGS)
    scanned = tintype.scan(photos, stages=stages, config=config, workers=1)
    rows = {row["uri"]: row for row in scanned.table().to_pylist()}
    assert rows["broken.jpg"]["status"] == "damaged"
    for kind, (module, settings) in STAGES.items():
        for column, expected in columns_of(module.stage(registry.card(names[kind])), photos, settings).items():
            assert {path.name: value for path, value in expected.items()} == {
                uri: row[column] for uri, row in rows.items() if uri != "broken.jpg"
            }, column
            assert rows["broken.jpg"][column] is None

    answer, word = rows["0.png"]["ask_tiny_ask"], rows["0.png"]["caption_tiny_caption"].split()[0]
    where = f"ask_tiny_ask = '{answer}' and caption_tiny_caption contains '{word}' and find_tiny_count > 0"
    assert "0.png" in scanned.table(["uri"], where=f"{where} and masks_tiny_masks_count = 2")["uri"].to_pylist()

    objects = scan_objects(photos, column="find_tiny", stages=["colors"], workers=1)
    assert len(objects) == sum(len(row["find_tiny"] or ()) for row in rows.values())
    assert set(objects.table(["label_label"])["label_label"].to_pylist()) == {"a red car", "a tree"}
    masked = scan_objects(photos, column="masks_tiny_masks", stages=["colors"], workers=1)
    for row in masked.table(["object_of", "label_rle", "label_confidence"]).to_pylist():
        known = {mask["rle"]: mask["confidence"] for mask in rows[row["object_of"]]["masks_tiny_masks"]}
        assert known[row["label_rle"]] == pytest.approx(row["label_confidence"], abs=1e-5)
