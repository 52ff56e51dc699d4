"""What finders found, in words: the JSON documents of duplicates, issues and the verbs of `cli.findings`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tintype.cli.output import Block, Line, Table
from tintype.cli.words import counted, title

Document = Mapping[str, Any]

LIKELY = 0.5  # score from which on a label is called likely wrong; --json lists what is less sure too
MOST_CHARACTERS = 240  # of one cell
MOST_ROWS = 50  # of a list on a terminal; --json has all


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


def against_blocks(document: Document) -> Iterator[Block]:
    """Each new image that is known already, with what it is a copy of."""
    pairs = document["pairs"]
    copies = [pair for pair in pairs if pair["relation"] != "same scene"]
    if not copies:
        yield Line("No copies of its images found.")
    else:
        yield Line(f"{len({pair['a'] for pair in copies}):,} images are copies of images there")
        yield from _listed(f"Known already ({len(copies):,})", copies, ("a", "relation", "score", "b", "reason"))
    if scenes := [pair for pair in pairs if pair["relation"] == "same scene"]:
        yield from _listed(f"Of one scene ({len(scenes):,})", scenes, ("a", "score", "b", "reason"))


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
        yield Table(f"{title(kind)} ({len(members):,})", ("", ">", ""), rows)


def neighbor_blocks(document: Document) -> Iterator[Block]:
    """Images by likeness, nearest first."""
    rows = [(one["uri"], f"{one['score']:.3f}") for one in document["neighbors"]]
    yield Table("Nearest", ("", ">likeness"), rows) if rows else Line("No images to compare with.")


def outlier_blocks(document: Document) -> Iterator[Block]:
    """The images that stand apart most, with the nearest that there are."""
    found = document["outliers"]
    if not found:
        yield Line("No outliers found.")
        return
    yield from _listed(f"Outliers ({len(found):,})", found, ("uri", "score", "reason"))


def cluster_blocks(document: Document) -> Iterator[Block]:
    """Each cluster with its size, what stands for it and what is distinctive."""
    found = document["clusters"]
    if not found:
        yield Line("No clusters found.")
        return
    rows = [
        (
            str(one["id"]),
            f"{one['size']:,}",
            f"{one['tightness']:.2f}",
            "; ".join(one["distinctive"]),
            (one["representatives"] or [""])[0],
        )
        for one in found[:MOST_ROWS]
    ]
    yield Table(f"Clusters ({len(found):,})", (">", ">images", ">tightness", "distinctive", "such as"), rows)
    yield from _rest(len(found))


def leak_blocks(document: Document) -> Iterator[Block]:
    """How many images leak between which splits, then each with its counterpart."""
    found = document["leaks"]
    if not document["splits"]:
        yield Line("No splits found: no label says which image is of which. Name one with --by, or --by folder.")
        return
    yield counted("splits", document["splits"])
    if not found:
        yield Line("No leaks found.")
        return
    rows = [
        (f"{split}, {where.replace('_', ' ')}", f"{count:,}")
        for split, places in document["images"].items()
        for where, count in places.items()
    ]
    yield Table("Images that leak", ("", ">"), rows)
    yield from _listed(f"Leaks ({len(found):,})", found, ("a", "b", "relation", "score", "reason"))


def label_blocks(document: Document) -> Iterator[Block]:
    """Images whose label is likely wrong, then the classes that overlap."""
    found = [one for one in document["suspects"] if one["score"] >= LIKELY]
    if found:
        yield from _listed(
            f"Labels that are likely wrong ({len(found):,})", found, ("uri", "given", "suggested", "score", "reason")
        )
    else:
        yield Line("No label looks wrong.")
    if few := document["not_judged"]:
        yield Line(f"Of too few images to judge: {', '.join(few[:20])}{', …' * (len(few) > 20)}")
    if overlaps := document["overlaps"]:
        yield from _listed("Classes that overlap", overlaps, tuple(overlaps[0]))


def selection_blocks(document: Document) -> Iterator[Block]:
    """The images in the order of their choice, all of them: they are meant for another program too."""
    selected = document["selected"]
    rows = [(one["uri"], one["reason"]) for one in selected]
    yield Table(f"Selected ({len(selected):,})", ("", ""), rows)
    if left_out := {name: count for name, count in document["left_out"].items() if count}:
        yield counted("left out", left_out)
    if document["remark"]:
        yield Line(document["remark"])


def map_blocks(document: Document, *, is_kept: bool) -> Iterator[Block]:
    """How many images have a place now."""
    where = "their places are the columns map_x and map_y" if is_kept else "their places are not kept: see --json"
    yield Line(f"{len(document['points']):,} images laid out; {where}")


def decision_blocks(document: Document) -> Iterator[Block]:
    """Each decision with the images as they were named then."""
    rows = [(one["verdict"], one["a_uri"], one["b_uri"], one["at"]) for one in document["decisions"]]
    yield Table("Decisions", ("", "", "", ""), rows) if rows else Line("Nothing was decided yet.")


def _listed(name: str, found: Sequence[Mapping[str, Any]], keys: tuple[str, ...]) -> Iterator[Block]:
    """The first rows of a list, and how many more there are."""
    columns = tuple(f">{key}" if isinstance(found[0][key], int | float) else key for key in keys)
    yield Table(name, columns, [tuple(_text(one[key]) for key in keys) for one in found[:MOST_ROWS]])
    yield from _rest(len(found))


def _rest(count: int) -> Iterator[Block]:
    if count > MOST_ROWS:
        yield Line(f"… and {count - MOST_ROWS:,} more; --json lists all")


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    text = "" if value is None else str(value)
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"
