"""Writes what the homes of this process did into the store: in order, and several in one commit.

A client waits for its CLOSE, and a commit costs a sync of the disk; while one commit runs, what the
other sessions have to say gathers and goes into the next. In order means: what was posted first is
committed first, so memory and store cannot disagree about who came first.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sftp_gateway import logs
from sftp_gateway.store.database import Store, Transaction

log = logs.get(__name__)
T = TypeVar("T")
Operation = Callable[[Transaction], T]
MOST = 64


@dataclass(slots=True)
class _Waiting(Generic[T]):
    do: Operation[T]
    answer: asyncio.Future[T]


class Ledger:
    """Takes operations (plain functions of a transaction, which may be run twice) and answers when they are durable."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[_Waiting[Any]] = []
        self._writer: asyncio.Task[None] | None = None
        self.commits = 0
        self.operations = 0

    def post(self, do: Operation[T]) -> asyncio.Future[T]:
        """Queue an operation; the future gives its result once it is committed, or its error."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        # An error nobody waits for must not be silent, and must not warn from the garbage collector.
        answer.add_done_callback(_heard)
        self._waiting.append(_Waiting(do, answer))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="ledger")
        return answer

    async def flush(self) -> None:
        """Wait until everything posted so far is written (or has failed)."""
        while self._writer is not None and not self._writer.done():
            await asyncio.wait([self._writer])

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            try:
                results = await asyncio.to_thread(self._commit, [item.do for item in batch])
            except Exception as error:  # noqa: BLE001 - goes to whoever waits, each by itself
                await self._one_by_one(batch, error)
                continue
            for item, result in zip(batch, results, strict=True):
                _answer(item.answer, result)

    async def _one_by_one(self, batch: list[_Waiting[Any]], error: Exception) -> None:
        """Find out whose error it was: everybody else's operation still goes through."""
        if len(batch) == 1:
            _fail(batch[0].answer, error)
            return
        for item in batch:
            try:
                (result,) = await asyncio.to_thread(self._commit, [item.do])
            except Exception as own:  # noqa: BLE001 - as above
                _fail(item.answer, own)
            else:
                _answer(item.answer, result)

    def _commit(self, operations: list[Operation[Any]]) -> list[Any]:
        with self._store.write() as tx:
            results = [do(tx) for do in operations]
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
        log.warning("ledger.failed", reason=str(error))
