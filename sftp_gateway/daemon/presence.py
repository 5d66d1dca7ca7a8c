"""Signs of life: on the store's list of live processes, and to the service manager's watchdog."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterable
from typing import Self

from sftp_gateway import logs
from sftp_gateway.daemon.systemd import Systemd
from sftp_gateway.errors import Unavailable
from sftp_gateway.store import workers
from sftp_gateway.store.database import Store

log = logs.get(__name__)

BEAT_SECONDS = 10.0
ALIVE_SECONDS = 30.0
"""Not heard of for that long, a process counts as dead."""


class Presence:
    """The part that says that this process lives, so that verbs know whether a worker will come."""

    def __init__(self, store: Store, roles: Iterable[str], systemd: Systemd) -> None:
        self._store, self._roles, self._systemd = store, sorted(roles), systemd
        self._me = workers.me("daemon")

    async def __aenter__(self) -> Self:
        host, pid = socket.gethostname(), os.getpid()
        await asyncio.to_thread(workers.register, self._store, self._me, host=host, pid=pid, roles=self._roles)
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(Unavailable):
            await asyncio.to_thread(workers.leave, self._store, self._me)

    async def run(self) -> None:
        """Beat, and feed the watchdog if there is one."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat(), name="beat")
            if self._systemd.watchdog_seconds:
                group.create_task(self._feed_watchdog(), name="watchdog")

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                await asyncio.to_thread(workers.beat, self._store, self._me)
            except Unavailable as error:
                log.warning("store.unreachable", error=str(error))

    async def _feed_watchdog(self) -> None:
        """Feed it only if the loop turns *and* the store answers in half of its time."""
        half = self._systemd.watchdog_seconds / 2
        while True:
            with contextlib.suppress(Unavailable, TimeoutError):
                async with asyncio.timeout(half):
                    await asyncio.to_thread(self._store.ping)
                self._systemd.alive()
            await asyncio.sleep(half / 2)
