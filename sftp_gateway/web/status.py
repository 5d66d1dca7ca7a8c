"""Health, metrics and status: what monitors ask. Health and metrics need no login and name no brand."""

import asyncio
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from sftp_gateway import __version__, receipt
from sftp_gateway.errors import GatewayError
from sftp_gateway.store import brands, figures, jobs, workers
from sftp_gateway.web import desk
from sftp_gateway.web.desk import Desk

PREFIX = "sftp_gateway_"
ANSWER_SECONDS = 2.0
ALIVE_SECONDS = 30
METRICS: dict[str, tuple[str, str]] = {
    "sftp_gateway_uploads_total": ("counter", "Uploads that came to a rest, by outcome (state) and transport."),
    "sftp_gateway_upload_bytes_total": ("counter", "Bytes of the files that were worked on, by transport."),
    "sftp_gateway_rows_total": ("counter", "Rows read, by result."),
    "sftp_gateway_stage_duration_seconds": ("histogram", "How long the stages of an upload took."),
    "sftp_gateway_queue_depth": ("gauge", "Jobs by place in the queue."),
    "sftp_gateway_queue_oldest_age_seconds": ("gauge", "Age of the oldest job that is not done; 0 when there is none."),
    "sftp_gateway_publish_age_seconds": ("gauge", "Time since any brand's last publish; absent before the first."),
    "sftp_gateway_sessions_active": ("gauge", "SFTP sessions of this process."),
    "sftp_gateway_auth_failures_total": ("counter", "Refused SFTP logins of this process, by method."),
    "sftp_gateway_lease_takeovers_total": ("counter", "Jobs taken over from a dead or stopped worker."),
    "sftp_gateway_fenced_publishes_total": (
        "counter",
        "Results thrown away because another worker owned the job by then.",
    ),
    "sftp_gateway_fsync_errors_total": ("counter", "Files thrown away because the disk did not confirm them."),
    "sftp_gateway_brands_overdue": ("gauge", "Brands whose expect_every has passed without an upload."),
    "sftp_gateway_disk_free_bytes": ("gauge", "Free bytes where storage.root lies."),
    "sftp_gateway_ready": ("gauge", "1 when /readyz would say yes."),
    "sftp_gateway_build_info": ("gauge", "1, with the version as a label."),
}
LIVE = {
    "sessions_active": "",
    "auth_failures_total": "method",
    "lease_takeovers_total": "",
    "fenced_publishes_total": "",
}
LIVE |= {"fsync_errors_total": "", "brands_overdue": ""}
"""What `Probes.figures` may give: name → label of its parts ('' for one number)."""


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
    checks = {"sftp": _sftp, "store": _store, "disk": _disk}
    return dict(zip(checks, await asyncio.gather(*(_ask(check, at) for check in checks.values())), strict=True))


async def _ask(check: Callable[[Desk], str], at: Desk) -> str:
    try:
        return await asyncio.wait_for(asyncio.to_thread(check, at), ANSWER_SECONDS)
    except TimeoutError:
        return f"no answer within {ANSWER_SECONDS:g} s"
    except (GatewayError, OSError) as error:
        return str(error)


def _sftp(at: Desk) -> str:
    return "" if at.probes.sftp_listening() else "the SFTP socket does not listen"


def _store(at: Desk) -> str:
    at.store.ping()
    return ""


def _disk(at: Desk) -> str:
    free, floor = at.probes.disk_free(), at.probes.disk_floor_bytes
    return "" if free >= floor else f"{free:,} bytes free, the floor is {floor:,}"


async def metrics(request: Request) -> Response:
    """GET /metrics: the Prometheus text format, without brand labels."""
    at = desk.of(request)
    found = await ready(at)
    series: figures.Series = {("build_info", (("version", __version__),)): 1}
    series |= {("ready", ()): int(not any(found.values())), ("disk_free_bytes", ()): at.probes.disk_free()}
    for name, value in at.probes.figures().items():
        parts = value.items() if isinstance(value, Mapping) else [("", value)]
        series |= {(name, ((LIVE[name], part),) if part else ()): figure for part, figure in parts}
    if not found["store"]:
        series |= await asyncio.to_thread(_stored, at)
    return PlainTextResponse(printed(series), media_type="text/plain; version=0.0.4")


def _stored(at: Desk) -> figures.Series:
    queue, now = jobs.pending(at.store), at.store.now()
    depth = {"queued": queue.queued, "waiting": queue.waiting, "running": queue.running}
    series = at.tally.series() | {("queue_depth", (("state", place),)): count for place, count in depth.items()}
    ages = {"queue_oldest_age_seconds": queue.oldest_at or now, "publish_age_seconds": figures.published_at(at.store)}
    return series | {(name, ()): max(0.0, (now - at).total_seconds()) for name, at in ages.items() if at}


def printed(series: figures.Series) -> str:
    """Print series in the text format, each metric with its help and type once."""
    lines = []
    for name, (kind, text) in METRICS.items():
        family = [name] if kind != "histogram" else [f"{name}_bucket", f"{name}_sum", f"{name}_count"]
        rows = [
            f"{PREFIX}{one}{_labels(tags)} {value}" for (one, tags), value in series.items() if PREFIX + one in family
        ]
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *rows] if rows else []
    return "\n".join(lines) + "\n"


def _labels(tags: figures.Labels) -> str:
    safe = ((name, value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")) for name, value in tags)
    return "{" + ",".join(f'{name}="{value}"' for name, value in safe) + "}" if tags else ""


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
        "queue": {"queued": queue.queued, "waiting": queue.waiting, "running": queue.running}
        | {"oldest_at": receipt.moment(queue.oldest_at)},
        "processes": [
            {"host": it.host, "pid": it.pid, "roles": it.roles, "at": receipt.moment(it.beat_at)} for it in live
        ],
        "brands": [{"name": it.name, "enabled": it.enabled, "version": it.current_version} for it in seen],
    }
