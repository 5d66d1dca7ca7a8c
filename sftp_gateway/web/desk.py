"""The desk: the few things an endpoint may reach, lent by the daemon, and the gate that says who may ask."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from sftp_gateway import logs
from sftp_gateway.blobs import Files
from sftp_gateway.brake import Brake
from sftp_gateway.brand import NAME
from sftp_gateway.health import Health
from sftp_gateway.store import sessions, tokens
from sftp_gateway.store.database import Store
from sftp_gateway.store.figures import Tally
from sftp_gateway.store.frontdoor import Address
from sftp_gateway.store.tokens import Token
from sftp_gateway.web.problem import Problem

log = logs.get(__name__)

FORM_BYTES = 16 * 1024
FORM_SECONDS = 20.0
"""Forms come from anybody: who sends half of one, or a byte at a time, holds no connection."""
LONGEST_SHOWN = 500
REALM = {"WWW-Authenticate": 'Bearer realm="sftp-gateway"'}


def shown(request: Request) -> str:
    """Give the path of a request for the log, which no stranger fills with one."""
    return request.url.path[:LONGEST_SHOWN]


class Gate:
    """Admits requests, by bearer token or by the page's cookie; `key` signs it, the same on every host."""

    def __init__(self, store: Store, key: bytes, public_url: str = "") -> None:
        self.store, self.public_url = store, public_url
        self.sessions, self.brake = sessions.Sessions(store, key), Brake()

    def admit(self, request: Request, *, write: bool = False, form: bool = False) -> Token:
        """Give the token of this request; see that it may. A session writes only by a `form`. Raises Problem."""
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            token: Token | None = self.verify(secret.strip(), request)
        else:
            token = self.sessions.token(self._session(request)) if form or not write else None
        if token is None:
            raise Problem("unauthorized", headers=REALM)
        if write and token.read_only:
            raise Problem("not-allowed", f"the token {token.name} is read-only")
        brand = request.path_params.get("brand", token.brand)
        if token.brand not in (None, brand) or not NAME.fullmatch(brand or "any"):  # another's does not exist
            raise Problem("not-found", f"no brand {brand}")
        return token

    def verify(self, secret: str, request: Request) -> Token:
        """Give the token of this secret; a wrong one is counted against its source. Raises Problem."""
        token = tokens.verify(self.store, secret)
        if token is not None:  # first of all: many may share an address with one whose token expired
            return token
        source = request.client.host if request.client else ""
        if seconds := self.brake.waits(source):
            raise Problem("slow-down", headers={"Retry-After": str(seconds)})
        self.brake.refused(source)
        log.warning("web.token_refused", source_ip=source, path=shown(request))
        raise Problem("unauthorized", "this token is unknown or has expired", REALM)

    def set_session(self, request: Request, response: Response, token: Token | None) -> None:
        """Set the cookie that carries the session of `token`; None: take it away."""
        name, secure = self._cookie(request)
        value, seconds = (self.sessions.begin(token), sessions.LONGEST_SECONDS) if token else ("", 0)
        response.set_cookie(name, value, seconds, httponly=True, samesite="strict", secure=secure)

    def end_session(self, request: Request) -> None:
        """End the session that the cookie of a request carries, for every copy of it."""
        self.sessions.end(self._session(request))

    def form_token(self, request: Request) -> str:
        """Give the value that forms of this session must bring back."""
        return self.sessions.sign("form:" + self._session(request))

    async def form(self, request: Request, *, signed: bool = True) -> dict[str, str]:
        """Give the fields of a form that came from our own page; `signed` forms carry `form_token`. Raises Problem."""
        origin, site = request.headers.get("origin", ""), request.headers.get("sec-fetch-site", "")
        ours = {_host(str(request.url)), _host(self.public_url)} - {""}
        if not (site == "same-origin" if site else _host(origin) in ours):
            raise Problem("stale-form", "it does not come from our page")
        try:
            async with asyncio.timeout(FORM_SECONDS):
                body = await _body(request)
        except TimeoutError:
            raise Problem("stalled", f"a form comes within {FORM_SECONDS:g} seconds") from None
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        if signed and not self.sessions.signed("form:" + self._session(request), fields.get("form_token", "")):
            raise Problem("stale-form", "it is too old")
        return fields

    def _session(self, request: Request) -> str:
        return request.cookies.get(self._cookie(request)[0], "")

    def _cookie(self, request: Request) -> tuple[str, bool]:
        secure = request.url.scheme == "https" or self.public_url.startswith("https:")
        return ("__Host-session" if secure else "session"), secure


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            raise Problem("too-large", "this is more than a form holds")
    return body


class Desk(Struct, frozen=True):
    """`export(brand, version, form)` lends a fresh file, `room(brand)` is bytes left, in any thread.

    `figures` gives live numbers of this process by metric.
    """

    store: Store
    files: Files
    health: Health
    gate: Gate
    tally: Tally
    export: Callable[[str, int, str], AbstractContextManager[Path]]
    wake: Callable[[], None]
    room: Callable[[str], int]
    sftp_address: Callable[[], Address]
    figures: Callable[[], Mapping[str, float | Mapping[str, float]]] = dict


def _host(address: str) -> str:
    """Give host and port of an address; nothing for what is none."""
    try:
        return urlsplit(address).netloc
    except ValueError:
        return ""


def of(request: Request) -> Desk:
    """Give the desk of the application that serves this request."""
    desk: Desk = request.app.state.desk
    return desk
