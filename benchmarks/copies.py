"""Copies of photos and series of one scene, mixed with photos: what is found, what is taken for a copy wrongly.

Copies are made by `benchmarks/edits.py`: ten named kinds, ten more that bounds were chosen by ("tuned"); by
`seen_edits.py`: ten that were looked at late; and by `held_out_edits.py`: five that no choice has looked at. Two series
of one scene are among the photos. A pair is true where both come of one photo; recall counts pairs of an original and
its copy, found where both stand in one pair or one group. A relation is right where it has the words that tell what was
done, and none that tell something else. Precision, recall and relations are of all seeds together. `python -m
benchmarks.copies --help` says how to run it on photos of your own, and how to ask how many true pairs an ONNX model
brings up.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import copies_candidates, copies_peers
from benchmarks.copy_truth import (
    DATA,
    Pair,
    Tally,
    Truth,
    add_series,
    copy_folder,
    make,
    pair_of,
    pairs_within,
    read_photos,
    read_truth,
)
from benchmarks.descriptors import Descriptor
from benchmarks.edits import NAMED, TUNED, Edit
from benchmarks.figures import Figure, table
from benchmarks.held_out_edits import HELD_OUT
from benchmarks.measure import Cost, run, use_two_cores
from benchmarks.options import Options, chosen_options, parser
from benchmarks.peers import Peer, chosen, install, version
from benchmarks.scan import own_state, scan_command
from benchmarks.seen_edits import SEEN

SETS: dict[str, tuple[Edit, ...]] = {"named": NAMED, "tuned": TUNED, "seen": SEEN, "held out": HELD_OUT}
BOUNDS = {
    "named": (0.995, 0.99),
    "tuned": (0.99, 0.95),
    "seen": (0.99, 0.95),
    "held out": (0.99, 0.95),
}  # precision, recall
RELATION_BOUND = 0.95
SERIES = "opensfm-series"
TRUTHS = ("neardup-pdq", "neardup-imagededup", SERIES)
_SHOWN_PAIRS = 8


@dataclass(frozen=True)
class Corpus:
    """Photos, of which each set's copies are made anew with every seed: `each` of every kind."""

    name: str
    place: Path
    seeds: tuple[int, ...]
    each: int


def corpora(options: Options) -> tuple[Corpus, ...]:
    photos = Corpus("photos-imagenet", DATA / "photos-imagenet", (1,) if options.quick else (1, 2, 3, 4, 5), 12)
    clothes = Corpus("clothing-168 test", DATA / "clothing-168" / "test.parquet", (1,), 20)
    return (photos,) if options.quick else (photos, clothes)


def measure(options: Options) -> list[Figure]:
    figures = []
    for corpus in corpora(options):
        for name in SETS:
            figures += _made_figures(options, corpus, name, chosen(options.named))
    for name in TRUTHS:
        figures += _truth_figures(options, name)
    return figures


def _made_figures(options: Options, corpus: Corpus, name: str, peers: Sequence[Peer]) -> list[Figure]:
    truths, found, theirs = [], Tally(), {peer: list[copies_peers.Answers]() for peer in peers}
    cpu_s, images = 0.0, 0
    for seed in corpus.seeds:
        with made_folder(corpus, SETS[name], seed) as (folder, truth):
            answer, cost = tintype_answer(options, folder)
            found.add(truth, answer)
            truths.append(truth)
            cpu_s, images = cpu_s + cost.cpu_s, images + sum(1 for _ in folder.iterdir())
            for peer in peers:
                install(peer)
                theirs[peer].append(copies_peers.answers(peer, folder))
    about = f"{corpus.name}, {name}"
    figures = _tally_figures(about, found, *BOUNDS[name])
    took = f"`tintype duplicates`, start-up included, {images // len(corpus.seeds)} images a folder"
    figures.append(Figure(f"finding, {about}", 1000 * cpu_s / images, "ms CPU/image", detail=took))
    for peer in peers:
        default, best, setting = copies_peers.judged(truths, theirs[peer])
        for tally, words in ((default, "defaults"), (best, f"best F1, at {setting}")):
            detail = f"precision {tally.precision:.3f}; {_by_kind(tally)}"
            figures.append(Figure(f"recall of {version(peer)}, {words}, {about}", tally.recall(), "", detail=detail))
    return figures


def _truth_figures(options: Options, name: str) -> list[Figure]:
    truth = read_truth(DATA / name)
    with tempfile.TemporaryDirectory(prefix="copies-") as temporary:
        copy_folder(DATA / name, Path(temporary))
        answer, _ = tintype_answer(options, Path(temporary))
    found = Tally()
    found.add(truth, answer)
    figures = []
    if truth.wanted:
        missed = _some(found.missed)
        figures.append(Figure(f"true pairs found, {name}", found.recall(), "", 1, "at least", detail=missed))
    figures.append(Figure(f"false pairs, {name}", len(found.false), "", 0, detail=_some(found.false)))
    if truth.scene:
        figures.append(_scene_figure(name, found))
    return figures


def _tally_figures(about: str, found: Tally, precision: float, recall: float) -> list[Figure]:
    sharing = f" ({found.sharing} of them collages with one photo in both)" if found.sharing else ""
    pairs = f"of {found.reported} pairs; {len(found.false)} false{sharing} {_some(found.false)}"
    mistold = _some([f"{words} ({count})" for words, count in found.mistold.most_common()])
    called = _some(found.scene_called_copy)
    return [
        Figure(f"precision, {about}", found.precision, "", precision, "at least", detail=pairs),
        Figure(f"recall, {about}", found.recall(), "", recall, "at least", detail=_by_kind(found)),
        Figure(
            f"relations rightly told, {about}",
            found.relation_accuracy(),
            "",
            RELATION_BOUND,
            "at least",
            detail=f"of {sum(found.told.values())} told; {mistold or 'none'} wrongly",
        ),
        Figure(f"pairs of one scene called copies, {about}", len(found.scene_called_copy), "", 0, detail=called),
    ]


def _scene_figure(name: str, found: Tally) -> Figure:
    words = f"of {found.scene}, also pairs that have little in common"
    return Figure(f"pairs of one scene told so, {name}", found.scene_told, "pairs", detail=words)


def _by_kind(tally: Tally) -> str:
    return ", ".join(f"{kind} {tally.found[kind]}/{tally.wanted[kind]}" for kind in tally.wanted)


def _some(words: Sequence[str]) -> str:
    more = f" and {len(words) - _SHOWN_PAIRS} more" if len(words) > _SHOWN_PAIRS else ""
    return "; ".join(words[:_SHOWN_PAIRS]) + more


@contextmanager
def made_folder(corpus: Corpus, edits: Sequence[Edit], seed: int) -> Iterator[tuple[Path, Truth]]:
    """A folder of photos with copies and series for as long as it is needed, and what is true of it."""
    folder = Path(tempfile.mkdtemp(prefix="copies-"))
    try:
        truth = make(folder, read_photos(corpus.place), edits, corpus.each, seed)
        add_series(folder, truth, DATA / SERIES)
        yield folder, truth
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def tintype_answer(options: Options, folder: Path) -> tuple[dict[Pair, str], Cost]:
    """The pairs that a fresh scan and `tintype duplicates` report with their relations, and what the latter took.

    Pairs that stand in one group without a relation of their own have "".
    """
    state = Path(tempfile.mkdtemp(prefix="tintype-bench-"))
    try:
        run(scan_command(options, folder, state), env=own_state(state))
        command = [*options.tintype, "duplicates", str(folder), "--collection", str(state / "collection"), "--json"]
        cost = run(command, env=own_state(state))
    finally:
        shutil.rmtree(state, ignore_errors=True)
    said = json.loads(cost.stdout)
    answer = {pair_of(pair["a"], pair["b"]): pair["relation"] for pair in said["pairs"]}
    return dict.fromkeys(pairs_within(group["members"] for group in said["groups"]), "") | answer, cost


def main() -> None:
    arguments = parser(__doc__)
    arguments.formatter_class = argparse.RawDescriptionHelpFormatter
    arguments.add_argument("--photos", type=Path, help="a folder of photos or a Parquet table with a column `image`")
    arguments.add_argument("--each", type=int, default=12, help="copies of every kind")
    arguments.add_argument("--seeds", type=int, default=1, help="how many, from 1 on")
    arguments.add_argument("--set", dest="chosen_set", action="append", choices=list(SETS), help="these kinds only")
    arguments.add_argument("--alone", action="store_true", help="without other programs")
    arguments.add_argument("--truths", action="store_true", help="only the folders of test data with a truth.csv")
    arguments.add_argument("--keep", type=Path, help="only make the folder of the first seed here, with truth.json")
    arguments.add_argument("--candidates", type=Path, metavar="ONNX", help="only ask how many pairs this brings up")
    arguments.add_argument("--among", type=Path, help="with --candidates: further photos that may be nearer")
    arguments.add_argument("--side", type=int, help="of its input, where the model leaves it open")
    given = arguments.parse_args()
    use_two_cores()
    options = chosen_options(given)
    if given.truths:
        print(table([figure for name in TRUTHS for figure in _truth_figures(options, name)]))
        return
    place = given.photos or DATA / "photos-imagenet"
    corpus = Corpus(place.stem, place, tuple(range(1, given.seeds + 1)), given.each)
    for name in given.chosen_set or SETS:
        if given.keep:
            _keep(corpus, name, given.keep)
        elif given.candidates:
            _candidates(corpus, name, Descriptor(given.candidates, given.side), given.among)
        else:
            peers = () if given.alone else chosen(options.named)
            print(table(_made_figures(options, corpus, name, peers), judged=not options.quick), flush=True)


def _keep(corpus: Corpus, name: str, place: Path) -> None:
    folder = place / name.replace(" ", "-")
    with made_folder(corpus, SETS[name], corpus.seeds[0]) as (made, truth):
        shutil.copytree(made, folder)
    wanted = [{"a": a, "b": b, "kind": kind, "relation": str(told)} for (a, b), (kind, told) in truth.wanted.items()]
    (place / f"{folder.name}.truth.json").write_text(json.dumps(wanted, indent=1), encoding="utf-8")


def _candidates(corpus: Corpus, name: str, descriptor: Descriptor, among: Path | None) -> None:
    for seed in corpus.seeds:
        with made_folder(corpus, SETS[name], seed) as (folder, truth):
            for photo in read_photos(among) if among else ():
                (folder / photo.name).write_bytes(photo.data)
            for words, tally in copies_candidates.brought_up(descriptor, folder, truth).items():
                print(
                    f"{corpus.name}, {name}, seed {seed}, {words}: {tally.recall():.3f}; {_by_kind(tally)}", flush=True
                )


if __name__ == "__main__":
    main()
