"""A report of all that a collection answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
from blake3 import blake3

from tintype.api.answers import duplicates, info, issues
from tintype.api.places import Place, absolute
from tintype.core.columns import STATUSES
from tintype.core.expressions import Compare, In, Not, Reference
from tintype.core.settings import Config
from tintype.core.version import VERSION
from tintype.finders.duplicates import Duplicates
from tintype.finders.issues import Issues
from tintype.reports import content
from tintype.reports.page import write_report
from tintype.reports.summary import camera_name
from tintype.store.collection import Collection

_STATUS = Reference("status", pa.string())
_URI = Reference("uri", pa.string())


def report(collection: Collection, output: Place, config: Config | None = None) -> Path:
    """Write one self-contained HTML file with figures, duplicates, issues and thumbnails; returns its path.

    Raises UsageError where `output` cannot be written, or is a file that is no report.
    """
    destination = Path(absolute(output))
    write_report(destination, _content(collection, config))
    return destination


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
