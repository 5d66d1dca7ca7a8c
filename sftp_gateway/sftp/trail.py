"""What follows a draft that grows: its SHA-256, and the way of its bytes to the disk.

Both go on in a thread, a step behind the writer, from the file's own pages: nothing is held in memory. On the loop,
which all sessions share, hashing would take a fifth of a large upload; and the sync at CLOSE would wait for all of
its bytes at once.
"""

import contextlib
import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor

from sftp_gateway import disk

STEP_BYTES = 4 << 20
PIECE_BYTES = 1 << 20
MOST_LEFT = 16 << 20
"""What `hexdigest` hashes itself at most, in 10 ms; of a file without a hash the intake makes one."""

_thread = ThreadPoolExecutor(1, thread_name_prefix="trail")  # starts no thread before it is used


class Trail:
    """The bytes of an open file that came in order, from its beginning up to `size`. For one writer."""

    def __init__(self, descriptor: int) -> None:
        self.size = 0
        self._descriptor = descriptor
        self._digest = hashlib.sha256()
        self._hashed = 0
        self._running = False
        self._lock = threading.Lock()

    def grow(self, more: int) -> None:
        """Take note that so many bytes more are in the file."""
        self.size += more
        if self.size - self._hashed >= STEP_BYTES and not self._running:
            self._running = True
            _thread.submit(self._follow)

    def catch_up(self) -> None:
        """Hash what is there now and is not hashed yet (blocks); OSError."""
        end = self.size
        buffer = bytearray(max(0, min(PIECE_BYTES, end - self._hashed)))
        while self._hash_piece(end, buffer):
            pass

    def hexdigest(self) -> str:
        """Give the hash of all bytes that came in order (blocks for a moment at most); '' if much is left, or unreadable."""
        if self.size - self._hashed > MOST_LEFT:
            return ""
        try:
            self.catch_up()
        except OSError:
            return ""
        return self._digest.hexdigest() if self._hashed == self.size else ""

    def leave(self) -> None:
        """Let go of the file, which may be closed then."""
        with self._lock:
            self._descriptor = -1

    def _follow(self) -> None:
        start, descriptor = self._hashed, self._descriptor
        try:
            # What a disk cannot give or take now, it says to whoever asks at the end.
            with contextlib.suppress(OSError):
                self.catch_up()
            # Without the lock, for a slow disk lets it wait: if the file was closed meanwhile, the hint goes to another.
            disk.write_behind(descriptor, start, self._hashed - start)
        finally:
            self._running = False

    def _hash_piece(self, end: int, buffer: bytearray) -> bool:
        """Hash one piece more, up to `end`; gives whether there was one."""
        with self._lock:
            if end <= self._hashed or self._descriptor < 0:
                return False
            piece = memoryview(buffer)[: end - self._hashed]
            count = os.preadv(self._descriptor, [piece], self._hashed)
            self._digest.update(piece[:count])
            self._hashed += count
            return count > 0
