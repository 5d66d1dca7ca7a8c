"""Versions in other forms while they are downloaded: each a file of its own, all of them bounded. Serves loans.

A reader may take hours over a download, or begin a hundred.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sftp_gateway.errors import Unavailable

MOST = 8
"""Out at a time. Who waits for one to be made holds a thread of the endpoint, and whoever looks at a page needs one, too."""
SIDE_BY_SIDE = 2
"""Made at a time: uploads have the machine first."""
WAIT_SECONDS = 30.0
BUSY = "Too many catalogs are being downloaded at this moment; try again in a minute"


class Exports:
    """Lends files. Thread-safe; blocks while one is made."""

    def __init__(self) -> None:
        self._places = threading.Semaphore(MOST)
        self._turns = threading.Semaphore(SIDE_BY_SIDE)

    @contextmanager
    def lend(self, path: Path, make: Callable[[Path], None]) -> Iterator[Path]:
        """Lend the file that is made at `path`, gone afterwards. Unavailable."""
        if not self._places.acquire(blocking=False):
            raise Unavailable(BUSY)
        try:
            if not self._turns.acquire(timeout=WAIT_SECONDS):
                raise Unavailable(BUSY)
            try:
                make(path)
            finally:
                self._turns.release()
            yield path
        finally:
            path.unlink(missing_ok=True)
            self._places.release()
