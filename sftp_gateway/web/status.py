"""Health, metrics and status: what monitors ask. Health and metrics need no login and name no brand."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from sftp_gateway import __version__, receipt
from sftp_gateway.errors import GatewayError
from sftp_gateway.store import brands, figures, jobs, workers
from sftp_gateway.web import desk
from sftp_gateway.web.desk import Desk

ANSWER_SECONDS = 2.0
ALIVE_SECONDS = 30


def livez(_request: Request) -> Response:
    """GET /livez: 200 as long as the loop turns."""
    return PlainTextResponse("ok\n")


async def readyz(request: Request) -> Response:
    """GET /readyz: 200 when all is ready, else 503; names what is not."""
    found = await ready(desk.of(request))
    return JSONResponse(_said(found), 503 if any(found.values()) else 200)


def _said(found: Mapping[str, str]) -> dict[str, object]:
    return {"ready": not any(found.values()), "checks": {name: wrong or "ok" for name, wrong in found.items()}}


async def ready(at: Desk) -> dict[str, str]:
    """Ask every probe at once: name → what is wrong, or ''."""
    checks: dict[str, Callable[[], str | None]] = {
        "sftp": lambda: None if at.sftp_listening() else "the SFTP socket does not listen",
        "store": at.store.ping,
        "disk": lambda: _short(at.disk_free(), at.disk_floor_bytes),
    }
    return dict(zip(checks, await asyncio.gather(*map(_ask, checks.values())), strict=True))


def _short(free: int, floor: int) -> str:
    return "" if free >= floor else f"{free:,} bytes free, the floor is {floor:,}"


async def _ask(check: Callable[[], str | None]) -> str:
    try:
        return await asyncio.wait_for(asyncio.to_thread(check), ANSWER_SECONDS) or ""
    except TimeoutError:
        return f"no answer within {ANSWER_SECONDS:g} s"
    except (GatewayError, OSError) as error:
        return str(error)


async def metrics(request: Request) -> Response:
    """GET /metrics: the Prometheus text format, without brand labels."""
    at = desk.of(request)
    found = await ready(at)
    series: figures.Series = {("build_info", (("version", __version__),)): 1}
    series |= {("ready", ()): int(not any(found.values())), ("disk_free_bytes", ()): at.disk_free()}
    for name, value in at.figures().items():
        parts = value if isinstance(value, Mapping) else {"": value}
        series |= {(name, (("method", part),) if part else ()): figure for part, figure in parts.items()}
    if not found["store"]:
        series |= await asyncio.to_thread(lambda: at.tally.series() | figures.standing(at.store))
    return PlainTextResponse(figures.printed(series), media_type="text/plain; version=0.0.4")


async def status(request: Request) -> Response:
    """GET /api/v1/status: readiness, queue, workers, and the brands this token may see."""
    at = desk.of(request)
    token = await asyncio.to_thread(at.gate.admit, request)
    checks = await ready(at)
    body = await asyncio.to_thread(_status, at, token.brand)
    return JSONResponse({"software": __version__, **_said(checks), **body})


def _status(at: Desk, only: str | None) -> dict[str, object]:
    queue = jobs.pending(at.store, only)
    seen = [brands.get(at.store, only)] if only else brands.all_brands(at.store)
    live = [] if only else workers.alive(at.store, within_seconds=ALIVE_SECONDS)
    return {
        "queue": asdict(queue) | {"oldest_at": receipt.moment(queue.oldest_at)},
        "processes": [
            {"host": it.host, "pid": it.pid, "roles": it.roles, "at": receipt.moment(it.beat_at)} for it in live
        ],
        "brands": [{"name": it.name, "enabled": it.enabled, "version": it.current_version} for it in seen],
    }
