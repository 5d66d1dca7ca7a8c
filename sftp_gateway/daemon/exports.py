"""Versions in other forms while they are downloaded: who wants the same one shares a file, and all are bounded.

A reader may take hours over a download, or begin a hundred. Serves loans.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sftp_gateway.blobs.fetched import Fetched
from sftp_gateway.errors import Unavailable

MOST = 8
"""Different files at a time."""
SIDE_BY_SIDE = 2
"""Made at a time: uploads have the machine first."""
WAIT_SECONDS = 30.0
MOST_WAITING = 8
"""Who waits for one to be made holds a thread of the endpoint, and whoever looks at a page needs one, too."""
BUSY = "Too many catalogs are being downloaded at this moment; try again in a minute"


class Exports:
    """Lends files by name. Thread-safe; blocks while one is made."""

    def __init__(self) -> None:
        self._turns = threading.Semaphore(SIDE_BY_SIDE)
        self._places = threading.Semaphore(MOST_WAITING)
        self._made = Fetched(MOST, BUSY)

    @contextmanager
    def lend(self, name: str, make: Callable[[], int]) -> Iterator[Path]:
        """Lend the file of that name: `make` gives a descriptor of it, if nobody has it. Unavailable."""
        with self._made.join(name) or self._await(name, make) as stream:
            yield Path(f"/proc/self/fd/{stream.fileno()}")

    def _await(self, name: str, make: Callable[[], int]) -> BinaryIO:
        if not self._places.acquire(blocking=False):
            raise Unavailable(BUSY)
        try:
            return self._made.open(name, lambda: self._make(make))
        finally:
            self._places.release()

    def _make(self, make: Callable[[], int]) -> int:
        if not self._turns.acquire(timeout=WAIT_SECONDS):
            raise Unavailable(BUSY)
        try:
            return make()
        finally:
            self._turns.release()
