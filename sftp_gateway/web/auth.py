"""Who asks: bearer tokens, the page's cookie session, and the brake on guessing. Never a password, never a script."""

import base64
import hashlib
import hmac
import ipaddress
import json
import threading
import time
from collections.abc import Callable
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from sftp_gateway import logs
from sftp_gateway.brand import NAME
from sftp_gateway.store import tokens
from sftp_gateway.store.database import Store
from sftp_gateway.store.tokens import Token
from sftp_gateway.web.problem import Problem

log = logs.get(__name__)

SESSION_SECONDS = 12 * 3600
REMEMBERED_SOURCES = 10_000
FORM_BYTES = 16 * 1024
REALM = {"WWW-Authenticate": 'Bearer realm="sftp-gateway"'}


class Brake:
    """Slows guessing: after `tries` refused tokens within `seconds`, a source (an IPv6 one: its /64) waits."""

    def __init__(self, tries: int = 10, seconds: float = 60, clock: Callable[[], float] = time.monotonic) -> None:
        self.tries, self.seconds, self.clock = tries, seconds, clock
        self._refused: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def check(self, source: str) -> None:
        """Raise Problem `slow-down` while this source must wait."""
        count, until = self._refused.get(_network(source), (0, 0.0))
        if count >= self.tries and (left := until - self.clock()) > 0:
            raise Problem("slow-down", headers={"Retry-After": str(int(left) + 1)})

    def refused(self, source: str) -> None:
        """Count one refused token."""
        now, source = self.clock(), _network(source)
        with self._lock:
            count, until = self._refused.pop(source, (0, 0.0))
            self._refused[source] = (count + 1, until) if until > now else (1, now + self.seconds)
            if len(self._refused) > REMEMBERED_SOURCES:  # many addresses cost an attacker's time, not our memory
                del self._refused[next(iter(self._refused))]


def _network(source: str) -> str:
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else source


class Gate:
    """Admits requests. A session is a signed cookie that names a token; it ends with the token, or after 12 h.

    `key` signs sessions: the same on every host that serves the page, and kept over restarts.
    """

    def __init__(self, store: Store, key: bytes, public_url: str = "", brake: Brake | None = None) -> None:
        self.store, self.key, self.public_url, self.brake = store, key, public_url, brake or Brake()

    def admit(self, request: Request, *, write: bool = False) -> Token:
        """Give the token of this request, by bearer or (reading only) by session; see that it may.

        A brand in the path that is not the token's own does not exist. Raises Problem.
        """
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            token: Token | None = self.verify(secret.strip(), request)
        else:
            token = None if write else self.session(request)
        if token is None:
            raise Problem("unauthorized", headers=REALM)
        if write and token.read_only:
            raise Problem("not-allowed", f"the token {token.name} is read-only")
        brand = request.path_params.get("brand", token.brand)
        if token.brand not in (None, brand) or not NAME.fullmatch(brand or "any"):
            raise Problem("not-found", f"no brand {brand}")
        return token

    def verify(self, secret: str, request: Request) -> Token:
        """Give the token of this secret; a wrong one is counted against its source. Raises Problem."""
        source = request.client.host if request.client else ""
        self.brake.check(source)
        token = tokens.verify(self.store, secret)
        if token is None:
            self.brake.refused(source)
            log.warning("web.token_refused", source_ip=source, path=request.url.path)
            raise Problem("unauthorized", "this token is unknown or has expired", REALM)
        return token

    def open_session(self, request: Request, response: Response, token: Token) -> None:
        """Set the cookie that carries the session of `token`."""
        claim = json.dumps([token.name, _stamp(token.created_at), _stamp(self.store.now()) + SESSION_SECONDS * 1000])
        text = base64.urlsafe_b64encode(claim.encode()).decode()
        name, secure = self._cookie(request)
        response.set_cookie(
            name, f"{text}.{self._sign(text)}", SESSION_SECONDS, httponly=True, samesite="strict", secure=secure
        )

    def close_session(self, request: Request, response: Response) -> None:
        """Take the cookie away."""
        name, secure = self._cookie(request)
        response.delete_cookie(name, httponly=True, samesite="strict", secure=secure)

    def session(self, request: Request) -> Token | None:
        """Give the token of the session, if it is signed by us, in time, and its token still stands."""
        text, _, signature = request.cookies.get(self._cookie(request)[0], "").partition(".")
        if not hmac.compare_digest(self._sign(text).encode(), signature.encode()):
            return None
        name, created, until = json.loads(base64.urlsafe_b64decode(text))
        if until < _stamp(self.store.now()):
            return None
        for token in tokens.listing(self.store):
            if token.name == name and _stamp(token.created_at) == created:
                return None if token.expires_at and token.expires_at <= self.store.now() else token
        return None

    def form_token(self, request: Request) -> str:
        """Give the value that forms of this session must bring back."""
        return self._sign("form:" + request.cookies.get(self._cookie(request)[0], ""))

    async def form(self, request: Request, *, signed: bool = True) -> dict[str, str]:
        """Give the fields of a form that came from our own page; `signed` forms carry `form_token`. Raises Problem."""
        origin, site = request.headers.get("origin", ""), request.headers.get("sec-fetch-site", "")
        ours = {request.url.netloc, urlsplit(self.public_url).netloc} - {""}
        if not (site == "same-origin" if site else urlsplit(origin).netloc in ours):
            raise Problem("not-allowed", "this form does not come from our page")
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > FORM_BYTES:
                raise Problem("too-large", "this is more than a form holds")
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        if signed and not hmac.compare_digest(self.form_token(request).encode(), fields.get("form_token", "").encode()):
            raise Problem("not-allowed", "this form is too old: load the page again")
        return fields

    def _sign(self, text: str) -> str:
        return hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()

    def _cookie(self, request: Request) -> tuple[str, bool]:
        secure = request.url.scheme == "https" or self.public_url.startswith("https:")
        return ("__Host-session" if secure else "session"), secure


def _stamp(at: datetime) -> int:
    return int(at.timestamp() * 1000)
