"""A report of all that a collection answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from tintype.api import reported
from tintype.api.answers import duplicates, info, issues, settings_of
from tintype.api.findings import clusters, has_label, labels, leaks, map, outliers
from tintype.api.inputs import Listener
from tintype.api.pictures import mark_of_data, thumbnails_of
from tintype.api.pictures import pictures as shown_pictures
from tintype.api.places import Place, absolute
from tintype.api.told import told_of
from tintype.core.expressions import Compare, Not, Reference
from tintype.core.settings import Config
from tintype.core.version import VERSION
from tintype.finders.splits import SPLIT
from tintype.reports import content
from tintype.reports.page import write_report
from tintype.store.collection import Collection

_STATUS = Reference("status", pa.string())


def report(
    collection: Collection, output: Place, config: Config | None = None, progress: Listener | None = None
) -> Path:
    """Write one self-contained HTML file with figures, all findings and thumbnails; returns its path.

    Suspect labels and leaks are looked for where the collection has the labels that the settings `labels.label` and
    `leaks.by` name. Raises UsageError where `output` cannot be written, or is a file that is no report.
    """
    destination = Path(absolute(output))
    write_report(destination, _content(collection, settings_of(collection, config), progress))
    return destination


def _content(collection: Collection, config: Config, progress: Listener | None) -> content.ReportContent:
    pictures = {picture.uri: picture for picture in shown_pictures(collection)}
    copies = duplicates(collection, config=config, progress=progress)
    has_vectors = config.get("clusters.vectors") in collection.schema.names
    sorted_in = clusters(collection, config, progress) if has_vectors else None
    odd = outliers(collection, config, progress) if has_vectors else None
    places = map(collection, config, progress) if has_vectors else None
    return content.ReportContent(
        title=Path(collection.sources[0]).name if len(collection.sources) == 1 else "Several sources",
        summary=info(collection),
        groups=reported.groups(copies, pictures),
        pairs=reported.pairs(copies, pictures),
        series=reported.series(copies, pictures),
        verification=reported.verification(copies),
        leaks=_leaks(collection, config, pictures, progress),
        labels=_labels(collection, config, pictures, progress),
        outliers=None if odd is None else reported.outliers(odd, pictures),
        clusters=None if sorted_in is None else reported.clusters(sorted_in, pictures),
        map=None if sorted_in is None or places is None else reported.laid_out(places, sorted_in, pictures),
        issues=reported.issues(issues(collection, config), pictures),
        failures=_failures(collection),
        pictures=[picture for picture in pictures.values() if picture.width is not None],
        problems=collection.problems,
        told=lambda uris: told_of(collection, uris),
        thumbnails=lambda uris: thumbnails_of(collection, uris),
        version=VERSION,
        data_version=mark_of_data(collection),
    )


def _leaks(
    collection: Collection, config: Config, pictures: reported.Pictures, progress: Listener | None
) -> content.Leaks | None:
    by = config.get("leaks.by")
    if by != SPLIT and not has_label(collection, by):
        return None
    found = leaks(collection, by, config, progress)
    return reported.leaks(found, by, pictures) if len(found.splits) > 1 else None


def _labels(
    collection: Collection, config: Config, pictures: reported.Pictures, progress: Listener | None
) -> content.Labels | None:
    label = config.get("labels.label")
    if not has_label(collection, label):
        return None
    return reported.labels(labels(collection, label, config, progress), label, pictures)


def _failures(collection: Collection) -> Iterator[content.Failure]:
    where = Not(Compare(_STATUS, "=", "ok"))
    for batch in collection.batches(["uri", "status", "reason"], where):
        for row in batch.to_pylist():
            yield content.Failure(uri=row["uri"], status=row["status"], reason=row["reason"] or "")
