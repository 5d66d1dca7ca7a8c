"""Bytes of small drafts that have no staging file yet: for a moment, and so many megabytes at most.

To make a file is the dearest step of receiving a small one. While its draft is open for less than a moment
nobody else can see its bytes; once it was closed they are in the journal, on the disk. So the staging file is
made by whoever needs it first, at the latest by the ledger, which makes it before it commits the row: whoever
finds the row finds the file. Used by the loop, which never waits here for a file, and the ledger's thread.
"""

import contextlib
import os
import threading
from pathlib import Path

from sftp_gateway import errors
from sftp_gateway.store.staging import Staging

SMALL_BYTES = 128 * 1024
"""Larger drafts have a file, and go into no journal: writing their bytes twice costs more than it saves."""
MOST_BYTES = 32 * 1024 * 1024


class Unwritten:
    """What all small drafts of this process hold in memory, open ones and closed ones."""

    def __init__(self, staging: Staging) -> None:
        self._staging = staging
        self._lock = threading.Lock()
        """For the figure alone, so held for no time: the loop must not wait for a file that is being made."""
        self._making = threading.Lock()
        self._closed: dict[str, bytes | bytearray] = {}
        self.bytes = 0

    def takes(self, more: int) -> bool:
        """Take room for bytes more, if there is some."""
        with self._lock:
            if self.bytes + more > MOST_BYTES:
                return False
            self.bytes += more
            return True

    @property
    def has_room(self) -> bool:
        """Whether so little is here that it may stay a moment longer."""
        return self.bytes < MOST_BYTES * 3 // 4

    def give_back(self, size: int) -> None:
        """Give back room that was taken."""
        with self._lock:
            self.bytes -= size

    def keep(self, id_: str, data: bytearray) -> None:
        """Keep the bytes of a closed draft, for which room was taken, until `put_down`."""
        self._closed[id_] = data

    def put_down(self, id_: str) -> None:
        """Have the staging file there, if its bytes are here (blocks, shortly). DiskFull, Unavailable: they stay.

        A file that is there already looks young again: its row is late, and the intake removes old files without one.
        """
        with self._making:
            data = self._closed.get(id_)
            if data is None:
                with contextlib.suppress(OSError):
                    os.utime(self._staging.file(id_))
                return
            try:
                os.close(create(self._staging.file(id_), data))
            except OSError as error:
                raise errors.Unavailable(f"the disk does not take a draft: {error.strerror or error}") from error
            del self._closed[id_]
            self.give_back(len(data))


def create(file: Path, data: bytes | bytearray) -> int:
    """Make a staging file with these bytes; gives the descriptor. OSError: there is none then."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        written = 0
        while written < len(data):
            written += os.pwrite(descriptor, memoryview(data)[written:], written)
    except OSError:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            file.unlink()
        raise
    return descriptor
