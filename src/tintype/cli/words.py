"""The JSON documents in words: what a person reads where no JSON was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tintype.cli.output import Block, Line, Table
from tintype.cli.progress import counts, duration
from tintype.core import safe_yaml
from tintype.reports.words import label_title

Document = Mapping[str, Any]

MAX_PROBLEMS = 20


def scan_blocks(document: Document) -> Iterator[Block]:
    """What a scan did."""
    changes = [
        f"{document[name]:,} {name}" for name in ("new", "changed", "moved", "gone", "unchanged") if document[name]
    ]
    yield Line(": ".join(filter(None, (f"{document['images']:,} images", counts(document["status"])))))
    yield Line(f"In this scan: {', '.join(changes) or 'nothing to do'}")
    if document["skipped"]:
        yield Line(f"Passed over: {counts(document['skipped'])}")
    yield Line(
        f"{duration(document['seconds'])}, {document['images_per_second']:,.0f} images/s, "
        f"{document['cpu_seconds']:,.1f} s of CPU"
    )
    if document.get("advice"):
        yield Line(document["advice"])
    if problems := document["problems"]:
        yield Table("Problems", ("where", "what"), [_problem(problem) for problem in problems[:MAX_PROBLEMS]])
        if len(problems) > MAX_PROBLEMS:
            yield Line(f"… and {len(problems) - MAX_PROBLEMS:,} more; --json lists all")


def _problem(problem: Mapping[str, str]) -> tuple[str, str]:
    return problem["uri"], problem["reason"]


def info_blocks(document: Document) -> Iterator[Block]:
    """What a collection holds: single figures first, then counts by kind. What is not known is left out."""
    yield Table("Collection", ("", ""), list(_figures(document)))
    for name in ("status", "formats", "years"):
        if document.get(name):
            yield counted(name, document[name])
    if cameras := document.get("cameras"):
        yield _tallied("cameras", cameras, "other cameras", "unknown")
    if measures := document.get("measures"):
        rows = [
            (title(name), *(f"{one[key]:.3g}" for key in ("mean", "lowest", "highest")))
            for name, one in measures.items()
            if one["known"]
        ]
        yield Table("Measures", ("", ">mean", ">lowest", ">highest"), rows)
    for tally in document.get("labels", ()):
        if tally["named"]:
            yield _tallied(label_title(tally["column"]), tally, "others", "none")
    if models := document.get("models"):
        rows = [(one["column"], one["engine"], one["images_from"], f"{one['images']:,}") for one in models]
        yield Table("Computed by models", ("column", "engine", "from", ">images"), rows)
    if document.get("skipped"):
        yield counted("passed over", document["skipped"])


def _tallied(name: str, tally: Mapping[str, Any], others: str, unknown: str) -> Table:
    """Names with how often they occur, then the rest in the words `others` and `unknown`."""
    rest = [(words, f"{tally[key]:,}") for key, words in (("others", others), ("unknown", unknown)) if tally[key]]
    named = counted(name, tally["named"])
    return Table(named.title, named.columns, [*named.rows, *rest])


def _figures(document: Document) -> Iterator[tuple[str, str]]:
    images = document["images"]
    yield "Images", f"{images:,}"
    yield "Size", size(document["bytes"])
    pixels = document["megapixels"]
    if pixels["known"]:
        yield "Megapixels", f"{pixels['mean']:.3g} on average, from {pixels['lowest']:.3g} to {pixels['highest']:.3g}"
    if images:
        yield "Shapes", ", ".join(f"{count:,} {shape}" for shape, count in document["shapes"].items() if count)
    for name in ("with_date", "with_camera", "with_gps", "gray", "animated"):
        if document.get(name) is not None and images:
            yield title(name), f"{document[name]:,} ({document[name] / images:.0%})"


def counted(name: str, named: Mapping[str, int]) -> Table:
    """Counts by name, under a title."""
    return Table(title(name), ("", ">"), [(one, f"{count:,}") for one, count in named.items()])


def title(name: str) -> str:
    """A key as a title: `with_gps` is "With GPS"."""
    words = name.replace("_", " ")
    return (words[:1].upper() + words[1:]).replace("gps", "GPS")


def size(count: int) -> str:
    """Bytes as people read them, in powers of 1,000."""
    value, unit = float(count), "bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{count:,} bytes" if unit == "bytes" else f"{value:,.1f} {unit}"


def config_blocks(document: Document) -> Iterator[Block]:
    """Each setting with its value and where that comes from."""
    rows = [(entry["key"], value_text(entry["value"]), entry["origin"]) for entry in document["settings"]]
    yield Table("Settings", ("key", "value", "from"), rows)


def value_text(value: Any) -> str:
    """A setting's value as a settings file has it; text in quotes where it would be read as something else."""
    import json

    if isinstance(value, list):
        return f"[{', '.join(value_text(entry) for entry in value)}]"
    if isinstance(value, str) and safe_yaml.is_plain(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def plugin_blocks(document: Document) -> Iterator[Block]:
    """Each stage, finder and other part with the package that brings it."""
    rows = [(entry["kind"], entry["name"], entry["package"], entry["target"]) for entry in document["plugins"]]
    yield Table("Plug-ins", ("kind", "name", "package", "where"), rows)


def doctor_blocks(document: Document) -> Iterator[Block]:
    """What is installed, what could be, and what is wrong, the wrong last where it is seen."""
    yield Table("Versions", ("", ""), list(document["versions"].items()))
    yield Table("This machine", ("", ""), list(_machine(document["system"])))
    extras = [
        (entry["extra"], entry["adds"], "installed" if entry["installed"] else entry["install"])
        for entry in document["extras"]
    ]
    yield Table("Extras", ("", "", ""), extras)
    ordered = sorted(document["checks"], key=lambda check: (check["ok"] is False, check["ok"] is None))
    rows = [(_VERDICTS[check["ok"]], check["name"], check["message"], check["mend"] or "") for check in ordered]
    yield Table("Checks", ("", "", "", ""), rows)


_VERDICTS = {True: "ok", None: "note", False: "WRONG"}


def _machine(system: Document) -> Iterator[tuple[str, str]]:
    for name, value in system.items():
        if value is not None:
            text = size(value) if name.endswith("_bytes") else str(value)
            yield title(name.removesuffix("_bytes")), text
