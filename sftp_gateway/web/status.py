"""Health, metrics and status: what monitors ask. Health and metrics need no login and name no brand."""

import asyncio
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from sftp_gateway import __version__
from sftp_gateway.store import figures
from sftp_gateway.web import desk
from sftp_gateway.web.desk import Desk


def livez(_request: Request) -> Response:
    """GET /livez: 200 as long as the loop turns."""
    return PlainTextResponse("ok\n")


async def readyz(request: Request) -> Response:
    """GET /readyz: 200 when all is ready, else 503; names what is not."""
    found = await _readiness(desk.of(request))
    return JSONResponse(found, 200 if found["ready"] else 503)


async def _readiness(at: Desk) -> dict[str, object]:
    checks = await at.health.checks()
    return {"ready": set(checks.values()) == {"ok"}, "checks": checks}


async def metrics(request: Request) -> Response:
    """GET /metrics: the Prometheus text format, without brand labels."""
    at = desk.of(request)
    checks = await at.health.checks()
    series: figures.Series = {("build_info", (("version", __version__),)): 1}
    series |= {("ready", ()): int(set(checks.values()) == {"ok"}), ("disk_free_bytes", ()): at.health.disk_free()}
    for name, value in at.figures().items():
        parts = value if isinstance(value, Mapping) else {"": value}
        series |= {(name, (("method", part),) if part else ()): figure for part, figure in parts.items()}
    if checks["store"] == "ok":
        series |= await asyncio.to_thread(lambda: at.tally.series() | figures.standing(at.store))
    return PlainTextResponse(figures.printed(series), media_type="text/plain; version=0.0.4")


async def status(request: Request) -> Response:
    """GET /api/v1/status: readiness, queue, processes, and the brands this token may see."""
    at = desk.of(request)
    token = await asyncio.to_thread(at.gate.admit, request)
    told = await asyncio.to_thread(figures.status, at.store, token.brand)
    return JSONResponse({"software": __version__, **await _readiness(at), **told})
