"""From pictures to what the page shows of them: name, facts, and the number of the thumbnail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tintype.core.names import shown
from tintype.reports import words
from tintype.reports.content import Bounds, Failure, Group, Issue, Member, Picture


@dataclass(frozen=True)
class Fact:
    """One line beside a picture; `differs` where a copy's is not the one of the kept picture."""

    name: str
    words: str
    differs: bool = False


@dataclass(frozen=True)
class Shot:
    """One picture as the page shows it."""

    uri: str
    folder: str  # with its last slash; empty at the root
    name: str
    facts: tuple[Fact, ...]
    tint: str | None  # rrggbb
    kept: bool = False
    relation: str | None = None
    score: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class GroupView:
    """A duplicate group as the page shows it: the kept picture first."""

    number: int
    files: int
    others_size: str | None  # None where no size is known
    why: str
    shots: tuple[Shot, ...]
    left_out: int


@dataclass
class GroupsView:
    """The groups that are shown, and the totals of all."""

    shown: list[GroupView] = field(default_factory=list)
    groups: int = 0
    others: int = 0  # members besides the kept ones
    others_bytes: int = 0

    @property
    def left_out(self) -> int:
        return self.groups - len(self.shown)


@dataclass
class KindView:
    """The pictures of one kind of issue that are shown, and how many there are in all."""

    name: str
    shots: list[Shot] = field(default_factory=list)
    total: int = 0

    @property
    def kind(self) -> words.Kind:
        return words.kind(self.name)

    @property
    def left_out(self) -> int:
        return self.total - len(self.shots)


@dataclass
class FailuresView:
    """The failed files that are shown, and how many there are of each status."""

    shown: list[Failure] = field(default_factory=list)
    total: int = 0

    @property
    def left_out(self) -> int:
        return self.total - len(self.shown)


@dataclass
class ProblemsView:
    """The problems of the listing that are shown."""

    shown: list[tuple[str, str]] = field(default_factory=list)
    total: int = 0

    @property
    def left_out(self) -> int:
        return self.total - len(self.shown)


def view_groups(groups: Iterable[Group], bounds: Bounds) -> GroupsView:
    view = GroupsView()
    for group in groups:
        others = [member for member in group.others if member.picture.uri != group.keep.uri]
        view.groups += 1
        view.others += len(others)
        view.others_bytes += sum(member.picture.size_bytes or 0 for member in others)
        if len(view.shown) < bounds.groups:
            view.shown.append(_view_group(view.groups, group, others, bounds.members))
    return view


def view_issues(issues: Iterable[Issue], bounds: Bounds) -> list[KindView]:
    """Kinds in the order in which they first occur."""
    kinds: dict[str, KindView] = {}
    for issue in issues:
        view = kinds.setdefault(issue.kind, KindView(issue.kind))
        view.total += 1
        if len(view.shots) < bounds.issues:
            view.shots.append(shot(issue.picture, score=issue.score, reason=issue.reason))
    return list(kinds.values())


def view_failures(failures: Iterable[Failure], bounds: Bounds) -> FailuresView:
    view = FailuresView()
    for failure in failures:
        view.total += 1
        if len(view.shown) < bounds.failures:
            view.shown.append(failure)
    return view


def view_problems(problems: Iterable[tuple[str, str]], bounds: Bounds) -> ProblemsView:
    view = ProblemsView()
    for problem in problems:
        view.total += 1
        if len(view.shown) < bounds.problems:
            view.shown.append(problem)
    return view


def shot(
    picture: Picture,
    *,
    kept: bool = False,
    beside: Picture | None = None,
    relation: str | None = None,
    score: float | None = None,
    reason: str | None = None,
) -> Shot:
    """What is shown of a picture; facts that differ from those of `beside` are marked."""
    folder, slash, name = shown(picture.uri).rpartition("/")
    theirs = {} if beside is None else dict(_facts(beside))
    facts = tuple(Fact(what, text, what in theirs and theirs[what] != text) for what, text in _facts(picture))
    tint = None if picture.mean_rgb is None else "".join(f"{channel & 255:02x}" for channel in picture.mean_rgb)
    return Shot(picture.uri, folder + slash, name, facts, tint, kept, relation, score, reason)


def _view_group(number: int, group: Group, others: list[Member], most: int) -> GroupView:
    sizes = [member.picture.size_bytes for member in others if member.picture.size_bytes is not None]
    shots = [shot(group.keep, kept=True), *(_copy(member, group.keep) for member in others[: most - 1])]
    return GroupView(
        number=number,
        files=len(others) + 1,
        others_size=words.size(sum(sizes)) if sizes else None,
        why=group.why,
        shots=tuple(shots),
        left_out=len(others) + 1 - len(shots),
    )


def _copy(member: Member, kept: Picture) -> Shot:
    relation = member.relation.replace("_", " ")
    return shot(member.picture, beside=kept, relation=relation, score=member.score, reason=member.reason)


def _facts(picture: Picture) -> Iterator[tuple[str, str]]:
    if picture.width is not None and picture.height is not None:
        yield "Pixels", f"{picture.width} × {picture.height}"
    if picture.size_bytes is not None:
        yield "Size", words.size(picture.size_bytes)
    if picture.format:
        yield "Format", picture.format.upper()
    if picture.taken_at is not None:
        yield "Taken", words.moment(picture.taken_at)
    if picture.camera:
        yield "Camera", picture.camera


def status_totals(status: Mapping[str, int]) -> list[tuple[str, int]]:
    """Statuses but ok that occur, in the order of the data dictionary."""
    return [(name, number) for name, number in status.items() if name != "ok" and number]
