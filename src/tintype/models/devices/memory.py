"""Memory that a device process shares with one worker: without a name, of fixed size, gone with the last of the two."""

from __future__ import annotations

import mmap
import os
import socket
import sys

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import ModelError

IS_THERE = sys.platform == "linux"
"""Whether this system can hand nameless memory from process to process: Linux, as every machine with CUDA that is not
Windows."""


def made(size_bytes: int) -> tuple[int, NDArray[np.uint8]]:
    """A handle of new memory, to be given to a worker, and the memory itself (size_bytes,).

    It is taken at once, so that a lack of it is said here and does not end whoever writes first; and nobody can shrink
    it, which would end whoever reads next. Raises ModelError where there is not so much.
    """
    import fcntl

    handle = os.memfd_create("tintype", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.posix_fallocate(handle, 0, size_bytes)
        fcntl.fcntl(handle, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return handle, mapped(handle, size_bytes)
    except OSError as error:
        os.close(handle)
        raise ModelError(
            f"there is no memory for {size_bytes / 1e6:,.0f} MB that a worker shares with the GPU's process "
            f"({os.strerror(error.errno or 0)}). Use fewer --workers, or give the machine or its container more memory"
        ) from error


def mapped(handle: int, size_bytes: int) -> NDArray[np.uint8]:
    """The memory of a handle, (size_bytes,); it stays mapped as long as arrays of it are in use."""
    return np.frombuffer(mmap.mmap(handle, size_bytes), np.uint8)


def received(channel: socket.socket, most_bytes: int) -> tuple[bytes, int | None]:
    """A message and the handle that came with it, if one did; an empty message where the other side is gone."""
    message, handles, _, _ = socket.recv_fds(channel, most_bytes, 1, socket.MSG_CMSG_CLOEXEC)
    return message, handles[0] if handles else None


def sent(channel: socket.socket, message: bytes, handle: int) -> None:
    """Send a message together with a handle."""
    socket.send_fds(channel, [message], [handle])


def anonymous(size_bytes: int) -> NDArray[np.uint8]:
    """Memory of this process alone, (size_bytes,), that begins at a page."""
    return np.frombuffer(mmap.mmap(-1, size_bytes), np.uint8)
