"""fsync and fdatasync, and how often it failed: the one figure that tells a dying disk. For every room that writes files."""

import ctypes
import os
import threading

_libc = ctypes.CDLL(None) if hasattr(ctypes.CDLL(None), "sync_file_range") else None
_RANGE_WRITE = 2
"""SYNC_FILE_RANGE_WRITE: begin, do not wait (sync_file_range(2), Linux)."""
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


def failures() -> int:
    """Tell how often the disk did not confirm, since this process began."""
    return _failures
