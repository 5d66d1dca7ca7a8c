"""The web application on a socket, as a part that lives."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Self

import uvicorn

from sftp_gateway import logs

log = logs.get(__name__)


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


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
