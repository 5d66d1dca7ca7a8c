"""One file of the journal: records of one generation after another, written over those of the generations before."""

import errno
import fcntl
import os
import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Self

from msgspec import Struct, field

from sftp_gateway import disk, errors
from sftp_gateway.blobs import sync_directory
from sftp_gateway.sftp import record
from sftp_gateway.store.drafts import Entry

SEGMENT_BYTES = 8 * 1024 * 1024
AHEAD = bytes(2 * 1024 * 1024)
"""Written before records need the room: a sync of blocks that are there already changes no metadata, so it does
not commit the file system's own journal, for which every other file that is made just then would wait."""


class Segment(Struct, eq=False):
    """A file and what is in it; used on the event loop, but for `wipe`."""

    fd: int
    path: Path
    generation: bytes
    at: int = 0
    ready: int = 0
    """Bytes of the file that are there, zeros or an older generation."""
    ids: list[str] = field(default_factory=list)
    """Drafts of which only this file is on the disk for certain."""
    brands: dict[str, datetime] = field(default_factory=dict)
    """Whose bytes are in it, of whatever generation, and since when."""
    wiping: bool = False
    """What is in it is to be overwritten, and until then nothing put there."""

    @classmethod
    def make(cls, path: Path) -> Self:
        """Make the file, durably; OSError, Unavailable."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # As long as it is locked its process lives, and nobody else reads it.
            fcntl.flock(fd, fcntl.LOCK_EX)
            if not os.fstat(fd).st_nlink:  # a sweep took it for that of a dead process, in the moment before the lock
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
            sync_directory(path.parent)
        except (OSError, errors.Unavailable):
            os.close(fd)
            path.unlink(missing_ok=True)  # or it could not be made another time
            raise
        return cls(fd, path, secrets.token_bytes(8))

    @classmethod
    def prepared(cls, path: Path) -> Self:
        """Make the file with all of its blocks, as far as there is room for them; blocks. OSError, Unavailable."""
        made = cls.make(path)
        try:
            made.has_blocks(SEGMENT_BYTES)
            disk.sync(made.fd)
        except OSError:
            os.close(made.fd)
            path.unlink(missing_ok=True)
            raise
        return made

    @property
    def free(self) -> bool:
        """Whether it may be written from its start again."""
        return not (self.ids or self.wiping)

    def begin(self) -> None:
        """Write from the start again."""
        self.at, self.generation = 0, secrets.token_bytes(8)

    def has_blocks(self, more: int) -> bool:
        """Whether the file has blocks for so many bytes; a full disk breaks nothing, what is put goes elsewhere. OSError."""
        try:
            while self.ready < self.at + more:
                self.ready += os.pwrite(self.fd, AHEAD[: SEGMENT_BYTES - self.ready], self.ready)
        except OSError as error:
            if error.errno not in disk.FULL:
                raise
            return False
        return True

    def put(self, number: int, entry: Entry, data: bytes | bytearray) -> None:
        """Write a record; OSError also where not all of it was."""
        head = record.head(self.generation, number, entry, len(data))
        self.brands.setdefault(entry.brand, entry.changed_at)
        written = os.pwritev(self.fd, [head, data], self.at)
        if written != len(head) + len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.at += written
        self.ids.append(entry.id)

    def wipe(self) -> None:
        """Write zeros over all that was ever put here, durably; blocks. OSError."""
        start = 0
        while start < self.ready:
            start += os.pwrite(self.fd, AHEAD[: self.ready - start], start)
        disk.sync(self.fd, data_only=True)
        self.brands = {}

    def holds_any_but(self, known: Mapping[str, datetime]) -> bool:
        """Whether bytes are in it of a brand that is not known, or is a later one of the same name."""
        return any(name not in known or known[name] > since for name, since in self.brands.items())
