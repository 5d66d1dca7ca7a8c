"""The part that lives in the daemon: some slots, each with one job at a time, one of them kept for small files.

Nothing here runs on the event loop but waiting: each turn has a thread that watches its child.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from sftp_gateway import logs
from sftp_gateway.catalog.rules import schema
from sftp_gateway.errors import Unavailable
from sftp_gateway.settings import Settings
from sftp_gateway.store import jobs, workers
from sftp_gateway.worker.bench import Bench
from sftp_gateway.worker.turn import Terms

log = logs.get(__name__)

POLL_SECONDS = 0.25
UNREACHABLE_SECONDS = 1.0


def terms(settings: Settings) -> Terms:
    """Give the rules by which uploads are judged, from the settings and the catalog rules they name."""
    return Terms(
        schema=schema.load(settings.catalog.rules),
        guards=settings.guards,
        max_file_bytes=settings.limits.max_file_bytes,
        memory_bytes=settings.worker.memory_bytes,
        threads=settings.worker.threads,
        small_bytes=settings.worker.small_bytes,
    )


class Worker:
    """The part of the daemon that works off the queue; `done` is called after every job."""

    def __init__(self, bench: Bench, done: Callable[[], None] = lambda: None) -> None:
        self._bench, self._done, self._settings = bench, done, bench.settings
        self._draining = asyncio.Event()
        self._abandon = threading.Event()
        self._wake = asyncio.Event()
        self._threads = ThreadPoolExecutor(self._settings.processes, thread_name_prefix="slot")
        self._slots: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Start the process that forks children; its imports go on while the rest of the gateway starts."""
        await asyncio.to_thread(self._bench.crew.start)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hand back what still runs; no job of ours runs afterwards."""
        await self.drain(0)
        await asyncio.to_thread(self._threads.shutdown)

    async def run(self) -> None:
        """Work until `drain`: every slot takes one job after another; one of several takes small ones only."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._settings.processes):
                kept = number == 0 and self._settings.processes > 1
                small = self._settings.small_bytes if kept else None
                self._slots.add(group.create_task(self._slot(number, small), name=f"slot {number}"))

    async def drain(self, seconds: float) -> None:
        """Take nothing new; wait for what runs, hand it back after that many seconds."""
        self._draining.set()
        self._wake.set()
        if self._slots:
            await asyncio.wait(self._slots, timeout=seconds)
        self._abandon.set()
        if self._slots:
            await asyncio.wait(self._slots)

    def wake(self) -> None:
        """Look at the queue now; call on the event loop."""
        self._wake.set()

    async def _slot(self, number: int, max_bytes: int | None) -> None:
        owner = workers.me(f"slot-{number}")
        loop = asyncio.get_running_loop()
        while not self._draining.is_set():
            claimed = await self._claim(owner, max_bytes)
            if claimed is None:
                await self._rest()
                continue
            turn = loop.run_in_executor(self._threads, self._bench.work, claimed, self._abandon)
            try:
                await asyncio.shield(turn)
            except asyncio.CancelledError:
                self._abandon.set()  # its thread hands the job back; nobody lets go of it before
                await turn
                raise
            self._done()
            self._wake.set()  # the brand's next is at the head now: another slot may take it

    async def _claim(self, owner: str, max_bytes: int | None) -> jobs.Claimed | None:
        store, seconds = self._bench.store, self._settings.lease_seconds
        try:
            return await asyncio.to_thread(jobs.claim, store, owner=owner, lease_seconds=seconds, max_bytes=max_bytes)
        except Unavailable as error:
            log.warning("store.unreachable", error=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(UNREACHABLE_SECONDS):
                    await self._draining.wait()
            return None

    async def _rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        self._wake.clear()
