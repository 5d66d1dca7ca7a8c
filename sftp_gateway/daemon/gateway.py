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
they know, the process leaves the list, the store is closed; exit 0. A second signal ends the waiting. Whoever still
waits after all that for a bucket is cut off.
Nothing is safe because of this order: `kill -9` at any point loses nothing that was acknowledged, as
the store is the only memory. It only makes a stop quick and polite.

**Upgrade.** `run --take-over` gets the listening sockets of the process that has its roles (handover.py); when the
new one is ready the old one stops as by SIGTERM. Both accept for a moment, so nobody is refused.

**Reload** (SIGHUP). Rules, guards, limits, mail and log level are taken over at once, by whatever
begins then; every other changed setting is named as needing a restart. A mistake leaves all as it was.

**If a part ends by itself** it died: the daemon says which, and why, and stops all others. Limping on
would hide it; systemd starts a whole gateway again.
"""

import asyncio
import contextlib
import functools
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sftp_gateway import __version__, blobs, config, logs, mail
from sftp_gateway.daemon import handover, memory, parts, reload, teller
from sftp_gateway.daemon.loans import Loans, figures
from sftp_gateway.daemon.presence import ALIVE_SECONDS, Presence
from sftp_gateway.daemon.systemd import Systemd
from sftp_gateway.errors import GatewayError
from sftp_gateway.settings import Settings
from sftp_gateway.store import database, workers
from sftp_gateway.worker import crew, slots

if TYPE_CHECKING:
    from sftp_gateway.daemon.frontdoor import FrontDoor
    from sftp_gateway.daemon.server import Server
    from sftp_gateway.daemon.workshop import Workshop
    from sftp_gateway.sftp.listener import Listener

log = logs.get(__name__)

DRAIN_SECONDS = 20.0
GOODBYE_SECONDS = 10.0
LAST_SECONDS = 2.0


class Daemon:
    """One process of the gateway, with these roles.

    `read` reads the settings again; `take_over`: with the sockets of whoever has these roles here, which then ends.
    `end_after` ends the process with a code when so many seconds are over, whatever its threads wait for.
    """

    def __init__(
        self,
        settings: Settings,
        roles: frozenset[str],
        read: Callable[[], Settings],
        *,
        take_over: bool,
        end_after: Callable[[float, int], None],
    ) -> None:
        self.settings, self.roles, self._read, self._take_over = settings, roles, read, take_over
        self._end_after = end_after
        self._taken = handover.Taken()
        self.systemd = Systemd(os.environ)
        self._stopping, self._hurry = asyncio.Event(), asyncio.Event()
        self.parts = parts.Parts()
        self._reloading: asyncio.Task[None] | None = None
        self._asked_again = False
        self.workshop: Workshop | None = None
        self.front: FrontDoor | None = None
        self.server: Server | None = None

    async def run(self) -> int:
        """Run until SIGTERM or SIGINT; 0 then, 70 if a part died. ConfigError, Unavailable when it cannot start."""
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
            self._end_after(DRAIN_SECONDS + 2 * GOODBYE_SECONDS, code)
            await self._stop()
        log.info("gateway.stopped", code=code)
        self._end_after(LAST_SECONDS, code)
        return code

    # --- start

    async def _start(self, held: contextlib.AsyncExitStack) -> None:
        await self._open_store(held)
        self.rules = await asyncio.to_thread(reload.Rules, self.settings) if self.roles & {"worker", "web"} else None
        presence = await held.enter_async_context(Presence(self.store, self.roles, self.systemd))
        held.push_async_callback(self._cancel)
        if self._take_over:
            self._taken = await asyncio.to_thread(handover.take, self.settings.storage.root, self.roles)
            held.callback(self._taken.close)
        self.postman = mail.Postman(self.store, lambda: self.settings.mail)
        if "worker" in self.roles:
            await self._open_workshop(held)
        if self.roles & {"sftp", "web"}:  # the worker's unit has no network
            self.parts.spawn("postman", self.postman.run())
        if "sftp" in self.roles:
            await self._open_intake(held)
        if "web" in self.roles:
            await self._open_web(held)
        if "sftp" in self.roles:
            await self._open_listener(held)
        self.parts.spawn("presence", presence.run())
        self.parts.spawn("teller", teller.Teller(self.store).run())
        for role in sorted(self.roles & handover.ROLES):
            lent = functools.partial(self._listening, role)
            giving = handover.Handover(self.settings.storage.root, role, lent, self._handed_over)
            await held.enter_async_context(giving)
            self.parts.spawn(f"handover of {role}", giving.run())

    async def _open_store(self, held: contextlib.AsyncExitStack) -> None:
        self.store = await asyncio.to_thread(database.open_store, config.store_url(self.settings))
        held.callback(self.store.close)
        self.files = await asyncio.to_thread(blobs.open_files, self.settings.storage)
        self.crew = crew.of(self.settings.worker)
        held.callback(self.crew.close)

    async def _open_workshop(self, held: contextlib.AsyncExitStack) -> None:
        # Not imported where this role does not run: the front door does without the catalog's libraries.
        from sftp_gateway.daemon.workshop import Workshop  # noqa: PLC0415 - see above

        assert self.rules is not None
        self.workshop = Workshop(self.store, self.files, self.crew, live=lambda: self.settings, rules=self.rules)
        await self.workshop.open(held, self.parts)

    async def _open_intake(self, held: contextlib.AsyncExitStack) -> None:
        # Not imported where this role does not run: the worker does without the front door's libraries.
        from sftp_gateway.daemon.frontdoor import FrontDoor  # noqa: PLC0415 - see above

        self.front = FrontDoor(self.store, self.files, self.settings, wake_worker=self._wake_worker)
        await self.front.open_intake(held, self.parts)

    async def _open_web(self, held: contextlib.AsyncExitStack) -> None:
        # Not imported where this role does not run.
        from sftp_gateway.daemon import endpoint  # noqa: PLC0415 - see above

        assert self.rules is not None
        self.server = await endpoint.build(
            Loans(self.store, self.files, self.crew, lambda: self.settings, self.rules.schema),
            sftp_listens=self._sftp_listens,
            wake_worker=self._wake_worker,
            figures=lambda: figures(self.postman, self._listener, self.server),
            sock=self._taken.socket("web", self.settings.web.port),
        )
        await held.enter_async_context(self.server)
        self.parts.spawn("web", self.server.run())

    async def _open_listener(self, held: contextlib.AsyncExitStack) -> None:
        assert self.front is not None
        sock = self.systemd.socket("sftp") or self._taken.socket("sftp", self.settings.sftp.port)
        await self.front.open_listener(held, self.parts, sock)

    # --- live

    async def _live(self) -> int:
        await self.parts.wait_for_end(self._stopping)
        if self._stopping.is_set():
            return 0
        for name, fault in self.parts.dead():
            log.error("part.died", part=name, error=parts.told(fault), exc_info=fault)
        return 70

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._asked_to_reload)

    def _asked_to_stop(self, number: int) -> None:
        if self._stopping.is_set():
            self._hurry.set()
            self._end_after(GOODBYE_SECONDS, 0)
        self._stopping.set()
        log.info("gateway.stopping", signal=signal.Signals(number).name, at_once=self._hurry.is_set())

    def _handed_over(self) -> None:
        if not self._stopping.is_set():  # both roles may be handed over at once
            log.info("gateway.handed_over")
        self._stopping.set()

    def _listening(self, role: str) -> socket.socket | None:
        """Give the socket of a role that a new process may have; none once this one is on its way out."""
        if self._stopping.is_set():
            return None
        if role == "web":
            return self.server.socket if self.server else None
        return self._listener.listening if self._listener else None

    def _asked_to_reload(self) -> None:
        self._asked_again = True
        if self._reloading is None or self._reloading.done():
            self._reloading = asyncio.create_task(self._reload_all(), name="reload")

    async def _reload_all(self) -> None:
        while self._asked_again:  # while the files are read, they may be saved once more
            self._asked_again = False
            await self._reload()

    async def _reload(self) -> None:
        self.systemd.reloading()
        try:
            new = await asyncio.to_thread(self._read)
            terms = await asyncio.to_thread(slots.terms, new) if self.rules else None
        except GatewayError as error:
            log.error("settings.refused", error=str(error))  # noqa: TRY400 - a mistake in a file has no traceback
            return
        except Exception as error:
            log.exception("settings.refused", error=f"unexpected {type(error).__name__}: {error}")
            return
        finally:
            self.systemd.ready()
        changed = config.changed(self.settings, new)
        taken = reload.taken(changed)
        self.settings = reload.merged(self.settings, new)
        logs.configure(self.settings.log.level, self.settings.log.format)
        if self.rules is not None and terms is not None:
            taken = sorted({*taken, *self.rules.take(terms)})
        if self.workshop is not None:
            self.workshop.renderer.refresh()
        if self.front is not None:
            self.front.limit(new.limits)
        log.info("settings.reloaded", changed=taken)
        if left := [name for name in changed if name not in taken]:
            log.warning("settings.need_restart", settings=left)

    # --- stop

    async def _stop(self) -> None:
        self.systemd.stopping(DRAIN_SECONDS + 2 * GOODBYE_SECONDS)
        worker = self.workshop.worker if self.workshop else None
        drains = [part.drain(DRAIN_SECONDS) for part in (self._listener, worker) if part is not None]
        await parts.drain(drains, self._hurry)
        if self.server is not None:
            self.server.stop()
            await asyncio.wait([self.parts.tasks["web"]], timeout=GOODBYE_SECONDS)
        await self._cancel()

    async def _cancel(self) -> None:
        await self.parts.cancel(*([self._reloading] if self._reloading else []))

    # --- what parts are lent

    @property
    def _listener(self) -> "Listener | None":
        return self.front.listener if self.front else None

    def _wake_worker(self) -> None:
        if self.workshop is not None:
            self.workshop.worker.wake()

    def _sftp_listens(self) -> bool:
        """Whether the front door is open: ours, or where it is another process's, one that lives."""
        if "sftp" in self.roles:
            return self._listener is not None and self._listener.is_listening
        return bool(workers.alive(self.store, "sftp", ALIVE_SECONDS))
