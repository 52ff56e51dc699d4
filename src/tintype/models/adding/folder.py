"""A folder as Hugging Face lays out a model: its configurations, its weights, and what its README says of it."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tintype.core import safe_yaml
from tintype.core.errors import ConfigError, ModelError
from tintype.core.names import shown
from tintype.models.card import File
from tintype.models.card_file import hashed

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.msgpack", "*.h5")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LICENSE = re.compile(r"^(license|license_name): *[\"']?([\w.+-]+)", re.MULTILINE)
_FRONT = re.compile(r"\A---\s*\n(.*?)\n---\s*$", re.DOTALL | re.MULTILINE)
_MAX_README_BYTES = 250_000


@dataclass(frozen=True)
class Folder:
    """`source` says where the model comes from, `revision` at which commit; "" where that is not known."""

    path: Path
    source: str
    revision: str = ""
    _hashes: dict[Path, File] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, path: Path) -> Folder:
        """A folder of the user's; the hub's client notes beside what it downloads which commit that is."""
        return cls(path, path.resolve().name, _noted_commit(path))

    def has(self, name: str) -> bool:
        return (self.path / name).is_file()

    def config(self, name: str) -> dict[str, Any]:
        """The JSON object in a file. Raises ModelError where it is missing, is none, or asks for remote code."""
        from tintype.models.backends.torch_modules import parsed_config

        try:
            return parsed_config(self.file(name).read_bytes(), f"{shown(self.source)}: {name}")
        except OSError as error:
            raise ModelError(f"{shown(self.source)}: {name} cannot be read ({error.strerror})") from error

    def file(self, name: str) -> Path:
        """Raises ModelError where it is missing."""
        if not self.has(name):
            there = ", ".join(sorted(entry.name for entry in self.path.iterdir() if entry.is_file())[:12])
            raise ModelError(f"{shown(self.source)}: {name} is missing. There are: {shown(there) or 'no files'}")
        return self.path / name

    def weights(self, *names: str) -> Path:
        """The file of safetensors, the first of `names` that is there. Raises ModelError, also for pickles alone."""
        for name in names:
            if self.has(name):
                return self.path / name
        if any(self.path.glob("*.safetensors.index.json")):
            raise ModelError(f"{shown(self.source)}: its weights are in several files, which are not read yet")
        pickles = sorted(entry.name for pattern in _PICKLES for entry in self.path.glob(pattern))
        if pickles:
            raise ModelError(
                f"{shown(self.source)}: its weights ({shown(pickles[0])}) are not safetensors but of a kind that can "
                "run code when it is read. Nothing was read. Ask its makers for model.safetensors"
            )
        return self.file(names[0])

    def taken(self, path: Path, work: Path) -> File:
        """A file of the folder, linked into `work`, where a card's files lie side by side; hashed once."""
        link = work / path.name
        if not link.exists():
            try:
                link.symlink_to(path.resolve())
            except OSError:  # Windows lets few people make links
                shutil.copyfile(path, link)
        if path not in self._hashes:
            self._hashes[path] = hashed(path)
        return self._hashes[path]

    @cached_property
    def license(self) -> str:
        """As the README's front matter names it; "unknown" where it does not."""
        named: dict[str, str] = dict(_LICENSE.findall(self._front_matter))
        given = named.get("license", "unknown")
        return named.get("license_name", given) if given == "other" else given

    @cached_property
    def trained_on(self) -> str:
        try:
            node = safe_yaml.parse(self._front_matter, "README.md")
        except ConfigError:
            node = None
        facts = node.plain() if node else {}
        named = facts.get("datasets") if isinstance(facts, dict) else None
        names = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
        return f"{', '.join(names)} (as its README says)" if names else "not stated"

    @cached_property
    def _front_matter(self) -> str:
        try:
            with (self.path / "README.md").open("rb") as file:
                front = _FRONT.match(file.read(_MAX_README_BYTES).decode("utf-8", "replace"))
        except OSError:
            return ""
        return front[1] if front else ""


def _noted_commit(path: Path) -> str:
    """The one commit that `huggingface-cli download --local-dir` notes for all files; "" where there is none."""
    commits = set()
    for note in (path / ".cache" / "huggingface" / "download").glob("*.metadata"):
        first = note.read_text(encoding="utf-8", errors="replace").partition("\n")[0].strip()
        commits.add(first)
    found = commits.pop() if len(commits) == 1 else ""
    return found if _COMMIT.fullmatch(found) else ""
