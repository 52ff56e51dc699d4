"""The errors that a user can meet, each with its exit code.

    TintypeError                     1
    ├── UsageError                   2   the call's words are off
    ├── ConfigError                  3   a setting that does not exist or does not fit
    ├── SourceError                  4   a source that cannot be read at all
    ├── CollectionError              5   a collection that cannot be opened or used
    │   ├── CollectionNotFound       6
    │   ├── CollectionLocked         7
    │   ├── CollectionTooNew         8
    │   ├── CollectionDamaged        9
    │   └── CollectionNotTrusted    10
    ├── StorageFull                 11
    ├── MissingExtra                12
    ├── PluginError                 13
    ├── FilterError                 14   a --where that cannot be read
    ├── WorkerFailed                15   work was given up for good
    └── ModelError                  16   a model that is not what its card says, or cannot be run
        └── DeviceMemoryFull        17   a model that does not fit the memory of its GPU

A message says what happened, to what, how things now stand, and what to try.
"""

from __future__ import annotations


class TintypeError(Exception):
    """Something a user can cause or must know of. Shown as one line, without a traceback."""

    exit_code = 1


class UsageError(TintypeError):
    """The words of a call do not make sense together."""

    exit_code = 2


class ConfigError(TintypeError):
    """A configuration holds an unknown key or a value that does not fit."""

    exit_code = 3


class SourceError(TintypeError):
    """A source as a whole cannot be read."""

    exit_code = 4


class CollectionError(TintypeError):
    """A collection cannot be used as asked."""

    exit_code = 5


class CollectionNotFound(CollectionError):
    """There is no collection where one was looked for."""

    exit_code = 6

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place

    def __str__(self) -> str:
        return f"{self.place}: no collection here. Make one: tintype scan {self.place}"


class CollectionLocked(CollectionError):
    """Another process plans, commits or compacts in this collection."""

    exit_code = 7

    def __init__(self, place: str, holder: str) -> None:
        super().__init__(place, holder)
        self.place, self.holder = place, holder

    def __str__(self) -> str:
        return f"{self.place} is in use by {self.holder}. Nothing was changed. Wait for it, or stop it, then try again."


class CollectionTooNew(CollectionError):
    """The collection was written by a newer version of Tintype."""

    exit_code = 8

    def __init__(self, place: str, found: int, known: int) -> None:
        super().__init__(place, found, known)
        self.place, self.found, self.known = place, found, known

    def __str__(self) -> str:
        return (
            f"{self.place} has format {self.found}; this version knows up to {self.known}. "
            "Nothing was changed. Upgrade: pip install -U tintype"
        )


class CollectionDamaged(CollectionError):
    """A part of the collection cannot be read."""

    exit_code = 9

    def __init__(self, place: str, what: str, mend: str) -> None:
        super().__init__(place, what, mend)
        self.place, self.what, self.mend = place, what, mend

    def __str__(self) -> str:
        return f"{self.place}: {self.what}. {self.mend}"


class CollectionNotTrusted(CollectionError):
    """The collection was made elsewhere or by another user, so it is only read."""

    exit_code = 10

    def __init__(self, place: str, wanted: str) -> None:
        super().__init__(place, wanted)
        self.place, self.wanted = place, wanted

    def __str__(self) -> str:
        return (
            f"{self.place} was not made by you on this machine: it can be read but not {self.wanted}. "
            f"If you know where it comes from: tintype trust {self.place}"
        )


class StorageFull(TintypeError):
    """The disk of the collection is full."""

    exit_code = 11

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place

    def __str__(self) -> str:
        return (
            f"no space left for {self.place}. What was committed is kept; free some space and run the same command "
            "again: it goes on where it stopped"
        )


class MissingExtra(TintypeError):
    """A feature needs a package that is not installed."""

    exit_code = 12

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(what, extra)
        self.what, self.extra = what, extra

    def __str__(self) -> str:
        return f"{self.what} needs: pip install 'tintype[{self.extra}]'"


class PluginError(TintypeError):
    """A plug-in is unknown, named twice or breaks its contract."""

    exit_code = 13


class FilterError(TintypeError):
    """A filter cannot be parsed or does not fit the columns."""

    exit_code = 14


class WorkerFailed(TintypeError):
    """Shards were tried several times and given up."""

    exit_code = 15


class ModelError(TintypeError):
    """A model's card or weights are not what they should be."""

    exit_code = 16


class DeviceMemoryFull(ModelError):
    """The memory of a GPU is too small for a model, even for one image at a time."""

    exit_code = 17


class ModelUnreachable(ModelError):
    """A server that runs a model gave no answer for too long."""

    exit_code = 18


class ImageError(Exception):
    """One image cannot be used; becomes its row's status and reason, never an exit code.

    `status` is one of `tintype.core.columns.STATUSES` but "ok"; `reason` is one readable line.
    """

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(status, reason)
        self.status, self.reason = status, reason

    def __str__(self) -> str:
        return f"{self.status}: {self.reason}"
