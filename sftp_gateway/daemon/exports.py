"""Versions in other forms while they are downloaded: each a file of its own, all of them bounded. Serves loans.

A reader may take hours over a download, or begin a hundred.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sftp_gateway.errors import Unavailable

MOST = 8
"""Out at a time. Who waits for one to be made holds a thread of the endpoint, and whoever looks at a page needs one, too."""
MOST_OF_ONE = 4
"""Of one brand: its readers may be slow, or a download manager with a dozen connections, and the others want theirs."""
SIDE_BY_SIDE = 2
"""Made at a time: uploads have the machine first."""
WAIT_SECONDS = 30.0
BUSY = "Too many catalogs are being downloaded at this moment; try again in a minute"


class Exports:
    """Lends files. Thread-safe; blocks while one is made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._out: Counter[str] = Counter()
        self._turns = threading.Semaphore(SIDE_BY_SIDE)

    @contextmanager
    def lend(self, brand: str, path: Path, make: Callable[[Path], None]) -> Iterator[Path]:
        """Lend the file that is made at `path`, gone afterwards. Unavailable."""
        with self._place(brand):
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

    @contextmanager
    def _place(self, brand: str) -> Iterator[None]:
        with self._lock:
            if self._out.total() >= MOST or self._out[brand] >= MOST_OF_ONE:
                raise Unavailable(BUSY)
            self._out[brand] += 1
        try:
            yield
        finally:
            with self._lock:
                self._out -= Counter((brand,))
