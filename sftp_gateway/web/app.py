"""The web application: routes, the headers of every answer, and what becomes of errors (spec §10)."""

import asyncio
from pathlib import Path

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sftp_gateway import logs
from sftp_gateway.errors import GatewayError
from sftp_gateway.web import api, pages, problem
from sftp_gateway.web.desk import Desk, shown

log = logs.get(__name__)

VERBS = ("approve", "refuse", "retry")
HERE = Path(__file__).parent
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Number(Convertor[int]):
    """A number in a path: of so few digits that none is a fault of ours, and none fills a log."""

    regex = "[0-9]{1,19}"

    def convert(self, value: str) -> int:
        """Read it."""
        return int(value)

    def to_string(self, value: int) -> str:
        """Write it."""
        return str(value)


register_url_convertor("int", Number())  # in place of one that takes any number of digits
BRAND, UPLOAD = "/api/v1/brands/{brand}", "/api/v1/brands/{brand}/uploads/{id:int}"
ROUTES = [
    Route("/livez", lambda _: PlainTextResponse("ok\n")),
    Route("/readyz", api.readyz),
    Route("/metrics", api.prometheus),
    Route("/api/openapi.json", lambda _: FileResponse(HERE / "openapi.json")),
    Route("/api/v1/status", api.status),
    Route(f"{BRAND}/uploads", api.brand_uploads, methods=["GET", "POST"]),
    Route(UPLOAD, api.upload),
    Route(UPLOAD + "/files/{name}", api.file),
    *(Route(f"{UPLOAD}/{verb}", api.decide, methods=["POST"]) for verb in VERBS),
    Route(f"{BRAND}/versions", api.brand_versions),
    Route(BRAND + "/versions/{number:int}/changes", api.changes),
    Route(f"{BRAND}/catalog", api.catalog),
    Route("/", pages.history),
    Route("/uploads/{id:int}", pages.detail),
    *(Route("/uploads/{id:int}/" + verb, pages.decide, methods=["POST"]) for verb in VERBS),
    Route("/login", pages.sign_in, methods=["POST"]),
    Route("/logout", pages.sign_out, methods=["POST"]),
    Mount("/static", StaticFiles(directory=HERE / "static")),
]


def build_app(desk: Desk) -> Starlette:
    """Join the routes to the desk."""
    # What only `Exception` takes is raised once more behind the answer and logged with its stack: our faults alone.
    kinds = (Exception, ClientDisconnect, HTTPException, problem.Problem, GatewayError)
    app = Starlette(routes=ROUTES, middleware=[Middleware(calm)], exception_handlers=dict.fromkeys(kinds, _wrong))
    app.router.redirect_slashes = False  # to where a stranger's Host header says
    app.state.desk = desk
    return app


async def _wrong(request: Request, error: Exception) -> Response:
    """Answer any error: a problem for programs, a page for people."""
    if isinstance(error, ClientDisconnect):
        return Response(status_code=400)  # nobody reads it
    found = problem.of(error)
    if found.status == 500:
        log.error("web.request_failed", path=shown(request), method=request.method, error=repr(error))
    people = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
    return await asyncio.to_thread(pages.problem if people else problem.answer, request, found)


def calm(app: ASGIApp) -> ASGIApp:
    """Put the headers on every answer that keep a browser from doing more than it should."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        wanted = HEADERS | {"cache-control": "max-age=3600" if scope["path"].startswith("/static/") else "no-store"}
        if scope["scheme"] == "https":
            wanted["strict-transport-security"] = "max-age=31536000"

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in wanted.items():
                    headers.setdefault(name, value)
            await send(message)

        await (app if _is_clear(scope) else _unclear)(scope, receive, add)

    return answer


def _is_clear(scope: Scope) -> bool:
    """Whether all see the same end of a request: a proxy may go by the one header that tells its length, we by the other."""
    return not {b"content-length", b"transfer-encoding"} <= {name for name, _ in scope["headers"]}


async def _unclear(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a request whose end is unclear, and whatever comes after it (RFC 9112 §6.1)."""
    found = problem.Problem("bad-request", "give a Content-Length or a Transfer-Encoding", {"Connection": "close"})
    await problem.answer(Request(scope), found)(scope, receive, send)
