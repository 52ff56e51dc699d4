"""What a collection answers: figures, duplicates, issues, and a report of it all."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from blake3 import blake3

from tintype.api.places import Place, absolute
from tintype.api.settings import config as read_config
from tintype.core.columns import STATUSES
from tintype.core.errors import TintypeError
from tintype.core.expressions import Compare, In, Not, Reference
from tintype.core.settings import Config
from tintype.core.version import VERSION
from tintype.engine.checks import unfinished
from tintype.finders import registry
from tintype.finders.base import Finder, Inputs, StoreColumns
from tintype.finders.duplicates import Duplicates
from tintype.finders.issues import Issues
from tintype.reports import content
from tintype.reports.page import write_report
from tintype.reports.summary import COLUMNS, Summary, camera_name, summary
from tintype.stages import registry as stages
from tintype.store.collection import Collection

_STATUS = Reference("status", pa.string())
_URI = Reference("uri", pa.string())


def info(collection: Collection, where: str | None = None) -> Summary:
    """Figures of the images, or of those that pass the filter. Raises FilterError."""
    columns = [name for name in COLUMNS if name in collection.schema.names]
    return summary(collection.batches(columns, where), collection.skipped)


def duplicates(collection: Collection, max_distance: int | None = None, config: Config | None = None) -> Duplicates:
    """Pairs and groups of copies: the same bytes, or the same picture in any flip or quarter turn.

    `max_distance` is how many of the 64 bits of two perceptual hashes may differ (default: the setting
    `duplicates.distance`). The findings are kept in the collection, and found there again while they hold.
    """
    settings = _settings(collection, config).get("duplicates")
    if max_distance is not None:
        settings = dataclasses.replace(settings, distance=max_distance)
    return Duplicates(_found(collection, registry.finder("duplicates"), settings))


def issues(collection: Collection, config: Config | None = None) -> Issues:
    """Images with something amiss, each with a score and a reason; the thresholds are settings."""
    settings = _settings(collection, config).get("issues")
    return Issues(_found(collection, registry.finder("issues"), settings))


def report(collection: Collection, output: Place, config: Config | None = None) -> Path:
    """Write one self-contained HTML file with figures, duplicates, issues and thumbnails; returns its path.

    Raises UsageError where `output` cannot be written, or is a file that is no report.
    """
    destination = Path(absolute(output))
    write_report(destination, _content(collection, config))
    return destination


def remarks(collection: Collection, *finders: str) -> list[str]:
    """What should be known beside an answer: stages that were never computed, and work that still waits."""
    found = []
    missing = [name for name in stages.names() if _is_missing(collection, name, finders)]
    place = collection.sources[0] if len(collection.sources) == 1 else "SOURCES"
    if missing:
        found.append(
            f"never computed here: {', '.join(missing)}; what that would tell is missing. Try: tintype scan {place}"
        )
    if waiting := unfinished(collection.layout):
        found.append(f"a scan was interrupted and {waiting} shards wait. Go on: tintype scan {place}")
    return found


def _is_missing(collection: Collection, stage: str, finders: Sequence[str]) -> bool:
    needed = {name for one in finders for name in registry.finder(one).needs(registry.finder(one).settings())}
    columns = {column.name for column in stages.stage(stage).columns}
    return bool(columns & needed) and not columns <= set(collection.schema.names)


def _settings(collection: Collection, config: Config | None) -> Config:
    if config is not None:
        return config
    sources = collection.sources
    return read_config(sources[0] if len(sources) == 1 else None)


def _found(collection: Collection, finder: Finder, settings: Any) -> pa.Table:
    """The findings of the present data, from the collection where they are kept and still hold."""
    facts = {"settings": json.dumps(dataclasses.asdict(settings), sort_keys=True), "tintype": VERSION}
    kept = _kept(collection, finder, facts) if collection.is_trusted else None
    if kept is not None:
        return kept
    batches = finder.find(Inputs(StoreColumns(collection.store)), settings)
    rows = pa.Table.from_batches(batches, finder.schema)
    if collection.is_trusted:
        with contextlib.suppress(OSError, TintypeError):  # a full or read-only disk keeps nobody from looking
            collection.save_findings(finder.name, rows, facts)
    return rows


def _kept(collection: Collection, finder: Finder, facts: Mapping[str, str]) -> pa.Table | None:
    try:
        rows, kept_facts = collection.findings(finder.name)
    except TintypeError:
        return None
    expected = {**facts, "made_from": str(collection.version)}
    if rows.schema.names != finder.schema.names or any(kept_facts.get(key) != expected[key] for key in expected):
        return None
    return rows.replace_schema_metadata(None)


def _content(collection: Collection, config: Config | None) -> content.ReportContent:
    pictures = {picture.uri: picture for picture in _pictures(collection)}
    return content.ReportContent(
        title=Path(collection.sources[0]).name if len(collection.sources) == 1 else "Several sources",
        summary=info(collection),
        groups=_groups(duplicates(collection, config=config), pictures),
        issues=_issues(issues(collection, config), pictures),
        failures=_failures(collection),
        pictures=[picture for picture in pictures.values() if picture.width is not None],
        problems=collection.problems,
        thumbnails=lambda uris: _thumbnails(collection, uris),
        version=VERSION,
        data_version=_mark_of_data(collection),
    )


def _mark_of_data(collection: Collection) -> str:
    """Twelve hexadecimal digits that change with the images and their names, and with nothing else.

    The table's own version will not do: it depends on how many commits a scan took.
    """
    mark = blake3()
    for batch in collection.batches(["uri", "digest"]):
        for uri, digest in zip(batch["uri"].to_pylist(), batch["digest"].to_pylist(), strict=True):
            mark.update(f"{uri}\n".encode() + (digest or b""))
    return mark.hexdigest(6)


_FACTS = ("uri", "format", "size_bytes", "width", "height", "taken_at", "camera_make", "camera_model", "mean_rgb")


def _pictures(collection: Collection) -> Iterator[content.Picture]:
    columns = [name for name in _FACTS if name in collection.schema.names]
    for batch in collection.batches(columns):
        for row in batch.to_pylist():
            yield content.Picture(
                uri=row["uri"],
                format=row["format"],
                size_bytes=row["size_bytes"],
                width=row["width"],
                height=row["height"],
                taken_at=row.get("taken_at"),
                camera=camera_name(row.get("camera_make"), row.get("camera_model")) or None,
                mean_rgb=tuple(row["mean_rgb"]) if row.get("mean_rgb") else None,
            )


def _groups(found: Duplicates, pictures: Mapping[str, content.Picture]) -> Iterator[content.Group]:
    pairs = found.pairs.select(["a_uri", "b_uri", "kind", "score", "reason"]).to_pylist()
    by_uris = {(pair["a_uri"], pair["b_uri"]): pair for pair in pairs}
    for group in found.groups:
        others = []
        for uri in group.members:
            pair = by_uris.get((group.keep, uri))
            if pair is not None:
                others.append(
                    content.Member(
                        picture=pictures[uri], relation=pair["kind"], score=pair["score"], reason=pair["reason"]
                    )
                )
        yield content.Group(keep=pictures[group.keep], why=group.why, others=others)


def _issues(found: Issues, pictures: Mapping[str, content.Picture]) -> Iterator[content.Issue]:
    for row in found.table.select(["a_uri", "kind", "score", "reason"]).to_pylist():
        if row["kind"] not in STATUSES:  # these have a list of their own
            yield content.Issue(
                picture=pictures[row["a_uri"]], kind=row["kind"], score=row["score"], reason=row["reason"]
            )


def _failures(collection: Collection) -> Iterator[content.Failure]:
    where = Not(Compare(_STATUS, "=", "ok"))
    for batch in collection.batches(["uri", "status", "reason"], where):
        for row in batch.to_pylist():
            yield content.Failure(uri=row["uri"], status=row["status"], reason=row["reason"] or "")


def _thumbnails(collection: Collection, uris: Sequence[str]) -> dict[str, bytes]:
    if "thumbnail" not in collection.schema.names or not uris:
        return {}
    batches = collection.store.batches(["uri", "thumbnail"], where=In(_URI, tuple(uris)))
    return {row["uri"]: row["thumbnail"] for batch in batches for row in batch.to_pylist() if row["thumbnail"]}
