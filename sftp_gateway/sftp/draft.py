"""Bytes being written: one staging file with the handles that write it. Serves home.py.

A write is one synchronous `os.pwrite` in the hook, on purpose: measured, a thread costs 20 % of the
speed, and with an awaiting hook a client that ignores acknowledgements grows the server's memory,
while here TCP holds it back (measured). Syncing waits for the disk and is done
in a thread, by the caller.
"""

import errno
import hashlib
import os
import time
from pathlib import Path
from typing import Any, BinaryIO

from sftp_gateway import disk, errors
from sftp_gateway.sftp.allowance import Allowance
from sftp_gateway.sftp.trail import Trail
from sftp_gateway.sftp.unwritten import SMALL_BYTES, Unwritten, create
from sftp_gateway.store.drafts import Entry

COPY_BYTES = 1 << 20


class Draft:
    """The staging file of an entry in `folder`, open for writing; a small one has its bytes in `memory`, and no file, at first.

    `entry` is the row as this process knows it; the size that counts is `size`. `handles` are the
    open write handles. `dropped`: one of them ended without CLOSE; `closed`: one that wrote ended by it. `refusal`: why no more bytes
    are taken; once set it stays, because what comes after a refused WRITE would leave a hole.
    """

    def __init__(self, entry: Entry, folder: Path, allowance: Allowance, memory: Unwritten) -> None:
        self.entry = entry
        self.handles: set[Any] = set()
        self.began_by = ""
        """The session that wrote the first byte last (rival.py)."""
        self.writers: set[str] = set()
        self.dropped = self.closed = False
        self.refusal: errors.Refused | None = None
        self.wrote = False
        self.removed = False
        """The brand removed the name while it was open: nothing becomes of it."""
        self.modified: float | None = None
        """Unix time a client set since the last write; None: that of the last write."""
        self.wrote_at = self.told_of = 0.0
        """Unix times: of the last write, and of that after which nothing came for long, as was told (homes.py)."""
        self.origin: Entry | None = None
        """The accepted entry whose name and bytes it began with: it comes back if nothing is written."""
        self.size = 0
        self._folder = folder
        self._fd = -1
        self._held: bytearray | None = None
        self._memory = memory
        self._allowance = allowance
        self._trail: Trail | None = None
        self._synced_name = False

    def create(self) -> None:
        """Begin, empty."""
        self._held = bytearray()

    def reopen(self) -> None:
        """Open the staging file again; its bytes are accounted for already."""
        self._fd = os.open(self.file, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        self.size = os.fstat(self._fd).st_size

    def put_down(self) -> None:
        """Have a staging file, if the bytes are in memory only (blocks, shortly). OSError: they stay there."""
        if self._held is not None:
            self._fd = create(self.file, self._held)
            self._trail = Trail(self._fd)
            self._trail.grow(len(self._held))
            self._let_go()

    @property
    def modified_at(self) -> float:
        """The time its client set (0 is one, too), else that of the last write, else what its row says."""
        return self.modified if self.modified is not None else self.wrote_at or self.entry.modified_at.timestamp()

    @property
    def file(self) -> Path:
        """The staging file, or where it will be."""
        return self._folder / self.entry.id

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever written to it, and nothing was there before: an empty file, if it is closed now."""
        return self._held is not None and not self.wrote and self.origin is None

    @property
    def is_in_memory(self) -> bool:
        """Whether its bytes are in memory only."""
        return self._held is not None

    def take(self) -> bytearray | None:
        """Take the bytes out of memory, and the room they have there; None if there is a file."""
        data, self._held = self._held, None
        return data

    def _let_go(self) -> None:
        if self._held is not None:
            self._memory.give_back(len(self._held))
        self._held = None

    def _in_memory(self, size: int) -> bytearray | None:
        """Give the bytes in memory if the draft may have that size there, the room for it taken; None: it needs a file."""
        held = self._held
        if held is None or size > SMALL_BYTES or not self._memory.takes(max(0, size - len(held))):
            return None
        return held

    def write(self, offset: int, data: bytes) -> int:
        """Write at `offset`; give the bytes written. Refused (and for ever after) without room."""
        if self.refusal:
            raise self.refusal
        if not data:  # extends nothing, wherever it points (POSIX)
            return 0
        end = offset + len(data)
        if end > self.size:
            try:
                self._allowance.resize(self.size, end)
            except errors.Refused as refusal:
                self.refusal = refusal
                raise
            self.size = end
        try:
            written = self._put(offset, data, end)
        except OSError as error:
            self._measure()
            self.refusal = disk_refusal(error)
            raise self.refusal from error
        self._wrote(offset, data)
        return written

    def _put(self, offset: int, data: bytes, end: int) -> int:
        held = self._in_memory(end)
        if held is not None:
            if offset > len(held):
                held.extend(bytes(offset - len(held)))
            held[offset:end] = data
            return len(data)
        self.put_down()
        written = os.pwrite(self._fd, data, offset)
        while written < len(data):  # a short write: the disk is full, or a signal came
            written += os.pwrite(self._fd, memoryview(data)[written:], offset + written)
        return written

    def append(self, data: bytes) -> int:
        """Write at the end, wherever that is now."""
        return self.write(self.size, data)

    def _wrote(self, offset: int, data: bytes) -> None:
        self.wrote, self.modified, self.wrote_at = True, None, time.time()
        if self._trail is None:
            return  # what is in memory is hashed at its end, in one go, in whatever order it came
        if offset == self._trail.size:
            self._trail.grow(len(data))
        elif offset < self._trail.size:
            self._forget()  # written over: hashed from the file when it is claimed

    def _forget(self) -> None:
        if self._trail is not None:
            self._trail.leave()
        self._trail = None

    def truncate(self, size: int) -> None:
        """Cut or extend to `size` bytes (OpenSSH's scp cuts before CLOSE); Refused without room."""
        if size == self.size:
            return
        self._allowance.resize(self.size, size)
        try:
            self._cut(size)
        except OSError as error:
            self._allowance.resize(size, self.size)
            raise disk_refusal(error) from error
        self.size, self.wrote, self.wrote_at = size, True, time.time()
        if self._trail is not None and size < self._trail.size:
            self._forget()
        if size == 0 and self._fd >= 0:
            self._trail = Trail(self._fd)

    def _cut(self, size: int) -> None:
        if self._held is not None and size < len(self._held):
            self._memory.give_back(len(self._held) - size)
            del self._held[size:]
        elif (held := self._in_memory(size)) is not None:
            held.extend(bytes(size - len(held)))
        else:
            self.put_down()
            os.ftruncate(self._fd, size)

    def fill_from(self, source: BinaryIO, size: int) -> None:
        """Put a copy of an open file's `size` bytes into its place (blocks: for a thread).

        The hash stays that of what is written: a client may write it all anew, in order (scp does).
        """
        self.put_down()
        offset = 0
        while offset < size:
            piece = source.read(min(COPY_BYTES, size - offset))
            if not piece:
                raise errors.Broken("the accepted bytes are shorter than their row says")
            offset += os.pwrite(self._fd, piece, offset)
            source.seek(offset)

    def read(self, offset: int, size: int) -> bytes:
        """Read back what was written so far."""
        if self._held is not None:
            return bytes(self._held[offset : offset + size])
        return os.pread(self._fd, size, offset)

    @property
    def sha256(self) -> str:
        """The hash, if the bytes came in order, or are in memory; else empty."""
        if self._held is not None:
            return hashlib.sha256(self._held).hexdigest()
        return self._trail.hexdigest() if self._trail is not None and self._trail.size == self.size else ""

    def sync(self) -> None:
        """Put the bytes and their directory entry on disk, after `put_down` (blocks: for a thread).

        An error is final: after a failed fsync the kernel calls the lost pages clean, so a second
        one would lie. The caller throws the draft away.
        """
        trail = self._trail  # once: another handle may write over its bytes, on the loop, at any moment
        if trail is not None:
            trail.catch_up()  # here, where nobody waits for the loop
        disk.sync(self._fd)
        if not self._synced_name:
            disk.sync_path(self._folder)
            self._synced_name = True

    def close(self) -> None:
        """Let go of the file; the bytes stay, unless they were in memory only."""
        self._let_go()
        self._forget()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def discard(self) -> None:
        """Let go of the file and the bytes."""
        self.close()
        self.file.unlink(missing_ok=True)

    def _measure(self) -> None:
        size = os.fstat(self._fd).st_size if self._held is None else len(self._held)
        self._allowance.resize(self.size, size)
        self.size = size


def disk_refusal(error: OSError) -> errors.Refused:
    """Say what the disk said, in words for the sender."""
    if error.errno in disk.FULL:
        return errors.Refused("disk_full", "The gateway has no room on its disk now; please try again later")
    if error.errno == errno.EFBIG:
        return errors.Refused("FILE_TOO_LARGE", "The file is larger than the gateway's disk can hold in one file")
    return errors.Refused("disk_failed", "The gateway could not write to its disk; please try again later")
