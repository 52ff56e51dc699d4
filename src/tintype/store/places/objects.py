"""A prefix of an object store as a place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from tintype.core.object_facts import Budget, split_url
from tintype.core.object_store import ObjectStore
from tintype.store.places.base import Moves, checked_name


@dataclass(frozen=True)
class ObjectPlace:
    """Files below an address such as `s3://bucket/folder/`. An object appears as a whole, so nothing is half-written.

    Raises StoreError, which is an OSError and says in one line what is wrong, and MissingExtra.
    """

    address: str
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        split_url(self.address)

    @property
    def url(self) -> str:
        return self.address.rstrip("/") + "/"

    def write(self, name: str, content: bytes) -> None:
        self._store.write(self._key(name), content)

    def create(self, name: str, content: bytes) -> bool:
        return self._store.create(self._key(name), content)

    def read(self, name: str) -> bytes:
        return self._store.read(self._key(name))[0]

    def names(self, prefix: str = "") -> Iterator[str]:
        folder = self._prefix + prefix.rpartition("/")[0]
        keys = (facts.key for facts in self._store.listed(folder))
        found = (key.removeprefix(self._prefix) for key in keys)
        return iter(sorted(name for name in found if name.startswith(prefix)))

    def move(self, name: str, new_name: str) -> None:
        source, target = self._key(name), self._key(new_name)
        self._store.copy(source, target)  # by the store itself: the bytes do not come here
        self._store.delete(source)

    def delete(self, name: str) -> None:
        self._store.delete(self._key(name))

    @cached_property
    def _store(self) -> ObjectStore:
        return ObjectStore(split_url(self.address)[0], self.budget)

    @property
    def _prefix(self) -> str:
        inside = split_url(self.address)[1].strip("/")
        return f"{inside}/" if inside else ""

    def _key(self, name: str) -> str:
        return self._prefix + checked_name(name)


_: type[Moves] = ObjectPlace
