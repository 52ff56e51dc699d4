"""What may be wrong with a collection, looked at without changing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tintype.core.checks import Check
from tintype.core.errors import CollectionNotFound, TintypeError
from tintype.core.platform import FileLock
from tintype.engine.ledger.sqlite import look_at
from tintype.store.lance import LanceStore, load_table, unreferenced
from tintype.store.layout import Layout, Record, read_record, sources_of
from tintype.store.trust import is_trusted


def check_collection(layout: Layout) -> list[Check]:
    """Every part of a collection: its record, trust, lock, table, ledger, findings, and files that belong to none."""
    try:
        record = read_record(layout)
    except TintypeError as error:
        return [_failed("record", error)]
    checks = [Check("record", True, f"format {record.format}, made of {', '.join(sources_of(layout, record))}")]
    checks += [_trust(layout, record), _lock(layout)]
    for look in (_table, _ledger, _findings, _leftovers):
        checks += _safely(look, layout)
    return checks


def _safely(look: Callable[[Layout], Iterator[Check]], layout: Layout) -> list[Check]:
    try:
        return list(look(layout))
    except (TintypeError, OSError) as error:
        return [_failed(look.__name__.strip("_"), error)]


def _failed(name: str, error: Exception) -> Check:
    message, _, mend = str(error).rpartition(". ")
    return Check(name, False, message or str(error), mend or None)


def _trust(layout: Layout, record: Record) -> Check:
    if is_trusted(layout, record):
        return Check("trust", True, "made or trusted by you")
    return Check("trust", None, "made elsewhere or by another user: it is only read", f"tintype trust {layout.place}")


def _lock(layout: Layout) -> Check:
    if not layout.lock.exists():
        return Check("lock", True, "free")
    lock = FileLock(layout.lock)
    try:
        free = lock.is_free()
    except OSError as error:
        return Check("lock", False, f"cannot be tried ({error.strerror})", f"check the rights of {layout.lock}")
    return Check("lock", True, "free") if free else Check("lock", None, f"held by {lock.holder()}", "wait for it")


def _table(layout: Layout) -> Iterator[Check]:
    store = LanceStore.open(layout.images)
    rows = store.verify()
    yield Check("table", True, f"{rows} rows in version {store.version}, all columns readable")


def unfinished(layout: Layout) -> int:
    """How many shards of an interrupted scan wait; 0 where that cannot be known, or where one is at work."""
    try:
        if not layout.ledger.exists() or not FileLock(layout.lock).is_free():
            return 0
        return _waiting(layout)
    except (TintypeError, OSError):
        return 0


def _waiting(layout: Layout) -> int:
    return sum(count for state, count in look_at(layout.ledger).items() if state != "committed")


def _ledger(layout: Layout) -> Iterator[Check]:
    if not layout.ledger.exists():
        yield Check("ledger", True, "none: no work is unfinished")
        return
    if waiting := _waiting(layout):
        yield Check("ledger", None, f"{waiting} shards of an interrupted scan wait", "scan again: it goes on")
    else:
        yield Check("ledger", True, "no work is unfinished")


def _findings(layout: Layout) -> Iterator[Check]:
    version = LanceStore.open(layout.images).version
    for place in sorted((layout.place / "findings").glob("*.lance")):
        name = f"findings {place.stem}"
        try:
            rows, facts = load_table(place)
        except (TintypeError, CollectionNotFound) as error:
            yield _failed(name, error)
            continue
        if facts.get("made_from") == str(version):
            yield Check(name, True, f"{rows.num_rows}, of the present data")
        else:
            yield Check(name, None, f"{rows.num_rows}, of older data", f"tintype {place.stem} makes them anew")


def _leftovers(layout: Layout) -> Iterator[Check]:
    files = unreferenced(layout.images)
    if files:
        yield Check("leftovers", None, f"{len(files)} files of interrupted work", "the next scan removes them")
    else:
        yield Check("leftovers", True, "none")
