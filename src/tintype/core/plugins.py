"""Parts that are found by entry point, ours and others': a name, and `module:attribute` to import on first use."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from tintype.core.errors import PluginError


@dataclass(frozen=True)
class Plugin:
    """One installed part: its name, where it is, and the package and version that it came with."""

    name: str
    place: str  # module:attribute
    origin: str


class Plugins:
    """The parts of one kind. Nothing is imported before one is asked for."""

    def __init__(self, kind: str) -> None:
        """`kind` is a word such as "stage"; its entry point group is `tintype.` and the plural."""
        self.kind = kind
        self.group = f"tintype.{kind}s"

    def names(self) -> tuple[str, ...]:
        """All names, sorted. Raises PluginError where two packages offer one name."""
        return tuple(sorted(self._installed))

    def all(self) -> tuple[Plugin, ...]:
        """All parts, sorted by name. Raises PluginError where two packages offer one name."""
        return tuple(Plugin(name, self._installed[name].value, _origin(self._installed[name])) for name in self.names())

    def load(self, name: str, wanted: type) -> Any:
        """The part of that name, a `wanted` with an attribute `name` that says the same. Raises PluginError."""
        if name not in self._installed:
            near = difflib.get_close_matches(name, self._installed, n=3)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(self.names())}"
            raise PluginError(f"no {self.kind} is named {name!r}. {hint}")
        point = self._installed[name]
        try:
            part = point.load()
        except (ImportError, AttributeError) as error:
            raise PluginError(f"{self.kind} {name!r} of {_origin(point)} does not load: {error}") from error
        if not isinstance(part, wanted) or getattr(part, "name", None) != name:
            raise PluginError(f"{_origin(point)} offers {self.kind} {name!r}, but that is no {self.kind} of that name")
        return part

    @cached_property
    def _installed(self) -> dict[str, EntryPoint]:
        found: dict[str, EntryPoint] = {}
        for point in entry_points(group=self.group):
            other = found.setdefault(point.name, point)
            if other.value != point.value:
                raise PluginError(
                    f"two {self.kind}s are named {point.name!r}: {_origin(other)} and {_origin(point)}. "
                    "Uninstall one of them"
                )
        return found


def _origin(point: EntryPoint) -> str:
    package = f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"
    return f"{package} ({point.value})"
