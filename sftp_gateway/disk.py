"""fsync and fdatasync, and how often it failed: the one figure that tells a dying disk. For every room that writes files."""

import ctypes
import os
import threading

_libc = ctypes.CDLL(None) if hasattr(ctypes.CDLL(None), "sync_file_range") else None
_RANGE_WRITE = 2
"""SYNC_FILE_RANGE_WRITE: begin, do not wait (sync_file_range(2), Linux)."""
_RANGE_WRITTEN = 7
"""SYNC_FILE_RANGE_WAIT_BEFORE, _WRITE and _WAIT_AFTER: what is to be written is, when the call returns."""
_BEHIND_BYTES = 8 << 20
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


def write_behind(descriptor: int, start: int, size: int) -> None:
    """Have a part of a file on its way to the disk, so that its `sync` finds little left to do; a hint, no more."""
    if _libc is not None:
        _libc.sync_file_range(descriptor, ctypes.c_int64(start), ctypes.c_int64(size), _RANGE_WRITE)


class Behind:
    """Writes a new file from its beginning to its end, that hardly anybody reads soon: it leaves memory as it reaches the disk.

    Kept in memory, a large file would have its `sync` wait for the whole of it, and drive out what others need.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self._begun = self._gone = 0

    def write(self, data: bytes) -> None:
        """Append all of it; OSError."""
        rest = memoryview(data)
        while rest:
            written = os.write(self._descriptor, rest)
            rest = rest[written:]
            self._size += written
        if self._size - self._begun >= _BEHIND_BYTES and _libc is not None:
            self._let_go(self._begun)
            write_behind(self._descriptor, self._begun, self._size - self._begun)
            self._begun = self._size

    def _let_go(self, end: int) -> None:
        """Wait for the part before the last one, and forget it."""
        start, size = self._gone, end - self._gone
        if size and _libc is not None:
            _libc.sync_file_range(self._descriptor, ctypes.c_int64(start), ctypes.c_int64(size), _RANGE_WRITTEN)
            os.posix_fadvise(self._descriptor, start, size, os.POSIX_FADV_DONTNEED)
            self._gone = end


def failures() -> int:
    """Tell how often the disk did not confirm, since this process began."""
    return _failures
