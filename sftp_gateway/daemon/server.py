"""The web application on a socket, as a part that lives."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from sftp_gateway import logs

log = logs.get(__name__)

HEAD_SECONDS = 20.0
"""From the connection, or the answer before, to the end of a request's head; who takes longer holds no connection."""


class Server:
    """The application on a socket, as a part of the daemon: `async with`, then `run()`. Signals stay the daemon's."""

    def __init__(
        self,
        app: Any,
        host: str,
        port: int,
        trusted_proxies: tuple[str, ...] = (),
        sock: socket.socket | None = None,
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = sock or socket.create_server((host, port), family=family)
        self.port: int = self.socket.getsockname()[1]
        quiet: dict[str, Any] = {"log_config": None, "access_log": False, "server_header": False, "lifespan": "off"}
        proxies: dict[str, Any] = {"proxy_headers": bool(trusted_proxies), "forwarded_allow_ips": list(trusted_proxies)}
        config = uvicorn.Config(app, http=_Protocol, ws="none", timeout_graceful_shutdown=10, **quiet, **proxies)
        self._server = _Server(config)

    async def __aenter__(self) -> Self:
        """Begin: the socket listens already, `run` answers."""
        log.info("web.listening", port=self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Take no more connections."""
        self.stop()
        self.socket.close()

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


class _Protocol(H11Protocol):
    """One connection. uvicorn waits for ever for the rest of a head, and for that of a body nobody reads."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as the class above has it
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(exc)

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
