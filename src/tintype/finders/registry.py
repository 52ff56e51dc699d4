"""Which finders there are, ours and plug-ins'."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tintype.core.plugins import Plugins

if TYPE_CHECKING:  # Arrow is loaded with the first finder, not with the list of their names
    from tintype.finders.base import Finder

PLUGINS = Plugins("finder")
"""Entry points of the group `tintype.finders`: name = "module:attribute"."""


def names() -> tuple[str, ...]:
    """Names of all installed finders, sorted. Nothing is imported. Raises PluginError where two have one name."""
    return PLUGINS.names()


def finder(name: str) -> Finder:
    """The finder of that name, imported on first use. Raises PluginError where it is unknown or does not load."""
    from tintype.finders.base import Finder

    loaded: Finder = PLUGINS.load(name, Finder)
    return loaded
