"""What a scan that is under way tells those that help it: `cache/run.json`, there from its plan to its last shard."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tintype.codec.limits import Limits
from tintype.core.errors import CollectionDamaged, UsageError
from tintype.core.platform import write_atomically
from tintype.core.version import VERSION
from tintype.store.layout import Layout

_RUN = re.compile(r"[0-9a-f]{12}")  # becomes part of file names

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class StageTold:
    """A stage as another process can make it again."""

    name: str  # as it was asked for: a stage's, or KIND:CARD
    settings: Mapping[str, Any]
    backend: str  # as `stages.base.Model` has it; "" where nothing was settled, and without a model
    thumbnails: int  # likewise
    state: int  # the number of this very computation


@dataclass(frozen=True, kw_only=True)
class ScanRun:
    """Everything that decides how rows are made."""

    run: str  # the ledger's name of it
    sources: tuple[str, ...]  # absolute places, in order
    ignore: tuple[str, ...]
    hidden: bool
    stages: tuple[StageTold, ...]
    limits: Limits
    decoding: int  # a number for codec, limits and extras
    version: int  # of the table when the run was planned
    has_known: bool  # whether `cache/known.npy` holds the bytes that were known then
    images: int  # that are worked on
    lease_s: float


def write_run(layout: Layout, run: ScanRun) -> None:
    """Raises StorageFull."""
    facts = {"tintype": VERSION, **dataclasses.asdict(run)}
    write_atomically(layout.run, (json.dumps(facts, indent=1) + "\n").encode())


def remove_run(layout: Layout) -> None:
    """From now on nobody joins in."""
    layout.run.unlink(missing_ok=True)


def read_run(layout: Layout) -> ScanRun | None:
    """None where no scan says anything. Raises UsageError where another version wrote it, CollectionDamaged."""
    try:
        content = layout.run.read_bytes()
    except FileNotFoundError:
        return None
    try:
        facts = json.loads(content)
        version = _plain(str, facts["tintype"])
        if version == VERSION:
            return _run_of(facts)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CollectionDamaged(
            str(layout.place),
            f"{layout.run.name} is not what a scan writes ({error})"[:300],
            "Scan again: it is made anew",
        ) from error
    raise UsageError(
        f"{layout.place} is scanned by Tintype {version[:40]!r}, and here is {VERSION}. Nothing was changed. Help with "
        "the same version"
    )


def _run_of(facts: Mapping[str, Any]) -> ScanRun:
    run = _plain(str, facts["run"])
    if not _RUN.fullmatch(run):
        raise ValueError("its run has no name")
    lease_s = _plain(float, facts["lease_s"])
    if not 0 < lease_s <= 86_400:
        raise ValueError(f"a lease of {lease_s} seconds")
    sources = _texts(facts["sources"])
    if not sources:
        raise ValueError("it has no sources")
    return ScanRun(
        run=run,
        sources=sources,
        ignore=_texts(facts["ignore"]),
        hidden=_plain(bool, facts["hidden"]),
        stages=tuple(_stage_of(stage) for stage in _plain(list, facts["stages"])),
        limits=_limits_of(_plain(dict, facts["limits"])),
        decoding=_plain(int, facts["decoding"]),
        version=_plain(int, facts["version"]),
        has_known=_plain(bool, facts["has_known"]),
        images=_plain(int, facts["images"]),
        lease_s=lease_s,
    )


def _stage_of(facts: Mapping[str, Any]) -> StageTold:
    return StageTold(
        name=_plain(str, facts["name"]),
        settings=_plain(dict, facts["settings"]),
        backend=_plain(str, facts["backend"]),
        thumbnails=_plain(int, facts["thumbnails"]),
        state=_plain(int, facts["state"]),
    )


def _limits_of(facts: Mapping[str, Any]) -> Limits:
    for name, value in facts.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"the limit {name} is no number")
    return Limits(**facts)


def _texts(values: object) -> tuple[str, ...]:
    return tuple(_plain(str, value) for value in _plain(list, values))


def _plain(kind: type[_T], value: object) -> _T:
    """The value, which must be of exactly that type: True is no whole number."""
    if type(value) is not kind:
        raise TypeError(f"{str(value)[:40]!r} in the place of a {kind.__name__}")
    return value
