"""The stage that describes a picture."""

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from tintype.models.running import runner
from tintype.stages.base import Batch
from tintype.stages.descriptor import CARD, COLUMNS, STAGE, Settings
from tintype.stages.registry import fingerprint
from tintype.testing.pictures import scene
from tintype.testing.stages import StageContract, image_of


class TestContract(StageContract):
    stage = STAGE


def described(*pictures: np.ndarray) -> pa.Table:
    batch = Batch([b""] * len(pictures), [image_of(picture) for picture in pictures], runner(CARD))
    return pa.table(dict(STAGE.compute(batch, Settings())))


def vectors(table: pa.Table) -> np.ndarray:
    column = table["descriptor"].combine_chunks()
    return column.flatten().to_numpy().astype(np.float32).reshape(-1, COLUMNS[0].type.list_size)


def test_vectors_are_of_unit_length() -> None:
    lengths = np.linalg.norm(vectors(described(scene(1), scene(2))), axis=1)
    assert np.allclose(lengths, 1, atol=2e-3)


def test_a_smaller_picture_is_nearer_than_another_one() -> None:
    photos = sorted((Path(__file__).resolve().parents[2] / "examples" / "photos").glob("*.jpg"))
    first, second = (cv2.imread(photo)[:, :, ::-1] for photo in photos[:2])
    halved = cv2.resize(first, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    one, smaller, other = vectors(described(first, halved, second))
    assert one @ smaller > 0.9
    assert one @ smaller > one @ other + 0.1


def test_even_pictures_have_vectors_too() -> None:
    for level in (0, 128, 255):
        table = described(np.full((100, 100, 3), level, np.uint8))
        assert np.isfinite(vectors(table)).all()
        assert table["descriptor_regions"].null_count == 0


def test_another_model_makes_rows_stale() -> None:
    import dataclasses

    other = dataclasses.replace(STAGE.needs, card=dataclasses.replace(CARD, notes="", outputs=CARD.outputs[:1]))
    assert fingerprint(dataclasses.replace(STAGE, needs=other), Settings()) != fingerprint(STAGE, Settings())
