"""What differs between operating systems: locks, atomic files, directory sync, CPU time, offline files."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tintype.core.errors import StorageFull

if sys.platform != "win32":
    import fcntl
    import resource
else:
    import msvcrt


def open_own(path: Path) -> int:
    """A handle of a file that nothing else leads to, made where it is missing. Raises OSError for links of any kind."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0), 0o644)
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1:
        os.close(handle)
        raise OSError(errno.ELOOP, "this is a link or no plain file", str(path))
    return handle


class FileLock:
    """The operating system's lock on a file, held by at most one process; the file says by which.

    The lock goes with its process, however that ends. The words in the file are only for people.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting; False where another process has it.

        Raises OSError, also where a link lies in the lock's place: writing to it would change another file.
        """
        handle = open_own(self.path)
        try:
            _lock(handle)
        except OSError as error:
            os.close(handle)
            if error.errno in (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK):
                return False
            raise
        self._handle = handle
        # Without space the words are missing, but the lock holds.
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        return True

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def is_free(self) -> bool:
        """Whether nobody holds the lock just now; nothing is written. Raises OSError where it cannot be tried."""
        handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _lock(handle)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK):
                return False
            raise
        finally:
            os.close(handle)
        return True

    def holder(self) -> str:
        """Who holds the lock, in words."""
        try:
            return self.path.read_text(errors="replace").strip()[:200] or "another process"
        except OSError:
            return "another process"


def _lock(handle: int) -> None:
    if sys.platform != "win32":
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)


def lock_waiting(handle: int) -> None:
    """Take the lock of an open file, as soon as others let go of it; it goes when the handle is closed."""
    if sys.platform != "win32":
        fcntl.flock(handle, fcntl.LOCK_EX)
    else:
        msvcrt.locking(handle, msvcrt.LK_LOCK, 1)


def lock_shared(handle: int) -> None:
    """Hold an open file's lock together with others that do the same, as soon as nobody holds it alone."""
    if sys.platform != "win32":
        fcntl.flock(handle, fcntl.LOCK_SH)
    else:
        msvcrt.locking(handle, msvcrt.LK_LOCK, 1)  # Windows' own lock of this kind is never shared


def try_lock(handle: int) -> bool:
    """Take an open file's lock alone; False where anybody else holds it."""
    try:
        _lock(handle)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK):
            return False
        raise
    return True


def sync_file(path: Path) -> None:
    """Make a file's content durable."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_directory(folder: Path) -> None:
    """Make the names in a folder durable, where the system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_atomically(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file beside its place, sync it, then put it in place: it is wholly old or wholly new.

    `mode` is narrowed by the process's umask. Raises StorageFull or OSError; nothing is left behind then.
    """
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and is_full(error):
            raise StorageFull(str(path)) from error
        raise
    sync_directory(path.parent)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk or a quota is full, by its number or (Lance's) its words."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    text = str(error).lower()
    return "no space left" in text or "os error 28" in text or "quota exceeded" in text


def free_bytes(folder: Path) -> int:
    """Bytes that are left for this user on the disk of a folder; 0 where that cannot be known."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def child_cpu_seconds() -> float:
    """CPU-seconds, user and system, of this process and its children that have ended."""
    if sys.platform == "win32":
        return sum(os.times()[:4])
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def process_usage(pid: int) -> tuple[float, int] | None:
    """CPU-seconds and resident bytes of a running process; None where it is gone or the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        pages = int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    return (int(fields[11]) + int(fields[12])) / ticks, pages * os.sysconf("SC_PAGE_SIZE")


def available_cpus() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def full_disk_is_said(place: str) -> Iterator[None]:
    """Turn any error that says that the disk is full into StorageFull for this place."""
    try:
        yield
    except StorageFull:
        raise
    except Exception as error:
        if is_full(error):
            raise StorageFull(place) from error
        raise


_NETWORK = (
    "nfs",
    "cifs",
    "smb",
    "afs",
    "9p",
    "fuse.sshfs",
    "fuse.s3fs",
    "fuse.rclone",
    "ceph",
    "glusterfs",
    "lustre",
)


def network_file_system(path: Path) -> str | None:
    """The kind of network file system that a path lies on; None for a local one, or where that cannot be known."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    place = os.path.realpath(path)
    found, longest = None, -1
    for line in mounts:
        before, _, after = line.partition(" - ")
        point = before.split()[4].encode().decode("unicode_escape")
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= longest:
            found, longest = after.split()[0], len(point)
    return found if found is not None and found.startswith(_NETWORK) else None
