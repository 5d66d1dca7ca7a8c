"""What all homes of this process share: keeps the views, says what the disk allows.

The daemon makes it, a `home.Home` of it for each session, and hands `learn` to the intake.
"""

import asyncio
import contextlib
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any, BinaryIO, TypeVar
from weakref import WeakValueDictionary

from sftp_gateway import errors, logs, settings, upload_name
from sftp_gateway.blobs import Area, Files
from sftp_gateway.sftp import replay
from sftp_gateway.sftp.allowance import Allowance
from sftp_gateway.sftp.journal import Journal
from sftp_gateway.sftp.ledger import Ledger
from sftp_gateway.sftp.unwritten import Unwritten
from sftp_gateway.sftp.view import View
from sftp_gateway.store import brands, drafts
from sftp_gateway.store.database import Store, Transaction
from sftp_gateway.store.drafts import Entry, Place
from sftp_gateway.store.staging import Staging

log = logs.get(__name__)
T = TypeVar("T")

RELOADS = 3
TELLING_SECONDS = 0.03
"""The intake commits in a thread; so long it may take until this one hears of it."""
BURST_FILES, BURST_SECONDS = 20, 0.5
GOODBYE_SECONDS = 10.0
"""A store that does not answer for so long keeps nobody: the journal has what is owed to it."""
FREE_SECONDS = 0.1
"""So long the room on the disk counts as it was looked at, unless it is too little: to look takes as long as to make a draft."""
OPENINGS = 8
"""Blobs that are opened at a time: a large one of S3 takes as long as it takes, and the threads that write and sync do
not wait for it."""
FORGET_SECONDS = 15.0
"""So often it is looked whether the journal holds anything of a brand that was erased."""


class Homes:
    """What the sessions of this process share. Used on one event loop only."""

    def __init__(  # noqa: PLR0913 - the values it needs, none of them a whole Settings
        self,
        store: Store,
        files: Files,
        *,
        intake: settings.Intake,
        limits: settings.Limits,
        retention: settings.Retention,
        wake: Callable[[], None],
    ) -> None:
        self.store, self.files = store, files
        self.intake, self.retention = intake, retention
        self.wake = wake
        self.staging = Staging(files.staging)
        self._owner = self.staging.join()
        self.owner = self._owner.token
        self.unwritten = Unwritten(self.staging)
        self.ledger = Ledger(store, self.unwritten.put_down, lambda: self.busy and self.unwritten.has_room)
        self.journal = Journal(self.staging, self.owner, self._stored)
        self.temporary = upload_name.Temporary(
            intake.temporary_prefixes, intake.temporary_suffixes, intake.temporary_patterns
        )
        self._closed: deque[float] = deque(maxlen=BURST_FILES)
        self._limits = limits
        self._free_bytes, self._looked_at = 0, float("-inf")
        self._views: dict[str, View] = {}
        self._opening = ThreadPoolExecutor(OPENINGS, thread_name_prefix="open")
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def limit(self, limits: settings.Limits) -> None:
        """Take over changed limits, for the homes that are open, too."""
        self._limits = limits
        for view in self._views.values():
            view.allowance.limits = limits

    def now(self) -> datetime:
        """Tell the moment that rows are stamped with."""
        return self.store.now()

    def due(self, since: datetime) -> datetime:
        """Tell when a draft that rests `since` then has settled."""
        return since + timedelta(seconds=self.intake.settle_seconds)

    def new_entry(self, view: View, sent: str, path: str | None, place: Place, **more: Any) -> Entry:
        """Make a row, of now and without bytes."""
        now = self.now()
        return Entry(
            id=self.staging.new_id(), brand=view.brand, path=path, sent=sent, place=place, bytes=0,
            modified_at=now, opened_at=now, changed_at=now, **more,
        )  # fmt: skip

    def enter(self, brand: str) -> View:
        """Begin a session: give the brand's view, the same one to all of its sessions."""
        view = self._views.get(brand)
        if view is None:
            view = self._views[brand] = View(brand, Allowance(self._limits), self.now)
        view.sessions += 1
        return view

    def leave(self, view: View) -> None:
        """End a session; the last one takes the view out of memory."""
        view.sessions -= 1
        if view.sessions == 0 and not view.live:
            self._views.pop(view.brand, None)

    def learn(self, brand: str, changed: Iterable[Entry], gone: Iterable[str]) -> None:
        """Hear from the intake what one commit of its did to a brand's entries."""
        if (view := self._views.get(brand)) is not None:
            view.learn(changed, gone)
            view.counted()

    async def refresh(self, view: View, *, force: bool = False) -> None:
        """Bring the picture up to date if another process may have changed what it shows."""
        if force:
            await self._load(view)
        elif view.is_stale():
            # Hundreds of sessions of a brand want it in the same second; reading thousands of rows for each
            # would take minutes and hundreds of megabytes. What is under way is fresh enough for all of them.
            if view.looking is None or view.looking.done():
                view.looking = asyncio.create_task(self._look(view), name=f"look {view.brand}")
            await asyncio.shield(view.looking)

    async def _look(self, view: View) -> None:
        if view.loaded:
            heard = view.heard
            # Not by the ledger: rows that gather there during a burst would be written for every look.
            seq = await asyncio.to_thread(self._changes, view.brand)
            if view.agrees(seq, heard):
                return
            await asyncio.sleep(TELLING_SECONDS)
            if view.agrees(seq, heard):
                return
        await self._load(view)

    def _changes(self, brand: str) -> int:
        with self.store.read() as conn:
            return drafts.changes(conn, brand)

    async def _load(self, view: View) -> None:
        for _ in range(RELOADS):
            before = view.version
            seq, entries = await self.ledger.post(lambda tx: drafts.picture(tx, view.brand))
            # Whatever changed here meanwhile is newer than what was read.
            if view.version == before or not view.loaded:
                view.fill(seq, entries)
                return

    def commit(self, view: View, do: Callable[[Transaction], T]) -> "asyncio.Future[T]":
        """Post an operation on the brand's rows, counted as one change."""

        def counted(tx: Transaction) -> T:
            result = do(tx)
            tx.touch(view.brand)
            return result

        future = self.ledger.post(counted)
        future.add_done_callback(lambda done: None if done.cancelled() or done.exception() else view.counted())
        return future

    def save(self, view: View, entry: Entry) -> "asyncio.Future[None]":
        """Post the writing of a row."""
        return self.commit(view, lambda tx: drafts.save(tx, entry))

    @property
    def busy(self) -> bool:
        """Whether small files come so fast that whatever else takes the interpreter makes clients wait."""
        closed = self._closed
        return len(closed) == BURST_FILES and time.monotonic() - closed[0] < BURST_SECONDS

    def owe(self, number: int | None, entry: Entry) -> None:
        """Have a row written soon that is in the journal as record `number`, or in none."""
        self._closed.append(time.monotonic())
        future = self.ledger.owe(self.journal.name, number, entry)
        if future is not None:
            future.add_done_callback(self._counted)

    async def _stored(self) -> bool:
        """Wait until all that was owed so far is in the store; False: it does not answer."""
        try:
            await self.ledger.post(lambda _tx: None)
        except errors.GatewayError:
            return False
        return True

    def _counted(self, done: "asyncio.Future[list[str]]") -> None:
        if not (done.cancelled() or done.exception()):
            for brand in done.result():
                if (view := self._views.get(brand)) is not None:
                    view.counted()
            self.wake()  # the look that was asked for at the CLOSE may have been too early for the row

    def check_disk(self, more: int = 0) -> None:
        """Raise Refused if the disk has no room for a new file; running ones are never asked."""
        if self._free_bytes - more < self._limits.disk_floor_bytes or time.monotonic() > self._looked_at + FREE_SECONDS:
            self._free_bytes, self._looked_at = shutil.disk_usage(self.staging.folder).free, time.monotonic()
        if self._free_bytes - more < self._limits.disk_floor_bytes:
            raise errors.Refused("disk_full", "The gateway has no room on its disk now; please try again later")

    async def open_blob(self, area: Area, name: str, size: int) -> BinaryIO:
        """Open a blob, here or where it has to be fetched; NotFound, Refused if the disk has no room for it."""
        if not self.files.is_local:
            self.check_disk(size)
        # One at a time of each: many who want one large blob leave the other threads to those who want another.
        async with self._turns.setdefault(name, asyncio.Lock()):
            return await asyncio.get_running_loop().run_in_executor(self._opening, self.files.open, area, name)

    def replay(self) -> int:
        """Bring in what a process of this host that died had acknowledged; blocks, for a thread."""
        return replay.replay(self.store, self.staging)

    async def run(self) -> None:
        """Have what the journal holds of brands that were erased overwritten, and tell of drafts that are stuck; for ever."""
        while True:
            await asyncio.sleep(FORGET_SECONDS)
            self._tell_of_stuck()
            with contextlib.suppress(errors.Unavailable):
                self._disown(await asyncio.to_thread(drafts.opened_by, self.store, self.owner))
                known = await asyncio.to_thread(brands.all_brands, self.store)
                self.journal.forget({brand.name: brand.created_at for brand in known})

    def _disown(self, rows: Iterable[Entry]) -> None:
        """Let go of what only the store has for open here, as the answer to a commit was lost: the intake frees it."""
        for row in rows:
            view = self._views.get(row.brand)
            in_use = view is not None and (row.id in view.live or view.lock.locked())
            if not in_use:
                move = partial(drafts.move, id_=row.id, expected=[Place.OPEN], seen=row.changed_at, owner="")
                self.ledger.post(move)

    def _tell_of_stuck(self) -> None:
        """Say of each draft once, until it moves again, that nothing was written to it for so long.

        A connection on which nothing moves at all is ended (listener.py); one that goes on with other things is not, and as
        long as it has a file open that is not finished (spec §2). Its client forgot it, and nobody else knows.
        """
        now = time.time()
        for draft in [draft for view in self._views.values() for draft in view.live.values()]:
            moved_at = max(draft.wrote_at, draft.entry.opened_at.timestamp())
            if now - moved_at < self.intake.incomplete_after or draft.told_of == moved_at:
                continue
            draft.told_of = moved_at
            log.warning(
                "transfer.stuck",
                brand=draft.entry.brand,
                path=draft.entry.sent,
                draft=draft.entry.id,
                **(draft.entry.client or {}),
                bytes=draft.size,
                handles=len(draft.handles),
                seconds=round(now - moved_at),
            )

    async def aclose(self) -> None:
        """Wait until everything is written; the sessions are gone by then."""
        await self.ledger.flush(GOODBYE_SECONDS)
        await self.journal.aclose()
        self._opening.shutdown(wait=False, cancel_futures=True)
        self._owner.close()
