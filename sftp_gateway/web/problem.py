"""Errors for machines: RFC 9457 problems of the kinds in problems.toml."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sftp_gateway import errors

KINDS: dict[str, tuple[int, str, str]] = tomllib.loads(Path(__file__).with_name("problems.toml").read_text("utf-8"))
OURS: dict[type[Exception], str] = {
    errors.WrongState: "wrong-state",
    errors.NotFound: "not-found",
    errors.NotAllowed: "not-allowed",
    errors.Refused: "bad-request",
    errors.DiskFull: "disk-full",
    errors.Unavailable: "unavailable",
}
"""What errors.py names, narrow classes first; any other error is a fault of ours, and its text is not shown."""


class Problem(Exception):
    """An answer that is an error; `kind` is a key of `KINDS`, `detail` one line for a person."""

    def __init__(self, kind: str, detail: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.kind, self.headers = kind, dict(headers or {})
        self.status, self.title, self.advice = KINDS[kind]
        self.detail = detail or self.title


def of(error: Exception) -> Problem:
    """Say any error as a problem."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        kinds = (kind for kind, (status, *_) in KINDS.items() if status == error.status_code)
        return Problem(next(kinds, "bad-request"), str(error.detail), error.headers)
    kind = next((kind for known, kind in OURS.items() if isinstance(error, known)), "broken")
    again = {"Retry-After": "5"} if kind == "unavailable" else None
    shown = error.outside if isinstance(error, errors.GatewayError) and kind != "broken" else ""
    return Problem(kind, shown, again)


def answer(request: Request, problem: Problem) -> Response:
    """Give the problem as `application/problem+json`."""
    body = {"type": f"urn:sftp-gateway:problem:{problem.kind}", "title": problem.title, "status": problem.status}
    body |= {"detail": problem.detail, "advice": problem.advice, "instance": request.url.path}
    return JSONResponse(body, problem.status, problem.headers, media_type="application/problem+json")
