"""The page for people: history at `/`, an upload's detail, sign-in. Server HTML; works without a script."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sftp_gateway import __version__, outcome, receipt, upload_name
from sftp_gateway.blobs import Area
from sftp_gateway.store import brands, jobs, uploads, versions, withheld
from sftp_gateway.store.tokens import Token
from sftp_gateway.upload import State, Upload
from sftp_gateway.web import api, desk
from sftp_gateway.web.desk import Desk
from sftp_gateway.web.problem import Problem

PAGE_UPLOADS, SHOWN_PRODUCTS, TRAIL = 25, 50, 20
MOVING = (State.RECEIVED, State.PROCESSING)
MODES = {"full": "full catalog", "partial": "partial", "test": "test", "correction": "correction"}

ENGINE = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENGINE.filters |= {"size": outcome.size, "when": outcome.when, "ago": outcome.ago, "base": upload_name.base}
ENGINE.globals |= {"outcome": outcome, "software": __version__, "modes": MODES}


def page(request: Request, name: str, token: Token | None, code: int = 200, **values: Any) -> Response:
    """Render a template for this person."""
    at = desk.of(request)
    values |= {
        "person": token,
        "now": at.store.now(),
        "form_token": at.gate.form_token(request),
        "path": request.url.path,
    }
    return HTMLResponse(ENGINE.get_template(name).render(values), code)


def problem(request: Request, error: Problem) -> Response:
    """Answer an error on a page: by the way in if a sign-in would help."""
    name = "login.html" if error.status == 401 else "error.html"
    query = f"?{request.url.query}" if request.url.query else ""
    onward = request.url.path + query if request.method == "GET" else "/"
    answer = page(request, name, None, error.status, error=error, onward=onward)
    answer.headers.update(error.headers)
    return answer


async def sign_in(request: Request) -> Response:
    """POST /login: a token becomes a session."""
    gate = desk.of(request).gate
    fields = await gate.form(request, signed=False)
    onward = fields.get("onward", "/")
    if not onward.startswith("/") or onward[1:2] in ("/", "\\"):
        onward = "/"  # never to another host
    try:
        token = await asyncio.to_thread(gate.verify, fields.get("token", "").strip(), request)
    except Problem as refused:
        return page(request, "login.html", None, refused.status, error=refused, onward=onward, refused=True)
    answer = RedirectResponse(onward, 303)
    gate.open_session(request, answer, token)
    return answer


async def sign_out(request: Request) -> Response:
    """POST /logout."""
    gate = desk.of(request).gate
    await gate.form(request)
    answer = RedirectResponse("/", 303)
    gate.close_session(request, answer)
    return answer


def history(request: Request) -> Response:
    """GET /: the uploads, newest first, by brand and state."""
    at = desk.of(request)
    token = at.gate.admit(request)
    known = brands.all_brands(at.store) if token.brand is None else [brands.get(at.store, token.brand)]
    wanted, before = request.query_params.get("brand") or None, api.integer(request, "before", None)
    brand = token.brand or (brands.get(at.store, wanted).name if wanted else None)
    found, after = uploads.listing(at.store, brand=brand, states=api.states(request), limit=PAGE_UPLOADS, before=before)
    held, _ = uploads.listing(at.store, brand=brand, states=(State.HELD,), limit=1)
    trail = [part for part in request.query_params.get("trail", "").split(",") if part.isdigit()][-TRAIL:]
    here = request.url.remove_query_params(["before", "trail", *(["brand"] if token.brand else [])])
    newer = here.include_query_params(before=trail[-1], trail=",".join(trail[:-1])) if trail else here
    older = here.include_query_params(before=after, trail=",".join([*trail, str(before)] if before else []))
    return page(
        request,
        "history.html",
        token,
        brands=known,
        brand=next((one for one in known if one.name == brand), None),
        state=request.query_params.get("state", ""),
        receipts=[receipt.listed(item) for item in found],
        waiting=_waiting(at, {item.brand for item in found}),
        held=receipt.of(held[0]) if held and not before else None,
        newer=newer if before else None,
        older=older if after else None,
        moving=0 if before else sum(item.state in MOVING for item in found),
        here=here,
        address=at.sftp_address,
    )


def detail(request: Request) -> Response:
    """GET /uploads/{id}: what became of a file, why, and what to do."""
    at, item = api.of_brand(request)
    told = receipt.of(item)
    return page(
        request,
        "upload.html",
        at.gate.admit(request),
        item=item,
        told=told,
        events=uploads.events(at.store, item.id),
        files=api.result_files(at, item.id),
        products=_products(at, item),
        removals_wait=item.id in _waiting(at, {item.brand}),
        progress=job.progress if item.state in MOVING and (job := jobs.last_of(at.store, item.id)) else None,
        live=item.state in MOVING and "still" not in request.query_params,
    )


def _waiting(at: Desk, names: set[str]) -> set[int]:
    """Give the uploads of these brands whose withheld removals wait for a decision."""
    return {kept.upload for name in names if (kept := withheld.get(at.store, name))}


def _products(at: Desk, item: Upload) -> list[tuple[str, str, list[dict[str, str]]]]:
    """Give the first changed products of the version this upload made: key, op, its changed columns."""
    version = versions.get(at.store, item.brand, item.version) if item.version else None
    if version is None or not version.changes_csv:
        return []
    with at.files.open(Area.CATALOG, version.changes_csv) as stream:
        changed = (change for change, _ in api.read_changes(stream))
        grouped = groupby(changed, key=lambda change: (change["key"], change["op"]))
        return [(key, op, list(islice(parts, 60))) for (key, op), parts in islice(grouped, SHOWN_PRODUCTS)]


def decide(verb: str) -> Callable[[Request], Awaitable[Response]]:
    """Make the endpoint POST /uploads/{id}/approve, refuse or retry of the page."""

    async def endpoint(request: Request) -> Response:
        gate = desk.of(request).gate
        await gate.form(request)
        acted = await asyncio.to_thread(_decide, request, verb)
        return RedirectResponse(f"/uploads/{acted.id}", 303)

    return endpoint


def _decide(request: Request, verb: str) -> Upload:
    at, item = api.of_brand(request)
    token = at.gate.admit(request)
    if token.read_only:
        raise Problem("not-allowed", f"the token {token.name} is read-only")
    return api.act(at, verb, item.id, token.name)
