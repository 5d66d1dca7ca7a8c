"""Drop folders: `<drop>/<brand>/{inbox,partial,test}/`, for files that come by other means than SFTP.

A folder of the host is a dangerous place: whoever writes there may swap a file for a link, or go on
writing. So nothing is followed (every step by descriptor, O_NOFOLLOW), only regular files directly
in these directories count, and a file is taken (dropped.py) when size and time stood still.
"""

import asyncio
import contextlib
import errno
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from watchdog.events import FileSystemEvent, FileSystemEventHandler
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

BACKOFF_SECONDS = 5.0


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
    _observer: BaseObserver | None = field(init=False, default=None)
    _woken: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _temporary: upload_name.Temporary = field(init=False)
    _pool: ThreadPoolExecutor = field(init=False)

    async def __aenter__(self) -> Self:
        """Make the folders and begin to watch; without inotify only the rescan is left, which is enough. ConfigError."""
        rules = self.rules
        self._temporary = upload_name.Temporary(
            rules.temporary_prefixes, rules.temporary_suffixes, rules.temporary_patterns
        )
        self.taker = Taker(self.store, self.files, self.folder, self.wake_worker)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="drop")
        await asyncio.to_thread(config.check_drop, self.folder)
        await asyncio.to_thread(lambda: self._make_folders(brands.all_brands(self.store)))
        loop = asyncio.get_running_loop()
        observer = Observer()
        observer.schedule(_Waker(loop, self._woken), str(self.folder), recursive=True)
        try:
            await asyncio.to_thread(observer.start)
        except OSError as error:
            log.warning("drop.unwatched", folder=str(self.folder), reason=str(error), rescan=rules.rescan_seconds)
        else:
            self._observer = observer
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop watching; wait for the file that is being taken, if it is copied already."""
        self.taker.stopping.set()
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
        if self._observer is not None:
            self._observer.stop()
            await asyncio.to_thread(self._observer.join)

    async def run(self) -> None:
        """Look when something happens, when a file may have rested, and every `rescan_seconds`."""
        while True:
            self._woken.clear()
            try:
                wait = await asyncio.get_running_loop().run_in_executor(self._pool, self.look)
            except (errors.Unavailable, errors.NotFound, OSError) as error:  # a brand may be erased at this moment
                log.warning("drop.postponed", reason=str(error))
                wait = BACKOFF_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._woken.wait()
            # Many events come together; a file rests for seconds, so nothing is lost by this.
            await asyncio.sleep(min(0.05, self.rules.quiet_seconds / 4))

    def look(self) -> float:
        """Go through the folders once, take what rested; give the seconds until the next look (blocks)."""
        known = brands.all_brands(self.store)
        self._make_folders(known)
        there = dict(self._all(known))
        wait, rested = self._resting(there)
        markers = {brand.name: brand.settings.marker for brand in known}
        crowded: set[str] = set()
        for found in rested:
            if self.taker.stopping.is_set():
                break
            about = upload_name.subject(found.path, markers[found.brand])
            if about is None:
                if not self._has_room(found, there[found], crowded):
                    continue
                done = self.taker.take(found, there[found], self.max_file_bytes)
            else:  # who has its file beside it is read with that
                done = found.beside(about[0]) not in there and self.taker.hear(found, there[found], about)
            if done:
                self._seen.pop(found, None)
        for gone in self._seen.keys() - there:
            del self._seen[gone]
        self.taker.forget_all_but(set(there))
        return wait

    def _has_room(self, found: Found, look: Look, crowded: set[str]) -> bool:
        """Whether there is room for a copy; else it waits, and with it what came later for its brand (`crowded`)."""
        if found.brand in crowded:
            return False
        fits = shutil.disk_usage(self.files.staging).free - look.bytes >= self.disk_floor_bytes
        if not fits and look.bytes <= self.max_file_bytes:
            crowded.add(found.brand)
            self.taker.tell_stuck(
                found, "the gateway has no room on its disk now; it waits, and so do later files of its brand"
            )
            return False
        return True

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

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Wake; what happened is found out by looking."""
        if event.event_type in {"opened", "closed_no_write"}:
            return  # our own looking
        with contextlib.suppress(RuntimeError):  # the loop is gone already
            self._loop.call_soon_threadsafe(self._woken.set)
