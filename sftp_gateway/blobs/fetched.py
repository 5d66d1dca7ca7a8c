"""Blobs that were fetched to the local disk, while somebody has them open: who opens the same one shares its file.

The file has no name and is gone with its last reader, whatever ends this process. Serves s3.py.
"""

import io
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct, field

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class _Fetch(Struct, eq=False):
    descriptor: int = -1
    error: Exception | None = None
    users: int = 0
    fetching: threading.Lock = field(default_factory=threading.Lock)


class Fetched:
    """Opens fetched blobs by name. Thread-safe; blocks while one is fetched."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, _Fetch] = {}

    def open(self, name: str, fetch: Callable[[], int]) -> BinaryIO:
        """Open a blob; `fetch` gives a descriptor of its bytes, and is called if nobody has it open."""
        with self._lock:
            one = self._open.setdefault(name, _Fetch())
            one.users += 1
        try:
            with one.fetching:
                self._fetch(name, one, fetch)
        except BaseException:
            self._leave(name, one)
            raise
        return io.BufferedReader(_Reader(one.descriptor, lambda: self._leave(name, one)))

    def forget(self, name: str) -> None:
        """Have the next one who opens it fetch it anew; who has it open keeps it."""
        with self._lock:
            self._open.pop(name, None)

    def _fetch(self, name: str, one: _Fetch, fetch: Callable[[], int]) -> None:
        """Fetch it, unless that was done; who waited for a fetch that failed has waited for long enough."""
        if one.error is not None:
            raise one.error
        if one.descriptor >= 0:
            return
        try:
            one.descriptor = fetch()
        except Exception as error:
            one.error = error
            self.forget(name)  # who comes now has it fetched anew
            raise

    def _leave(self, name: str, one: _Fetch) -> None:
        with self._lock:
            one.users -= 1
            if one.users:
                return
            if self._open.get(name) is one:
                del self._open[name]
            if one.descriptor >= 0:
                os.close(one.descriptor)


class _Reader(io.RawIOBase):
    """A place of its own in a file whose descriptor is shared."""

    def __init__(self, descriptor: int, left: Callable[[], None]) -> None:
        self._descriptor, self._left, self._at = descriptor, left, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        got = os.preadv(self._descriptor, [buffer], self._at)
        self._at += got
        return got

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        start = (0, self._at, os.fstat(self._descriptor).st_size)[whence]
        self._at = start + offset
        return self._at

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._left()
