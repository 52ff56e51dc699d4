"""Files of an output that are no part of it any more: of planners and workers that died or came too late."""

from __future__ import annotations

from tintype.store.outputs.manifest import MANIFEST_FILE
from tintype.store.outputs.plan import LISTINGS, PARTS, PLAN_FILE, Plan
from tintype.store.places.base import Place, Sweeps

LEDGER_FILE = "ledger.sqlite"
LOCK_FILE = "lock"
_OWN = (PLAN_FILE, MANIFEST_FILE, LOCK_FILE, LEDGER_FILE, f"{LEDGER_FILE}-wal", f"{LEDGER_FILE}-shm")


def is_ours(name: str) -> bool:
    """Whether a file could be left of a run that did not get as far as its plan."""
    return name in _OWN or name.startswith((LISTINGS, PARTS))


def sweep_parts(place: Place) -> None:
    """Remove what was not taken. All shards are done: whoever still writes one does so for nothing."""
    for name in list(place.names(PARTS)):
        place.delete(name)
    if isinstance(place, Sweeps):
        place.sweep(PARTS)


def sweep(place: Place, plan: Plan) -> None:
    """The same, and what other planners have left."""
    sweep_parts(place)
    listings = f"{LISTINGS}{plan.id}/"
    for name in [name for name in place.names(LISTINGS) if not name.startswith(listings)]:
        place.delete(name)
    if isinstance(place, Sweeps):
        for prefix in (LISTINGS, PLAN_FILE, MANIFEST_FILE):
            place.sweep(prefix)
