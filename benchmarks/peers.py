"""The programs that Tintype is measured against, each in an environment of its own under `.peers/`."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.corpus import photos
from benchmarks.measure import ROOT, Cost, run

PEERS = ROOT / ".peers"

# In each job sys.argv[1] is the folder of images and sys.argv[2] an empty folder to work in.
CLEANVISION_JOB = """
import sys
from cleanvision import Imagelab
lab = Imagelab(data_path=sys.argv[1])
lab.find_issues(n_jobs=2, verbose=False)
print(len(lab.issues), "images")
"""
IMAGEDEDUP_JOB = """
import sys
from imagededup.methods import PHash
hashes = PHash(verbose=False).encode_images(image_dir=sys.argv[1], recursive=True, num_enc_workers=2)
print(len(hashes), "images")
"""
FASTDUP_JOB = """
import sys
import fastdup
checked = fastdup.create(work_dir=sys.argv[2], input_dir=sys.argv[1])
checked.run(num_threads=2)
print(len(checked.img_stats()), "images")
"""
# sys.argv[1] is a file of numpy arrays: features (n, d), labels (n,), fold (n,). For each strength of regularization
# cleanlab gets probabilities from a logistic regression fitted on the other folds; lower scores are more suspicious.
CLEANLAB_JOB = """
import json, sys
import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.linear_model import LogisticRegression
given = np.load(sys.argv[1])
features, labels, fold = given["features"], given["labels"], given["fold"]
scores = {}
for strength in (0.3, 1, 3, 10, 30):
    probabilities = np.empty((len(labels), labels.max() + 1))
    for held_out in np.unique(fold):
        inside = fold != held_out
        model = LogisticRegression(C=strength, max_iter=1000).fit(features[inside], labels[inside])
        probabilities[~inside] = model.predict_proba(features[~inside])
    issue = find_label_issues(labels, probabilities, n_jobs=1)
    for adjusted in (False, True):
        quality = get_label_quality_scores(labels, probabilities, adjust_pred_probs=adjusted)
        words = f"C={strength}" + ", adjusted" * adjusted
        scores[words] = quality.tolist()
        scores[f"{words}, its issues first"] = (quality + 2 * ~issue).tolist()
print("ANSWER", json.dumps(scores))
"""

# imagededup imports torch and torchvision for networks that its hashes do without. Every name of these
# packages is this class, which can be called, subclassed and asked for any attribute.
STAND_IN = '''
class _Meta(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything
class Anything(metaclass=_Meta):
    """Stands for whatever is asked for."""
    def __init__(self, *given, **named):
        pass
def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Anything
'''
STAND_IN_MODULES = (
    "torch/__init__.py",
    "torch/nn.py",
    "torch/utils/__init__.py",
    "torch/utils/data.py",
    "torchvision/__init__.py",
    "torchvision/models/__init__.py",
    "torchvision/models/vision_transformer.py",
    "torchvision/transforms.py",
)


@dataclass(frozen=True)
class Peer:
    """Another program: what to install, and its usual job on a folder, kept to two threads or processes."""

    name: str
    package: str
    requirements: tuple[str, ...]
    job: str
    without_dependencies: bool = False  # the requirements then name what it truly needs
    needs_stand_ins: bool = False
    only_when_named: bool = False  # its license allows no commercial use

    @property
    def environment(self) -> Path:
        return PEERS / self.name

    @property
    def python(self) -> Path:
        return self.environment / "bin" / "python"


ALL_PEERS = (
    Peer("cleanvision", "cleanvision", ("cleanvision",), CLEANVISION_JOB),
    Peer(
        "imagededup",
        "imagededup",
        ("imagededup", "numpy", "Pillow", "tqdm", "scikit-learn", "scipy", "PyWavelets", "matplotlib"),
        IMAGEDEDUP_JOB,
        without_dependencies=True,
        needs_stand_ins=True,
    ),
    Peer("fastdup", "fastdup", ("fastdup==2.54",), FASTDUP_JOB, only_when_named=True),
)
CLEANLAB = Peer("cleanlab", "cleanlab", ("cleanlab",), CLEANLAB_JOB)  # works on labels, not on a folder of images


def chosen(named: Sequence[str]) -> tuple[Peer, ...]:
    """The peers that run by default and those asked for by name. Raises SystemExit for unknown names."""
    unknown = set(named) - {peer.name for peer in ALL_PEERS}
    if unknown:
        raise SystemExit(f"no such peer: {', '.join(sorted(unknown))}")
    return tuple(peer for peer in ALL_PEERS if not peer.only_when_named or peer.name in named)


def install(peer: Peer) -> None:
    """Make the peer's environment unless it is there."""
    if (peer.environment / "ready").exists():
        return
    print(f"installing {peer.name}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", peer.environment], check=True)
    pip = [str(peer.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if peer.without_dependencies:
        first, *others = peer.requirements
        subprocess.run([*pip, "--no-deps", first], check=True)
        subprocess.run([*pip, *others], check=True)
    else:
        subprocess.run([*pip, *peer.requirements], check=True)
    if peer.needs_stand_ins:
        _write_stand_ins(_site_packages(peer))
    (peer.environment / "ready").touch()


def version(peer: Peer) -> str:
    """Name and version of an installed peer."""
    ask = f"from importlib.metadata import version; print(version({peer.package!r}))"
    found = subprocess.run([peer.python, "-c", ask], check=True, capture_output=True, text=True)
    return f"{peer.name} {found.stdout.strip()}"


def run_job(peer: Peer, folder: Path) -> Cost:
    """Run the peer's usual job on a folder, its start-up included, with an empty folder to work in."""
    work = Path(tempfile.mkdtemp(prefix=f"{peer.name}-"))
    try:
        env = {"OMP_NUM_THREADS": "2", "SENTRY_OPT_OUT": "1", "HOME": str(work)}
        return run([str(peer.python), "-c", peer.job, str(folder), str(work / "out")], env=env)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _site_packages(peer: Peer) -> Path:
    return next((peer.environment / "lib").glob("python*/site-packages"))


def _write_stand_ins(site_packages: Path) -> None:
    for name in STAND_IN_MODULES:
        path = site_packages / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(STAND_IN)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--with", dest="named", action="append", default=[], help="a peer that only runs by name")
    parser.add_argument("--images", type=int, default=500)
    options = parser.parse_args()
    folder = photos(options.images)
    for peer in chosen(options.named):
        install(peer)
        cost = run_job(peer, folder)
        cpu_ms = 1000 * cost.cpu_s / options.images
        said = cost.stdout.strip().splitlines()[-1]
        print(
            f"{version(peer)}: {cpu_ms:.2f} ms of CPU an image, {cost.wall_s:.1f} s by the clock; {said}",
            flush=True,
        )


if __name__ == "__main__":
    main()
