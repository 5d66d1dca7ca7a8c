"""Small files that were closed, bytes and row together, in one file that is only written on: one sync each CLOSE.

A CLOSE may be answered when bytes, directory entry and row are on disk. Done one by one that is an fsync of
the file, one of its directory and a commit, each in a thread: 2.5 ms. Here all three are one record and one
`fdatasync`; the row follows into the store with others in one commit (ledger.py), the staging file is made just
before that and synced when the journal's file is full. What a death leaves behind, replay.py
brings into the store. Nobody but the next process of this host ever reads a journal.

Segments take turns: while one fills, the staging files of the oldest are synced. A segment is written from its
start again under a new generation; records of an older one behind it are not its own.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from sftp_gateway import disk, errors, logs
from sftp_gateway.blobs import side_by_side, sync_directory, sync_file
from sftp_gateway.sftp import record
from sftp_gateway.sftp.unwritten import SMALL_BYTES
from sftp_gateway.store.drafts import Entry
from sftp_gateway.store.staging import Staging

log = logs.get(__name__)

SEGMENTS, SEGMENT_BYTES = 8, 8 * 1024 * 1024
ROW_BYTES = 64 * 1024
"""More than any row needs: names, facts of a session, all of bounded length."""
AHEAD = bytes(2 * 1024 * 1024)
"""Written before records need the room: a sync of blocks that are there already changes no metadata, so it does
not commit the file system's own journal, for which every other file that is made just then would wait."""
PATIENCE_SECONDS = 2.0
"""So long a CLOSE waits for room at most; what then has none goes the long way."""
QUICK_SECONDS = 0.002
"""A disk that syncs within that is not worth waking a thread for, which takes about as long."""
GATHER_SECONDS = 0.008
"""So long a sync waits for more while a crowd closes files: they wait for the loop far longer, and an eighth of its time went into
syncs. One sender alone never waits (PostgreSQL's `commit_delay` and `commit_siblings`)."""
CROWD = 8
"""So many different senders among the last twice as many CLOSEs are a crowd, if those came within CROWD_SECONDS."""
CROWD_SECONDS = 0.1


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
        self._line: list[asyncio.Future[bool]] = []
        """Who waits for a segment to be free, in the order in which they came."""
        self._unsynced: set[int] = set()
        self._lately: deque[tuple[float, int]] = deque(maxlen=2 * CROWD)
        self._broken = False

    async def room(self, size: int) -> bool:
        """Whether a draft of that size can be put here at once, if need be after waiting.

        While all segments are full of files that are not synced, to wait for one is quicker than to sync one more
        file and commit one more row beside it.
        """
        until = time.monotonic() + PATIENCE_SECONDS
        while self._line or not self.takes(size):  # who comes now stands behind those who wait
            if size > SMALL_BYTES or self._broken or self._cleaning is None:
                return False
            freed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            self._line.append(freed)
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    if not await freed:
                        return False
            except TimeoutError:
                return False
        return True

    def takes(self, size: int) -> bool:
        """Whether a draft of that size can be put here now."""
        if size > SMALL_BYTES or self._broken:
            return False
        most = record.HEADER.size + ROW_BYTES + size
        try:
            if not self._segments:
                self._segments.append(self._new_segment(0))
            return (self._segments[0].at + most <= SEGMENT_BYTES or self._turn()) and self._is_ready(most)
        except (OSError, errors.Unavailable) as error:
            # No descriptor, no inode, a disk that fails: the long way finds out for itself, and this is tried again.
            log.warning("journal.unavailable", reason=str(error))
            return False

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
        head = record.head(segment.generation, number, entry, len(data))
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

    def sync(self, sender: object) -> "asyncio.Future[None]":
        """Bring to the disk what was put so far; OSError is final: nothing more is taken after it."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[None] = loop.create_future()
        self._waiting.append(waiting)
        self._lately.append((time.monotonic(), id(sender)))
        if self._syncing is None and len(self._waiting) == 1:
            if self._seconds < QUICK_SECONDS and not self._is_crowd():
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

    def _is_crowd(self) -> bool:
        lately = self._lately
        return (
            len(lately) == lately.maxlen
            and time.monotonic() - lately[0][0] < CROWD_SECONDS
            and len({sender for _, sender in lately}) >= CROWD
        )

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
            if self._is_crowd():
                await asyncio.sleep(GATHER_SECONDS)
            waiting, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._sync, self._take())
            except OSError as error:
                _answer(waiting, error)
            else:
                _answer(waiting)
        self._syncing = None

    def _turn(self) -> bool:
        """Go on in another segment, if there is one whose drafts are synced, and see to it that there will be one."""
        free = next((segment for segment in self._segments[1:] if not segment.ids), None)
        if free is None and len(self._segments) < SEGMENTS:
            free = self._new_segment(len(self._segments))
            self._segments.append(free)
        if free is not None:
            free.at, free.generation = 0, secrets.token_bytes(8)
            self._segments.remove(free)
            self._segments.insert(0, free)
        full = [segment for segment in self._segments[1:] if segment.ids]
        if full and self._cleaning is None:
            self._cleaning = asyncio.create_task(self._clean(full[-1]), name="journal.clean")
        return free is not None

    async def _clean(self, segment: _Segment) -> None:
        try:
            if await self._stored() and await asyncio.to_thread(self._sync_drafts, list(segment.ids)):
                segment.ids = []
        finally:
            self._cleaning = None
            line, self._line = self._line, []
            for waiting in line:
                if not waiting.done():
                    waiting.set_result(not segment.ids)

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
        try:
            # As long as it is locked its process lives, and nobody else reads it.
            fcntl.flock(fd, fcntl.LOCK_EX)
            sync_directory(self._folder)
        except (OSError, errors.Unavailable):
            os.close(fd)
            path.unlink(missing_ok=True)  # or it could not be made another time
            raise
        return _Segment(fd, path, generation=secrets.token_bytes(8))


def folder_of(staging: Staging) -> Path:
    """Give the directory of the journals, made if absent."""
    folder = staging.folder.parent / "journal"
    folder.mkdir(mode=0o750, exist_ok=True)
    return folder


def _answer(waiting: list["asyncio.Future[None]"], error: OSError | None = None) -> None:
    for future in waiting:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
