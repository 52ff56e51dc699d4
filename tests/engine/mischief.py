"""A stage for tests that reads the last bytes of a file as an order: to crash, hang, eat memory or fail."""

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tintype.core.columns import Column
from tintype.stages.base import Batch, Bytes, Stage

CRASH, HANG, EAT, FAIL, SLEEP = (f"<{word}>".encode() for word in ("crash", "hang", "eat", "fail", "sleep"))
ONCE = b"<once>"


@dataclass(frozen=True, kw_only=True)
class Settings:
    add: int = 0


def compute(batch: Batch, settings: Settings) -> Mapping[str, pa.Array]:
    """The length of each file, unless a file gives an order."""
    for data in batch.data:
        _obey(data)
    return {"file_length": pa.array([len(data) + settings.add for data in batch.data], pa.int64())}


def refuse(batch: Batch, settings: Settings) -> Mapping[str, pa.Array]:
    raise AssertionError("known bytes were analyzed again")


def count_images(batch: Batch, settings: Settings) -> Mapping[str, pa.Array]:
    """The same columns, and a dot for each image in the file that TINTYPE_TEST_MARKER names."""
    with open(os.environ["TINTYPE_TEST_MARKER"], "ab") as file:
        file.write(b"." * len(batch))
    return compute(batch, settings)


def _obey(data: bytes) -> None:
    tail = data[-200:]
    if ONCE in tail:  # only the first worker that meets it dies; the path follows the word
        path = tail.partition(ONCE)[2].decode()
        if not os.path.exists(path):
            with open(path, "w"):
                os.kill(os.getpid(), signal.SIGSEGV)
    elif tail.endswith(CRASH):
        os.kill(os.getpid(), signal.SIGSEGV)
    elif tail.endswith(HANG):
        while True:
            pass
    elif tail.endswith(SLEEP):
        time.sleep(1_000)
    elif tail.endswith(EAT):
        hoard = [np.ones(10_000_000, np.uint8) for _ in range(100)]
        time.sleep(1_000 + len(hoard))  # idle, so that memory is the one limit it breaks
    elif tail.endswith(FAIL):
        raise ValueError("this stage\nwill not have it")


STAGE = Stage(
    "mischief",
    version=1,
    columns=(Column("file_length", pa.int64(), "bytes", "length of the file"),),
    needs=Bytes(),
    settings=Settings,
    compute=compute,
)
