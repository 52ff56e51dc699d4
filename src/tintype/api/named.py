"""The sources that places name, as the settings have them read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tintype.core.settings import Config
from tintype.sources.base import Source
from tintype.sources.resolve import resolve
from tintype.sources.several import SeveralSources


class Listed(Protocol):
    """A run that was planned: it has its own way of listing folders."""

    @property
    def ignore(self) -> tuple[str, ...]: ...

    @property
    def hidden(self) -> bool: ...


def resolved(place: str, settings: Config, run: Listed | None = None) -> list[Source]:
    """What a place names; how a folder is listed is the run's to say where there is one. Raises SourceError."""
    how = settings.scan if run is None else run
    return resolve(place, ignore=how.ignore, hidden=how.hidden, transfer=settings.transfer, cache=settings.cache)


def together(found: Sequence[Source]) -> Source:
    """Several sources as one."""
    return found[0] if len(found) == 1 else SeveralSources(tuple(found))
