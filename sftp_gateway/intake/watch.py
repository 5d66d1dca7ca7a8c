"""Drop folders: `<drop>/<brand>/{inbox,partial,test}/`, for files that come by other means than SFTP.

A folder of the host is a dangerous place: whoever writes there may swap a file for a link, or go on
writing. So nothing is followed (every step by descriptor, O_NOFOLLOW), only regular files directly
in these directories count, a file is taken when size and time stood still, and what was copied is
compared with what is there before the original goes. The store's row comes before the removal: a
crash between leaves a file that is recognised and only removed.
"""

import asyncio
import contextlib
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from sftp_gateway import errors, logs, settings, upload_name
from sftp_gateway.blobs import Area, Files
from sftp_gateway.intake import answer, folder
from sftp_gateway.intake.folder import Found, Look
from sftp_gateway.intake.history import end_refused
from sftp_gateway.intake.sources import mismatch
from sftp_gateway.store import brands, uploads
from sftp_gateway.store.database import Store
from sftp_gateway.upload import State

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
    taken: int = 0
    _seen: dict[Found, tuple[Look, float]] = field(init=False, default_factory=dict)
    _done: dict[Found, Look] = field(init=False, default_factory=dict)
    _stuck: set[Found] = field(init=False, default_factory=set)
    _observer: BaseObserver | None = field(init=False, default=None)
    _woken: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _temporary: upload_name.Temporary = field(init=False)
    _pool: ThreadPoolExecutor = field(init=False)

    async def __aenter__(self) -> Self:
        """Make the folders and begin to watch; without inotify only the rescan is left, which is enough."""
        rules = self.rules
        self._temporary = upload_name.Temporary(
            rules.temporary_prefixes, rules.temporary_suffixes, rules.temporary_patterns
        )
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="drop")
        await asyncio.to_thread(self._make_folders)
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

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Stop watching; wait for the file that is being taken."""
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

    def snapshot(self) -> dict[str, Any]:
        """Tell what waits to come to rest."""
        return {"folder": str(self.folder), "watched": self._observer is not None, "taken": self.taken,
                "resting": len(self._seen)}  # fmt: skip

    def look(self) -> float:
        """Go through the folders once, take what rested; give the seconds until the next look (blocks)."""
        self._make_folders()
        now = time.monotonic()
        there: set[Found] = set()
        wait = self.rules.rescan_seconds
        for found, look in self._all():
            there.add(found)
            if not folder.is_text(found.name):
                self._tell_stuck(found, "its name has characters that cannot be shown, or is not UTF-8; rename it")
                continue
            if self._done.get(found) == look:
                continue
            before, since = self._seen.get(found, (None, now))
            if before != look:
                self._seen[found] = (look, now)
                since = now
            rest = since + self.rules.quiet_seconds - now
            if rest > 0:
                wait = min(wait, rest)
            elif upload_name.subject(found.path) is None and self._take(found, look):
                self._seen.pop(found, None)
        for gone in self._seen.keys() - there:
            del self._seen[gone]
        for gone in self._done.keys() - there:
            del self._done[gone]
        self._stuck &= there
        return wait

    # --- looking

    def _make_folders(self) -> None:
        """Make the folders of every brand there is; what lies in others is nobody's."""
        self.folder.mkdir(mode=0o770, parents=True, exist_ok=True)
        for brand in brands.all_brands(self.store):
            for top in upload_name.TOPS:
                with contextlib.suppress(FileExistsError, NotADirectoryError):
                    (self.folder / brand.name / top).mkdir(mode=0o770, parents=True, exist_ok=True)

    def _all(self) -> Iterator[tuple[Found, Look]]:
        for brand in brands.all_brands(self.store):
            for top in upload_name.TOPS:
                with folder.directory(self.folder, brand.name, top) as directory:
                    if directory is not None:
                        yield from self._inside(directory, brand.name, top)

    def _inside(self, directory: int, brand: str, top: str) -> Iterator[tuple[Found, Look]]:
        for name in sorted(os.listdir(directory)):
            if f"{top}/{name}" in self._temporary:
                continue
            with contextlib.suppress(FileNotFoundError):
                found = os.stat(name, dir_fd=directory, follow_symlinks=False)
                if stat.S_ISREG(found.st_mode):
                    yield Found(brand, top, name), Look.of(found)

    # --- taking

    def _take(self, found: Found, look: Look) -> bool:
        """Take one file; False if it moved while it was taken."""
        scratch = self.files.scratch("drop-")
        copy = scratch / secrets.token_hex(8)
        try:
            with folder.directory(self.folder, found.brand, found.top) as directory:
                if directory is None:
                    return True
                if look.bytes > self.max_file_bytes:
                    self._refuse_large(found, look)
                    self._done[found] = look
                    return True
                sha256 = self._copied(directory, found, look, copy)
                if sha256 is None:
                    return False
                reason, companions = self._compared(directory, found, copy, sha256)
                self._receive(found, look, copy, sha256, reason)
                self._remove(directory, found, look)
                for name in companions:
                    with contextlib.suppress(OSError):
                        os.unlink(name, dir_fd=directory)
        finally:
            copy.unlink(missing_ok=True)
            scratch.rmdir()
        self.taken += 1
        return True

    def _copied(self, directory: int, found: Found, look: Look, copy: Path) -> str | None:
        """Copy a file and hash it; None if it moved, or may not be read: its owner may give the right any time."""
        try:
            sha256 = folder.copied(directory, found.name, look, copy)
        except PermissionError as error:
            self._tell_stuck(found, str(error))
            return None
        self._stuck.discard(found)
        return sha256

    def _tell_stuck(self, found: Found, reason: str) -> None:
        """Say once that a file cannot be taken; its name may be anything."""
        if found not in self._stuck:
            log.warning("drop.stuck", brand=found.brand, path=folder.shown(found.path), reason=reason)
        self._stuck.add(found)

    def _receive(self, found: Found, look: Look, copy: Path, sha256: str, reason: dict[str, Any] | None) -> None:
        values = self._values(found, look, sha256)
        if self._was_received(found, sha256, values["client"]):
            return
        self.files.keep(Area.SOURCES, sha256, copy)
        if reason is None:
            uploads.receive(self.store, **values)
        else:
            self._refuse(values, reason)
        log.info("drop.taken", brand=found.brand, path=found.path, bytes=look.bytes, sha256=sha256)
        self.wake_worker()

    def _values(self, found: Found, look: Look, sha256: str) -> dict[str, Any]:
        own = brands.get(self.store, found.brand).settings
        return {
            "brand": found.brand, "mode": upload_name.mode(found.path, own.mode), "path": found.path,
            "sha256": sha256, "bytes": look.bytes, "via": "drop", "complete": True,
            "received_at": datetime.now(UTC), "client": {"inode": look.inode, "modified_ns": look.modified_ns},
        }  # fmt: skip

    def _refuse_large(self, found: Found, look: Look) -> None:
        """Refuse a file that is over the limit, once; it stays where it is, for whoever put it there."""
        values = self._values(found, look, "")
        if self._was_received(found, "", values["client"]):
            return
        log.warning("drop.too_large", brand=found.brand, path=found.path, bytes=look.bytes)
        text = f"The file has {look.bytes:,} bytes; at most {self.max_file_bytes:,} are taken in one file"
        self._refuse(
            values, {"code": "FILE_TOO_LARGE", "text": text, "suggestion": "Split it, or ask for a higher limit"}
        )

    def _refuse(self, values: dict[str, Any], reason: dict[str, Any]) -> None:
        with self.store.write() as tx:
            upload = uploads.insert(tx, **values, state=State.UNFINISHED)
        found = uploads.get(self.store, upload)
        made = answer.make(self.files, found, reason)
        with self.store.write() as tx:
            end_refused(tx, found, made, found.sha256)

    def _was_received(self, found: Found, sha256: str, facts: dict[str, Any]) -> bool:
        """Whether this very file was received before a crash, and only its removal is left to do."""
        return any(item.client == facts for item in uploads.same(self.store, found.brand, "drop", found.path, sha256))

    def _remove(self, directory: int, found: Found, look: Look) -> None:
        """Remove the original, unless it is another one by now."""
        try:
            if Look.of(os.stat(found.name, dir_fd=directory, follow_symlinks=False)) == look:
                os.unlink(found.name, dir_fd=directory)
        except FileNotFoundError:
            pass
        except OSError as error:
            log.warning("drop.stuck", brand=found.brand, path=found.path, reason=str(error))
            self._done[found] = look

    def _compared(
        self, directory: int, found: Found, copy: Path, sha256: str
    ) -> tuple[dict[str, Any] | None, list[str]]:
        """Compare with the checksums that lie beside the file; gives a contradiction, and their names."""
        names = []
        for path, kind in upload_name.companions(found.path).items():
            name = upload_name.base(path)
            text = folder.read(directory, name)
            if text is None:
                continue
            names.append(name)
            told = upload_name.checksum(text, kind, found.name)
            with copy.open("rb") as source:
                real = sha256 if kind == "sha256" else hashlib.file_digest(source, kind).hexdigest()
            if told != real:
                return mismatch(kind, name, told, real), names
        return None, names


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
