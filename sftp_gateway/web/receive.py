"""POST …/uploads: streams a file to staging under the limits, then hands it to the store. Same life as by SFTP."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sftp_gateway import receipt, upload_name
from sftp_gateway.blobs import Arrival
from sftp_gateway.brand import Brand
from sftp_gateway.errors import DiskFull
from sftp_gateway.store import once
from sftp_gateway.upload import Mode
from sftp_gateway.web.desk import Desk
from sftp_gateway.web.problem import Problem

STALL_SECONDS = 60
LONGEST_KEY = 255
TOPS = {Mode.FULL: "inbox", Mode.PARTIAL: "partial", Mode.TEST: "test"}
"""As if the file had been put into this directory of the home."""


async def upload(request: Request, at: Desk, brand: Brand, who: str) -> Response:
    """Take the body as a file: 201 with its receipt, or 200 when this Idempotency-Key was seen before."""
    mode, name, key = _asked(request, brand)
    limit = await asyncio.to_thread(_limit, request, at, brand)
    path, client = f"{TOPS[mode]}/{name}", {"ip": request.client.host if request.client else "", "token": who}
    arrival = await asyncio.to_thread(Arrival, at.files, "http-")
    with arrival:
        await _take(request, arrival, limit)
        told = request.headers.get("x-checksum-sha256", "").strip().lower()
        if told and told != arrival.sha256:
            raise Problem("digest", f"announced sha256 {told}, received {arrival.sha256}")
        await asyncio.to_thread(arrival.keep)
    about: dict[str, Any] = {"path": path, "sha256": arrival.sha256, "bytes": arrival.bytes, "client": client}
    made, new = await asyncio.to_thread(once.receive, at.store, key, brand=brand.name, mode=mode, **about)
    if not new and (made.sha256, made.path, made.mode) != (arrival.sha256, path, mode):
        raise Problem("key-reused", f"Idempotency-Key belongs to upload {made.id}, which is another file")
    at.wake()
    where = {"Location": f"/api/v1/brands/{brand.name}/uploads/{made.id}"}
    return JSONResponse(receipt.of(made), 201 if new else 200, where)


def _asked(request: Request, brand: Brand) -> tuple[Mode, str, str]:
    """Give mode, name and Idempotency-Key, if a file may come like that. Raises Problem."""
    query, headers = request.query_params, request.headers
    if not brand.enabled:
        raise Problem("not-allowed", f"brand {brand.name} is disabled")
    if headers.get("content-type", "").startswith("multipart/"):
        raise Problem("media-type")
    mode = query.get("mode") or headers.get("x-upload-mode") or brand.settings.mode or "full"
    if mode not in TOPS:
        raise Problem("bad-request", f"mode must be one of {', '.join(TOPS)}")
    name, key = query.get("name") or headers.get("x-upload-name") or "", headers.get("idempotency-key", "")
    if not upload_name.is_plain(name):
        raise Problem("bad-request", "?name= must be a file's name: 1 to 255 bytes, without / \\ or control characters")
    if len(key) > LONGEST_KEY:
        raise Problem("bad-request", f"Idempotency-Key may have {LONGEST_KEY} characters")
    return Mode(mode), name, key


def _limit(request: Request, at: Desk, brand: Brand) -> int:
    limit, declared = at.room(brand.name), int(request.headers.get("content-length") or 0)
    if declared > limit:
        raise Problem("too-large", f"{declared:,} bytes are announced and {max(limit, 0):,} may come")
    if at.disk_free() - declared < at.disk_floor_bytes:
        raise DiskFull("the disk is nearly full")
    return limit


async def _take(request: Request, arrival: Arrival, limit: int) -> None:
    chunks = request.stream()
    while True:
        try:
            async with asyncio.timeout(STALL_SECONDS):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise Problem("stalled", f"nothing came for {STALL_SECONDS} seconds") from None
        if chunk is None:
            return
        if arrival.bytes + len(chunk) > limit:
            raise Problem("too-large", f"more than {limit:,} bytes")
        arrival.add(chunk)
