"""A report of all that a collection answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from blake3 import blake3

from tintype.api import reported
from tintype.api.answers import duplicates, info, issues, settings_of
from tintype.api.findings import clusters, has_label, labels, leaks, map, outliers
from tintype.api.places import Place, absolute
from tintype.core.expressions import Compare, In, Not, Reference
from tintype.core.settings import Config
from tintype.core.version import VERSION
from tintype.finders.splits import SPLIT
from tintype.reports import content
from tintype.reports.page import write_report
from tintype.reports.summary import camera_name
from tintype.store.collection import Collection

_STATUS = Reference("status", pa.string())
_URI = Reference("uri", pa.string())


def report(collection: Collection, output: Place, config: Config | None = None) -> Path:
    """Write one self-contained HTML file with figures, all findings and thumbnails; returns its path.

    Suspect labels and leaks are looked for where the collection has the labels that the settings `labels.label` and
    `leaks.by` name. Raises UsageError where `output` cannot be written, or is a file that is no report.
    """
    destination = Path(absolute(output))
    write_report(destination, _content(collection, settings_of(collection, config)))
    return destination


def _content(collection: Collection, config: Config) -> content.ReportContent:
    pictures = {picture.uri: picture for picture in _pictures(collection)}
    copies = duplicates(collection, config=config)
    has_vectors = config.get("clusters.vectors") in collection.schema.names
    sorted_in = clusters(collection, config) if has_vectors else None
    return content.ReportContent(
        title=Path(collection.sources[0]).name if len(collection.sources) == 1 else "Several sources",
        summary=info(collection),
        groups=reported.groups(copies, pictures),
        pairs=reported.pairs(copies, pictures),
        series=reported.series(copies, pictures),
        verification=reported.verification(copies),
        leaks=_leaks(collection, config, pictures),
        labels=_labels(collection, config, pictures),
        outliers=reported.outliers(outliers(collection, config), pictures) if has_vectors else None,
        clusters=None if sorted_in is None else reported.clusters(sorted_in, pictures),
        map=None if sorted_in is None else reported.laid_out(map(collection, config), sorted_in, pictures),
        issues=reported.issues(issues(collection, config), pictures),
        failures=_failures(collection),
        pictures=[picture for picture in pictures.values() if picture.width is not None],
        problems=collection.problems,
        thumbnails=lambda uris: _thumbnails(collection, uris),
        version=VERSION,
        data_version=_mark_of_data(collection),
    )


def _leaks(collection: Collection, config: Config, pictures: reported.Pictures) -> content.Leaks | None:
    by = config.get("leaks.by")
    if by != SPLIT and not has_label(collection, by):
        return None
    found = leaks(collection, by, config)
    return reported.leaks(found, by, pictures) if len(found.splits) > 1 else None


def _labels(collection: Collection, config: Config, pictures: reported.Pictures) -> content.Labels | None:
    label = config.get("labels.label")
    if not has_label(collection, label):
        return None
    return reported.labels(labels(collection, label, config), label, pictures)


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


def _failures(collection: Collection) -> Iterator[content.Failure]:
    where = Not(Compare(_STATUS, "=", "ok"))
    for batch in collection.batches(["uri", "status", "reason"], where):
        for row in batch.to_pylist():
            yield content.Failure(uri=row["uri"], status=row["status"], reason=row["reason"] or "")


def _thumbnails(collection: Collection, uris: Sequence[str]) -> dict[str, bytes]:
    if "thumbnail" not in collection.schema.names or not uris:
        return {}
    batches = collection.store.batches(["uri", "thumbnail"], where=In(_URI, tuple(uris)))
    rows: Iterator[dict[str, Any]] = (row for batch in batches for row in batch.to_pylist())
    return {row["uri"]: row["thumbnail"] for row in rows if row["thumbnail"]}
