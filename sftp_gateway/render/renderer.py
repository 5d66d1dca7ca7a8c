"""Keeps the files a brand reads in its home true: painted after every transition that changes them (spec §2).

Within 2 s, receipts last; only `current.csv` of a large catalog takes its time, beside the rest.
Nothing is remembered here: a crash leaves the home dirty in the store, and it is painted again. A large
catalog's CSV may be missing from a clean home; who looks for that now and then makes it.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from sftp_gateway import logs
from sftp_gateway.errors import DiskFull, Unavailable
from sftp_gateway.render.home import Painter
from sftp_gateway.store import homes

log = logs.get(__name__)

POLL_SECONDS = 0.25
RETRY_SECONDS = 5.0
HOMES_A_TURN = 20
"""So many are painted before it is asked again whose turn it is: of thousands each takes some hundredths of a second."""
LOOK_SECONDS = 60.0
"""Between looks for a `current.csv` that nobody makes."""


class Renderer:
    """The part that paints dirty homes, one after another, and large catalogs' CSV beside them."""

    def __init__(self, painter: Painter) -> None:
        self._painter = painter
        self._wake, self._anew = asyncio.Event(), asyncio.Event()
        self._anew.set()
        self._not_before: dict[str, float] = {}
        self._large: asyncio.Queue[str] = asyncio.Queue()
        self._queued: set[str] = set()
        self._behind: set[str] | None = None

    async def run(self) -> None:
        """Paint what is dirty, for ever; first what a changed setting or a new software says otherwise."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._exports(), name="large catalogs")
            group.create_task(self._paints(), name="homes")
            group.create_task(self._instructions(), name="instructions")
            group.create_task(self._looks(), name="forgotten catalogs")

    def refresh(self) -> None:
        """Look soon for homes whose instructions are not true any more, as rules or addresses changed; on the event loop."""
        self._anew.set()

    def wake(self) -> None:
        """Look for dirty homes now; call on the event loop."""
        self._wake.set()

    async def _instructions(self) -> None:
        while True:
            await self._anew.wait()
            self._anew.clear()
            if not await self._patiently(self._look_over):
                self._anew.set()

    async def _look_over(self) -> bool:
        """Have the homes painted whose instructions are not true any more."""
        self._painter.past.forget()  # whether, and whom, to tell of an upload may be new, too
        for brand in await asyncio.to_thread(self._painter.stale):
            await asyncio.to_thread(self._painter.mark, brand)
        self._wake.set()
        return True

    async def _paints(self) -> None:
        while True:
            if not await self._patiently(self._round):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._wake.wait()
                self._wake.clear()

    async def _round(self) -> bool:
        dirty = await asyncio.to_thread(homes.dirty, self._painter.store)
        due = [(brand, seq) for brand, seq in dirty if self._not_before.get(brand, 0) <= time.monotonic()]
        # Who could not be painted comes last: it may take as long as a lock is waited for.
        due.sort(key=lambda each: each[0] in self._not_before)
        for brand, seq in due[:HOMES_A_TURN]:
            await self._paint(brand, seq)
        return bool(due)

    async def _paint(self, brand: str, seq: int) -> None:
        began = time.monotonic()
        try:
            large = await asyncio.to_thread(self._painter.paint, brand, seq)
        except DiskFull:
            raise  # there is no room for any of them
        except Unavailable as error:
            await asyncio.to_thread(self._painter.store.ping)  # it is away for all of them, or this brand is held
            self._not_before[brand] = time.monotonic() + RETRY_SECONDS + time.monotonic() - began
            log.warning("home.render_deferred", brand=brand, error=str(error))
            return
        except Exception as error:
            # One home that cannot be painted must not keep the others from it.
            self._not_before[brand] = time.monotonic() + RETRY_SECONDS
            log.exception("home.render_failed", brand=brand, error=str(error))
            return
        self._not_before.pop(brand, None)
        if large:
            self._ask(brand)

    async def _looks(self) -> None:
        while True:
            await self._patiently(self._look)
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> bool:
        """Ask for what a process that ended left unmade; what another host makes just now has until the next look."""
        behind = set(await asyncio.to_thread(self._painter.behind))
        for brand in sorted(behind if self._behind is None else behind & self._behind):
            self._ask(brand)
        self._behind = behind
        return True

    def _ask(self, brand: str) -> None:
        if brand not in self._queued:
            self._queued.add(brand)
            self._large.put_nowait(brand)

    async def _exports(self) -> None:
        while True:
            brand = await self._large.get()
            # Off the list before the work: what is published meanwhile is asked for again.
            self._queued.discard(brand)
            try:
                await asyncio.to_thread(self._painter.paint_current, brand)
            except Exception as error:
                log.exception("catalog.export_failed", brand=brand, error=str(error))
                asyncio.get_running_loop().call_later(RETRY_SECONDS, self._ask, brand)

    async def _patiently(self, what: Callable[[], Awaitable[bool]]) -> bool:
        """Do it; a store or a disk that is away is waited for."""
        try:
            return await what()
        except Unavailable as error:
            log.warning("home.render_deferred", error=str(error))
            await asyncio.sleep(RETRY_SECONDS / 5)
            return False
