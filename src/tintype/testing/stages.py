"""What the engine relies on in a stage, as tests: subclass `StageContract`, set `stage`, and pytest runs them."""

from __future__ import annotations

import pickle

import numpy as np
import pyarrow as pa
import simplejpeg
from numpy.typing import NDArray

from tintype.codec.image import Image
from tintype.core.columns import schema_of
from tintype.models.running import runner
from tintype.stages.base import Batch, Bytes, Model, Stage

_SIZES = ((375, 500), (500, 333), (64, 48), (1, 700), (700, 1), (1, 1), (240, 320))  # (height, width) in px


class StageContract:
    """What every stage must keep, ours or a plug-in's. A stage's own tests add cases with known answers."""

    stage: Stage

    def run(self, batch: Batch) -> pa.Table:
        return pa.table(dict(self.stage.compute(batch, self.stage.settings())))

    def test_writes_the_declared_columns(self) -> None:
        table = self.run(batch_of(3, self.stage))
        names = [column.name for column in self.stage.columns]
        assert sorted(table.column_names) == sorted(names)
        assert table.select(names).schema.equals(schema_of(self.stage.columns))
        assert table.num_rows == 3

    def test_takes_an_empty_batch(self) -> None:
        table = self.run(batch_of(0, self.stage))
        names = [column.name for column in self.stage.columns]
        assert table.num_rows == 0
        assert table.select(names).schema.equals(schema_of(self.stage.columns))

    def test_ignores_batch_borders(self) -> None:
        """Batches of one, two and more images give the rows that one batch of all gives, bit for bit."""
        batch = batch_of(9, self.stage)
        whole = self.run(batch)
        for size in (1, 2, 4):
            parts = [self.run(batch[i : i + size]) for i in range(0, len(batch), size)]
            assert pa.concat_tables(parts).equals(whole)

    def test_gives_the_same_again(self) -> None:
        assert self.run(batch_of(5, self.stage)).equals(self.run(batch_of(5, self.stage)))

    def test_leaves_its_input_alone(self) -> None:
        batch = batch_of(4, self.stage)
        before = [(bytes(data), image.rgb.tobytes()) for data, image in zip(batch.data, batch.images, strict=True)]
        self.run(batch)
        after = [(bytes(data), image.rgb.tobytes()) for data, image in zip(batch.data, batch.images, strict=True)]
        assert after == before

    def test_travels_to_a_worker(self) -> None:
        assert pickle.loads(pickle.dumps(self.stage)) == self.stage  # noqa: S301  # bytes that we just made

    def test_settings_are_a_frozen_value(self) -> None:
        settings = self.stage.settings()
        assert settings == self.stage.settings()
        assert hash(settings) == hash(self.stage.settings())

    def test_names_its_state_column_validly(self) -> None:
        assert self.stage.version >= 1
        assert self.stage.name.isidentifier()
        assert self.stage.name.islower()


def batch_of(count: int, stage: Stage) -> Batch:
    """A batch of `count` images that differ in size, shape and content, always the same ones, with read-only pixels.

    Among the first seven are one of a single pixel and two that are one pixel wide or high. Images that are larger
    than the stage needs come scaled down as little as a decoder would.
    """
    pictures = [_picture(i) for i in range(count)]
    side_px = 0 if isinstance(stage.needs, Bytes) else stage.needs.side_px
    return Batch(
        data=[simplejpeg.encode_jpeg(picture, quality=90) for picture in pictures],
        images=[image_of(_halved(picture, side_px), full=picture.shape) for picture in pictures],
        runner=runner(stage.needs.card) if isinstance(stage.needs, Model) else None,
    )


def image_of(rgb: NDArray[np.uint8], full: tuple[int, ...] | None = None) -> Image:
    """A decoded image of these pixels, (h, w, 3) uint8, which are made read-only; `full` is its full (h, w)."""
    pixels = np.ascontiguousarray(rgb, np.uint8)
    pixels.flags.writeable = False
    height, width = (full or pixels.shape)[:2]
    return Image(pixels, "jpeg", width, height, frames=1, color_mode="rgb", orientation=1)


def _picture(seed: int) -> NDArray[np.uint8]:
    """A color gradient with a few rectangles and some grain: (h, w, 3) uint8."""
    random = np.random.default_rng(seed)
    height, width = _SIZES[seed % len(_SIZES)]
    down, across = np.linspace(0, 1, height)[:, None, None], np.linspace(0, 1, width)[None, :, None]
    picture = 40 + 150 * (down * random.random(3) + across * random.random(3)) / 2
    for _ in range(6):
        top, left = random.integers(height), random.integers(width)
        picture[top : top + height // 3 + 1, left : left + width // 3 + 1] += random.integers(-60, 60, 3)
    grain = random.normal(0, 3, picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def _halved(picture: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    while max(picture.shape[:2]) >= 2 * max(side_px, 1) and min(picture.shape[:2]) > 1:
        picture = picture[::2, ::2]
    return picture
