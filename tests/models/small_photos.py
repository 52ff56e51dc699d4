"""Photos of several shapes, lossless and so small that no decoder scales them, and what a stage makes of them."""

from pathlib import Path
from typing import Any

from PIL import Image

from tintype.codec.decode import decode
from tintype.codec.limits import Limits
from tintype.models.running import runner
from tintype.stages.base import Batch, Model, Stage

PHOTOS = sorted((Path(__file__).parents[2] / "examples" / "photos").glob("*.jpg"))[:4]


def save_small_photos(place: Path) -> Path:
    """Four of them, `0.png` to `3.png`, every second one upright."""
    place.mkdir(parents=True, exist_ok=True)
    for number, photo in enumerate(PHOTOS):
        with Image.open(photo) as picture:
            made = picture.convert("RGB")
        made.thumbnail((150 - 7 * number, 150 - 7 * number))
        (made.rotate(90, expand=True) if number % 2 else made).save(place / f"{number}.png")
    return place


def columns_of(stage: Stage, place: Path, settings: Any) -> dict[str, dict[Path, Any]]:
    """By column, what the stage says of each photo, as a scan would run it but in this process."""
    assert isinstance(stage.needs, Model)
    paths = sorted(place.glob("*.png"))
    data = [path.read_bytes() for path in paths]
    images = [decode(one, shorter_px=stage.needs.side_px, limits=Limits()) for one in data]
    made = stage.compute(Batch(data, images, runner(stage.needs.card)), settings)
    return {name: dict(zip(paths, values.to_pylist(), strict=True)) for name, values in made.items()}
