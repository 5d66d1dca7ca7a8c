"""The front door's side of the daemon: built only where that role runs, as it brings the libraries of SFTP.

Opened in two steps, as the status endpoint opens between them: what answers for a guest, then what lets him in.
"""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from sftp_gateway import config
from sftp_gateway.blobs import Files
from sftp_gateway.daemon import memory
from sftp_gateway.daemon.parts import Parts
from sftp_gateway.intake.claim import Intake
from sftp_gateway.intake.watch import Drop
from sftp_gateway.settings import Limits, Settings
from sftp_gateway.sftp import bans, hostkeys
from sftp_gateway.sftp.home import Home
from sftp_gateway.sftp.homes import Homes
from sftp_gateway.sftp.listener import Listener
from sftp_gateway.store import brands, frontdoor
from sftp_gateway.store.database import Store

SWITCH_SECONDS = 0.00005
"""A thread gives the interpreter back after that (Python: 5 ms). The front door's loop lets go of it at every
sync and hash; with 5 ms each of those waits for whatever the ledger or the intake is computing just then. Of 200
senders at once, 0.05 ms serve a tenth more than 0.5 ms."""


class FrontDoor:
    """Homes, intake, drop folders and, in the end, the listener of this process."""

    def __init__(self, store: Store, files: Files, settings: Settings, *, wake_worker: Callable[[], None]) -> None:
        self._store, self._settings = store, settings
        self.homes = homes = Homes(
            store,
            files,
            intake=settings.intake,
            limits=settings.limits,
            retention=settings.retention,
            wake=lambda: self.intake.wake(),  # noqa: PLW0108 - there is no intake yet
        )
        self.intake = Intake(
            store,
            files,
            settings.intake,
            told=homes.learn,
            wake_worker=wake_worker,
            busy=lambda: homes.busy,
            replay=homes.replay,
        )
        folder, limits = config.drop_folder(settings), settings.limits
        largest, floor = limits.max_file_bytes, limits.disk_floor_bytes
        self._drop = Drop(store, files, folder, settings.intake, largest, wake_worker, floor)
        self._host_keys: Sequence[Any] = ()
        self.listener: Listener | None = None

    async def open_intake(self, held: contextlib.AsyncExitStack, parts: Parts) -> None:
        """Open all but the listener; ConfigError if the host keys cannot be had."""
        sftp, folder = self._settings.sftp, self._settings.storage.root / "keys"
        self._host_keys = await asyncio.to_thread(hostkeys.load, sftp.host_keys, folder, sftp.algorithms)
        held.push_async_callback(self.homes.aclose)
        parts.spawn("homes", self.homes.run())
        await held.enter_async_context(self.intake)
        parts.spawn("intake", self.intake.run())
        await held.enter_async_context(self._drop)
        parts.spawn("drop", self._drop.run())

    async def open_listener(self, held: contextlib.AsyncExitStack, parts: Parts, sock: socket.socket | None) -> None:
        """Listen, on the socket that was handed over if there is one."""
        sys.setswitchinterval(SWITCH_SECONDS)
        banned = await held.enter_async_context(bans.Bans(self._store))
        parts.spawn("bans", banned.run())
        self.listener = Listener(
            self._settings.sftp,
            self._host_keys,
            lookup=lambda brand: brands.login(self._store, brand),
            home=lambda channel, session: Home(channel, session, self.homes),
            penalties=banned.penalties,
            sock=sock,
        )
        await held.enter_async_context(self.listener)
        address = frontdoor.configured(self._settings.sftp, self.listener.port)
        known_by = replace(address, fingerprints=tuple(hostkeys.fingerprints(self._host_keys)))
        await asyncio.to_thread(frontdoor.tell, self._store, known_by)
        parts.spawn("listener", self.listener.run())
        parts.spawn("memory", memory.Memory(self.listener.connections).run())

    def limit(self, limits: Limits) -> None:
        """Take over changed limits: in the homes, those that are open too, and in the drop folders."""
        self.homes.limit(limits)
        self._drop.max_file_bytes, self._drop.disk_floor_bytes = limits.max_file_bytes, limits.disk_floor_bytes
