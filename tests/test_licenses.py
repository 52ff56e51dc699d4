"""No dependency, and no library that one bundles, is under the GPL, the AGPL or a non-commercial license.

The LGPL, the GPL with the GCC runtime exception, and dual licenses with a free choice pass.
"""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
COPYLEFT = re.compile(r"(?<![A-Za-z])A?GPL|(?<!Lesser )(?<!Library )General Public License", re.IGNORECASE)
NON_COMMERCIAL = re.compile(r"non-?commercial|\bNC\b", re.IGNORECASE)
FREE_CHOICE = re.compile(r"\sOR\s", re.IGNORECASE)
GPL_LIBRARIES = re.compile(r"lib(x26[45]|xvid|fftw|readline|gsl|gdbm|postproc|mpeg2)", re.IGNORECASE)
GPL_TITLE = re.compile(r"^\s*GNU (AFFERO )?GENERAL PUBLIC LICENSE\s*$", re.MULTILINE | re.IGNORECASE)
EXCEPTION = re.compile(r"GCC RUNTIME LIBRARY EXCEPTION|LESSER GENERAL PUBLIC", re.IGNORECASE)
OF_TESTS = "dynolog/third_party/cpr/test/LICENSE"  # torch's wheel names the license of code that it does not hold
DEVELOPMENT = {"testing", "dev"}  # never shipped


def statement_faults(statement: str) -> list[str]:
    """Why a license statement (an SPDX expression, a field or a classifier) is refused."""
    if FREE_CHOICE.search(statement) and not all(COPYLEFT.search(part) for part in FREE_CHOICE.split(statement)):
        return []
    return [statement] if COPYLEFT.search(statement) or NON_COMMERCIAL.search(statement) else []


def statements(found: Distribution) -> list[str]:
    metadata = found.metadata
    given = [metadata.get("License-Expression"), (metadata.get("License") or "").splitlines()[:1]]
    flat = [part for entry in given if entry for part in ([entry] if isinstance(entry, str) else entry)]
    return flat + [line for line in metadata.get_all("Classifier") or [] if line.startswith("License")]


def faults(found: Distribution) -> list[str]:
    refused = [fault for statement in statements(found) for fault in statement_faults(statement)]
    for path in found.files or []:
        if GPL_LIBRARIES.search(path.name) and not path.name.endswith(".py"):
            refused.append(f"bundles {path.name}")
        if re.search(r"licen[sc]e|copying|notice", str(path), re.IGNORECASE) and path.suffix in ("", ".txt", ".md"):
            text = path.locate().read_text(errors="replace")
            if GPL_TITLE.search(text) and not EXCEPTION.search(text) and not str(path).endswith(OF_TESTS):
                refused.append(f"{path} holds the GPL")
    return refused


def closure(requirements: list[str]) -> Iterator[Distribution]:
    """What the requirements bring in, as far as it is installed here."""
    pending, seen = list(requirements), set()
    while pending:
        requirement = pending.pop()
        name = re.split(r"[ ;<>=!~\[(]", requirement)[0]
        if name.lower() in seen or "extra ==" in requirement:
            continue
        seen.add(name.lower())
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        yield found
        pending += found.requires or []


def shipped() -> list[Distribution]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(line for name in extras.keys() - DEVELOPMENT for line in extras[name])]
    return sorted(closure(wanted), key=lambda found: found.metadata["Name"])


@pytest.mark.parametrize("found", shipped(), ids=lambda found: found.metadata["Name"])
def test_a_dependency_may_be_shipped(found: Distribution) -> None:
    assert faults(found) == []


def test_every_dependency_of_the_core_was_looked_at() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    names = {found.metadata["Name"].lower().replace("_", "-") for found in shipped()}
    assert {re.split(r"[<>=!~\[]", line)[0].lower() for line in project["dependencies"]} <= names


def test_torch_holds_nothing_of_the_code_whose_license_is_passed_over() -> None:
    torch = pytest.importorskip("torch", reason="only torch has such a file")
    files = distribution(torch.__name__).files or []
    assert {path.name for path in files if "/cpr/" in str(path)} <= {"LICENSE"}


@pytest.mark.parametrize(
    ("statement", "is_refused"),
    [
        ("MIT", False),
        ("GPL-3.0-or-later", True),
        ("AGPL-3.0", True),
        ("LGPL-3.0-only", False),
        ("License :: OSI Approved :: GNU General Public License v2 (GPLv2)", True),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", False),
        ("GPL-2.0-only OR MIT", False),
        ("GPL-2.0-only OR AGPL-3.0-only", True),
        ("CC BY-NC-ND 4.0", True),
        ("Free for non-commercial use", True),
        ("BSD-3-Clause AND 0BSD AND MIT", False),
    ],
)
def test_the_judge_tells_licenses_apart(statement: str, is_refused: bool) -> None:
    assert bool(statement_faults(statement)) is is_refused
