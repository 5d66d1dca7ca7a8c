"""POST …/uploads: streams a file to staging under the limits, then hands it to the store. Same life as by SFTP."""

import asyncio
import hashlib
import os
import shutil
import unicodedata
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sftp_gateway import errors, receipt
from sftp_gateway.blobs import Area
from sftp_gateway.store import brands, once
from sftp_gateway.upload import Mode
from sftp_gateway.web import desk
from sftp_gateway.web.problem import Problem

STALL_SECONDS = 60
LONGEST_KEY = 255
TOPS = {Mode.FULL: "inbox", Mode.PARTIAL: "partial", Mode.TEST: "test"}
"""As if the file had been put into this directory of the home."""


async def upload(request: Request) -> Response:
    """Take the body as a file: 201 with its receipt, or 200 when this Idempotency-Key was seen before."""
    at = desk.of(request)
    token = await asyncio.to_thread(at.gate.admit, request, write=True)
    brand = await asyncio.to_thread(brands.get, at.store, request.path_params["brand"])
    if not brand.enabled:
        raise Problem("not-allowed", f"brand {brand.name} is disabled")
    mode = _mode(request, brand.settings.mode)
    path = f"{TOPS[mode]}/{_name(request)}"
    key = request.headers.get("idempotency-key", "")
    if len(key) > LONGEST_KEY:
        raise Problem("bad-request", f"Idempotency-Key may have {LONGEST_KEY} characters")
    limit = await asyncio.to_thread(_limit, request, at, brand.name)
    scratch = await asyncio.to_thread(at.files.scratch, "http-")
    try:
        body = scratch / "body"
        size, sha256 = await _take(request, body, limit)
        _compare(request, sha256)
        await asyncio.to_thread(at.files.keep, Area.SOURCES, sha256, body)
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)
    client = {"ip": request.client.host if request.client else "", "token": token.name}
    made, new = await asyncio.to_thread(
        once.receive, at.store, key, brand=brand.name, mode=mode, path=path, sha256=sha256, bytes=size, client=client
    )
    if not new and (made.sha256, made.path, made.mode) != (sha256, path, mode):
        raise Problem("key-reused", f"Idempotency-Key belongs to upload {made.id}, which is another file")
    at.wake()
    where = {"Location": f"/api/v1/brands/{brand.name}/uploads/{made.id}"}
    return JSONResponse(receipt.of(made), 201 if new else 200, where)


def _name(request: Request) -> str:
    name = request.query_params.get("name") or request.headers.get("x-upload-name") or ""
    odd = any(unicodedata.category(char) in ("Cc", "Cf", "Cs") for char in name) or "/" in name or "\\" in name
    if odd or not 0 < len(name.encode("utf-8", "replace")) <= 255 or name in (".", ".."):
        raise Problem(
            "bad-request", "?name= must be the file's name: 1 to 255 bytes, without / \\ or control characters"
        )
    return name


def _mode(request: Request, usual: str) -> Mode:
    mode = request.query_params.get("mode") or request.headers.get("x-upload-mode") or usual or "full"
    if mode not in TOPS:
        raise Problem("bad-request", f"mode must be one of {', '.join(TOPS)}")
    return Mode(mode)


def _limit(request: Request, at: desk.Desk, brand: str) -> int:
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise Problem("media-type")
    limit, declared = at.room(brand), int(request.headers.get("content-length") or 0)
    if declared > limit:
        raise Problem("too-large", f"{declared:,} bytes are announced and {max(limit, 0):,} may come")
    if at.probes.disk_free() - declared < at.probes.disk_floor_bytes:
        raise errors.DiskFull("the disk is nearly full")
    return limit


async def _take(request: Request, body: Path, limit: int) -> tuple[int, str]:
    """Write the body as it arrives; give its size and sha256. Syncing is `files.keep`'s."""
    digest, size, chunks = hashlib.sha256(), 0, request.stream()
    with body.open("wb", buffering=0) as out:
        while True:
            try:
                async with asyncio.timeout(STALL_SECONDS):
                    chunk = await anext(chunks, None)
            except TimeoutError:
                raise Problem("stalled", f"nothing came for {STALL_SECONDS} seconds") from None
            if chunk is None:
                return size, digest.hexdigest()
            size += len(chunk)
            if size > limit:
                raise Problem("too-large", f"more than {limit:,} bytes")
            digest.update(chunk)
            _write(out.fileno(), chunk)


def _write(fd: int, chunk: bytes) -> None:
    try:
        while chunk:
            chunk = chunk[os.write(fd, chunk) :]
    except OSError as error:
        raise errors.DiskFull(f"the file cannot be stored: {error.strerror}") from error


def _compare(request: Request, sha256: str) -> None:
    told = request.headers.get("x-checksum-sha256", "").strip().lower()
    if told and told != sha256:
        raise Problem("digest", f"announced sha256 {told}, received {sha256}")
