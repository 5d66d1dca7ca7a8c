"""From a finished draft to an upload that is ours: hashed, its bytes among the sources, one transaction.

The store says what is due (`entry.due_at`); a wake-up only makes it quicker. Brands are worked on
side by side, the files of one brand in the order of their last CLOSE. A crash anywhere leaves a row
that says how far it came, and `recover` goes on from there.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self, TypeVar

from sftp_gateway import errors, logs, settings
from sftp_gateway.blobs import Files
from sftp_gateway.intake import judge, recover, sweep
from sftp_gateway.intake.desk import Desk, Told
from sftp_gateway.store import drafts
from sftp_gateway.store.database import Store
from sftp_gateway.store.drafts import Entry

log = logs.get(__name__)
T = TypeVar("T")

TOGETHER_SECONDS = 0.02
LOOK_SECONDS = 0.25
"""How often the store is asked without a wake-up, for what another process made due."""
SWEEP_SECONDS = 30.0
BACKOFF_SECONDS = 1.0
SIDE_BY_SIDE = 4
PAUSE_SECONDS = 0.1
PATIENCE_SECONDS = 5.0
"""A burst of files that lasts longer is no burst: claims go on beside it, a batch at a time, with a rest after each."""
RESTS = 3.0
"""How long, as a multiple of what the batch took: the answers that senders wait for come first, a batch takes some 0.1 s."""


@dataclass
class Intake:
    """Settles and claims the drafts of this host while it runs.

    `told(brand, changed, gone)` hears on the event loop what each commit did to a brand's entries
    (the homes' `learn`); `wake_worker` that there may be a job.
    """

    store: Store
    files: Files
    rules: settings.Intake
    told: Callable[[str, Iterable[Entry], Iterable[str]], None]
    wake_worker: Callable[[], None]
    busy: Callable[[], bool] = bool
    """Whether the front door takes small files in at full speed: they are claimed a little later then."""
    replay: Callable[[], object] = int
    """Brings in what doors that died had acknowledged (the homes' `replay`)."""
    _desk: Desk = field(init=False)
    _pool: ThreadPoolExecutor = field(init=False)
    _busy: dict[str, asyncio.Task[None]] = field(init=False, default_factory=dict)
    _not_before: dict[str, float] = field(init=False, default_factory=dict)
    _woken: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _looks: deque[float] = field(init=False, default_factory=deque)
    _gave_way_at: float = field(init=False, default=float("-inf"))
    _rests_until: float = field(init=False, default=float("-inf"))
    _swept_at: float = field(init=False, default=float("-inf"))

    async def __aenter__(self) -> Self:
        """Take up what a process that died left behind."""
        self._desk = Desk(self.store, self.files, self.rules)
        self._pool = ThreadPoolExecutor(SIDE_BY_SIDE + 2, thread_name_prefix="intake")
        with _postponed():
            await self._in_thread(recover.recover, self._desk, self.replay)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Wait for the threads to finish the files they have in hand; the rest is the next process's."""
        self._desk.stopping.set()
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
        self._desk.close()

    def wake(self) -> None:
        """Look when what was closed, renamed or refused just now has rested; on the event loop only."""
        ripe = time.monotonic() + self.rules.settle_seconds
        # Many files are closed one after the other: they share a look.
        moment = (ripe // TOGETHER_SECONDS + 1) * TOGETHER_SECONDS
        if not self._looks or self._looks[-1] < moment:
            self._looks.append(moment)
            if len(self._looks) == 1:  # else it looks earlier than that anyway
                self._woken.set()

    async def run(self) -> None:
        """Work until cancelled; ends only with an error that is our fault."""
        async with asyncio.TaskGroup() as group:
            while True:
                now = time.monotonic()
                while self._looks and self._looks[0] <= now:
                    self._looks.popleft()
                self._woken.clear()
                seconds = await self._round(group)
                if self._looks:
                    seconds = min(seconds, self._looks[0] - time.monotonic())
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, seconds)):
                        await self._woken.wait()

    async def _in_thread(self, do: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, do, *arguments)

    async def _round(self, group: asyncio.TaskGroup) -> float:
        """Start what is due; give the seconds until something else is."""
        if self._gives_way():
            return PAUSE_SECONDS
        now, moment = self.store.now(), time.monotonic()
        resting = [brand for brand, until in self._not_before.items() if until > moment]
        try:
            due = partial(drafts.due, self.store, self._desk.area, now, besides=[*self._busy, *resting])
            found, later = await self._in_thread(due)
        except errors.Unavailable as error:
            log.warning("intake.postponed", reason=str(error))
            return BACKOFF_SECONDS
        for brand, rows in _by_brand(found).items():
            if brand not in self._busy:
                self._busy[brand] = group.create_task(self._brand(brand, rows), name=f"claim {brand}")
        every = min(SWEEP_SECONDS, max(0.05, self.rules.incomplete_after / 20))
        if time.monotonic() - self._swept_at > every and "" not in self._busy:
            self._swept_at = time.monotonic()
            self._busy[""] = group.create_task(self._sweep(), name="sweep")
        return min(LOOK_SECONDS, _until(later, self.store.now()))

    def _gives_way(self) -> bool:
        """Whether to let a burst pass: claims compete with the loop for the interpreter, and the worker is slower."""
        now = time.monotonic()
        if not self.busy():
            self._gave_way_at = now
            return False
        return now < max(self._gave_way_at + PATIENCE_SECONDS, self._rests_until)

    def _work(self, loop: asyncio.AbstractEventLoop, brand: str, rows: list[Entry]) -> None:
        """Work through rows that are due, unless a burst begins meanwhile (blocks)."""
        for told in judge.drafts_of(self._desk, brand, rows, self.store.now(), self.busy):
            loop.call_soon_threadsafe(self._hear, [told])

    async def _brand(self, brand: str, rows: list[Entry]) -> None:
        began = time.monotonic()
        self._not_before[brand] = began + BACKOFF_SECONDS
        try:
            with _postponed(brand=brand):
                await self._in_thread(self._work, asyncio.get_running_loop(), brand, rows)
                del self._not_before[brand]
                self._woken.set()  # there may be more of it
        finally:
            now = time.monotonic()
            self._rests_until = now + RESTS * (now - began)
            del self._busy[brand]

    async def _sweep(self) -> None:
        try:
            with _postponed():
                await self._in_thread(recover.recover, self._desk, self.replay)
            with _postponed():
                self._hear(await self._in_thread(sweep.sweep, self._desk, self.store.now()))
        finally:
            del self._busy[""]

    def _hear(self, news: list[Told]) -> None:
        for told in news:
            self.told(told.brand, told.changed, told.gone)
        if any(told.received for told in news):
            self.wake_worker()


@contextlib.contextmanager
def _postponed(**about: str) -> Iterator[None]:
    """Leave for later what the world does not let us do now: no store, no room, a brand that is erased at this moment."""
    try:
        yield
    except (errors.Unavailable, errors.NotFound, OSError) as error:
        log.warning("intake.postponed", **about, reason=str(error))


def _by_brand(rows: list[Entry]) -> dict[str, list[Entry]]:
    brands: dict[str, list[Entry]] = {}
    for row in rows:
        brands.setdefault(row.brand, []).append(row)
    return brands


def _until(moment: datetime | None, now: datetime) -> float:
    """Give the seconds to a moment, but not so few that each of many files that come due gets a look of its own."""
    return float("inf") if moment is None else max(TOGETHER_SECONDS, (moment - now) / timedelta(seconds=1))
