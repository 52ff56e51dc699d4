"""One file of facts and arrays, written whole or not at all, and known to be whole when it is read."""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from tintype.core.errors import CollectionDamaged
from tintype.core.platform import full_disk_is_said, sync_directory

MAGIC = b"tintype index 1\n"
_HASH_BYTES = 16
MEND = "Delete the file: it is made anew when it is needed"


def write(place: Path, facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write `facts` (JSON values) and `arrays` into one file.

    It holds: the magic line, the length of the head as 8 bytes (little-endian), the head as JSON (`facts`, and each
    array's name, type and shape), the arrays' bytes in C order one after another, and BLAKE3-128 of all before it.
    Raises StorageFull or OSError; the file is as it was then.
    """
    head = {
        "facts": dict(facts),
        "arrays": [[name, array.dtype.newbyteorder("<").str, list(array.shape)] for name, array in arrays.items()],
    }
    text = json.dumps(head, sort_keys=True).encode()
    pieces = [MAGIC + len(text).to_bytes(8, "little") + text]
    hasher = blake3()
    with full_disk_is_said(str(place)):
        handle, temporary = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        try:
            with open(handle, "wb") as file:
                for piece in (*pieces, *(_bytes(array) for array in arrays.values())):
                    hasher.update(piece)
                    file.write(piece)
                file.write(hasher.digest(_HASH_BYTES))
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, place)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        sync_directory(place.parent)


def read(place: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The facts and arrays. Raises CollectionDamaged for a file that is not whole, or none of ours."""
    try:
        content = place.read_bytes()
    except OSError as error:
        raise CollectionDamaged(str(place), error.strerror or "cannot be read", MEND) from error
    body, digest = memoryview(content)[:-_HASH_BYTES], content[-_HASH_BYTES:]
    if not content.startswith(MAGIC) or blake3(body).digest(_HASH_BYTES) != digest:
        raise CollectionDamaged(str(place), "the index is cut or damaged", MEND)
    begin = len(MAGIC) + 8
    end = begin + int.from_bytes(body[len(MAGIC) : begin], "little")
    try:
        head = json.loads(bytes(body[begin:end]))
        arrays = {}
        for name, kind, shape in head["arrays"]:
            arrays[name] = np.frombuffer(body, np.dtype(kind), math.prod(shape), end).reshape(shape)
            end += arrays[name].nbytes
        return dict(head["facts"]), arrays
    except (ValueError, TypeError, KeyError) as error:
        raise CollectionDamaged(str(place), "the index is not what this version writes", MEND) from error


def _bytes(array: NDArray[Any]) -> Any:
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return little.reshape(-1).view(np.uint8).data
