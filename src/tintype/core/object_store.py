"""Object stores (S3, Google's, Azure's) through obstore: listed, read and written patiently, with every byte counted.

An answer is believed only where two sources agree: the bytes that came have the length that their own answer says, and
that is the size that the listing, or a second question, says of the same ETag. obstore itself tries nothing again, so
that the budget is the whole truth.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

from tintype.core.errors import MissingExtra
from tintype.core.names import shown
from tintype.core.object_facts import (
    PATIENT,
    Budget,
    Changed,
    Facts,
    Listed,
    Passing,
    StoreError,
    TooLarge,
    agreed,
    facts_of,
    is_same,
    one_line,
    understood,
)

PART_BYTES = 8 << 20
"""Larger objects are read in parts, so that a fault costs one of them."""
_ONE_PUT_BYTES = 64 << 20
_LONGEST_PAUSE_S = 10.0
_REQUEST_S = 30.0  # longest single request; a quarter of the budget where that is less
_TOKEN = "tintype-writer"  # noqa: S105  metadata that tells one's own object
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")

T = TypeVar("T")


class ObjectStore:
    """One bucket. Picklable; opened when it is first used.

    Keys are whole ones. All methods raise MissingExtra without obstore, StorageFull, FileNotFoundError where there is
    no such key, and StoreError with its reason in one line for the rest.
    """

    def __init__(self, root: str, budget: Budget = PATIENT) -> None:
        self.root, self.budget = root, budget

    def __reduce__(self) -> tuple[Any, ...]:
        return ObjectStore, (self.root, self.budget)

    def listed(self, prefix: str) -> Iterator[Facts]:
        """All objects whose keys begin with this prefix (empty, or with a slash at its end), as the store orders them.

        A listing that breaks off goes on behind the last key that came.
        """
        last, pages = "", self._pages(prefix, "")
        while True:
            try:
                page = self._patiently(f"{self.root}/{prefix}", lambda: self._next_page(pages), pages.restart)
            except FileNotFoundError as error:  # as some stores say that there is no bucket
                raise StoreError(f"{shown(self.root)}: no such bucket") from error
            if page is None:
                return
            for facts in page:
                yield facts
                last = facts.key
            pages.last = last

    def facts(self, key: str) -> Facts:
        return self._patiently(self._url(key), lambda: self._asked(key))

    def read(self, key: str, listed: Listed | None = None, most_bytes: int | None = None) -> tuple[bytes, Facts]:
        """An object's bytes, and what it was when they were read; one request where a listing told its size.

        Raises TooLarge, with nothing read, for more than `most_bytes`.
        """
        if listed is not None and listed.size_bytes <= min(PART_BYTES, most_bytes or PART_BYTES):
            answer = self._patiently(self._url(key), lambda: self._whole(key, listed, None, most_bytes))
            if answer is not None:
                return answer
        for _ in range(2):
            known = self._patiently(self._url(key), lambda: self._asked(key, listed))
            if most_bytes is not None and known.size_bytes > most_bytes:
                raise TooLarge(known)
            if known.size_bytes <= PART_BYTES:
                answer = self._patiently(self._url(key), partial(self._whole, key, listed, known, most_bytes))
                if answer is not None:
                    return answer
            else:
                with contextlib.suppress(Changed):
                    return b"".join(self.parts(known)), known
        raise Changed(f"{shown(self._url(key))}: changes faster than it can be read")

    def parts(self, known: Facts) -> Iterator[bytes]:
        """The bytes of an object in pieces of PART_BYTES. Raises Changed where it is not the one that was known."""
        if not known.size_bytes:  # that it is empty, too, has to be said twice
            answer = self._patiently(self._url(known.key), lambda: self._whole(known.key, None, known, None))
            if answer is None or answer[0]:
                raise self._changed(known)
        for start in range(0, known.size_bytes, PART_BYTES):
            yield self.read_range(known, start, min(PART_BYTES, known.size_bytes - start))

    def read_range(self, known: Facts, start: int, count: int) -> bytes:
        """Some bytes of an object. Raises Changed where it is not the one that was known."""
        return self._patiently(self._url(known.key), lambda: self._range(known, start, count))

    def write(self, key: str, content: bytes) -> None:
        in_parts = len(content) > _ONE_PUT_BYTES  # it appears as a whole all the same
        self._patiently(self._url(key), lambda: self._obstore.put(self._store, key, content, use_multipart=in_parts))

    def create(self, key: str, content: bytes) -> bool:
        """Write an object only where there is none; False where there is."""
        token = uuid.uuid4().hex

        def put() -> bool:
            try:
                self._obstore.put(
                    self._store, key, content, mode="create", attributes={_TOKEN: token}, use_multipart=False
                )
            except (self._obstore.exceptions.AlreadyExistsError, self._obstore.exceptions.PreconditionError):
                # Ours, where the answer to an earlier try was lost.
                return bool(self._obstore.get(self._store, key).attributes.get(_TOKEN) == token)
            return True

        return self._patiently(self._url(key), put)

    def copy(self, key: str, new_key: str) -> None:
        """Have the store copy an object, in the place of the one that may be there. Raises FileNotFoundError."""
        self._patiently(self._url(key), lambda: self._obstore.copy(self._store, key, new_key))

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens where there is none."""
        try:
            self._patiently(self._url(key), lambda: self._obstore.delete(self._store, key))
        except FileNotFoundError:
            return

    def answers(self) -> bool:
        """Whether the store answers at all just now; asked once."""
        try:
            next(iter(self._obstore.list(self._store, chunk_size=1)), None)
        except Exception as error:  # noqa: BLE001  whatever it is, only its kind counts
            return not isinstance(understood(error, self.root), Passing)
        return True

    def _asked(self, key: str, listed: Listed | None = None) -> Facts:
        return agreed(facts_of(key, self._obstore.head(self._store, key)), listed)

    def _whole(
        self, key: str, listed: Listed | None, known: Facts | None, most_bytes: int | None
    ) -> tuple[bytes, Facts] | None:
        """An object in one request; None where its answer speaks of more bytes than are wanted so."""
        answer = self._obstore.get(self._store, key)
        found = agreed(facts_of(key, answer.meta), listed)
        if found.size_bytes > min(PART_BYTES, PART_BYTES if most_bytes is None else most_bytes):
            return None
        data = bytes(answer.bytes())
        if len(data) != found.size_bytes:
            raise Passing(f"{len(data):,} of {found.size_bytes:,} bytes came")
        is_known = listed is not None and listed.is_of(found)
        if not is_known and (known is None or not is_same(known, found)):
            again = self._asked(key, listed)  # it changed, or one of both answers was wrong
            if not is_same(again, found):
                raise Passing(f"{found.size_bytes:,} of {again.size_bytes:,} bytes came")
        return data, found

    def _range(self, known: Facts, start: int, count: int) -> bytes:
        options: dict[str, Any] = {"range": (start, start + count)}
        if known.e_tag:
            options["if_match"] = known.e_tag
        answer = self._obstore.get(self._store, known.key, options=options)
        found = facts_of(known.key, answer.meta)
        if found.e_tag != known.e_tag:
            raise self._changed(known)
        if found.size_bytes != known.size_bytes and not is_same(self._asked(known.key), known):
            raise self._changed(known)
        data = bytes(answer.bytes())
        if found.size_bytes != known.size_bytes or answer.range != (start, start + count) or len(data) != count:
            raise Passing(f"{len(data):,} of {count:,} bytes came")
        return data

    def _changed(self, known: Facts) -> Changed:
        return Changed(
            f"{shown(self._url(known.key))}: changed while it was read, or its answers contradict each other"
        )

    def _pages(self, prefix: str, after: str) -> _Pages:
        return _Pages(lambda last: self._listing(prefix, last), after)

    def _listing(self, prefix: str, after: str) -> Iterator[Any]:
        # A prefix is taken as whole parts of a path, so one without a slash at its end is the same.
        return iter(self._obstore.list(self._store, prefix.rstrip("/") or None, offset=after or None, chunk_size=1_000))

    @staticmethod
    def _next_page(pages: _Pages) -> list[Facts] | None:
        page = next(pages, None)
        return None if page is None else [facts_of(meta["path"], meta) for meta in page]

    def _patiently(self, what: str, ask: Callable[[], T], before_again: Callable[[], None] = lambda: None) -> T:
        """Ask until there is an answer, a fault that stays, or the budget is spent."""
        begin = time.monotonic()
        for attempt in range(1, self.budget.attempts + 1):
            try:
                return ask()
            except Exception as error:  # obstore's own classes and OSError have no other base in common
                problem = understood(error, what)
                if not isinstance(problem, Passing):
                    raise problem from error
            pause = random.uniform(0.5, 1) * min(_LONGEST_PAUSE_S, 0.1 * 2**attempt)  # noqa: S311  spreads the load
            if time.monotonic() - begin + pause > self.budget.seconds:
                break
            if attempt < self.budget.attempts:
                time.sleep(pause)
                before_again()
        spent = time.monotonic() - begin
        raise StoreError(
            f"{shown(what)}: {problem}; given up after {attempt} tries in {spent:.0f} s "
            "(transfer.attempts, transfer.seconds)"
        )

    def _url(self, key: str) -> str:
        return f"{self.root}/{key}"

    @cached_property
    def _obstore(self) -> Any:
        try:
            import obstore
        except ImportError:
            raise MissingExtra(f"Addresses of {self.root.partition(':')[0]}://", "cloud") from None
        return obstore

    @cached_property
    def _store(self) -> Any:
        for name in _ENDPOINTS:
            if (address := os.environ.get(name, "")) and not address.startswith(("http://", "https://")):
                raise StoreError(
                    f"{name} is {shown(address)!r}, which is no address. It begins with https:// or http://"
                )
        longest = min(_REQUEST_S, max(0.5, self.budget.seconds / 4))
        options: dict[str, Any] = {
            "client_options": {
                "timeout": timedelta(seconds=longest),
                "connect_timeout": timedelta(seconds=min(5.0, longest)),
                "allow_http": any(os.environ.get(name, "").startswith("http://") for name in _ENDPOINTS),
            },
            "retry_config": {"max_retries": 0, "retry_timeout": timedelta(seconds=longest)},
        }
        if self.root.startswith("s3") and (provider := _profile()) is not None:
            options["credential_provider"] = provider
        try:
            return self._obstore.store.from_url(self.root, **options)
        except (self._obstore.exceptions.BaseError, ValueError) as error:
            raise StoreError(f"{shown(self.root)}: {one_line(str(error))}") from error


class _Pages:
    """Pages of a listing, which after a fault go on behind the last key."""

    def __init__(self, begin: Callable[[str], Iterator[Any]], last: str) -> None:
        self._begin, self.last = begin, last
        self._stream: Iterator[Any] | None = None

    def __iter__(self) -> _Pages:
        return self

    def __next__(self) -> Any:
        if self._stream is None:
            self._stream = self._begin(self.last)
        return next(self._stream)

    def restart(self) -> None:
        self._stream = None


def _profile() -> Any:
    """Credentials from the files in ~/.aws, which obstore does not read, where no variable holds some."""
    if os.environ.get("AWS_ACCESS_KEY_ID") or os.environ.get("AWS_SKIP_SIGNATURE"):
        return None
    file = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or Path.home() / ".aws" / "credentials")
    if not os.environ.get("AWS_PROFILE") and not file.is_file():
        return None
    try:
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        raise MissingExtra("Reading credentials from ~/.aws", "aws") from None
    try:
        return Boto3CredentialProvider()
    except Exception as error:
        raise StoreError(f"the credentials in ~/.aws cannot be used: {one_line(str(error))}") from error
