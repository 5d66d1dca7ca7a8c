"""Drop folders: `<drop>/<brand>/{inbox,partial,test}/`, for files that come by other means than SFTP.

A folder of the host is a dangerous place: whoever writes there may swap a file for a link, or go on
writing. So nothing is followed (every step by descriptor, O_NOFOLLOW), only regular files directly
in these directories count, and a file is taken (dropped.py) when size and time stood still. Brands
are worked on side by side, the files of one brand in their order.
"""

import asyncio
import contextlib
import errno
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from msgspec import Struct
from watchdog.events import FileClosedEvent, FileCreatedEvent, FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from sftp_gateway import config, errors, logs, settings, upload_name
from sftp_gateway.blobs import Files
from sftp_gateway.brand import Brand
from sftp_gateway.intake import folder
from sftp_gateway.intake.dropped import Taker
from sftp_gateway.intake.folder import Found, Look
from sftp_gateway.store import brands
from sftp_gateway.store.database import Store

log = logs.get(__name__)
T = TypeVar("T")

AWAY = (errors.Unavailable, errors.NotFound, OSError)
"""What the world does not let us do now; a brand may be erased at this moment."""
BACKOFF_SECONDS = 5.0
EVENTS: list[type[FileSystemEvent]] = [FileCreatedEvent, FileMovedEvent, FileClosedEvent]
"""A file came, or was written. Not that a directory was looked into: of 2,000 brands our own look floods the kernel's queue."""
SIDE_BY_SIDE = 4
"""Brands whose files are taken at a time: a copy of many GiB keeps its own brand waiting, and no other."""
LARGE_BYTES = 64 * 1024**2
"""Brands that have more to be taken leave one of the places to the others."""


class Rested(Struct, frozen=True):
    """Files of a brand that may be taken: how many bytes, and what takes them; that blocks."""

    bytes: int
    take: Callable[[], None]


@dataclass
class Drop:
    """Takes files from the drop folders while it runs. `wake_worker` hears that there may be a job."""

    store: Store
    files: Files
    folder: Path
    rules: settings.Intake
    max_file_bytes: int
    wake_worker: Callable[[], None]
    disk_floor_bytes: int = 0
    taker: Taker = field(init=False)
    _seen: dict[Found, tuple[Look, float]] = field(init=False, default_factory=dict)
    _closed: dict[Found, str] = field(init=False, default_factory=dict)
    """Directories that cannot be looked into, and why; told once."""
    _busy: dict[str, bool] = field(init=False, default_factory=dict)
    """Brands whose files are being taken, and whether a look passed over them meanwhile."""
    _promised: dict[Found, int] = field(init=False, default_factory=dict)
    """Room for the copies under way, in bytes."""
    _promising: threading.Lock = field(init=False, default_factory=threading.Lock)
    _places: asyncio.Semaphore = field(init=False, default_factory=partial(asyncio.Semaphore, SIDE_BY_SIDE))
    _large_places: asyncio.Semaphore = field(init=False, default_factory=partial(asyncio.Semaphore, SIDE_BY_SIDE - 1))
    _observer: BaseObserver | None = field(init=False, default=None)
    _woken: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _temporary: upload_name.Temporary = field(init=False)
    _pool: ThreadPoolExecutor = field(init=False)

    async def __aenter__(self) -> Self:
        """Make the folders and begin to watch; without inotify only the rescan is left, which is enough. ConfigError."""
        rules, loop = self.rules, asyncio.get_running_loop()
        self._temporary = upload_name.Temporary(
            rules.temporary_prefixes, rules.temporary_suffixes, rules.temporary_patterns
        )

        def wake() -> None:
            loop.call_soon_threadsafe(self.wake_worker)  # from whatever thread takes a file

        self.taker = Taker(self.store, self.files, self.folder, wake)
        self._pool = ThreadPoolExecutor(SIDE_BY_SIDE + 1, thread_name_prefix="drop")  # one of them looks
        await asyncio.to_thread(config.check_drop, self.folder)
        await asyncio.to_thread(lambda: self._make_folders(brands.all_brands(self.store)))
        observer = Observer()
        observer.schedule(_Waker(loop, self._woken), str(self.folder), recursive=True, event_filter=EVENTS)
        try:
            await asyncio.to_thread(observer.start)
        except OSError as error:
            log.warning("drop.unwatched", folder=str(self.folder), reason=str(error), rescan=rules.rescan_seconds)
        else:
            self._observer = observer
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop watching; wait for the files that are being taken, if they are copied already."""
        self.taker.stopping.set()
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
        if self._observer is not None:
            self._observer.stop()
            await asyncio.to_thread(self._observer.join)

    async def run(self) -> None:
        """Look when something happens, when a file may have rested, and every `rescan_seconds`."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._woken.clear()
                self._busy = dict.fromkeys(self._busy, True)
                try:
                    wait, rested = await self._in_thread(partial(self.look, tuple(self._busy)))
                except AWAY as error:
                    log.warning("drop.postponed", reason=str(error))
                    wait, rested = BACKOFF_SECONDS, {}
                for brand, files in rested.items():
                    self._busy[brand] = False
                    group.create_task(self._take_in_turn(brand, files), name=f"drop of {brand}")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._woken.wait()
                # Many events come together; a file rests for seconds, so nothing is lost by this.
                await asyncio.sleep(min(0.05, self.rules.quiet_seconds / 4))

    async def _take_in_turn(self, brand: str, files: Rested) -> None:
        large = self._large_places if files.bytes > LARGE_BYTES else contextlib.nullcontext()
        try:
            async with large, self._places:
                await self._in_thread(files.take)
        except AWAY as error:
            log.warning("drop.postponed", brand=brand, reason=str(error))
            await asyncio.sleep(BACKOFF_SECONDS)
            self._busy[brand] = True
        finally:
            if self._busy.pop(brand):
                self._woken.set()

    async def _in_thread(self, do: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, do)

    def look(self, busy: Collection[str] = ()) -> tuple[float, dict[str, Rested]]:
        """Go through the folders of all but the busy brands once (blocks).

        Gives the seconds until the next look, and the files that rested, by brand.
        """
        known = [brand for brand in brands.all_brands(self.store) if brand.name not in busy]
        self._make_folders(known)
        there = dict(self._all(known))
        wait, rested = self._resting(there)
        self.taker.forget(lambda found: found not in there and found.brand not in busy)
        for gone in [found for found in list(self._seen) if found not in there and found.brand not in busy]:
            self._seen.pop(gone, None)
        markers = {brand.name: brand.settings.marker for brand in known}
        files: dict[str, list[Found]] = {}
        for found in rested:
            files.setdefault(found.brand, []).append(found)
        return wait, {
            brand: Rested(
                sum(there[found].bytes for found in some),
                partial(self._take, some, there, markers[brand]),
            )
            for brand, some in files.items()
        }

    def _take(self, rested: Iterable[Found], there: Mapping[Found, Look], marker: str) -> None:
        """Take files of one brand, in this order; what comes behind one that there is no room for waits, too."""
        crowded = False
        for found in rested:
            if self.taker.stopping.is_set():
                return
            look, about = there[found], upload_name.subject(found.path, marker)
            if about is not None:  # who has its file beside it is read with that
                done = found.beside(about[0]) not in there and self.taker.hear(found, look, about)
            elif crowded:
                continue
            else:
                with self._room(found, look) as fits:
                    done, crowded = fits and self.taker.take(found, look, self.max_file_bytes), not fits
                if crowded:
                    self.taker.tell_stuck(
                        found, "the gateway has no room on its disk now; it waits, and so do later files of its brand"
                    )
            if done:
                self._seen.pop(found, None)

    @contextlib.contextmanager
    def _room(self, found: Found, look: Look) -> Iterator[bool]:
        """Promise room for a copy while it is made, if there is some beside what others were promised and did not use yet."""
        size = look.bytes if look.bytes <= self.max_file_bytes else 0  # what is too large is not copied
        with self._promising:
            others = sum(most - self.taker.copied_bytes(other) for other, most in self._promised.items())
            free = shutil.disk_usage(self.files.staging).free - others
            fits = look.bytes > size or free - size >= self.disk_floor_bytes
            if fits:
                self._promised[found] = size
        try:
            yield fits
        finally:
            with self._promising:
                self._promised.pop(found, None)

    # --- looking

    def _make_folders(self, known: Iterable[Brand]) -> None:
        """Make the folders of every brand there is; what lies in others is nobody's."""
        self.folder.mkdir(mode=0o770, parents=True, exist_ok=True)
        for brand in known:
            for top in upload_name.TOPS:
                # What is closed to us is told when it is looked into, and keeps no other brand.
                with contextlib.suppress(FileExistsError, NotADirectoryError, PermissionError):
                    (self.folder / brand.name / top).mkdir(mode=0o770, parents=True, exist_ok=True)

    def _resting(self, there: dict[Found, Look]) -> tuple[float, list[Found]]:
        """Give the seconds until a file may have rested, and those that did: as they came, in whichever folders."""
        now, wait, rested = time.monotonic(), self.rules.rescan_seconds, []
        for found, look in there.items():
            if not folder.is_text(found.name):
                self.taker.tell_stuck(found, "its name has characters that cannot be shown, or is not UTF-8; rename it")
                continue
            if self.taker.left.get(found) == look:
                continue
            before, since = self._seen.get(found, (look, now))
            since = since if look.has_bytes_of(before) else now
            self._seen[found] = (look, since)
            rest = since + self.rules.quiet_seconds - now
            if rest > 0:
                wait = min(wait, rest)
            else:
                rested.append(found)
        # By mtime: a copy with its times comes in the order of its data, and chown -R turns that of ctime over.
        return wait, sorted(rested, key=lambda found: (there[found].modified_ns, found.name, found.top))

    def _all(self, known: Iterable[Brand]) -> Iterator[tuple[Found, Look]]:
        for brand in known:
            for top in upload_name.TOPS:
                where = Found(brand.name, top, "")
                try:
                    with folder.opened(self.folder, brand.name, top) as directory:
                        yield from self._inside(directory, brand.name, top)
                    self._closed.pop(where, None)
                except OSError as error:  # of this one alone: those of others are looked into
                    self._tell_closed(where, error)

    def _tell_closed(self, where: Found, error: OSError) -> None:
        """Say once that a directory cannot be looked into; one that is not there has nothing in it."""
        links = error.errno in {errno.ENOTDIR, errno.ELOOP}
        reason = "no directory (links are not followed): nothing in it is taken" if links else str(error)
        if error.errno != errno.ENOENT and self._closed.get(where) != reason:
            self._closed[where] = reason
            log.warning("drop.stuck", brand=where.brand, path=where.path, reason=reason)

    def _inside(self, directory: int, brand: str, top: str) -> Iterator[tuple[Found, Look]]:
        for name in os.listdir(directory):
            if f"{top}/{name}" in self._temporary:
                continue
            with contextlib.suppress(FileNotFoundError):
                found = os.stat(name, dir_fd=directory, follow_symlinks=False)
                if stat.S_ISREG(found.st_mode):
                    yield Found(brand, top, name), Look.of(found)


class _Waker(FileSystemEventHandler):
    """Tells the loop that something happened in the folder."""

    def __init__(self, loop: asyncio.AbstractEventLoop, woken: asyncio.Event) -> None:
        self._loop, self._woken = loop, woken

    def on_any_event(self, event: FileSystemEvent) -> None:  # noqa: ARG002 - the signature of watchdog
        """Wake; what happened is found out by looking."""
        with contextlib.suppress(RuntimeError):  # the loop is gone already
            self._loop.call_soon_threadsafe(self._woken.set)
