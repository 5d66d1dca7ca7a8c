"""Keeps the penalties of this front door and those in the store alike: over restarts, doors and `bans clear`.

The store is asked once a second and never in the path of a connection. What it cannot be told now it
is told later; until then this door keeps its own.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Self

from sftp_gateway import errors
from sftp_gateway.sftp import limits
from sftp_gateway.store import penalties as stored
from sftp_gateway.store.database import Store

EXCHANGE_SECONDS = 1.0


class Bans:
    """A part that lives: `penalties` is what the listener asks."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self.penalties = limits.Penalties(clock)
        self._seen: dict[str, tuple[int, datetime]] = {}
        """The rows of the last exchange: what did not change there runs by this clock, which nobody sets."""

    async def __aenter__(self) -> Self:
        """Learn who was out before a restart."""
        await self.exchange()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Tell the store the last of it."""
        await self.exchange()

    async def run(self) -> None:
        """Exchange once a second."""
        while True:
            await asyncio.sleep(EXCHANGE_SECONDS)
            await self.exchange()

    async def exchange(self) -> None:
        """Tell the store what changed here, and learn what changed there."""
        changed = self.penalties.changes()
        try:
            told = await asyncio.to_thread(self._ask, changed)
        except errors.Unavailable:
            self.penalties.again(changed)
            return
        if told is not None:
            self.penalties.agree(*told)

    def _ask(self, changed: Mapping[str, limits.Record | None]) -> tuple[dict[str, limits.Record], set[str]] | None:
        """Give what everybody knows and what of it is as it was; None if all is. In a thread: 10,000 sources are work."""
        now, moment = self._clock(), self._store.now()
        if changed:
            mine = [
                stored.Penalty(source, record.brand, record.level, moment + timedelta(seconds=record.until - now))
                for source, record in changed.items()
                if record is not None
            ]
            stored.save(self._store, mine, [source for source, record in changed.items() if record is None])
        rows = stored.listing(self._store)
        seen, self._seen = self._seen, {each.source: (each.level, each.until) for each in rows}
        if not changed and seen == self._seen:
            return None
        now = self._clock()
        known = {
            each.source: limits.Record(each.level, now + (each.until - moment).total_seconds(), each.tried)
            for each in rows
        }
        return known, {one for one, row in self._seen.items() if seen.get(one) == row}
