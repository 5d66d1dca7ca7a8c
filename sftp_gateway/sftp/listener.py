"""The front door: listens, lets brands in, watches over their connections, closes in good order.

A part that lives (house §2): `async with Listener(…)` listens, `run()` watches until the end,
`drain()` stops accepting and lets running transfers finish. What a brand sees inside is home.py.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Self

import asyncssh
from asyncssh.connection import SSHServerConnectionOptions

from sftp_gateway import errors, logs, settings
from sftp_gateway.sftp import algorithms, arrival, auth, door, hostkeys, limits, seams, visitor

log = logs.get(__name__)

BACKLOG = 512
WATCH_SECONDS = 1.0
REVOKE_SECONDS = 2.0
QUIET_SECONDS = 2.0
"""A session without open files is left alone for so long while draining: clients pause between files."""
LOBBY_SECONDS = 5.0
"""For so long a drain waits for those who are just logging in."""
GOODBYE_SECONDS = 5.0


class Listener:
    """The SFTP listener.

    `host_keys` come from `hostkeys.load`, `lookup` asks the store about keys and passwords, `home`
    makes a brand's home for a channel, `penalties` are shared with other processes. `sock` is a listening socket from systemd or an old process;
    without it one is opened at `rules.host`:`rules.port`.
    """

    def __init__(  # noqa: PLR0913 - what the daemon joins, and two clocks for the tests
        self,
        rules: settings.Sftp,
        host_keys: Sequence[asyncssh.SSHKeyPair],
        *,
        lookup: auth.Lookup,
        home: door.Home,
        penalties: limits.Penalties | None = None,
        sock: socket.socket | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        seams.check_version()
        self._rules, self._host_keys, self._sock = rules, list(host_keys), sock
        self._balancers = limits.networks(rules.proxy_protocol_from, "sftp.proxy_protocol_from")
        self._door: door.Door[visitor.Visitor] = door.Door(
            rules=rules,
            clock=clock,
            authenticator=auth.Authenticator(lookup, now=now),
            home=home,
            penalties=penalties or limits.Penalties(clock),
            lobby=limits.Lobby(rules.unauthenticated, rules.unauthenticated_per_source),
            seats=limits.Seats(rules.sessions, rules.sessions_per_brand),
            exempt=limits.networks(rules.penalty_exempt, "sftp.penalty_exempt"),
        )
        self._server: asyncio.Server | None = None
        self._closed = False
        self._revoke_at = clock() + REVOKE_SECONDS

    async def __aenter__(self) -> Self:
        """Listen. Raise `Unavailable` if the address is taken or not ours, `ConfigError` for bad settings."""
        options = await self._options()
        loop = asyncio.get_running_loop()
        refusals = arrival.Refusals(self._door)
        sock = self._sock or self._bind()
        self._server = await loop.create_server(
            lambda: arrival.Arrival(
                self._door, refusals, self._balancers, lambda guest: seams.Connection(loop, options, guest)
            ),
            sock=sock,
            backlog=BACKLOG,
        )
        self._sock = sock
        log.info(
            "listener.opened",
            host=self._rules.host,
            port=self.port,
            algorithms=self._rules.algorithms,
            host_keys=hostkeys.fingerprints(self._host_keys),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close at once what is still open; the homes hear of each open file that it was dropped."""
        await self._stop_accepting()
        await self._send_all_away("closed", "The gateway is shutting down")
        self._door.authenticator.close()
        self._closed = True
        log.info("listener.closed")

    async def run(self) -> None:
        """Watch over the connections until the listener is closed."""
        seconds = min(WATCH_SECONDS, self._rules.idle_seconds / 4, self._rules.stall_seconds / 4)
        while not self._closed:
            await asyncio.sleep(seconds)
            await self.watch_once()

    async def watch_once(self) -> None:
        """End the connections that are idle, stalled or no longer allowed in."""
        self._cut_quiet_ones()
        now = self._door.clock()
        if now >= self._revoke_at:
            self._revoke_at = now + REVOKE_SECONDS
            await self._cut_revoked_ones()

    async def drain(self, seconds: float) -> None:
        """Stop accepting; let running transfers go on for at most `seconds`, then close.

        Those whose connection was accepted already still log in and send: nobody is turned away by a restart. Who has had
        a session gets no other one on the same connection.

        Connections without an open file go as soon as they are quiet for two seconds, so that a client
        between two files of one command is not cut.
        """
        self._door.draining = True
        await self._stop_accepting()
        began = self._door.clock()
        deadline, patience = began + seconds, began + min(seconds, LOBBY_SECONDS)
        while self._door.inside or (len(self._door.lobby) and self._door.clock() < patience):
            if self._door.clock() >= deadline:
                break
            for guest in list(self._door.inside):
                if not guest.open_files and guest.quiet_seconds() >= QUIET_SECONDS:
                    guest.send_away("drained", visitor.DRAINED)
            await asyncio.sleep(min(0.1, max(0.0, deadline - self._door.clock())))
        cut = sum(1 for guest in self._door.inside if guest.open_files)
        await self._send_all_away("drained", visitor.DRAINED)
        log.info("listener.drained", cut_transfers=cut)

    @property
    def port(self) -> int:
        """The port that is listened on: the real one where the setting says 0."""
        return int(self._sock.getsockname()[1]) if self._sock and self._sock.fileno() >= 0 else self._rules.port

    @property
    def listening(self) -> socket.socket | None:
        """The listening socket, for the process that takes over."""
        return self._sock if self.is_listening else None

    @property
    def is_listening(self) -> bool:
        """Whether new connections are taken (for /readyz)."""
        return self._server is not None and self._server.is_serving()

    def connections(self) -> int:
        """Tell how many connections are inside."""
        return len(self._door.inside)

    def snapshot(self) -> dict[str, int]:
        """Give the figures of the metrics."""
        return {
            "channels": sum(len(guest.conversations) for guest in self._door.inside),
            "failed_logins_total": self._door.failed_logins,
            "refused_total": self._door.refused,
        }

    def _bind(self) -> socket.socket:
        host, port = self._rules.host, self._rules.port
        try:
            [(family, *_, address), *_] = socket.getaddrinfo(
                host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            return socket.create_server(
                address[:2], family=family, backlog=BACKLOG, dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6()
            )
        except OSError as exc:
            raise errors.no_socket("sftp", host, port, exc) from None

    async def _options(self) -> SSHServerConnectionOptions:
        rules, profile = self._rules, algorithms.profile(self._rules.algorithms)
        options: SSHServerConnectionOptions = await SSHServerConnectionOptions.construct(
            config=None,
            server_host_keys=self._host_keys,
            send_server_host_keys=True,
            server_version="SftpGateway",
            kex_algs=profile.kex,
            encryption_algs=profile.encryption,
            mac_algs=profile.mac,
            compression_algs=["none"],
            signature_algs=profile.client_keys,
            host_based_auth=False,
            kbdint_auth=False,
            gss_host=None,
            agent_forwarding=False,
            x11_forwarding=False,
            login_timeout=rules.login_grace_seconds,
            keepalive_interval=rules.keepalive_seconds,
            keepalive_count_max=3,
        )
        return options

    def _cut_quiet_ones(self) -> None:
        """End connections on which nothing moves: sooner if they hold files open."""
        for guest in list(self._door.inside):
            quiet = guest.quiet_seconds()
            if guest.open_files and quiet >= self._rules.stall_seconds:
                guest.send_away("stalled", f"No byte moved for {self._rules.stall_seconds:.0f} s in mid-file")
            elif quiet >= self._rules.idle_seconds:
                guest.send_away("idle", f"Idle for {self._rules.idle_seconds:.0f} s; connect again when needed")

    async def _cut_revoked_ones(self) -> None:
        """End connections whose key, password or brand was withdrawn meanwhile."""
        # One look for each brand: hundreds of sessions may be inside.
        for brand in {guest.brand for guest in self._door.inside}:
            # Who enters from now on is judged by rules that are as new.
            before = [guest for guest in self._door.inside if guest.brand == brand and guest.proof is not None]
            try:
                rules = await self._door.authenticator.rules(brand)
            except errors.Unavailable:
                return
            for guest in before:
                if guest.proof is not None and not rules.still_accept(guest.proof, guest.address):
                    guest.send_away("revoked", "This login was withdrawn")

    async def _stop_accepting(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _send_all_away(self, reason: str, text: str) -> None:
        for guest in [*self._door.inside, *self._door.lobby.waiting()]:
            guest.send_away(reason, text)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                while not self._door.is_empty:
                    self._door.changed.clear()
                    await self._door.changed.wait()
