"""Whether engines give what a model should give, and the files that a Triton server takes."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from tintype.api.places import Place, absolute
from tintype.codec.limits import Limits
from tintype.core.errors import SourceError, UsageError
from tintype.core.names import shown
from tintype.models import registry, speeds
from tintype.models.engines import Engine
from tintype.models.made_pictures import made_pictures
from tintype.models.parity import SECONDS, check
from tintype.models.parity_rows import Parity
from tintype.models.triton_repository import write_repository

MOST_IMAGES = 200


def check_model(
    name: str, images: Place | None = None, *, engines: Sequence[str] = (), seconds: float = SECONDS
) -> Parity:
    """Compare the engines that run a model here with its reference, and measure them.

    `images` is a folder, of which the first 200 files by name are taken, besides 16 pictures of our own; `engines` are
    words as in "torch:bf16:cuda", all that run here if none are named; each is measured for `seconds`, and its speed
    kept for the list of models. Raises ModelError for a card with nothing to compare, SourceError for a folder that
    cannot be read, UsageError.
    """
    if not 0 <= seconds <= 600:
        raise UsageError(f"an engine is measured for 0 to 600 seconds, not {seconds:g}")
    card = registry.card(name)
    encoded = made_pictures() + ([] if images is None else _files(Path(absolute(images))))
    chosen = [Engine.of(word) for word in engines] or None
    parity = check(card, encoded, chosen, seconds=seconds)
    if seconds:
        speeds.note(parity)
    return parity


def write_triton_repository(name: str, place: Place, *, instances: int = 1) -> tuple[str, ...]:
    """Write a model as Triton Inference Server takes it, into a folder that may hold other models; returns the names.

    Raises ModelError for a model without ONNX weights, UsageError where it is there already.
    """
    if not 1 <= instances <= 64:
        raise UsageError(f"there are 1 to 64 instances of a model on a device, not {instances}")
    return write_repository(registry.card(name), Path(absolute(place)), instances=instances)


def _files(place: Path) -> list[bytes]:
    """Plain files, whose bytes are within the limits."""
    most_bytes = Limits().bytes
    found: list[bytes] = []
    try:
        for entry in sorted(os.scandir(place), key=lambda entry: entry.name):
            if len(found) == MOST_IMAGES:
                break
            facts = entry.stat()
            if not stat.S_ISREG(facts.st_mode) or facts.st_size > most_bytes or entry.name.startswith("."):
                continue
            found.append(Path(entry.path).read_bytes())
    except OSError as error:
        raise SourceError(f"{shown(str(place))}: its images cannot be read ({error.strerror})") from error
    return found
