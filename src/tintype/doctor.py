"""What `tintype doctor` looks at: the installation, the machine, the settings and one collection."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from typing import Any

from tintype.core.checks import Check
from tintype.core.errors import TintypeError

PACKAGE = "tintype"
PLUGIN_KINDS = ("stages", "sources", "finders", "backends", "exports")
LOW_DISK_BYTES = 1_000_000_000

_ADDS = {
    "torch": "models of hubs, run by PyTorch",
    "text": "search by words without PyTorch",
    "tensorrt": "models run by TensorRT on an NVIDIA GPU",
    "triton": "models run by a Triton server",
    "aws": "ledgers in DynamoDB and SQS; profiles of ~/.aws",
    "cloud": "images and outputs in object stores (S3, Google's, Azure's)",
    "ray": "workers on a Ray cluster",
    "train": "making the built-in descriptor anew",
    "raw": "camera raw photos (CR2, NEF, ARW, DNG, …)",
    "jxl": "JPEG XL",
    "testing": "contract suites and makers for plug-ins' tests",
}
_RIVALS = {
    "cv2": (
        "opencv-python-headless",
        "opencv-python",
        "opencv-contrib-python",
        "opencv-contrib-python-headless",
    ),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino"),
    "PIL": ("pillow", "pillow-simd"),
    "lance": ("pylance", "lance"),
    "faiss": ("faiss-cpu", "faiss-gpu", "faiss-gpu-cu12"),
}
"""Packages that write the same module's files: of two, the one installed last is half overwritten by nobody's plan."""

_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")


@dataclass(frozen=True)
class Extra:
    """An optional part of the installation: what it adds, and how to install it."""

    extra: str
    adds: str
    packages: tuple[str, ...]
    installed: bool

    @property
    def install(self) -> str:
        return f"pip install '{PACKAGE}[{self.extra}]'"


@dataclass(frozen=True)
class Plugin:
    """A stage, finder or other part, and the package that brings it."""

    kind: str
    name: str
    package: str
    target: str

    def to_json(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Findings:
    """What the doctor found. `is_well` is false where a check failed."""

    versions: dict[str, str]
    system: dict[str, Any]
    extras: tuple[Extra, ...]
    checks: tuple[Check, ...]

    @property
    def is_well(self) -> bool:
        return all(check.ok is not False for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """The document of `tintype doctor --json`."""
        return {
            "schema": 1,
            "is_well": self.is_well,
            "versions": self.versions,
            "system": self.system,
            "extras": [asdict(extra) | {"install": extra.install} for extra in self.extras],
            "checks": [asdict(check) for check in self.checks],
        }


def examine(place: str | None = None) -> Findings:
    """Look at the installation, the machine and the settings, and at the collection at `place` where given."""
    checks = [*_installed_checks(), *_rivals(), *_clashes(), _settings_check(place), *_disk(place)]
    if place is not None:
        checks += _collection_checks(place)
    return Findings(_versions(), _system(place), tuple(_extras()), tuple(checks))


def plugins() -> tuple[Plugin, ...]:
    """All installed parts, ours and others', sorted by kind and name. Nothing is imported."""
    found = {
        Plugin(kind, point.name, f"{point.dist.name} {point.dist.version}" if point.dist else "unknown", point.value)
        for kind in PLUGIN_KINDS
        for point in metadata.entry_points(group=f"{PACKAGE}.{kind}")
    }
    return tuple(sorted(found, key=lambda plugin: (PLUGIN_KINDS.index(plugin.kind), plugin.name, plugin.package)))


def _requirements() -> Iterator[tuple[str, str | None]]:
    """Package and extra (null for the core) of each requirement."""
    for requirement in metadata.requires(PACKAGE) or ():
        name = _REQUIREMENT.match(requirement)
        extra = _EXTRA.search(requirement)
        if name is not None and name[0] != PACKAGE:
            yield name[0], extra[1] if extra else None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _versions() -> dict[str, str]:
    core = {name: _version(name) or "missing" for name, extra in _requirements() if extra is None}
    return {
        PACKAGE: _version(PACKAGE) or "unknown",
        "python": platform.python_version(),
        **dict(sorted(core.items())),
    }


def _extras() -> Iterator[Extra]:
    packages: dict[str, list[str]] = {}
    for name, extra in _requirements():
        if extra is not None and extra in _ADDS:
            packages.setdefault(extra, []).append(name)
    for extra, names in packages.items():
        yield Extra(extra, _ADDS[extra], tuple(names), all(_version(name) for name in names))


def _system(place: str | None) -> dict[str, Any]:
    return {
        "system": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "python": sys.executable,
        "processors": _processors(),
        "memory_bytes": memory_bytes(),
        "free_disk_bytes": _free_bytes(place),
    }


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes() -> int | None:
    """Memory that this process may use: the machine's, or what its control group allows; null where not known."""
    limits = []
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(name) as file:
                limits.append(int(file.read()))
        except (OSError, ValueError):  # no control groups here, or "max"
            continue
    return min(limits, default=None)


def _free_bytes(place: str | None) -> int | None:
    try:
        return shutil.disk_usage(place or os.getcwd()).free
    except OSError:
        return None


def _installed_checks() -> Iterator[Check]:
    missing = [name for name, extra in _requirements() if extra is None and _version(name) is None]
    if missing:
        mend = f"pip install --force-reinstall {PACKAGE}"
        yield Check("packages", False, f"{', '.join(missing)} missing.", mend)
    else:
        yield Check("packages", True, "all that the core needs is installed")


def _rivals() -> Iterator[Check]:
    for module, packages in _RIVALS.items():
        owners = [name for name in packages if _version(name)]
        if len(owners) > 1:
            mend = f"keep one: pip uninstall {' '.join(owners)}, then pip install the one that you want"
            yield Check("owners", False, f"{' and '.join(owners)} both own the module {module}.", mend)


def _clashes() -> Iterator[Check]:
    """Two plug-ins of one kind and name; which one would run is nobody's choice."""
    seen: dict[tuple[str, str], Plugin] = {}
    for plugin in plugins():
        other = seen.setdefault((plugin.kind, plugin.name), plugin)
        if other.target != plugin.target:
            message = f"{plugin.kind} {plugin.name!r} comes from {other.package} and from {plugin.package}."
            yield Check("plug-ins", False, message, "uninstall one of them")


def _settings_check(place: str | None) -> Check:
    from tintype.core.settings import user_file

    try:
        from tintype import api

        api.config(place)
    except ImportError as error:
        return Check("imports", False, f"a part does not load: {error}", f"pip install --force-reinstall {PACKAGE}")
    except TintypeError as error:
        return Check("settings", False, str(error))
    file = user_file()
    return Check("settings", True, f"{file} is read" if file.exists() else f"no user file; it would be {file}")


def _disk(place: str | None) -> Iterator[Check]:
    free = _free_bytes(place)
    if free is not None and free < LOW_DISK_BYTES:
        yield Check("disk", False, f"only {free // 1_000_000:,} MB are free.", "a scan writes some 10 kB an image")


def _collection_checks(place: str) -> list[Check]:
    """The collection's parts, and those of the objects in its images where some were made."""
    try:
        from tintype import api
        from tintype.api.places import existing
        from tintype.store.layout import Layout

        checks = api.check(place)
        objects = Layout(Layout(existing(place)).objects)
        if objects.record.is_file():  # without one an interrupted call left it, and the next one begins anew
            checks += [replace(check, name=f"objects: {check.name}") for check in api.check(objects.place)]
        return checks
    except (ImportError, TintypeError) as error:
        return [Check("collection", False, str(error))]
