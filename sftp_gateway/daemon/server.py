"""The web application on a socket, as a part that lives."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from sftp_gateway import logs
from sftp_gateway.sftp import limits

log = logs.get(__name__)

HEAD_SECONDS = 20.0
"""From the connection, or the answer before, to the end of a request's head; who takes longer holds no connection."""
TAKE_SECONDS = 60.0
"""Who takes nothing of an answer for that long holds neither a connection nor the file that is sent: the system ends it
(tcp(7), TCP_USER_TIMEOUT). A download can be resumed."""
AHEAD_BYTES = 256 * 1024
"""So much may be there of the requests after the one that is being answered: as much as comes at once."""
MOST_CONNECTIONS, MOST_OF_ONE_SOURCE = 512, 64
"""In total, and of an address (IPv6: a /64); each costs a descriptor, which the front door needs as well."""
NEAR = limits.networks(("127.0.0.0/8", "::1"), "")
"""Proxies of this host have all its connections; who is on it already takes what he likes."""
FULL = (
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    "Content-Length: {}\r\n\r\n{}"
)


class Server:
    """The application on a socket, as a part of the daemon: `async with`, then `run()`. Signals stay the daemon's."""

    def __init__(
        self, app: Any, host: str, port: int, trusted_proxies: tuple[str, ...] = (), sock: socket.socket | None = None
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = sock or socket.create_server((host, port), family=family)
        self.port: int = self.socket.getsockname()[1]
        # Its warnings say only that a stranger sent something odd, and fill the log as fast as he sends it.
        quiet: dict[str, Any] = {"log_config": None, "log_level": "error", "access_log": False}
        quiet |= {"server_header": False, "lifespan": "off"}
        proxies: dict[str, Any] = {"proxy_headers": bool(trusted_proxies), "forwarded_allow_ips": list(trusted_proxies)}
        self._room = _Room(trusted_proxies)
        quiet["http"] = partial(_Protocol, self._room)
        config = uvicorn.Config(app, ws="none", timeout_graceful_shutdown=10, **quiet, **proxies)
        self._server = _Server(config)

    async def __aenter__(self) -> Self:
        """Begin: the socket listens already, `run` answers."""
        log.info("web.listening", port=self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Take no more connections."""
        self.stop()
        self.socket.close()

    def snapshot(self) -> dict[str, int]:
        """Tell how many connections there was no place for."""
        return {"refused_total": self._room.refused}

    def stop(self) -> None:
        """Let `run` end when what is under way is answered (at most 10 s)."""
        self._server.should_exit = True

    async def run(self) -> None:
        """Serve until `stop`, or until cancelled."""
        try:
            await self._server.serve(sockets=[self.socket])
        finally:
            if not self._server.should_exit:  # cancelled: uvicorn would leave its connections open
                await self._server.shutdown(sockets=[self.socket])


class _Room:
    """The places of connections; those of proxies count in total only."""

    def __init__(self, trusted_proxies: tuple[str, ...]) -> None:
        self.lobby: limits.Lobby[_Protocol] = limits.Lobby(MOST_CONNECTIONS, MOST_OF_ONE_SOURCE)
        self._all_are_proxies = "*" in trusted_proxies
        named = tuple(one for one in trusted_proxies if one != "*")
        self._proxies = NEAR + limits.networks(named, "web.trusted_proxies")
        self.refused = 0
        """How many were turned away, or let go for others."""

    def enter(self, who: "_Protocol", address: str) -> bool:
        """Give a place to a newcomer, if need be that of the oldest of whoever has most; tell whether it has one."""
        is_proxy = self._all_are_proxies or not address or limits.is_in(address, self._proxies)
        source = limits.source_of(address)
        is_full = self.lobby.is_full(source) and not is_proxy
        evicted = None if is_full else self.lobby.enter(who, source)
        self.refused += is_full or evicted is not None
        if evicted is not None:
            evicted.transport.abort()
        return not is_full


class _Protocol(H11Protocol):
    """One connection.

    uvicorn waits for ever for the rest of a head, for that of a body nobody reads, and for a reader; and it takes in
    requests without end that come before the answer to the first.
    """

    _late: asyncio.TimerHandle | None = None

    def __init__(self, room: _Room, **given: Any) -> None:
        super().__init__(**given)
        self._room = room

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as the class above has it
        """Begin to wait for a request, if there is a place."""
        super().connection_made(transport)
        if not self._room.enter(self, self.client[0] if self.client else ""):
            said = f"This address has {MOST_OF_ONE_SOURCE} connections already.\n"
            transport.write(FULL.format(len(said), said).encode())
            transport.close()
            return
        wire = transport.get_extra_info("socket")
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(TAKE_SECONDS * 1000))
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._room.lobby.leave(self)
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; who sends far more requests than it waits for answers to is let go."""
        super().data_received(data)
        if len(self.conn.trailing_data[0]) > AHEAD_BYTES:
            self.transport.abort()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request, which may be here already."""
        self._expect()
        super().on_response_complete()

    def _expect(self) -> None:
        if self._late is not None:
            self._late.cancel()
        self._late = self.loop.call_later(HEAD_SECONDS, self._too_late, self.cycle)

    def _too_late(self, before: object) -> None:
        if self.cycle is before and not self.transport.is_closing():
            self.transport.close()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
