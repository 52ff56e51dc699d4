"""What object stores are asked and what they answer: addresses, facts of objects, and errors in one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tintype.core.errors import SourceError, StorageFull, TintypeError
from tintype.core.names import shown

SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss")

_URL = re.compile(rf"({'|'.join(SCHEMES)})://", re.IGNORECASE)
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([^<]*)</Code>\s*(?:<Message>([^<]*)</Message>)?", re.IGNORECASE)
_WORTH_RETRYING = (
    "RequestTimeout",
    "SlowDown",
    "InternalError",
    "ServiceUnavailable",
    "OperationAborted",
    "ServerBusy",
)
_FULL = ("XMinioStorageFull", "QuotaExceeded", "QuotaExceededException")
_METADATA_SERVICE = re.compile(r"169\.254\.169\.254|metadata\.google|fd00:ec2::254|metadata/identity", re.IGNORECASE)


@dataclass(frozen=True)
class Budget:
    """Object stores: how often, and for how long, each request is tried before it counts as failed."""

    attempts: int = 8  # of a request, or of 8 MB of a large object
    seconds: float = 120.0  # for all of them together

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.seconds <= 0:
            raise ValueError(f"transfer needs one attempt and some time, not {self.attempts} in {self.seconds:g} s")


PATIENT = Budget()


@dataclass(frozen=True)
class Facts:
    """What a store says of an object."""

    key: str
    size_bytes: int
    mtime_ns: int  # whole seconds: some answers tell no more
    e_tag: str  # empty where the store has none


class Listed(NamedTuple):
    """What a listing said of an object: its size, and how to tell whether an answer speaks of the same bytes."""

    size_bytes: int
    is_of: Callable[[Facts], bool]


class StoreError(SourceError, OSError):
    """A store cannot be used, or not within the budget. One line."""


class Changed(StoreError):
    """The object is another one now."""


class TooLarge(Exception):
    """An object has more bytes than are to be read."""

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self.facts = facts


class Passing(Exception):
    """A fault that may be gone the next time."""


def is_url(place: str) -> bool:
    """Whether a place is in an object store."""
    return _URL.match(place) is not None


def split_url(url: str) -> tuple[str, str]:
    """The store's root (`s3://bucket`) and the key or prefix in it. Raises StoreError where there is no bucket."""
    parts = urlsplit(url.replace("#", "%23").replace("?", "%3F"))
    if not parts.netloc:
        raise StoreError(f"{shown(url)}: names no bucket, as s3://bucket/folder/ does")
    key = url.partition("://")[2].partition("/")[2]
    return f"{parts.scheme}://{parts.netloc}", key


def agreed(found: Facts, listed: Listed | None) -> Facts:
    """What an answer says, where it does not contradict the listing."""
    if listed is not None and listed.is_of(found) and listed.size_bytes != found.size_bytes:
        raise Passing(f"{found.size_bytes:,} of {listed.size_bytes:,} bytes came")
    return found


def is_same(one: Facts, other: Facts) -> bool:
    """Whether both speak of the same bytes."""
    return (one.e_tag, one.size_bytes) == (other.e_tag, other.size_bytes)


def facts_of(key: str, meta: Any) -> Facts:
    return Facts(key, meta["size"], int(meta["last_modified"].timestamp()) * 1_000_000_000, meta["e_tag"] or "")


def understood(error: Exception, what: str) -> Exception:
    """What an error of obstore means, as one line; Passing where it may not come again."""
    if isinstance(error, Passing | TintypeError | TooLarge):
        return error
    kind = type(error).__name__  # of obstore's, which is imported elsewhere
    text = str(error)
    status = int(found[1]) if (found := _STATUS.search(text)) else 0
    code, message = (found[1], found[2] or "") if (found := _CODE.search(text)) else ("", "")
    if _METADATA_SERVICE.search(text):
        return StoreError(
            f"{shown(what)}: no credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or those of your store); "
            "for a public bucket AWS_SKIP_SIGNATURE=true"
        )
    if code == "NoSuchBucket" or "ContainerNotFound" in text:
        return StoreError(f"{shown(what)}: no such bucket")
    if code in _FULL or status == 507:
        return StorageFull(what)
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(f"{shown(what)}: no such object")
    if kind == "PreconditionError":
        return Changed(f"{shown(what)}: changed while it was read")
    if kind == "InvalidPathError" or isinstance(error, ValueError):
        return StoreError(f"{shown(what)}: {one_line(text)}; such keys cannot be read")
    reason = ": ".join(filter(None, (code, one_line(message)))) or one_line(text)
    if kind in ("PermissionDeniedError", "UnauthenticatedError"):
        return StoreError(f"{shown(what)}: access denied ({reason})")
    if status in (301, 307) or code in ("PermanentRedirect", "AuthorizationHeaderMalformed"):
        return StoreError(f"{shown(what)}: the bucket lies elsewhere ({reason}). Set AWS_REGION to its region")
    if 400 <= status < 500 and status not in (408, 425, 429) and code not in _WORTH_RETRYING:
        return StoreError(f"{shown(what)}: refused ({status} {reason})")
    if type(error).__module__.startswith("obstore") or isinstance(error, OSError):
        return Passing(f"{status} {reason}" if status else reason)
    return error


def one_line(text: str) -> str:
    """The end of the first line, where obstore says what happened."""
    first = text.partition("\n")[0]
    return shown(re.sub(r"^.*?Error performing \w+ \S+ in \S+ - ", "", first))[:200].rstrip(". ")
