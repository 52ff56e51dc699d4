"""What engines are measured against: a full decode, the model's own library's preparation, and fp32."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageOps

from tintype.codec.image import Image
from tintype.models.base import Runner
from tintype.models.card import Card
from tintype.models.card_file import read_file
from tintype.models.engines import ONNX, TORCH, load
from tintype.models.preparing import network_input, prepared

Pixels = NDArray[np.uint8]
_Library = Callable[[PillowImage.Image], NDArray[np.float32]]
_PROCESSORS = ("processor_config.json", "preprocessor_config.json")


def by_card(card: Card, images: Sequence[Image]) -> Pixels:
    """Decoded images as uint8 (n, height, width, 3), by the card's rule."""
    return prepared([image.rgb for image in images], card.pixels, [(image.width, image.height) for image in images])


@dataclass(frozen=True)
class Reference:
    """A card's model in fp32 on the processor: by PyTorch where the card has such weights, else by ONNX Runtime."""

    card: Card
    beside: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # further inputs, (1, ...) each

    @property
    def forward_words(self) -> str:
        """What runs the model."""
        return f"{'PyTorch' if self._is_torch else 'ONNX Runtime'} in fp32"

    @property
    def words(self) -> str:
        """What is done with an image's file, from beginning to end."""
        rule = "the card's rule"
        if self._library is not None:
            rule = f"the preparation of {self.card.weights_for('torch').loader.partition(':')[0]}"
        return f"full decode by Pillow, {rule}, {self.forward_words}"

    def of_file(self, data: bytes) -> dict[str, NDArray[np.float32]]:
        """All outputs for one image, decoded in full and upright: (1, ...) each. Raises OSError where Pillow or the
        library cannot read or prepare it."""
        picture = opened(data)
        if self._library is None:
            image = Image(np.asarray(picture), "", picture.width, picture.height, 1, "rgb", 1)
            return self.runner.run({self.card.input.name: by_card(self.card, [image]), **self.beside})
        try:
            planes = self._library(picture)[None]
        except Exception as error:  # libraries raise what comes, as for images of one pixel
            raise OSError(f"its library cannot prepare it: {error}") from error
        return self._forward(planes)

    def of_pixels(self, pixels: Pixels) -> dict[str, NDArray[np.float32]]:
        """All outputs for what our own preparation gave."""
        if self._library is None:
            return self.runner.run({self.card.input.name: pixels})
        return self._forward(network_input(pixels, self.card.pixels))

    @cached_property
    def runner(self) -> Runner:
        """Raises ModelError for a card that cannot be loaded."""
        return load(self.card, TORCH if self._is_torch else ONNX)

    def _forward(self, planes: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
        """From normalized float32 (n, 3, height, width), an image at a time."""
        import torch

        tower = self.runner.tower  # type: ignore[attr-defined]  # only PyTorch's runner comes here
        with torch.inference_mode():
            further = [torch.from_numpy(np.array(self.beside[name])) for name in self.card.input_names[1:]]
            rows = [tower(torch.from_numpy(np.array(plane[None], np.float32)), *further) for plane in planes]
        names = [output.name for output in self.card.outputs]
        return {name: torch.cat([row[at] for row in rows]).numpy() for at, name in enumerate(names)}

    @cached_property
    def _is_torch(self) -> bool:
        return find_spec("torch") is not None and any(part.engine == "torch" for part in self.card.weights)

    @cached_property
    def _library(self) -> _Library | None:
        """The library's own preparation, from its own configuration; None where card or machine lack it."""
        if not self._is_torch:
            return None
        library = self.card.weights_for("torch").loader.partition(":")[0]
        # A torchvision that does not fit its PyTorch raises RuntimeError; a configuration may say nothing of images.
        with contextlib.suppress(ImportError, RuntimeError, LookupError, TypeError, ValueError, OSError):
            return _LIBRARIES[library](self.card)
        return None


def opened(data: bytes) -> PillowImage.Image:
    """An image decoded in full by Pillow, upright, RGB. Raises OSError."""
    try:
        with PillowImage.open(io.BytesIO(data)) as found:
            return ImageOps.exif_transpose(found).convert("RGB")
    except OSError:
        raise
    except Exception as error:  # decoders raise what comes
        raise OSError(f"Pillow cannot read it: {error}") from error


def _config(card: Card) -> dict[str, Any]:
    from tintype.models.backends.torch_modules import parsed_config

    file = card.weights_for("torch").beside[0]
    return parsed_config(read_file(card, file), file.name)


def _transformers(card: Card) -> _Library | None:
    """By the processor's configuration among the card's files; cards without it name none."""
    from transformers import AutoImageProcessor

    beside = card.weights_for("torch").beside
    if not any(file.name in _PROCESSORS for file in beside):
        return None
    with tempfile.TemporaryDirectory(prefix="tintype-") as place:
        for file in beside:
            (Path(place) / file.name).write_bytes(read_file(card, file))
        processor = AutoImageProcessor.from_pretrained(
            place, backend="pil", local_files_only=True, trust_remote_code=False
        )
    return lambda picture: np.asarray(processor(images=picture, return_tensors="np")["pixel_values"][0], np.float32)


def _timm(card: Card) -> _Library | None:
    from timm.data import create_transform, resolve_data_config

    transform = create_transform(**resolve_data_config(pretrained_cfg=_config(card)["pretrained_cfg"]))
    return lambda picture: np.asarray(transform(picture).numpy(), np.float32)


def _open_clip(card: Card) -> _Library | None:
    from open_clip.transform import PreprocessCfg, image_transform_v2, merge_preprocess_dict

    config = _config(card)
    size = config["model_cfg"]["vision_cfg"].get("image_size")
    facts = merge_preprocess_dict(PreprocessCfg(), config["preprocess_cfg"]) | ({"size": size} if size else {})
    transform = image_transform_v2(PreprocessCfg(**facts), is_train=False)
    return lambda picture: np.asarray(transform(picture).numpy(), np.float32)


_LIBRARIES: dict[str, Callable[[Card], _Library | None]] = {
    "transformers": _transformers,
    "timm": _timm,
    "open_clip": _open_clip,
}
