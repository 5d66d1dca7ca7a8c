"""Small files that were closed, bytes and row together, in one file that is only written on: one sync each CLOSE.

A CLOSE may be answered when bytes, directory entry and row are on disk. Done one by one that is an fsync of
the file, one of its directory and a commit, each in a thread: 2.5 ms. Here all three are one record and one
`fdatasync`; the row follows into the store with others in one commit (ledger.py), the staging file is made just
before that and synced when the journal's file is full. What a death leaves behind, replay.py
brings into the store. Nobody but the next process of this host ever reads a journal.

Two segments take turns: while one fills, the other's staging files are synced. A segment is written from its
start again under a new generation; records of an older one behind it are not its own.
"""

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import struct
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson

from sftp_gateway import disk, errors, logs
from sftp_gateway.blobs import side_by_side, sync_directory, sync_file
from sftp_gateway.sftp.unwritten import SMALL_BYTES
from sftp_gateway.store.drafts import Entry, Place
from sftp_gateway.store.staging import Staging

log = logs.get(__name__)

SEGMENT_BYTES = 32 * 1024 * 1024
ROW_BYTES = 64 * 1024
"""More than any row needs: names, facts of a session, all of bounded length."""
AHEAD = bytes(2 * 1024 * 1024)
"""Written before records need the room: a sync of blocks that are there already changes no metadata, so it does
not commit the file system's own journal, for which every other file that is made just then would wait."""
QUICK_SECONDS = 0.002
"""A disk that syncs within that is not worth waking a thread for, which takes about as long."""
HEADER = struct.Struct(">4s8sQIII")
"""Mark, generation, number of the record, lengths of row and bytes, CRC-32 of this and the row, whose SHA-256 is that
of the bytes."""
MARK = b"SGJ2"
MOMENTS = ("modified_at", "opened_at", "changed_at", "due_at", "expires_at")


@dataclass(frozen=True, slots=True)
class Record:
    """A closed draft: `number` rises through both segments of a process's journal."""

    number: int
    entry: Entry
    data: bytes


@dataclass(slots=True)
class _Segment:
    fd: int
    path: Path
    at: int = 0
    ready: int = 0
    """Bytes of the file that are there, zeros or an older generation."""
    generation: bytes = b""
    ids: list[str] = field(default_factory=list)
    """Drafts of which only this file is on the disk for certain."""


class Journal:
    """The journal of this process; used on the event loop only.

    `stored` waits until every row that was put here is in the store, and says whether it is.
    """

    def __init__(self, staging: Staging, name: str, stored: Callable[[], Awaitable[bool]]) -> None:
        self.name, self.number = name, 0
        self._staging, self._stored = staging, stored
        self._folder = folder_of(staging)
        self._segments: list[_Segment] = []
        self._seconds = 0.0
        self._waiting: list[asyncio.Future[None]] = []
        self._syncing: asyncio.Task[None] | None = None
        self._cleaning: asyncio.Task[None] | None = None
        self._unsynced: set[int] = set()
        self._broken = False

    def takes(self, size: int) -> bool:
        """Whether a draft of that size can be put here now; OSError if there cannot be a journal."""
        if size > SMALL_BYTES or self._broken:
            return False
        if not self._segments:
            self._segments.append(self._new_segment(0))
        most = HEADER.size + ROW_BYTES + size
        return (self._segments[0].at + most <= SEGMENT_BYTES or self._turn()) and self._is_ready(most)

    def _is_ready(self, more: int) -> bool:
        """Whether the blocks of the file are there already; a full disk breaks nothing, what is put goes elsewhere."""
        segment = self._segments[0]
        try:
            while segment.ready < segment.at + more:
                segment.ready += os.pwrite(segment.fd, AHEAD[: SEGMENT_BYTES - segment.ready], segment.ready)
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            return False
        return True

    def put(self, entry: Entry, data: bytes | bytearray) -> int:
        """Write a record, which is durable after `sync`; gives its number. OSError: nothing more is taken.

        `entry` tells the SHA-256 of the bytes.
        """
        segment, number = self._segments[0], self.number + 1
        head = _head(segment.generation, number, entry, len(data))
        try:
            written = os.pwritev(segment.fd, [head, data], segment.at)
        except OSError:
            self._broken = True
            raise
        if written != len(head) + len(data):
            self._broken = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        segment.at += written
        segment.ids.append(entry.id)
        self._unsynced.add(segment.fd)
        self.number = number
        return number

    def sync(self) -> "asyncio.Future[None]":
        """Bring to the disk what was put so far; OSError is final: nothing more is taken after it."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[None] = loop.create_future()
        self._waiting.append(waiting)
        if self._syncing is None and len(self._waiting) == 1:
            if self._seconds < QUICK_SECONDS:
                # Those whose CLOSE came in the same turn of the loop share it.
                loop.call_soon(self._sync_here)
            else:
                self._syncing = asyncio.create_task(self._sync_in_turn(), name="journal")
        return waiting

    async def aclose(self) -> None:
        """Leave nothing behind, if every row is stored and every staging file synced; else all for the next start."""
        if self._cleaning is not None:
            await self._cleaning
        if not self._segments:
            return
        whole = await self._stored() and not self._broken
        for segment in self._segments:
            if whole and segment.ids:
                whole = await asyncio.to_thread(self._sync_drafts, segment.ids)
        for segment in self._segments:
            if whole:
                segment.path.unlink()
            os.close(segment.fd)
        self._segments = []

    def _take(self) -> set[int]:
        taken, self._unsynced = self._unsynced, set()
        return taken

    def _sync(self, descriptors: set[int]) -> None:
        began = time.perf_counter()
        try:
            for descriptor in descriptors:
                disk.sync(descriptor, data_only=True)
        except OSError:
            self._broken = True
            raise
        # Of the last five or so: one slow sync is weather, several are the climate.
        self._seconds += 0.2 * (time.perf_counter() - began - self._seconds)

    def _sync_here(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            self._sync(self._take())
        except OSError as error:
            _answer(waiting, error)
        else:
            _answer(waiting)

    async def _sync_in_turn(self) -> None:
        """While one sync runs in a thread, those who come share the next."""
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._sync, self._take())
            except OSError as error:
                _answer(waiting, error)
            else:
                _answer(waiting)
        self._syncing = None

    def _turn(self) -> bool:
        """Go on in the other segment, if its drafts are synced."""
        if self._cleaning is not None and not self._cleaning.done():
            return False
        if len(self._segments) == 1:
            self._segments.append(self._new_segment(1))
        full, other = self._segments
        if other.ids:  # the store or the disk did not answer the last time
            self._cleaning = asyncio.create_task(self._clean(other), name="journal.clean")
            return False
        other.at, other.generation = 0, secrets.token_bytes(8)
        self._segments = [other, full]
        self._cleaning = asyncio.create_task(self._clean(full), name="journal.clean")
        return True

    async def _clean(self, segment: _Segment) -> None:
        if await self._stored() and await asyncio.to_thread(self._sync_drafts, list(segment.ids)):
            segment.ids = []

    def _sync_drafts(self, ids: list[str]) -> bool:
        """Sync the staging files that are still there; the intake syncs what it takes."""
        try:
            side_by_side(self._sync_draft, ids)
            sync_directory(self._staging.folder)
        except (OSError, errors.Unavailable) as error:
            # Their bytes are safe in the journal, where the next start finds them.
            log.error("journal.unsynced", reason=str(error))  # noqa: TRY400 - the world's fault, not ours
            self._broken = True
            return False
        return True

    def _sync_draft(self, id_: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            sync_file(self._staging.file(id_))

    def _new_segment(self, number: int) -> _Segment:
        path = self._folder / f"{self.name}.{number}"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # As long as it is locked its process lives, and nobody else reads it.
        fcntl.flock(fd, fcntl.LOCK_EX)
        sync_directory(self._folder)
        return _Segment(fd, path, generation=secrets.token_bytes(8))


def folder_of(staging: Staging) -> Path:
    """Give the directory of the journals, made if absent."""
    folder = staging.folder.parent / "journal"
    folder.mkdir(mode=0o750, exist_ok=True)
    return folder


def read(segment: bytes) -> Iterator[Record]:
    """Give the records of a segment up to the first that is not whole, or of an older generation."""
    at, generation = 0, segment[4:12]
    while at + HEADER.size <= len(segment):
        mark, own, number, row_bytes, data_bytes, crc = HEADER.unpack_from(segment, at)
        start = at + HEADER.size
        middle, end = start + row_bytes, start + row_bytes + data_bytes
        if mark != MARK or own != generation or end > len(segment):
            return
        row, data = segment[start:middle], segment[middle:end]
        if zlib.crc32(row, zlib.crc32(segment[at : start - 4])) != crc:
            return
        entry = _entry(row)
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            return
        yield Record(number, entry, data)
        at = end


def _answer(waiting: list["asyncio.Future[None]"], error: OSError | None = None) -> None:
    for future in waiting:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


def _head(generation: bytes, number: int, entry: Entry, size: int) -> bytes:
    row = orjson.dumps(entry)
    head = HEADER.pack(MARK, generation, number, len(row), size, 0)[:-4]
    return b"".join((head, zlib.crc32(row, zlib.crc32(head)).to_bytes(4, "big"), row))


def _entry(row: bytes) -> Entry:
    values = orjson.loads(row)
    for name in MOMENTS:
        if values[name] is not None:
            values[name] = datetime.fromisoformat(values[name])
    return Entry(**values | {"place": Place(values["place"])})
