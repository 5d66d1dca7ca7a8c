"""fsync and fdatasync, and how often it failed: the one figure that tells a dying disk. For every room that writes files."""

import os
import threading

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


def failures() -> int:
    """Tell how often the disk did not confirm, since this process began."""
    return _failures
