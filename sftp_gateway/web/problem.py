"""Errors for machines: RFC 9457 problems with stable types, each a page of its own at /problems/{slug}."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from sftp_gateway import errors

KINDS: dict[str, tuple[int, str, str]] = {
    "bad-request": (400, "The request is not understood", "Compare it with /api/openapi.json."),
    "unauthorized": (
        401,
        "A token is needed",
        "Send `Authorization: Bearer TOKEN`; `sftp-gateway token add` makes one.",
    ),
    "not-allowed": (403, "This token may not do that", "Use a token that is not read-only, or sign in again."),
    "not-found": (404, "There is no such thing", "Ids and names are in the lists; files are removed after their time."),
    "method": (405, "The method does not apply here", "The Allow header names those that do."),
    "stalled": (408, "The body stopped arriving", "Send the file again."),
    "wrong-state": (409, "The verb does not apply in this state", "Read the upload: its state says what is possible."),
    "too-large": (413, "The file is too large", "Split it, or ask the operators about limits and quota."),
    "media-type": (415, "The body must be the file itself", "Send its bytes (curl --data-binary @FILE), not a form."),
    "digest": (422, "The bytes are not those announced", "The file was damaged on its way: send it again."),
    "key-reused": (422, "The Idempotency-Key was used for another file", "Use a new key for each file."),
    "slow-down": (429, "Too many refused tokens from here", "Wait for the seconds in Retry-After."),
    "broken": (500, "The fault is ours", "Try again; tell the operators when it stays."),
    "unavailable": (503, "The gateway is not ready", "Try again in a moment."),
    "disk-full": (507, "There is no room for the file", "The operators are told; try again later."),
}


class Problem(Exception):
    """An answer that is an error; `kind` is a key of `KINDS`, `detail` one line for a person."""

    def __init__(self, kind: str, detail: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.kind, self.headers = kind, dict(headers or {})
        self.status, self.title, self.advice = KINDS[kind]
        self.detail = detail or self.title


OURS: dict[type[Exception], str] = {
    errors.WrongState: "wrong-state",
    errors.NotFound: "not-found",
    errors.NotAllowed: "not-allowed",
    errors.Refused: "bad-request",
    errors.DiskFull: "disk-full",
    errors.Unavailable: "unavailable",
}
"""What errors.py names, narrow classes first; any other error is a fault of ours, and its text is not shown."""

EXPECTED = (Problem, HTTPException, *OURS)


def of(error: Exception) -> Problem:
    """Say any error as a problem."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        kinds = (kind for kind, (status, *_) in KINDS.items() if status == error.status_code)
        return Problem(next(kinds, "bad-request"), str(error.detail), error.headers)
    kind = next((kind for cls, kind in OURS.items() if isinstance(error, cls)), "broken")
    return Problem(
        kind, "" if kind == "broken" else str(error), {"Retry-After": "5"} if kind == "unavailable" else None
    )


def answer(request: Request, problem: Problem) -> Response:
    """Give the problem as `application/problem+json`."""
    body = {"type": f"/problems/{problem.kind}", "title": problem.title, "status": problem.status}
    body |= {"detail": problem.detail, "advice": problem.advice, "instance": request.url.path}
    return JSONResponse(body, problem.status, problem.headers, media_type="application/problem+json")


def page(request: Request) -> Response:
    """Explain a problem type: what its URI resolves to."""
    kind = request.path_params["kind"]
    if kind not in KINDS:
        raise Problem("not-found")
    status, title, advice = KINDS[kind]
    return PlainTextResponse(f"{title} (HTTP {status})\n\n{advice}\n")
