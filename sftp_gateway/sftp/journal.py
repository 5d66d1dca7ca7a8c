"""Small files that were closed, bytes and row together, in one file that is only written on: one sync each CLOSE.

A CLOSE may be answered when bytes, directory entry and row are on disk. Done one by one that is an fsync of the
file, one of its directory and a commit, each in a thread: 2.5 ms. Here all three are one record and one
`fdatasync`; the row follows into the store with others in one commit (ledger.py), the staging file is made just
before that and synced when the journal's file is full. What a death leaves behind, replay.py brings into the store.
Nobody but the next process of this host ever reads a journal.

Segments take turns: while one fills, the staging files of the oldest are synced. A segment is written from its
start again under a new generation; records of an older one behind it are not its own.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path

from sftp_gateway import disk, errors, logs
from sftp_gateway.blobs import side_by_side, sync_directory, sync_file
from sftp_gateway.sftp import record, segment
from sftp_gateway.sftp.segment import Segment
from sftp_gateway.sftp.senders import Senders
from sftp_gateway.sftp.unwritten import SMALL_BYTES
from sftp_gateway.store.drafts import Entry
from sftp_gateway.store.staging import Staging

log = logs.get(__name__)

SEGMENTS = 8
ROW_BYTES = 64 * 1024
"""More than any row needs: names, facts of a session, all of bounded length."""
PATIENCE_SECONDS = 2.0
"""So long a CLOSE waits for room at most; what then has none goes the long way."""
QUICK_SECONDS = 0.002
"""A disk that syncs within that is not worth waking a thread for, which takes about as long."""
GATHER_SECONDS = 0.008
"""So long a sync waits for more while a crowd closes files: they wait for the loop far longer, and an eighth of its time went into
syncs. One sender alone never waits (PostgreSQL's `commit_delay` and `commit_siblings`)."""


class Journal:
    """The journal of this process; used on the event loop only.

    `stored` waits until every row that was put here is in the store, and says whether it is.
    """

    def __init__(self, staging: Staging, name: str, stored: Callable[[], Awaitable[bool]]) -> None:
        self.name, self.number = name, 0
        self._staging, self._stored = staging, stored
        self._folder = folder_of(staging)
        self._segments: list[Segment] = []
        self._seconds = 0.0
        self._waiting: list[asyncio.Future[None]] = []
        self._syncing: asyncio.Task[None] | None = None
        self._cleaning: asyncio.Task[None] | None = None
        self._preparing: asyncio.Task[None] | None = None
        self._begun = 0  # segments, some of which may have failed
        self._line: list[asyncio.Future[bool]] = []
        """Who waits for a segment to be free, in the order in which they came."""
        self._unsynced: set[int] = set()
        self._senders = Senders()
        self._broken = self._closing = False
        self._doomed: list[Segment] = []
        """What holds bytes of brands that were erased."""

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
                self._segments.append(Segment.make(self._next_path()))
            if self._segments[0].at + most > segment.SEGMENT_BYTES and not self._turn():
                return False
            return self._segments[0].has_blocks(most)
        except (OSError, errors.Unavailable) as error:
            # No descriptor, no inode, a disk that fails: the long way finds out for itself, and this is tried again.
            log.warning("journal.unavailable", reason=str(error))
            return False

    def put(self, entry: Entry, data: bytes | bytearray) -> int:
        """Write a record, which is durable after `sync`; gives its number. OSError: nothing more is taken.

        `entry` tells the SHA-256 of the bytes.
        """
        number = self.number + 1
        try:
            self._segments[0].put(number, entry, data)
        except OSError:
            self._broken = True
            raise
        self._unsynced.add(self._segments[0].fd)
        self.number = number
        self._prepare_next()
        return number

    def _next_path(self) -> Path:
        self._begun += 1
        return self._folder / f"{self.name}.{self._begun - 1}"

    def _prepare_next(self) -> None:
        """Have one more segment made while this one fills: else all wait for it whose CLOSE comes just then."""
        # The last one is left to who cannot wait for what is prepared just now.
        may = len(self._segments) < SEGMENTS - 1 and self._preparing is None and not self._closing
        fills = self._segments[0].at > segment.SEGMENT_BYTES // 4
        if may and fills and not any(one.free for one in self._segments[1:]):
            self._preparing = asyncio.create_task(self._prepare(self._next_path()), name="journal.prepare")

    async def _prepare(self, path: Path) -> None:
        try:
            self._segments.append(await asyncio.to_thread(Segment.prepared, path))
        except (OSError, errors.Unavailable) as error:
            log.warning("journal.unavailable", reason=str(error))
        finally:
            self._preparing = None

    def forget(self, known: Mapping[str, datetime]) -> None:
        """Have what is here of brands that are not `known` (name, since when) overwritten, one file after the other."""
        self._doomed = [one for one in self._segments if one.holds_any_but(known)]
        self._wipe_next()

    def _wipe_next(self) -> None:
        if not self._doomed or self._broken or self._closing or self._cleaning is not None:
            return  # the end of what is cleaned now comes back to it
        old = self._doomed[-1]
        try:
            if old is self._segments[0] and not self._turn():
                return
        except (OSError, errors.Unavailable) as error:
            log.warning("journal.unavailable", reason=str(error))
            return
        if self._cleaning is None:
            self._doomed.remove(old)
            old.wiping = True  # nobody writes on it from now on
            self._cleaning = asyncio.create_task(self._clean(old), name="journal.wipe")

    async def sync(self, sender: object) -> None:
        """Bring to the disk what was put so far; OSError is final: nothing more is taken after it."""
        self._senders.hear(sender)
        if self._waiting or self._syncing is not None or self._seconds >= QUICK_SECONDS or not self._senders.is_one:
            await self._sync_with_others()
        elif (error := self._sync(self._take())) is not None:
            raise error

    def _sync_with_others(self) -> "asyncio.Future[None]":
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        if self._syncing is None and len(self._waiting) == 1:
            if self._seconds >= QUICK_SECONDS or self._senders.are_a_crowd():
                self._syncing = asyncio.create_task(self._sync_in_turn(), name="journal")
            else:
                waiting.get_loop().call_soon(self._sync_here)  # those whose CLOSE came in the same turn share it
        return waiting

    async def aclose(self) -> None:
        """Leave nothing behind, if every row is stored and every staging file synced; else all for the next start."""
        self._closing = True
        await asyncio.gather(*(task for task in (self._preparing, self._cleaning) if task is not None))
        if not self._segments:
            return
        whole = await self._stored() and not self._broken
        for one in self._segments:
            if whole and one.ids:
                whole = await asyncio.to_thread(self._sync_drafts, one.ids)
        for one in self._segments:
            if whole:
                one.path.unlink()
            os.close(one.fd)
        self._segments = []

    def _take(self) -> set[int]:
        taken, self._unsynced = self._unsynced, set()
        return taken

    def _sync(self, descriptors: set[int]) -> OSError | None:
        began = time.perf_counter()
        try:
            for descriptor in descriptors:
                disk.sync(descriptor, data_only=True)
        except OSError as error:
            self._broken = True
            return error
        # Of the last five or so: one slow sync is weather, several are the climate.
        self._seconds += 0.2 * (time.perf_counter() - began - self._seconds)
        return None

    def _sync_here(self) -> None:
        waiting, self._waiting = self._waiting, []
        _answer(waiting, self._sync(self._take()))

    async def _sync_in_turn(self) -> None:
        """While one sync runs in a thread, those who come share the next."""
        while self._waiting:
            if self._senders.are_a_crowd():
                await asyncio.sleep(GATHER_SECONDS)
            waiting, self._waiting = self._waiting, []
            _answer(waiting, await asyncio.to_thread(self._sync, self._take()))
        self._syncing = None

    def _turn(self) -> bool:
        """Go on in another segment, if there is one whose drafts are synced, and see to it that there will be one."""
        free = next((one for one in self._segments[1:] if one.free), None)
        if free is None and len(self._segments) < SEGMENTS:
            free = Segment.make(self._next_path())
            self._segments.append(free)
        if free is not None:
            free.begin()
            self._segments.remove(free)
            self._segments.insert(0, free)
        full = [one for one in self._segments[1:] if one.ids]
        # Half of them may be full first: a burst that fits is received without a file made or synced beside it, and
        # most of its files the intake has synced by the time their segment's turn comes.
        if len(full) >= SEGMENTS // 2 and self._cleaning is None and not self._closing:
            self._cleaning = asyncio.create_task(self._clean(full[-1]), name="journal.clean")
        return free is not None

    async def _clean(self, full: Segment) -> None:
        done = False
        try:
            if not full.ids or (await self._stored() and await asyncio.to_thread(self._sync_drafts, list(full.ids))):
                full.ids = []
                done = not full.wiping or await self._wipe(full)
        finally:
            full.wiping, self._cleaning = False, None
            line, self._line = self._line, []
            for waiting in line:
                if not waiting.done():
                    waiting.set_result(full.free)
        if done:
            self._wipe_next()

    async def _wipe(self, old: Segment) -> bool:
        brands = sorted(old.brands)
        try:
            await asyncio.to_thread(old.wipe)
        except OSError as error:
            if error.errno in disk.FULL:  # of a disk that writes nothing in place: later, maybe
                log.warning("journal.unavailable", reason=str(error))
                return False
            log.error("journal.unsynced", reason=str(error))  # noqa: TRY400 - the world's fault, not ours
            self._broken = True
            return False
        log.info("journal.wiped", segment=old.path.name, brands=brands)
        return True

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


def folder_of(staging: Staging) -> Path:
    """Give the directory of the journals, made if absent."""
    folder = staging.folder.parent / "journal"
    folder.mkdir(mode=0o750, exist_ok=True)
    return folder


def _answer(waiting: list["asyncio.Future[None]"], error: OSError | None) -> None:
    for future in (one for one in waiting if not one.done()):
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
