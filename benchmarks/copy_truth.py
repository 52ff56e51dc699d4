"""Folders of photos, copies made of them and series of one scene; what is true of them, and how well it was found."""

from __future__ import annotations

import csv
import itertools
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.edits import Edit, Relation, copy_of, one_of
from benchmarks.measure import ROOT

DATA = Path(os.environ.get("TINTYPE_TEST_DATA", ROOT / ".." / "shared" / "data")).resolve()

Pair = tuple[str, str]  # two files by their path within the folder, the lesser first
SUFFIXES = {".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff"}
SAME_SCENE = "same scene"
_TRUE = {"exact", "copy", "copy_turned"}
_PARTNER_SHARE = 0.02  # of the photos, kept out of the folder: what collages put beside a photo


@dataclass(frozen=True)
class Photo:
    """An encoded picture and a name without slashes that ends as its kind of file does."""

    name: str
    data: bytes


@dataclass
class Truth:
    """Which pairs of files are what; a pair that stands nowhere here is a false one.

    `wanted` are the pairs to be found, with the kind of their edit and the relation to be told (None: any).
    `also` are true without being asked for: two copies of one original. `scene` are photos of one scene, no copies.
    `sharing` are false ones of different photos that were set beside the same third one. `unjudged` are left out of
    every count.
    """

    wanted: dict[Pair, tuple[str, Relation | None]] = field(default_factory=dict)
    also: set[Pair] = field(default_factory=set)
    scene: set[Pair] = field(default_factory=set)
    sharing: set[Pair] = field(default_factory=set)
    unjudged: set[Pair] = field(default_factory=set)


@dataclass
class Tally:
    """Counts over one or several folders. `reported` are the pairs called copies, `right` those of them that are."""

    wanted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)  # found with a relation of their own
    told_rightly: Counter[str] = field(default_factory=Counter)
    reported: int = 0
    right: int = 0
    false: list[str] = field(default_factory=list)
    sharing: int = 0  # of the false ones: both have the same third photo in them
    scene_called_copy: list[str] = field(default_factory=list)
    scene_told: int = 0
    scene: int = 0
    missed: list[str] = field(default_factory=list)
    mistold: Counter[str] = field(default_factory=Counter)

    @property
    def precision(self) -> float:
        return self.right / self.reported if self.reported else 1.0

    def recall(self, kinds: Iterable[str] | None = None) -> float:
        """Of the pairs of all kinds, or of some."""
        chosen = list(self.wanted if kinds is None else kinds)
        wanted = sum(self.wanted[kind] for kind in chosen)
        return sum(self.found[kind] for kind in chosen) / wanted if wanted else 1.0

    def relation_accuracy(self, kinds: Iterable[str] | None = None) -> float:
        """Of the true pairs that were found with a relation."""
        chosen = list(self.wanted if kinds is None else kinds)
        told = sum(self.told[kind] for kind in chosen)
        return sum(self.told_rightly[kind] for kind in chosen) / told if told else 0.0

    @property
    def f1(self) -> float:
        precision, recall = self.precision, self.recall()
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    def add(self, truth: Truth, answer: Mapping[Pair, str]) -> None:
        """Judge what was found in one folder: pairs with their relation, "" where only a group holds them."""
        self._add_wanted(truth, answer)
        self.scene += len(truth.scene)
        for pair, relation in sorted(answer.items()):
            if relation == SAME_SCENE:
                self.scene_told += pair in truth.scene
            elif pair not in truth.unjudged:
                self.reported += 1
                if pair in truth.wanted or pair in truth.also:
                    self.right += 1
                else:
                    self.false.append(_shown(pair, relation))
                    self.sharing += pair in truth.sharing
                    if pair in truth.scene:
                        self.scene_called_copy.append(_shown(pair, relation))

    def _add_wanted(self, truth: Truth, answer: Mapping[Pair, str]) -> None:
        for pair, (kind, relation) in truth.wanted.items():
            said = answer.get(pair)
            self.wanted[kind] += 1
            if said is None or said == SAME_SCENE:
                self.missed.append(_shown(pair, said or ""))
                continue
            self.found[kind] += 1
            if said and relation is not None:
                rightly = relation.fits(said)
                self.told[kind] += 1
                self.told_rightly[kind] += rightly
                if not rightly:
                    self.mistold[f"{kind} told as {said}, not {relation}"] += 1


def pair_of(a: str, b: str) -> Pair:
    return (a, b) if a < b else (b, a)


def pairs_within(groups: Iterable[Iterable[str]]) -> set[Pair]:
    """Every pair of members of one group."""
    return {pair_of(a, b) for group in groups for a, b in itertools.combinations(sorted(set(group)), 2)}


def read_photos(place: Path) -> list[Photo]:
    """The pictures of a folder, or of the column `image` of a Parquet table, in the order of their names or rows."""
    if place.is_file():
        rows = pq.read_table(place, columns=["image"])["image"].to_pylist()
        contents = [row["bytes"] if isinstance(row, dict) else row for row in rows]
        return [Photo(f"{place.stem}-{row:05d}{_suffix(data)}", data) for row, data in enumerate(contents)]
    files = sorted(path for path in place.rglob("*") if path.suffix.lower() in SUFFIXES)
    return [Photo("-".join(path.relative_to(place).parts), path.read_bytes()) for path in files]


def _suffix(data: bytes) -> str:
    return ".png" if data.startswith(b"\x89PNG") else ".jpg"


def make(folder: Path, photos: Sequence[Photo], edits: Sequence[Edit], each: int, seed: int) -> Truth:
    """Fill a folder with the photos and `each` copies of every kind; the same seed gives the same files.

    Copies are of photos drawn by chance, of different ones as long as there are enough. Where an edit needs a second
    photo, a few are kept out of the folder for that. Beside the folder's files lies nothing; the truth is returned.
    """
    chance = np.random.default_rng(seed)
    order = [photos[at] for at in chance.permutation(len(photos))]
    kept_out = max(2, round(len(order) * _PARTNER_SHARE)) if any(edit.needs_partner for edit in edits) else 0
    partners, originals = order[:kept_out], order[kept_out:]
    for photo in originals:
        (folder / photo.name).write_bytes(photo.data)
    truth, copies, beside = Truth(), dict[str, list[str]](), dict[int, list[str]]()
    for number in range(each * len(edits)):
        edit, original = edits[number % len(edits)], originals[number % len(originals)]
        third = int(chance.integers(0, kept_out)) if edit.needs_partner else None
        partner = None if third is None else partners[third].data
        copy = copy_of(edit, original.data, Path(original.name).suffix, chance, partner)
        name = f"{Path(original.name).stem}--{edit.name}-{number:04d}{copy.suffix}"
        (folder / name).write_bytes(copy.data)
        truth.wanted[pair_of(original.name, name)] = (edit.name, copy.relation)
        copies.setdefault(original.name, []).append(name)
        if third is not None:
            beside.setdefault(third, []).append(name)
    truth.also = pairs_within(copies.values())
    truth.sharing = pairs_within(beside.values()) - truth.also
    return truth


def add_series(folder: Path, truth: Truth, series: Path) -> None:
    """Put series of photos of one scene into the folder: the files and truth.csv of a folder of test data."""
    known = read_truth(series, wanted_relations=())
    for path in _files(series):
        (folder / "-".join(path.relative_to(series).parts)).write_bytes(path.read_bytes())
    truth.scene |= {pair_of(a.replace("/", "-"), b.replace("/", "-")) for a, b in known.scene}


def read_truth(place: Path, wanted_relations: Iterable[str] = tuple(_TRUE)) -> Truth:
    """The truth.csv of a folder of test data."""
    truth = Truth()
    wanted = set(wanted_relations)
    with (place / "truth.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            pair, relation = pair_of(row["a"], row["b"]), row["relation"]
            if relation in wanted:
                truth.wanted[pair] = (relation, _RELATIONS.get(relation))
            elif relation == "same_scene":
                truth.scene.add(pair)
            elif relation == "undecodable":
                truth.unjudged.add(pair)
    return truth


_RELATIONS = {
    "exact": one_of("identical"),
    "copy_turned": one_of("rotated", "mirrored", also=("resized", "gray", "recolored", "cropped", "overlaid")),
}


def copy_folder(place: Path, folder: Path) -> None:
    """The pictures of a folder of test data, under the names that its truth.csv gives them."""
    for path in _files(place):
        target = folder / path.relative_to(place)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _files(place: Path) -> list[Path]:
    return sorted(path for path in place.rglob("*") if path.is_file() and path.name != "truth.csv")


def _shown(pair: Pair, relation: str) -> str:
    return f"{pair[0]} ~ {pair[1]}" + (f" ({relation})" if relation else "")
