"""fsync and fdatasync, and how often it failed: the one figure that tells a dying disk. For every room that writes files."""

import ctypes
import errno
import os
import threading
from pathlib import Path

_libc = ctypes.CDLL(None) if hasattr(ctypes.CDLL(None), "sync_file_range") else None
_RANGE_WRITE = 2
"""SYNC_FILE_RANGE_WRITE: begin, do not wait (sync_file_range(2), Linux)."""
_RANGE_WRITTEN = 7
"""SYNC_FILE_RANGE_WAIT_BEFORE, _WRITE and _WAIT_AFTER: what is to be written is, when the call returns."""
_BEHIND_BYTES = 8 << 20
LARGE_BYTES = 512 << 20
"""A file that is larger is not kept in memory from one step to the next: to read it again from the disk costs less."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What a disk without room says."""
_lock = threading.Lock()
_failures = 0


def sync(descriptor: int, *, data_only: bool = False) -> None:
    """Bring a file or directory to the disk (blocks); OSError, which is counted: what failed once is never tried again."""
    global _failures  # noqa: PLW0603 - a figure of this process, as the metric says
    try:
        (os.fdatasync if data_only else os.fsync)(descriptor)
    except OSError:
        with _lock:
            _failures += 1
        raise


def sync_path(path: Path) -> None:
    """Bring the bytes of a file, or the entries of a directory, to the disk (blocks); OSError, as with `sync`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def write_behind(descriptor: int, start: int, size: int) -> None:
    """Have a part of a file on its way to the disk, so that its `sync` finds little left to do; a hint, no more."""
    _range(descriptor, start, size, _RANGE_WRITE)


def begun(path: Path, start: int) -> int:
    """Have what a growing file got since `start` on its way to the disk, whoever writes it; gives the size, its next start."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        write_behind(descriptor, start, size - start)
    finally:
        os.close(descriptor)
    return size


def _range(descriptor: int, start: int, size: int, flags: int) -> None:
    if size and _libc is not None:
        _libc.sync_file_range(descriptor, ctypes.c_int64(start), ctypes.c_int64(size), flags)


class Behind:
    """Brings a growing file to the disk and out of memory, always two parts behind its end.

    For what hardly anybody reads soon, and for what is too large to stay: kept in memory, a large file drives out
    what others need, and its `sync` waits for the whole of it.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._begun = self._gone = 0
        self._size = os.fstat(descriptor).st_size

    def write(self, data: bytes) -> None:
        """Append all of it; OSError."""
        rest = memoryview(data)
        while rest:
            written = os.write(self._descriptor, rest)
            rest = rest[written:]
            self._size += written
        self.reached(self._size)

    def reached(self, size: int) -> None:
        """Note that nobody here needs the bytes before `size` any more."""
        if size - self._begun >= _BEHIND_BYTES and _libc is not None:
            _range(self._descriptor, self._gone, self._begun - self._gone, _RANGE_WRITTEN)
            forget(self._descriptor, self._gone, self._begun - self._gone)
            write_behind(self._descriptor, self._begun, size - self._begun)
            self._gone, self._begun = self._begun, size


def forget(descriptor: int, start: int, size: int) -> None:
    """Have a part of a file, read or written, leave memory where it is on the disk; a hint, no more."""
    if size:
        os.posix_fadvise(descriptor, start, size, os.POSIX_FADV_DONTNEED)


def failures() -> int:
    """Tell how often the disk did not confirm, since this process began."""
    return _failures
