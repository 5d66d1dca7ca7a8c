"""The daemon: builds every part, joins them, starts them, stops them.

Parts know nothing of each other. What one has to tell another goes through the store, and a callable
that this file hands over makes it quick:

    doors ──wake──▶ intake ──wake──▶ worker ──done──▶ renderer
      ▲               │                                  │
      └────learn──────┘                                  └─painted─▶ outbox ─▶ postman

**Start.** From the back to the front, so that nobody is let in before all that answers for him is
there: store and rules (a mistake in the configuration ends the start before anything listens), this
process's entry among the live ones, retention, postman, worker and renderer, intake (it takes up what
a process that died left behind), status endpoint, and the listener last. Then READY=1.

**Stop** (SIGTERM, SIGINT). From the front to the back: no new connections; transfers under way and
jobs that run get up to 20 s together, then clients are cut (their drafts stay and can be resumed) and
jobs are handed back without counting a try. Then what only waits is cancelled, homes write down what
they know, the process leaves the list, the store is closed; exit 0. A second signal ends the waiting.
Nothing is safe because of this order: `kill -9` at any point loses nothing that was acknowledged, as
the store is the only memory. It only makes a stop quick and polite.

**Upgrade.** `run --take-over` gets the listening sockets of the process that runs (handover.py); when the new
one is ready the old one stops as by SIGTERM. Both accept for a moment, so nobody is refused.

**Reload** (SIGHUP). Rules, guards, limits, mail and log level are taken over at once, by whatever
begins then; every other changed setting is named as needing a restart. A mistake leaves all as it was.

**If a part ends by itself** it died: the daemon says which, and why, and stops all others. Limping on
would hide it; systemd starts a whole gateway again.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sftp_gateway import __version__, blobs, config, logs, mail, retention
from sftp_gateway.daemon import handover, memory
from sftp_gateway.daemon.loans import Loans, figures
from sftp_gateway.daemon.presence import ALIVE_SECONDS, Presence
from sftp_gateway.daemon.systemd import Systemd
from sftp_gateway.errors import ConfigError, GatewayError, Unavailable
from sftp_gateway.health import Health
from sftp_gateway.settings import Settings
from sftp_gateway.store import brands, database, workers
from sftp_gateway.store.figures import Tally
from sftp_gateway.worker.crew import Crew
from sftp_gateway.worker.export import exporter
from sftp_gateway.worker.watch import Bounds

if TYPE_CHECKING:
    from sftp_gateway.daemon.server import Server
    from sftp_gateway.daemon.workshop import Workshop
    from sftp_gateway.intake.claim import Intake
    from sftp_gateway.sftp.home import Doors
    from sftp_gateway.sftp.listener import Listener

log = logs.get(__name__)

DRAIN_SECONDS = 20.0
GOODBYE_SECONDS = 10.0
SWITCH_SECONDS = 0.0005
"""A thread gives the interpreter back after that (Python: 5 ms). The front door's loop lets go of it at every
sync and send; with 5 ms each of those waits for whatever the ledger or the intake is computing just then."""
RELOADED = frozenset({"guards", "limits", "mail", "log.level", "catalog.rules"})
"""Sections and settings that SIGHUP takes over."""


async def run(
    settings: Settings, roles: frozenset[str], reload: Callable[[], Settings], *, take_over: bool = False
) -> int:
    """Run these roles until SIGTERM or SIGINT; 0 then, 70 if a part died.

    `reload` reads the settings again; `take_over`: with the sockets of the process that runs here, which then ends.
    Raises ConfigError, Unavailable when the gateway cannot start.
    """
    return await Daemon(settings, roles, reload, take_over=take_over).run()


class Daemon:
    """One process of the gateway."""

    def __init__(
        self, settings: Settings, roles: frozenset[str], reload: Callable[[], Settings], *, take_over: bool
    ) -> None:
        self.settings, self.roles, self._read, self._take_over = settings, roles, reload, take_over
        self._taken = handover.Taken({})
        self.systemd = Systemd(os.environ)
        self._stopping, self._hurry = asyncio.Event(), asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._reloading: asyncio.Task[None] | None = None
        self._host_keys: Sequence[Any] = ()
        self._fingerprints: tuple[str, ...] = ()
        self.workshop: Workshop | None = None
        self.intake: Intake | None = None
        self.doors: Doors | None = None
        self.listener: Listener | None = None
        self.server: Server | None = None

    async def run(self) -> int:
        """Start, live, stop; gives the exit code."""
        began = time.monotonic()
        async with contextlib.AsyncExitStack() as held:
            await self._start(held)
            memory.settle()
            self._listen_to_signals()
            self.systemd.ready()
            self._taken.ready()
            log.info(
                "gateway.started",
                version=__version__,
                roles=sorted(self.roles),
                pid=os.getpid(),
                seconds=round(time.monotonic() - began, 2),
            )
            code = await self._live()
            await self._stop()
        log.info("gateway.stopped", code=code)
        return code

    # --- start

    async def _start(self, held: contextlib.AsyncExitStack) -> None:
        self.store = await asyncio.to_thread(database.open_store, config.store_url(self.settings))
        held.callback(self.store.close)
        self.files = await asyncio.to_thread(blobs.open_files, self.settings.storage)
        self.crew = Crew(
            Bounds(self.settings.worker.memory_bytes, self.settings.worker.time_limit_seconds),
            warm=self.settings.worker.processes,
        )
        held.callback(self.crew.close)
        presence = await held.enter_async_context(Presence(self.store, self.roles, self.systemd))
        held.push_async_callback(self._cancel)
        if self._take_over:
            self._taken = await asyncio.to_thread(handover.take, self.settings.storage.root)
            held.callback(self._taken.close)
        self.postman = mail.Postman(self.store, lambda: self.settings.mail)
        if self.roles & {"sftp", "worker"}:
            await self._load_host_keys()
        if "worker" in self.roles:
            await self._open_workshop(held)
        if self.roles & {"sftp", "web"}:  # the worker's unit has no network
            self._spawn("postman", self.postman.run())
        if "sftp" in self.roles:
            await self._open_intake(held)
        if "web" in self.roles:
            await self._open_web(held)
        if "sftp" in self.roles:
            await self._open_listener(held)
        self._spawn("presence", presence.run())
        if self.roles & {"sftp", "web"}:
            giving = handover.Handover(self.settings.storage.root, self._listening, self._handed_over)
            await held.enter_async_context(giving)
            self._spawn("handover", giving.run())

    async def _load_host_keys(self) -> None:
        # Not imported where nobody needs it: the status endpoint alone does without the front door's libraries.
        from sftp_gateway.sftp import hostkeys  # noqa: PLC0415 - see above

        sftp, folder = self.settings.sftp, self.settings.storage.root / "keys"
        try:
            self._host_keys = await asyncio.to_thread(hostkeys.load, sftp.host_keys, folder, sftp.algorithms)
        except ConfigError:
            if "sftp" in self.roles:
                raise
            return  # a worker elsewhere may not read them; README.txt then names no fingerprint
        self._fingerprints = tuple(hostkeys.fingerprints(self._host_keys))

    async def _open_workshop(self, held: contextlib.AsyncExitStack) -> None:
        # Not imported where this role does not run: the front door does without the catalog's libraries.
        from sftp_gateway.daemon.workshop import Workshop  # noqa: PLC0415 - see above

        rules = lambda: self.settings.catalog.rules  # noqa: E731 - the rules as they are then
        self.workshop = Workshop(
            self.store,
            self.files,
            self.crew,
            live=lambda: self.settings,
            export=exporter(self.crew, rules),
            door=lambda: (self._sftp_port(), self._fingerprints),
        )
        await held.enter_async_context(self.workshop.worker)
        self._spawn("worker", self.workshop.worker.run())
        self._spawn("renderer", self.workshop.renderer.run())
        sweeping = retention.Retention(self.store, self.files, self.settings.retention)
        self._spawn("retention", sweeping.run())

    async def _open_intake(self, held: contextlib.AsyncExitStack) -> None:
        # Not imported where this role does not run: the worker does without the front door's libraries.
        from sftp_gateway.intake.claim import Intake  # noqa: PLC0415 - see above
        from sftp_gateway.intake.watch import Drop  # noqa: PLC0415 - see above
        from sftp_gateway.sftp import home  # noqa: PLC0415 - see above

        self.doors = home.factory(
            self.store,
            self.files,
            intake=self.settings.intake,
            limits=self.settings.limits,
            retention=self.settings.retention,
            wake=self._wake_intake,
        )
        held.push_async_callback(self.doors.aclose)
        homes = self.doors.homes
        self.intake = Intake(
            self.store,
            self.files,
            self.settings.intake,
            told=self.doors.learn,
            wake_worker=self._wake_worker,
            busy=lambda: homes.busy,
            replay=homes.replay,
        )
        await held.enter_async_context(self.intake)
        self._spawn("intake", self.intake.run())
        drop = Drop(
            self.store,
            self.files,
            config.drop_folder(self.settings),
            self.settings.intake,
            self.settings.limits.max_file_bytes,
            self._wake_worker,
        )
        await held.enter_async_context(drop)
        self._spawn("drop", drop.run())

    async def _open_web(self, held: contextlib.AsyncExitStack) -> None:
        # Not imported where this role does not run.
        from sftp_gateway.daemon.server import Server  # noqa: PLC0415 - see above
        from sftp_gateway.web import app, desk  # noqa: PLC0415 - see above

        web, loop = self.settings.web, asyncio.get_running_loop()
        loans = Loans(self.store, self.files, self.crew, lambda: self.settings)
        key = await asyncio.to_thread(_session_key, self.settings.storage.root / "keys" / "session.key")
        lent = desk.Desk(
            self.store,
            self.files,
            Health(self.store, self._sftp_listens, loans.disk_free, self.settings.limits.disk_floor_bytes),
            desk.Gate(self.store, key, web.public_url),
            Tally(self.store),
            export=loans.export,
            wake=lambda: _call_soon(loop, self._wake_worker),
            room=loans.room,
            sftp_address=(self.settings.sftp.public_host or socket.getfqdn(), self._sftp_port()),
            figures=lambda: figures(self.postman, self.listener, self.workshop),
        )
        try:
            self.server = Server(
                app.build_app(lent), web.host, web.port, web.trusted_proxies, self._taken.socket("web", web.port)
            )
        except OSError as error:
            raise Unavailable(f"cannot listen on {web.host} port {web.port}: {error.strerror}") from None
        await held.enter_async_context(self.server)
        self._spawn("web", self.server.run())

    async def _open_listener(self, held: contextlib.AsyncExitStack) -> None:
        # Not imported where this role does not run.
        from sftp_gateway.sftp import bans  # noqa: PLC0415 - see above
        from sftp_gateway.sftp.listener import Listener  # noqa: PLC0415 - see above

        assert self.doors is not None
        sys.setswitchinterval(SWITCH_SECONDS)
        banned = await held.enter_async_context(bans.Bans(self.store))
        self._spawn("bans", banned.run())
        self.listener = Listener(
            self.settings.sftp,
            self._host_keys,
            lookup=lambda brand: brands.login(self.store, brand),
            home=self.doors,
            penalties=banned.penalties,
            sock=self.systemd.socket("sftp") or self._taken.socket("sftp", self.settings.sftp.port),
        )
        await held.enter_async_context(self.listener)
        self._spawn("listener", self.listener.run())
        self._spawn("memory", memory.Memory(self.listener.connections).run())

    # --- live

    def _spawn(self, name: str, part: Coroutine[Any, Any, None]) -> None:
        self._tasks[name] = asyncio.create_task(part, name=name)

    async def _live(self) -> int:
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([stop, *self._tasks.values()], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
        if self._stopping.is_set():
            return 0
        for name, task in self._tasks.items():
            if task.done():
                fault = None if task.cancelled() else task.exception()
                log.error("part.died", part=name, error=_told(fault), exc_info=fault)
        return 70

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._asked_to_reload)

    def _asked_to_stop(self, number: int) -> None:
        (self._hurry if self._stopping.is_set() else self._stopping).set()
        log.info("gateway.stopping", signal=signal.Signals(number).name, at_once=self._hurry.is_set())

    def _handed_over(self) -> None:
        log.info("gateway.handed_over")
        self._stopping.set()

    def _listening(self) -> dict[str, socket.socket]:
        """Give the sockets that a new process may have; none once this one is on its way out."""
        if self._stopping.is_set():
            return {}
        ours: dict[str, socket.socket | None] = {
            "sftp": self.listener.listening if self.listener else None,
            "web": self.server.socket if self.server else None,
        }
        return {name: one for name, one in ours.items() if one is not None}

    def _asked_to_reload(self) -> None:
        if self._reloading is None or self._reloading.done():
            self._reloading = asyncio.create_task(self._reload(), name="reload")

    async def _reload(self) -> None:
        self.systemd.reloading()
        try:
            new = await asyncio.to_thread(self._read)
            terms = await asyncio.to_thread(self.workshop.read_terms, new) if self.workshop else None
        except GatewayError as error:
            log.error("settings.refused", error=str(error))  # noqa: TRY400 - a mistake in a file has no traceback
            return
        finally:
            self.systemd.ready()
        changed = config.changed(self.settings, new)
        taken = [name for name in changed if name in RELOADED or name.partition(".")[0] in RELOADED]
        self.settings = replace(
            self.settings,
            guards=new.guards,
            limits=new.limits,
            mail=new.mail,
            catalog=new.catalog,
            log=replace(self.settings.log, level=new.log.level),
        )
        logs.configure(self.settings.log.level, self.settings.log.format)
        if self.workshop is not None and terms is not None:
            if terms.schema.digest != self.workshop.terms.schema.digest:
                taken = sorted({*taken, "catalog.rules"})
            self.workshop.terms = terms
            await self.workshop.renderer.refresh()
        if self.doors is not None:
            self.doors.homes.limit(new.limits)
        log.info("settings.reloaded", changed=taken)
        if left := [name for name in changed if name not in taken]:
            log.warning("settings.need_restart", settings=left)

    # --- stop

    async def _stop(self) -> None:
        self.systemd.stopping(DRAIN_SECONDS + 2 * GOODBYE_SECONDS)
        drains = [part.drain(DRAIN_SECONDS) for part in (self.listener, self._worker()) if part is not None]
        hurry = asyncio.create_task(self._hurry.wait(), name="hurry")
        draining = [asyncio.create_task(drain, name="drain") for drain in drains]
        done = asyncio.create_task(_all(draining), name="all drained")
        await asyncio.wait([hurry, done], return_when=asyncio.FIRST_COMPLETED)
        for task in (hurry, done, *draining):
            task.cancel()
        await asyncio.gather(hurry, done, *draining, return_exceptions=True)
        if self.server is not None:
            self.server.stop()
            await asyncio.wait([self._tasks["web"]], timeout=GOODBYE_SECONDS)
        await self._cancel()

    async def _cancel(self) -> None:
        tasks = [*self._tasks.values(), *([self._reloading] if self._reloading else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- what parts are lent

    def _worker(self) -> Any:
        return self.workshop.worker if self.workshop else None

    def _wake_intake(self) -> None:
        if self.intake is not None:
            self.intake.wake()

    def _wake_worker(self) -> None:
        if self.workshop is not None:
            self.workshop.worker.wake()

    def _sftp_port(self) -> int:
        return self.listener.port if self.listener else self.settings.sftp.public_port or self.settings.sftp.port

    def _sftp_listens(self) -> bool:
        """Whether the front door is open: ours, or where it is another process's, one that lives."""
        if "sftp" in self.roles:
            return self.listener is not None and self.listener.is_listening
        return bool(workers.alive(self.store, "sftp", ALIVE_SECONDS))


async def _all(tasks: list[asyncio.Task[None]]) -> bool:
    if tasks:
        await asyncio.wait(tasks)
    return True


def _call_soon(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    """Call it on the loop, from any thread."""
    loop.call_soon_threadsafe(what)


def _session_key(path: Path) -> bytes:
    """Give the key that signs the page's cookies, made at the first start: a restart signs nobody out."""
    if not path.exists():
        blobs.place_secret(path, secrets.token_bytes(32))
    return path.read_bytes()


def _told(fault: BaseException | None) -> str:
    """Say in a line what killed a part, through the groups that tasks wrap it in."""
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    return "it ended" if fault is None else f"{type(fault).__name__}: {fault}"
