"""Versions in other forms while they are downloaded: who wants the same one shares a file, and all are bounded.

A reader may take hours over a download, or begin a hundred. Serves loans.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct, field

from sftp_gateway.errors import Unavailable

MOST, MOST_OF_A_BRAND = 8, 4
"""Different files at a time; and so many of a brand's readers wait for one to be made."""
SIDE_BY_SIDE = 2
"""Made at a time: uploads have the machine first."""
WAIT_SECONDS = 30.0
MOST_WAITING = 8
"""Who waits for one to be made holds a thread of the endpoint, and whoever looks at a page needs one, too."""
BUSY = "Too many catalogs are being downloaded at this moment; try again in a minute"
BUSY_BRAND = "So many catalogs of this brand are being downloaded at this moment; wait until one of them is there"


class _Export(Struct):
    path: Path
    users: int = 0
    is_made: bool = False
    making: threading.Lock = field(default_factory=threading.Lock)


class Exports:
    """Lends files by name. Thread-safe; blocks while one is made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns = threading.Semaphore(SIDE_BY_SIDE)
        self._waiting: Counter[str] = Counter()  # by brand
        self._lent: dict[str, _Export] = {}

    @contextmanager
    def lend(self, name: str, path: Path, make: Callable[[Path], None]) -> Iterator[Path]:
        """Lend the file `BRAND/…`: made at `path`, if nobody has it, and gone with its last user. Unavailable."""
        export = self._enter(name, path)
        try:
            if not export.is_made:
                self._await(name.partition("/")[0], export, make)
            yield export.path
        finally:
            self._leave(name, export)

    def _enter(self, name: str, path: Path) -> _Export:
        with self._lock:
            brand, _, _ = name.partition("/")
            own = sum(one.startswith(f"{brand}/") for one in self._lent)
            if name not in self._lent:
                _check(len(self._lent) < MOST, own < MOST_OF_A_BRAND)
            export = self._lent.setdefault(name, _Export(path))
            export.users += 1
            return export

    def _await(self, brand: str, export: _Export, make: Callable[[Path], None]) -> None:
        with self._lock:
            _check(self._waiting.total() < MOST_WAITING, self._waiting[brand] < MOST_OF_A_BRAND)
            self._waiting[brand] += 1
        try:
            with export.making:
                if not export.is_made:
                    self._make(export, make)
        finally:
            with self._lock:
                self._waiting[brand] -= 1

    def _make(self, export: _Export, make: Callable[[Path], None]) -> None:
        if not self._turns.acquire(timeout=WAIT_SECONDS):
            raise Unavailable(BUSY)
        try:
            make(export.path)
            export.is_made = True
        finally:
            self._turns.release()

    def _leave(self, name: str, export: _Export) -> None:
        with self._lock:
            export.users -= 1
            if not export.users:
                del self._lent[name]
                export.path.unlink(missing_ok=True)


def _check(any_place: bool, own_place: bool) -> None:
    """Raise Unavailable where there is no place, or none that this brand leaves to others."""
    if not own_place:
        raise Unavailable(BUSY_BRAND)
    if not any_place:
        raise Unavailable(BUSY)
