"""Writes what the homes of this process did into the store: in order, and several in one commit.

A client waits for its CLOSE, and a commit costs a sync of the disk; while one commit runs, what the
other sessions have to say gathers and goes into the next. In order means: what was posted first is
committed first, so memory and store cannot disagree about who came first.

Rows that the journal holds already are *owed*: nobody waits for them, so they gather for a moment, in a
burst of files for longer. They are tried again before anything that was posted later until the store has
them, whatever it says.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from msgspec import Struct

from sftp_gateway import errors, logs
from sftp_gateway.store import claims, database, drafts
from sftp_gateway.store.database import Store, Transaction
from sftp_gateway.store.drafts import Entry

log = logs.get(__name__)
T = TypeVar("T")
Operation = Callable[[Transaction], T]
MOST = 64
MOST_OWED = 4096
OWED_SECONDS = 0.05
BURST_SECONDS = 5.0
"""So long rows gather at most while small files come at full speed: writing them, and making their staging
files, would take more of the machine than receiving them does. The journal has them meanwhile."""
BACKOFF_SECONDS = 0.5
TELL_SECONDS = 60.0
"""Between lines of the log that say the same: a disk is full for hours."""
PATIENCE = 4
"""Times that rows may fail of something else than a store that is away (another process was quicker) before it is told."""


class _Waiting(Struct, Generic[T]):
    do: Operation[T]
    answer: asyncio.Future[T]


class Owed:
    """Rows of different ids and paths, most of them records of a journal: acknowledged already, so none is ever given up."""

    def __init__(self, journal: str) -> None:
        self.entries: list[Entry] = []
        self.failures = 0
        """How often the store answered that it does not take them."""
        self._journal = journal
        self._numbers: list[int | None] = []
        self._keys: set[str | None] = set()

    def add(self, number: int | None, entry: Entry) -> bool:
        """Take a row more, unless it is one of a name or draft that is here already, or they are many.

        `number`: of its record in the journal, if it has one.
        """
        keys = {entry.id, *([f"{entry.brand}/{entry.path}"] if entry.path else [])}
        if keys & self._keys or len(self.entries) >= MOST_OWED:
            return False
        self._keys |= keys
        self.entries.append(entry)
        self._numbers.append(number)
        return True

    def __call__(self, tx: Transaction) -> list[str]:
        """Write them; gives the brands that had a change counted.

        What the store has already is left alone: a commit may have come through of which no answer came, and the
        intake may have gone on with its rows since.
        """
        seen = drafts.journaled(tx.conn, self._journal)
        missing = [
            (number, entry)
            for number, entry in zip(self._numbers, self.entries, strict=True)
            if number is None or number > seen
        ]
        unsure = [entry.id for number, entry in missing if number is None]
        gone_on = claims.gone_on(tx, unsure) if unsure else ()
        missing = [(number, entry) for number, entry in missing if entry.id not in gone_on]
        drafts.save_all(tx, [entry for _, entry in missing])
        if last := max((number for number, _ in missing if number is not None), default=0):
            drafts.set_journaled(tx, self._journal, last)
        brands = sorted(drafts.living(tx, {entry.brand for _, entry in missing}))
        for brand in brands:
            tx.touch(brand)
        return brands


class Ledger:
    """Takes operations (plain functions of a transaction, which may be run twice) and answers when they are durable."""

    def __init__(
        self,
        store: Store,
        put_down: Callable[[str], None] = lambda _id: None,
        may_wait: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._may_wait = may_wait
        """Whether a burst goes on that what is owed should let pass, and there is room for more of it."""
        self._put_down = put_down
        """Has the staging file of a draft there, before its row that is owed can be seen."""
        self._waiting: list[_Waiting[Any]] = []
        self._writer: asyncio.Task[None] | None = None
        self._urgent = asyncio.Event()
        self._told, self._tell_again_at = "", 0.0
        self.commits = 0
        self.operations = 0

    def post(self, do: Operation[T], *, urgent: bool = True) -> asyncio.Future[T]:
        """Queue an operation; the future gives its result once it is committed, or its error. Not `urgent`: nobody waits."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        # An error nobody waits for must not be silent, and must not warn from the garbage collector.
        answer.add_done_callback(_heard)
        self._waiting.append(_Waiting(do, answer))
        if urgent:
            self._urgent.set()
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="ledger")
        return answer

    def owe(self, journal: str, number: int | None, entry: Entry) -> "asyncio.Future[list[str]] | None":
        """Queue a row that is in the journal, as record `number`, or in none; nobody has to wait for it.

        Gives a future for the brands that had a change counted, or None: it goes with the row before it.
        """
        last = self._waiting[-1] if self._waiting else None
        if last is not None and isinstance(last.do, Owed) and last.do.add(number, entry):
            return None
        owed = Owed(journal)
        owed.add(number, entry)
        return self.post(owed, urgent=False)

    async def flush(self, seconds: float = float("inf")) -> None:
        """Wait until everything posted so far is written (or has failed), or for that time."""
        until = time.monotonic() + seconds
        while self._writer is not None and not self._writer.done() and (left := until - time.monotonic()) > 0:
            self._urgent.set()
            await asyncio.wait([self._writer], timeout=None if left == float("inf") else left)

    async def _gather(self) -> None:
        """Let more rows come while nobody waits for those that are here."""
        self._urgent.clear()
        until = time.monotonic() + BURST_SECONDS
        while len(self._waiting) == 1 and isinstance(self._waiting[0].do, Owed) and not self._urgent.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(OWED_SECONDS):
                    await self._urgent.wait()
            if not self._may_wait() or time.monotonic() > until:
                break

    async def _write(self) -> None:
        while self._waiting:
            await self._gather()
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            try:
                results = await asyncio.to_thread(self._commit, [item.do for item in batch])
            except Exception as error:  # noqa: BLE001 - goes to whoever waits, each by itself
                if isinstance(error, errors.Unavailable) and any(isinstance(item.do, Owed) for item in batch):
                    await self._postpone(batch, error)
                else:
                    await self._one_by_one(batch, error)
            else:
                for item, result in zip(batch, results, strict=True):
                    _answer(item.answer, result)

    async def _postpone(self, batch: list[_Waiting[Any]], error: Exception) -> None:
        """Tell those who wait that the store does not answer; what is owed comes first when it does."""
        owed = [item for item in batch if isinstance(item.do, Owed)]
        for item in batch:
            if item not in owed:
                _fail(item.answer, error)
        await self._try_again(owed, error)

    async def _one_by_one(self, batch: list[_Waiting[Any]], error: Exception) -> None:
        """Find out whose error it was: everybody else's operation still goes through, in order."""
        for place, item in enumerate(batch):
            own = error if len(batch) == 1 else await self._alone(item)
            if own is None:
                continue
            if isinstance(item.do, Owed):
                await self._hold(item.do, batch[place:], own)
                return
            _fail(item.answer, own)

    async def _alone(self, item: _Waiting[Any]) -> Exception | None:
        try:
            (result,) = await asyncio.to_thread(self._commit, [item.do])
        except Exception as error:  # noqa: BLE001 - as above
            return error
        _answer(item.answer, result)
        return None

    async def _hold(self, owed: Owed, items: list[_Waiting[Any]], error: Exception) -> None:
        """Try again what begins with rows that the store did not take; whoever waits behind them is told in the end."""
        owed.failures += 1
        if owed.failures < PATIENCE or isinstance(error, errors.Unavailable):
            await self._try_again(items, error)
        else:
            log.error("ledger.stuck", reason=_first_line(error), drafts=[entry.id for entry in owed.entries[:20]])
            await self._postpone(items, errors.Unavailable("the store does not take what was received before"))

    async def _try_again(self, items: list[_Waiting[Any]], error: Exception) -> None:
        self._waiting[:0] = items
        reason, now = _first_line(error), time.monotonic()
        if reason != self._told or now >= self._tell_again_at:
            log.warning("ledger.postponed", reason=reason)
            self._told, self._tell_again_at = reason, now + TELL_SECONDS
        await asyncio.sleep(BACKOFF_SECONDS)

    def _commit(self, operations: list[Operation[Any]]) -> list[Any]:
        for operation in operations:
            if isinstance(operation, Owed):
                for entry in operation.entries:
                    self._put_down(entry.id)
        results = database.run(self._store, lambda tx: [do(tx) for do in operations])
        self.commits += 1
        self.operations += len(operations)
        return results


def _answer(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _heard(future: asyncio.Future[Any]) -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        log.warning("ledger.failed", reason=_first_line(error))


def _first_line(error: BaseException) -> str:
    """Leave out the statement and all of its values, with which a driver goes on."""
    return str(error).partition("\n")[0]
