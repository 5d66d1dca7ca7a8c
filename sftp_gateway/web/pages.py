"""The page for people: history at `/`, an upload's detail, sign-in. Server HTML; works without a script."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jinja2
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sftp_gateway import __version__, outcome, receipt, upload_name
from sftp_gateway.blobs import Area
from sftp_gateway.catalog.comparing import changes_csv
from sftp_gateway.errors import NotFound, Unavailable
from sftp_gateway.store import brands, files, jobs, uploads, versions, withheld
from sftp_gateway.store.tokens import Token
from sftp_gateway.upload import State, read_states
from sftp_gateway.web import api, desk
from sftp_gateway.web.problem import Problem

PAGE_UPLOADS, SHOWN_PRODUCTS, SHOWN_COLUMNS = 25, 50, 60
READING, READING_SECONDS = ThreadPoolExecutor(4, thread_name_prefix="page"), 3.0
"""A bucket may take minutes to answer; whoever looks at a page has no such patience."""
MOVING = (State.RECEIVED, State.PROCESSING)

TEMPLATES = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
ENGINE = jinja2.Environment(loader=TEMPLATES, autoescape=True, trim_blocks=True, lstrip_blocks=True)
ENGINE.filters |= {"size": outcome.size, "when": outcome.when, "ago": outcome.ago, "base": upload_name.base}
ENGINE.globals |= {"outcome": outcome, "software": __version__}


def page(request: Request, name: str, token: Token | None, code: int = 200, **values: Any) -> Response:
    """Render a template for this person."""
    at = desk.of(request)
    values |= {"person": token, "now": at.store.now(), "form_token": at.gate.form_token(request)}
    return HTMLResponse(ENGINE.get_template(name).render(values), code)


def _inside(request: Request) -> URL:
    """Give what was asked for, of no host: a stranger may have named it."""
    return request.url.replace(scheme="", netloc="")


def problem(request: Request, error: Problem) -> Response:
    """Answer an error on a page: by the way in if a sign-in would help."""
    name, asks = ("login.html" if error.status == 401 else "error.html"), request.method == "GET"
    onward = str(_inside(request)) if asks else request.query_params.get("onward", "/")
    upload = request.path_params.get("id") if error.status == 409 else None
    answer = page(request, name, None, error.status, error=error, onward=onward, refused=not asks, upload=upload)
    answer.headers.update(error.headers)
    return answer


async def sign_in(request: Request) -> Response:
    """POST /login?onward=: a token becomes a session."""
    gate, onward = desk.of(request).gate, request.query_params.get("onward", "/")
    fields = await gate.form(request, signed=False)
    token = await asyncio.to_thread(gate.verify, fields.get("token", "").strip(), request)
    inside = onward.startswith("/") and onward[1:2] not in ("/", "\\")  # never to another host
    answer = RedirectResponse(onward if inside else "/", 303)
    gate.set_session(request, answer, token)
    return answer


async def sign_out(request: Request) -> Response:
    """POST /logout: ends the session here and wherever the cookie was copied to."""
    gate = desk.of(request).gate
    await gate.form(request)
    await asyncio.to_thread(gate.end_session, request)
    answer = RedirectResponse("/", 303)
    gate.set_session(request, answer, None)
    return answer


def history(request: Request) -> Response:
    """GET /: the uploads, newest first, by brand and state."""
    at = desk.of(request)
    token = at.gate.admit(request)
    known = brands.all_brands(at.store) if token.brand is None else [brands.get(at.store, token.brand)]
    wanted, before = token.brand or request.query_params.get("brand"), api.asked(request, "before", api.whole)
    brand = next((one for one in known if one.name == wanted), None)
    if wanted and brand is None:
        raise Problem("not-found", f"no brand {wanted}")
    of, states = brand.name if brand else None, api.asked(request, "state", read_states) or ()
    found, after = uploads.page(at.store, PAGE_UPLOADS, before, brand=of, states=states)
    held, more_held = uploads.page(at.store, 1, brand=of, states=(State.HELD,))
    here = _inside(request).remove_query_params(["before", *(["brand"] if token.brand else [])])
    waiting = withheld.waiting(at.store, {told["brand"] for told in found})
    kept = files.kept(at.store, [told["upload"] for told in found])
    shown: dict[str, Any] = {"brands": known, "brand": brand, "receipts": found, "waiting": waiting, "kept": kept}
    shown |= {"here": here, "newest": before and here, "older": after and here.include_query_params(before=after)}
    shown |= {"state": request.query_params.get("state", ""), "address": at.sftp_address()}
    if not before:
        if more_held and set(states) != {State.HELD}:
            shown["all_held"] = here.include_query_params(state=State.HELD)
        shown |= {"held": held, "moving": sum(told["state"] in MOVING for told in found)}
    return page(request, "history.html", token, **shown)


def detail(request: Request) -> Response:
    """GET /uploads/{id}: what became of a file, why, and what to do."""
    at, token, item = api.of_upload(request)
    shown: dict[str, Any] = {"item": item, "told": receipt.of(item), "events": uploads.events(at.store, item.id)}
    waits = item.id in withheld.waiting(at.store, {item.brand})
    shown |= {"files": files.results(at.store, item.id), "removals_wait": waits}
    shown |= {"has_source": uploads.has_source(at.store, item.id)}
    version = versions.get(at.store, item.brand, item.version) if item.version else None
    if version and version.changes_csv:
        reading = READING.submit(_products, at, version.changes_csv)
        try:
            shown["products"] = reading.result(READING_SECONDS)
        except (TimeoutError, Unavailable, NotFound):
            reading.cancel()
            shown["products_away"] = True  # the rest of the page tells what matters
    if item.state in MOVING:
        job = jobs.last_of(at.store, item.id)
        shown |= {"progress": job and job.progress, "live": "still" not in request.query_params}
    return page(request, "upload.html", token, **shown)


def _products(at: desk.Desk, changes: str) -> list[Any]:
    with at.files.open(Area.CATALOG, changes) as stream:
        return changes_csv.products(stream, SHOWN_PRODUCTS, SHOWN_COLUMNS)


async def decide(request: Request) -> Response:
    """POST /uploads/{id}/approve, refuse or retry of the page."""
    fields = await desk.of(request).gate.form(request)
    acted = await asyncio.to_thread(api.act, request, form=True, seen=fields.get("seen"))
    return RedirectResponse(f"/uploads/{acted.id}", 303)
