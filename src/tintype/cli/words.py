"""The JSON documents in words: what a person reads where no JSON was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tintype.cli.output import Block, Line, Table
from tintype.cli.progress import counts, duration
from tintype.core import safe_yaml

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
    for title in ("status", "formats", "years"):
        if document.get(title):
            yield _counted(title, document[title])
    if cameras := document.get("cameras"):
        rest = [(words, f"{cameras[name]:,}") for name, words in _REST.items() if cameras[name]]
        named = _counted("cameras", cameras["named"])
        yield Table(named.title, named.columns, [*named.rows, *rest])
    if measures := document.get("measures"):
        rows = [
            (_title(name), *(f"{one[key]:.3g}" for key in ("mean", "lowest", "highest")))
            for name, one in measures.items()
            if one["known"]
        ]
        yield Table("Measures", ("", ">mean", ">lowest", ">highest"), rows)
    if document.get("skipped"):
        yield _counted("passed over", document["skipped"])


_REST = {"others": "other cameras", "unknown": "unknown"}


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
            yield _title(name), f"{document[name]:,} ({document[name] / images:.0%})"


def _counted(title: str, named: Mapping[str, int]) -> Table:
    return Table(_title(title), ("", ">"), [(name, f"{count:,}") for name, count in named.items()])


def _title(name: str) -> str:
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


def duplicate_blocks(document: Document) -> Iterator[Block]:
    """Each group with the image to keep, why, and how each other one is related to it."""
    pairs = _by_members(document["pairs"])
    groups = document["groups"]
    if not groups:
        yield Line("No duplicates found.")
        return
    others = sum(len(group["members"]) - 1 for group in groups)
    yield Line(f"{len(groups):,} groups; {others:,} images beside the ones to keep")
    for number, group in enumerate(groups, start=1):
        yield Table(f"Group {number}: keep {group['keep']} ({group['why']})", ("", "", ">", ""), _members(group, pairs))


def _by_members(pairs: Sequence[Mapping[str, Any]]) -> dict[frozenset[str], Mapping[str, Any]]:
    return {frozenset((pair["a"], pair["b"])): pair for pair in pairs}


def _members(group: Mapping[str, Any], pairs: Mapping[frozenset[str], Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Rows of uri, relation, score and reason: by the pair with the keeper, else by any pair within the group."""
    rows: list[tuple[str, ...]] = []
    for member in group["members"]:
        if member == group["keep"]:
            continue
        pair = pairs.get(frozenset((member, group["keep"])))
        via = ""
        if pair is None:
            near = (pairs.get(frozenset((member, other))) for other in group["members"] if other != member)
            pair = next((found for found in near if found is not None), None)
            via = f" (with {pair['a'] if pair['b'] == member else pair['b']})" if pair is not None else ""
        if pair is None:
            rows.append((member, "", "", ""))
        else:
            rows.append((member, pair["relation"], f"{pair['score']:.2f}", pair["reason"] + via))
    return rows


def issue_blocks(document: Document) -> Iterator[Block]:
    """Findings by kind of issue, the surest first."""
    findings = document["findings"]
    if not findings:
        yield Line("No issues found.")
        return
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for finding in findings:
        kinds.setdefault(finding["issue"], []).append(finding)
    yield Line(f"{len(findings):,} findings about {len({finding['uri'] for finding in findings}):,} images")
    for kind, members in kinds.items():
        members.sort(key=lambda finding: (-finding["score"], finding["uri"]))
        rows = [(one["uri"], f"{one['score']:.2f}", str(one.get("reason") or "")) for one in members]
        yield Table(f"{_title(kind)} ({len(members):,})", ("", ">", ""), rows)


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
            yield _title(name.removesuffix("_bytes")), text
