"""From what a user names to sources: a folder, a tar, a table, a glob or a range, here or in an object store."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tintype.codec.sniff import IMAGE_EXTENSIONS
from tintype.core.errors import SourceError
from tintype.core.names import shown
from tintype.core.object_facts import PATIENT, Budget, is_url, split_url
from tintype.core.object_store import ObjectStore
from tintype.sources.base import Source
from tintype.sources.folder import FolderSource
from tintype.sources.patterns import MAGIC, MAX_FILES, as_regular_expression, expanded, files_of, first_magic
from tintype.sources.places import folder_of, name_of
from tintype.sources.remote_cache import DEFAULT_CACHE, CacheSettings
from tintype.sources.remote_file import RemoteFileSource
from tintype.sources.remote_folder import RemoteFolderSource
from tintype.sources.table import TABLE_EXTENSIONS, TableSource
from tintype.sources.tar import TarSource

_TAR = re.compile(r"\.(tar|tgz|tar\.[a-z0-9]+)$", re.IGNORECASE)

_HINTS = {
    ".zip": "unpack it, or make it a tar",
    ".json": "a table has one JSON object a line and is named .jsonl",
    ".xlsx": "save it as CSV",
    ".xls": "save it as CSV",
    ".feather": "save it as Parquet",
    ".arrow": "save it as Parquet",
}


def resolve(
    place: str,
    *,
    ignore: tuple[str, ...] = (),
    hidden: bool = False,
    transfer: Budget = PATIENT,
    cache: CacheSettings = DEFAULT_CACHE,
) -> list[Source]:
    """The sources that a place names, in the order of their names; `ignore` and `hidden` are for folders.

    A place is a folder, a tar (also gzipped), a table (Parquet, CSV, TSV, JSONL), or several of these as a glob
    (`shards/*.tar`) or a range (`shards/{00000..00099}.tar`, `{train,val}.csv`); the same with `s3://`, `gs://` or
    `az://` before it, for which `transfer` and `cache` are. Raises SourceError with what to try where it names none
    of these.
    """
    if is_url(place):
        return [_remote_source(url, tuple(ignore), hidden, transfer, cache) for url in _urls_of(place, transfer)]
    return [_source(path, tuple(ignore), hidden) for path in files_of(place)]


def _source(path: Path, ignore: tuple[str, ...], hidden: bool) -> Source:
    if path.is_dir():
        return FolderSource(path, ignore, hidden)
    if not path.exists():
        raise SourceError(f"{shown(str(path))}: a link that leads nowhere")
    if _TAR.search(path.name):
        return TarSource(path)
    suffix = path.suffix.lower()
    if suffix in TABLE_EXTENSIONS:
        return TableSource(path)
    hint = _HINTS.get(suffix, f"it has to be a folder, a .tar, or a table ({', '.join(TABLE_EXTENSIONS)})")
    if suffix in IMAGE_EXTENSIONS:
        hint = f"an image itself; name its folder: {shown(str(path.parent))}"
    raise SourceError(f"{shown(str(path))}: nothing that images can be read from: {hint}")


def _remote_source(url: str, ignore: tuple[str, ...], hidden: bool, transfer: Budget, cache: CacheSettings) -> Source:
    """What an address names; no request is made for it."""
    _, key = split_url(url)
    name = name_of(url)
    suffix = os.path.splitext(name)[1].lower()
    if _TAR.search(name):
        return RemoteFileSource(url, TarSource, transfer, cache)
    if suffix in TABLE_EXTENSIONS:
        return RemoteFileSource(url, TableSource, transfer, cache)
    if key and (suffix in _HINTS or suffix in IMAGE_EXTENSIONS):
        hint = _HINTS.get(suffix) or f"an image itself; name its folder: {shown(folder_of(url))}/"
        raise SourceError(f"{shown(url)}: nothing that images can be read from: {hint}")
    return RemoteFolderSource(url, ignore, hidden, transfer)


def _urls_of(place: str, transfer: Budget) -> list[str]:
    """The addresses that a place names. Raises SourceError where a glob finds nothing."""
    root, _ = split_url(place)
    urls: list[str] = []
    for pattern in expanded(place):
        urls += _found(root, pattern, transfer) if MAGIC.search(pattern.removeprefix(root)) else [pattern]
        if len(urls) > MAX_FILES:
            raise SourceError(f"{shown(place)}: names more than {MAX_FILES:,} files")
    return list(dict.fromkeys(urls))


def _found(root: str, pattern: str, transfer: Budget) -> list[str]:
    """The objects whose addresses a glob fits, in order."""
    wanted = pattern.removeprefix(root).removeprefix("/")
    fits = re.compile(as_regular_expression(wanted), re.DOTALL)
    folder = wanted[: first_magic(wanted)].rpartition("/")[0]
    found = [facts.key for facts in ObjectStore(root, transfer).listed(folder) if fits.fullmatch(facts.key)]
    if not found:
        raise SourceError(f"{shown(pattern)}: not there: no key fits")
    return [f"{root}/{key}" for key in found]
