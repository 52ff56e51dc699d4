"""Which finders there are, ours and plug-ins'."""

from __future__ import annotations

import difflib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from tintype.core.errors import PluginError

if TYPE_CHECKING:  # Arrow is loaded with the first finder, not with the list of their names
    from tintype.finders.base import Finder

GROUP = "tintype.finders"
"""Entry points of this group are finders: name = "module:attribute"."""


def names() -> tuple[str, ...]:
    """Names of all installed finders, sorted. Nothing is imported. Raises PluginError where two have one name."""
    return tuple(sorted(_installed()))


def finder(name: str) -> Finder:
    """The finder of that name, imported on first use. Raises PluginError where it is unknown or does not load."""
    installed = _installed()
    if name not in installed:
        near = difflib.get_close_matches(name, installed, n=3) or sorted(installed)
        raise PluginError(f"no finder is named {name!r}; there is {', '.join(near)}")
    return _loaded(installed[name])


@cache
def _installed() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise PluginError(
                f"two finders are named {point.name!r}: {_origin(other)} and {_origin(point)}. Uninstall one of them"
            )
    return found


@cache
def _loaded(point: EntryPoint) -> Finder:
    from tintype.finders.base import Finder

    try:
        loaded = point.load()
    except (ImportError, AttributeError) as error:
        raise PluginError(f"finder {point.name!r} of {_origin(point)} does not load: {error}") from error
    if not isinstance(loaded, Finder) or loaded.name != point.name:
        raise PluginError(f"{_origin(point)} offers finder {point.name!r}, but that is not a Finder of that name")
    return loaded


def _origin(point: EntryPoint) -> str:
    package = f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"
    return f"{package} ({point.value})"
