"""Builds the web application from what the daemon lends, and serves it: the status endpoint of spec §10."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sftp_gateway import logs
from sftp_gateway.blobs import Files
from sftp_gateway.store.database import Store
from sftp_gateway.store.figures import Tally
from sftp_gateway.web import api, pages, problem, receive, status
from sftp_gateway.web.auth import Gate
from sftp_gateway.web.desk import Desk, Probes

log = logs.get(__name__)

HERE = Path(__file__).parent
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def build_app(  # noqa: PLR0913 - what the daemon lends
    store: Store,
    files: Files,
    probes: Probes,
    *,
    export: Callable[[str, int, str], Path],
    wake: Callable[[], None],
    room: Callable[[str], int],
    sftp_address: tuple[str, int],
    public_url: str = "",
    session_key: bytes = b"",
) -> Starlette:
    """Join the routes to the desk. `session_key` empty: sessions of the page end with this process."""
    gate = Gate(store, session_key or secrets.token_bytes(32), public_url)
    app = Starlette(
        routes=_routes(),
        middleware=[Middleware(Headers)],
        exception_handlers={Exception: _wrong, **dict.fromkeys(problem.EXPECTED, _wrong)},
    )
    app.state.desk = Desk(store, files, gate, Tally(store), probes, export, wake, room, sftp_address)
    return app


class Uploads(HTTPEndpoint):
    """The uploads of a brand: listed, and sent."""

    def get(self, request: Request) -> Response:
        """List them."""
        return api.history(request)

    async def post(self, request: Request) -> Response:
        """Send one."""
        return await receive.upload(request)


def _routes() -> list[Route | Mount]:
    of_brand, of_upload = "/api/v1/brands/{brand}", "/api/v1/brands/{brand}/uploads/{id:int}"
    person = [Middleware(GZipMiddleware)]
    return [
        Route("/livez", status.livez),
        Route("/readyz", status.readyz),
        Route("/metrics", status.metrics),
        Route("/problems/{kind}", problem.page),
        Route("/api/openapi.json", lambda _: FileResponse(HERE / "openapi.json")),
        Route("/api/v1/status", status.status),
        Route(f"{of_brand}/uploads", Uploads),
        Route(of_upload, api.upload),
        Route(of_upload + "/source", api.source),
        Route(of_upload + "/files/{name}", api.file),
        *(Route(f"{of_upload}/{verb}", api.decide(verb), methods=["POST"]) for verb in api.VERBS),
        Route(f"{of_brand}/versions", api.versioned),
        Route(of_brand + "/versions/{number:int}/changes", api.changes),
        Route(f"{of_brand}/catalog", api.catalog),
        Route("/", pages.history, middleware=person),
        Route("/uploads/{id:int}", pages.detail, middleware=person),
        *(Route("/uploads/{id:int}/" + verb, pages.decide(verb), methods=["POST"]) for verb in api.VERBS),
        Route("/login", pages.sign_in, methods=["POST"]),
        Route("/logout", pages.sign_out, methods=["POST"]),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]


async def _wrong(request: Request, error: Exception) -> Response:
    """Answer any error: a problem for programs, a page for people."""
    if isinstance(error, ClientDisconnect):
        return Response(status_code=400)  # nobody reads it
    found = problem.of(error)
    if found.status == 500:
        log.error("web.request_failed", path=request.url.path, method=request.method, error=repr(error))
    people = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
    answer = pages.problem if people else problem.answer
    return await asyncio.to_thread(answer, request, found)


class Headers:
    """Puts the headers on every answer that keep a browser from doing more than it should."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; add what the answer does not say itself."""

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                fresh = {"cache-control": "max-age=3600"} if scope["path"].startswith("/static/") else {}
                secure = {"strict-transport-security": "max-age=31536000"} if scope["scheme"] == "https" else {}
                said = {name for name, _ in message["headers"]}
                wanted = {**HEADERS, **fresh, **secure}.items()
                message["headers"] += [(k.encode(), v.encode()) for k, v in wanted if k.encode() not in said]
            await send(message)

        await self.app(scope, receive, add)


class Server:
    """The application on a socket, as a part that lives: `async with`, then `run()`. Signals stay the daemon's."""

    def __init__(self, app: ASGIApp, host: str, port: int, trusted_proxies: tuple[str, ...] = ()) -> None:
        self.socket = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
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
