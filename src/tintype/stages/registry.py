"""Which stages there are, ours and plug-ins', and the number that tells how a row's columns were computed."""

from __future__ import annotations

import dataclasses
import difflib
import json
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from tintype.core.errors import PluginError

if TYPE_CHECKING:  # OpenCV is loaded with the first stage, not with the list of their names
    from tintype.stages.base import Stage

GROUP = "tintype.stages"
"""Entry points of this group are stages: name = "module:attribute"."""

DEFAULT_STAGES = ("exif", "quality", "phash", "colors", "thumbnail")
"""What a scan computes unless told otherwise."""


def names() -> tuple[str, ...]:
    """Names of all installed stages, sorted. Nothing is imported. Raises PluginError where two have one name."""
    return tuple(sorted(_installed()))


def stage(name: str) -> Stage:
    """The stage of that name, imported on first use. Raises PluginError where it is unknown or does not load."""
    installed = _installed()
    if name not in installed:
        raise PluginError(f"no stage is named {name!r}{_suggestion(name, tuple(installed))}")
    return _loaded(installed[name])


def fingerprint(stage: Stage, settings: Any) -> int:
    """A number, 1 to 2³¹ - 1, that changes with the stage's name, version or settings, and with nothing else.

    It is stored beside a row's columns as int32: a row with another number is computed again. The first four bytes
    of the BLAKE3 of canonical JSON; 0 is kept for "never computed".
    """
    known = [stage.name, stage.version, dataclasses.asdict(settings)]
    text = json.dumps(known, sort_keys=True, separators=(",", ":"), allow_nan=False)
    number = int.from_bytes(blake3(text.encode()).digest(length=4), "big") & 0x7FFF_FFFF
    return number or 1


@cache
def _installed() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise PluginError(
                f"two stages are named {point.name!r}: {_origin(other)} and {_origin(point)}. Uninstall one of them"
            )
    return found


@cache
def _loaded(point: EntryPoint) -> Stage:
    from tintype.stages.base import Stage

    try:
        loaded = point.load()
    except (ImportError, AttributeError) as error:
        raise PluginError(f"stage {point.name!r} of {_origin(point)} does not load: {error}") from error
    if not isinstance(loaded, Stage) or loaded.name != point.name:
        raise PluginError(f"{_origin(point)} offers stage {point.name!r}, but that is not a Stage of that name")
    return loaded


def _origin(point: EntryPoint) -> str:
    package = f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"
    return f"{package} ({point.value})"


def _suggestion(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=3)
    if near:
        return f". Did you mean {' or '.join(near)}?"
    return f"; there are {', '.join(sorted(known))}"
