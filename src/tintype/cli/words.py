"""The JSON documents in words: what a person reads where no JSON was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tintype.cli.output import Block, Line, Table
from tintype.cli.progress import counts, duration

Document = Mapping[str, Any]

MAX_PROBLEMS = 20


def scan_blocks(document: Document) -> Iterator[Block]:
    """What a scan did."""
    changes = [
        f"{document[name]:,} {name}" for name in ("new", "changed", "moved", "gone", "unchanged") if document[name]
    ]
    yield Line(f"{document['images']:,} images: {counts(document['status'])}")
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
    """What a collection holds: single values first, then a table for each group of counts."""
    single = {name: value for name, value in document.items() if name != "schema" and not _is_group(value)}
    yield Table("Collection", ("", ""), [(_title(name), _text(name, value)) for name, value in single.items()])
    for name, value in document.items():
        if isinstance(value, Mapping) and value:
            yield Table(_title(name), ("", ">"), [(str(key), _text(name, count)) for key, count in value.items()])
        elif isinstance(value, list) and value:
            yield Table(_title(name), ("",), [(_text(name, entry),) for entry in value])


def _is_group(value: Any) -> bool:
    return isinstance(value, Mapping | list)


def _title(name: str) -> str:
    return name.removesuffix("_bytes").replace("_", " ").capitalize()


def _text(name: str, value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and name.endswith("_bytes"):
        return size(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(str(key), inner)}" for key, inner in value.items())
    return str(value)


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
    """A setting's value as the settings file has it."""
    import json

    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{', '.join(value_text(entry) for entry in value)}]"
    return json.dumps(value, ensure_ascii=False)


def plugin_blocks(document: Document) -> Iterator[Block]:
    """Each stage, finder and other part with the package that brings it."""
    rows = [(entry["kind"], entry["name"], entry["package"], entry["target"]) for entry in document["plugins"]]
    yield Table("Plug-ins", ("kind", "name", "package", "where"), rows)


def doctor_blocks(document: Document) -> Iterator[Block]:
    """What is installed, what could be, and what is wrong, the wrong last where it is seen."""
    yield Table("Versions", ("", ""), list(document["versions"].items()))
    system = [(_title(name), _text(name, value)) for name, value in document["system"].items()]
    yield Table("This machine", ("", ""), system)
    extras = [
        (entry["extra"], entry["adds"], "installed" if entry["installed"] else entry["install"])
        for entry in document["extras"]
    ]
    yield Table("Extras", ("", "", ""), extras)
    checks = [
        ("ok" if check["ok"] else "WRONG", check["name"], " ".join(filter(None, (check["message"], check["mend"]))))
        for check in sorted(document["checks"], key=lambda check: not check["ok"])
    ]
    yield Table("Checks", ("", "", ""), checks)
