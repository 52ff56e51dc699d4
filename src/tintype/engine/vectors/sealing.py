"""Finished shards into an output: their files put in place, and at the end the manifest that names them all."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tintype.core.errors import CollectionDamaged
from tintype.core.version import VERSION
from tintype.engine.ledger.base import Ledger
from tintype.engine.vectors.leavings import sweep, sweep_parts
from tintype.engine.vectors.ledgers import EVERY, KIND
from tintype.store.outputs.base import Gathers, Part, format_of, rows_schema
from tintype.store.outputs.manifest import SCHEMA, Manifest, ManifestFile, read_manifest, write_manifest
from tintype.store.outputs.plan import PARTS, Plan
from tintype.store.places.base import Place, move

_LOOK_AGAIN_S = 0.5


def put_in_place(place: Place, result: Mapping[str, Any]) -> None:
    """Give the files of a shard, whose result the ledger has taken, their names; nothing where they have them."""
    for file in result["files"]:
        with contextlib.suppress(FileNotFoundError):  # whoever sealed the output was quicker
            move(place, file["aside"], file["name"])


def results(ledger: Ledger) -> list[dict[str, Any]]:
    """What came of each shard that is done, in the order of the shards."""
    found: dict[int, dict[str, Any]] = {}
    for done in ledger.done(KIND, EVERY):
        result = json.loads(done.result)
        found.setdefault(result["shard"], result)
    return [found[shard] for shard in sorted(found)]


def sealed(place: Place, plan: Plan, ledger: Ledger) -> Manifest:
    """The manifest of an output whose shards are all done; what was not taken is removed.

    Of many who come here at once one writes it and the others wait: it asks the ledger for all that it holds. Whoever
    takes longer than a lease has lost this one, too; then several may be at it, and all write the same. Raises
    CollectionDamaged where a file is gone.
    """
    turn = 0
    while (manifest := read_manifest(place)) is None:
        claim = f"{PARTS}sealing-{turn}"
        if place.create(claim, b""):
            try:
                return _seal(place, plan, ledger)
            finally:
                place.delete(claim)
        until = time.monotonic() + plan.lease_s
        while time.monotonic() < until and read_manifest(place) is None:
            time.sleep(_LOOK_AGAIN_S)
        turn += 1
    sweep_parts(place)
    return manifest


def _seal(place: Place, plan: Plan, ledger: Ledger) -> Manifest:
    """Put what is left in place, and write the manifest."""
    taken = results(ledger)
    _put_all_in_place(place, taken)
    manifest = _manifest(plan, taken)
    form = format_of(plan.format)
    if isinstance(form, Gathers):
        parts = [(Part(file.shard, plan.shards, file.rows), file.bytes) for file in manifest.files]
        form.gather(place, parts, rows_schema(plan.dimension, plan.label_fields))
    write_manifest(place, manifest)
    sweep(place, plan)
    return manifest


def _put_all_in_place(place: Place, taken: Sequence[Mapping[str, Any]]) -> None:
    aside = set(place.names(PARTS))
    for result in taken:
        if any(file["aside"] in aside for file in result["files"]):
            put_in_place(place, result)
    there = set(place.names())
    for result in taken:
        for file in result["files"]:
            if file["name"] not in there:
                raise CollectionDamaged(
                    place.url,
                    f"{file['name']} is gone",
                    "Delete the ledger (ledger.sqlite there, or the table) and run the same command: all shards are "
                    "embedded again",
                )


def _manifest(plan: Plan, taken: Sequence[Mapping[str, Any]]) -> Manifest:
    status: Counter[str] = Counter()
    for result in taken:
        status.update(result["status"])
    return Manifest(
        schema=SCHEMA,
        tintype=VERSION,
        model=plan.card,
        fingerprint=plan.fingerprint,
        backend=plan.backend,
        format=plan.format,
        dimension=plan.dimension,
        images=sum(result["rows"] for result in taken),
        vectors=sum(result["vectors"] for result in taken),
        status=dict(sorted(status.items())),
        skipped=dict(plan.skipped),
        files=[
            ManifestFile(
                file["name"], result["shard"], result["rows"], result["vectors"], file["bytes"], file["sha256"]
            )
            for result in taken
            for file in result["files"]
        ],
    )
