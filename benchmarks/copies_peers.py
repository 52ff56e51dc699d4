"""What other programs take for copies, at their defaults and over the range of their thresholds."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.copy_truth import Pair, Tally, Truth, pair_of
from benchmarks.peers import Peer

# Each job prints one line of JSON. Of the first two: pairs [a, b, how sure], and from where on they are reported.
# fastdup: its table of similar pairs, which by default begins at 0.9 with two neighbors an image.
FASTDUP_JOB = """
import contextlib, json, os, sys
import fastdup
with contextlib.redirect_stdout(sys.stderr):
    checked = fastdup.create(work_dir=sys.argv[2], input_dir=sys.argv[1])
    checked.run(num_threads=2, threshold=0.5)
    table = checked.similarity(data=False)
    names = checked.annotations()[["index", "filename"]]
names = dict(zip(names["index"], names["filename"]))
pairs = [[os.path.relpath(names[a], sys.argv[1]), os.path.relpath(names[b], sys.argv[1]), float(sure)]
         for a, b, sure in zip(table["from"], table["to"], table["distance"])]
print("ANSWER", json.dumps({"pairs": pairs, "default": 0.9}))
"""
# imagededup: pHash, by default up to 10 bits apart.
IMAGEDEDUP_JOB = """
import json, sys
from imagededup.methods import PHash
method = PHash(verbose=False)
hashes = method.encode_images(image_dir=sys.argv[1], recursive=True, num_enc_workers=2)
found = method.find_duplicates(encoding_map=hashes, max_distance_threshold=24, scores=True, num_dist_workers=0)
pairs = [[a, b, -bits] for a, near in found.items() for b, bits in near]
print("ANSWER", json.dumps({"pairs": pairs, "default": -10}))
"""
# CleanVision: equal hashes; it has no threshold, but the hash's kind and size can be set. Larger is stricter.
CLEANVISION_JOB = """
import contextlib, itertools, json, os, sys
from cleanvision import Imagelab
found = {}
for words, settings in json.loads(sys.argv[3]).items():
    with contextlib.redirect_stdout(sys.stderr):
        lab = Imagelab(data_path=sys.argv[1])
        lab.find_issues({"exact_duplicates": {}, "near_duplicates": settings}, n_jobs=1, verbose=False)
    found[words] = [[os.path.relpath(a, sys.argv[1]), os.path.relpath(b, sys.argv[1])]
                    for kind in ("exact_duplicates", "near_duplicates") for images in lab.info[kind]["sets"]
                    for a, b in itertools.combinations(images, 2)]
print("ANSWER", json.dumps(found))
"""
_CLEANVISION_DEFAULT = "phash of 8"
_CLEANVISION_SETTINGS = {
    f"{kind} of {size}": {"hash_type": kind, "hash_size": size}
    for kind, size in (("phash", 8), ("phash", 4), ("ahash", 8), ("ahash", 4), ("dhash", 8), ("dhash", 4), ("whash", 8))
}


@dataclass(frozen=True)
class Answers:
    """What one peer found in one folder: at its defaults, and at each of its settings by their words."""

    default: frozenset[Pair]
    swept: dict[str, frozenset[Pair]]


def answers(peer: Peer, folder: Path) -> Answers:
    """Run an installed peer on a folder. Raises RuntimeError where it fails."""
    if peer.name == "cleanvision":
        sets = asked(peer, folder, CLEANVISION_JOB, _CLEANVISION_SETTINGS)
        swept = {words: frozenset(pair_of(a, b) for a, b in pairs) for words, pairs in sets.items()}
        return Answers(swept[_CLEANVISION_DEFAULT], swept)
    answer = asked(peer, folder, {"fastdup": FASTDUP_JOB, "imagededup": IMAGEDEDUP_JOB}[peer.name])
    sureness = _sureness(answer["pairs"])
    return Answers(_at(sureness, answer["default"]), {words: _at(sureness, least) for words, least in _steps(peer)})


def judged(truths: Sequence[Truth], found: Sequence[Answers]) -> tuple[Tally, Tally, str]:
    """The tally at the defaults, that at the setting with the best F1 over all folders, and this setting's words."""
    swept = {words: _tally(truths, [one.swept[words] for one in found]) for words in found[0].swept}
    best = max(swept, key=lambda words: swept[words].f1)
    return _tally(truths, [one.default for one in found]), swept[best], best


def _tally(truths: Sequence[Truth], found: Sequence[frozenset[Pair]]) -> Tally:
    tally = Tally()
    for truth, pairs in zip(truths, found, strict=True):
        tally.add(truth, dict.fromkeys(pairs, ""))
    return tally


def _steps(peer: Peer) -> list[tuple[str, float]]:
    if peer.name == "imagededup":
        return [(f"{bits} bits", -bits) for bits in range(0, 25, 2)]
    return [(f"{hundredths / 100:g}", hundredths / 100) for hundredths in range(60, 99)]


def _at(sureness: dict[Pair, float], least: float) -> frozenset[Pair]:
    return frozenset(pair for pair, sure in sureness.items() if sure >= least)


def _sureness(pairs: Sequence[tuple[str, str, float]]) -> dict[Pair, float]:
    surest: dict[Pair, float] = {}
    for a, b, sure in pairs:
        if a != b:
            surest[pair_of(a, b)] = max(sure, surest.get(pair_of(a, b), sure))
    return surest


def asked(peer: Peer, given: Path, job: str, settings: object = None) -> Any:
    """What a job of an installed peer answers, told where its input lies. Raises RuntimeError where it fails."""
    with tempfile.TemporaryDirectory(prefix=f"{peer.name}-") as work:
        command = [str(peer.python), "-c", job, str(given), str(Path(work) / "out"), json.dumps(settings)]
        env = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1", "SENTRY_OPT_OUT": "1", "HOME": work}
        done = subprocess.run(command, env=env, cwd=work, capture_output=True, text=True, check=False)
    said = [line for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
    if done.returncode or not said:
        raise RuntimeError(f"{peer.name} failed on {given}: {done.stderr[-2000:]}")
    return json.loads(said[-1].removeprefix("ANSWER "))
