"""What programs ask: health and metrics without a login, /api/v1 with a token. Streams files; computes nothing."""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from sftp_gateway import __version__, metrics, receipt, upload_name
from sftp_gateway.blobs import Area, lent
from sftp_gateway.blobs.arrival import Arrival
from sftp_gateway.blobs.pace import Pace
from sftp_gateway.brand import Brand
from sftp_gateway.catalog.comparing import changes_csv
from sftp_gateway.errors import Unavailable
from sftp_gateway.store import brands, figures, files, uploads, versions
from sftp_gateway.store.tokens import Token
from sftp_gateway.upload import Mode, Upload, read_states
from sftp_gateway.web import conditions, desk
from sftp_gateway.web.desk import Desk
from sftp_gateway.web.problem import Problem

T = TypeVar("T")
PAGE_ROWS, MOST_ROWS = 50, 500
LARGEST = 2**31 - 1  # ids and numbers are 32-bit integers on PostgreSQL
STALL_SECONDS, STALL_BYTES, LONGEST_KEY = 60, 64 * 1024, 255
HEAD_BYTES = 4096
OPENING, OPENING_SECONDS = threading.Semaphore(8), 2.0
KEEPING = ThreadPoolExecutor(8, thread_name_prefix="keep")  # starts no thread before it is used
"""Who waits for storage that is slow holds a thread, and whoever looks at a page, and the watchdog, need one, too."""
FORMS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl", "parquet": "application/vnd.apache.parquet"}
TYPES = FORMS | {"json": "application/json", "gz": "application/gzip"}


class Attachment(FileResponse):
    """A file to save, never to show: streamed, with ranges (RFC 9110 §14) and an RFC 6266 name."""

    def __init__(self, lent: AbstractContextManager[Path], name: str, mark: str) -> None:
        """`mark`: names these bytes, for good, so that a download can be resumed."""
        self.lent, path = lent, lent.__enter__()
        kind = TYPES.get(name.rpartition(".")[2], "application/octet-stream")
        try:
            with path.open("rb") as file:  # other rules, other columns: an export may be made otherwise one day
                etag = hashlib.sha256(mark.encode() + file.read(HEAD_BYTES)).hexdigest()[:32]
            headers = {"ETag": f'"{etag}"'}
            super().__init__(path, headers=headers, media_type=kind, filename=name, stat_result=path.stat())
        except BaseException:
            lent.__exit__(None, None, None)  # nobody will stream it, and only so many are lent
            raise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream, unless the client has it, then give the file back, whatever happened."""
        told = Response(status_code=304, headers={"ETag": self.headers["etag"]})
        try:
            known = conditions.is_known(Headers(scope=scope), self.headers["etag"])
            await (told(scope, receive, send) if known else self._stream(scope, receive, send))
        finally:
            await asyncio.to_thread(self.lent.__exit__, None, None, None)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream the file or the part that is asked for. Problem, if there is none such."""

        async def refuse(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 416:
                size = self.headers["content-length"]
                raise Problem("no-such-part", f"the file has {size} bytes", {"Content-Range": f"bytes */{size}"})
            if message["type"] == "http.response.start" and message["status"] == 400:
                raise Problem("bad-request", "Range names no part of a file, as bytes=0-99 does")
            await send(message)

        unit, _, _ = Headers(scope=scope).get("range", "").partition("=")
        if unit.strip().lower() != "bytes":  # whoever does not know a unit is not to look at it (RFC 9110 §14.2)
            scope = {**scope, "headers": [(name, value) for name, value in scope["headers"] if name != b"range"]}
        await super().__call__(scope, receive, refuse)


def asked(request: Request, name: str, read: Callable[[str], T]) -> T | None:
    """Read a part of the query, if it is there. Raises Problem."""
    text = request.query_params.get(name)
    try:
        return read(text) if text else None
    except (ValueError, OverflowError) as error:
        raise Problem("bad-request", f"{name}: {error}") from None


def whole(text: str, least: int = 1, most: int = LARGEST) -> int:
    """Read a whole number; ValueError."""
    if not text.isascii() or not text.isdigit() or not least <= int(text[:19]) <= most:
        raise ValueError(f"must be a whole number from {least} to {most}")
    return int(text)


def of_brand(request: Request, *, write: bool = False) -> tuple[Desk, Token, Brand]:
    """Give desk, token and the brand the path names, if this token may see it. Raises Problem, NotFound."""
    at = desk.of(request)
    token = at.gate.admit(request, write=write)
    return at, token, brands.get(at.store, request.path_params["brand"])


def of_upload(request: Request, *, write: bool = False, form: bool = False) -> tuple[Desk, Token, Upload]:
    """Give desk, token and the upload the path names, if this token may see it. Raises Problem, NotFound."""
    at = desk.of(request)
    token = at.gate.admit(request, write=write, form=form)
    upload = uploads.get(at.store, min(request.path_params["id"], LARGEST))
    if upload.brand != request.path_params.get("brand", token.brand or upload.brand):
        raise Problem("not-found", f"no upload {upload.id}")
    return at, token, upload


def _paged(request: Request, read: Callable[[int, Any], tuple[list[Any], int | None]], **body: Any) -> Response:
    """Answer with a page of the list that ends the path; `read(limit, cursor)` gives it and the next cursor."""
    limit = asked(request, "limit", partial(whole, most=MOST_ROWS)) or PAGE_ROWS
    page, after = read(limit, asked(request, "cursor", partial(whole, least=0, most=body.pop("last", LARGEST))))
    body |= {request.url.path.rpartition("/")[2]: page, "next": after}
    following = request.url.include_query_params(cursor=after)
    link = {"Link": f'<{following.path}?{following.query}>; rel="next"'}  # of no host: a stranger may have named it
    return JSONResponse(body, headers=link if after is not None else None)


async def readyz(request: Request) -> Response:
    """GET /readyz: 200 when all is ready, else 503; names what is not."""
    found = await desk.of(request).health.told()
    return JSONResponse(found, 200 if found["ready"] else 503)


async def prometheus(request: Request) -> Response:
    """GET /metrics: the Prometheus text format, without brand labels."""
    at = desk.of(request)
    health = await at.health.told()
    here = {"ready": int(health["ready"]), "disk_free_bytes": at.health.disk_free()}
    series = metrics.of_process({**at.figures(), **here})
    if health["checks"]["store"] == "ok":
        series |= await asyncio.to_thread(lambda: at.tally.series() | figures.standing(at.store))
    return PlainTextResponse(metrics.printed(series), media_type="text/plain; version=0.0.4")


async def status(request: Request) -> Response:
    """GET /api/v1/status: readiness, queue, processes, and the brands this token may see."""
    at = desk.of(request)
    token = await asyncio.to_thread(at.gate.admit, request)
    told = await asyncio.to_thread(figures.status, at.store, token.brand)
    return JSONResponse({"software": __version__, **await at.health.told(), **told})


async def brand_uploads(request: Request) -> Response:
    """GET …/uploads: newest first, the shape of `uploads --json`. POST: sends one."""
    return await (_receive(request) if request.method == "POST" else asyncio.to_thread(_history, request))


def _history(request: Request) -> Response:
    at, _, brand = of_brand(request)
    states, since = asked(request, "state", read_states) or (), asked(request, "since", receipt.read_moment)
    return _paged(request, partial(uploads.page, at.store, brand=brand.name, states=states, since=since))


def upload(request: Request) -> Response:
    """GET …/uploads/{id}: the receipt."""
    return JSONResponse(receipt.of(of_upload(request)[2]))


def file(request: Request) -> Response:
    """GET …/uploads/{id}/files/{name}: a result file."""
    at, _, item = of_upload(request)
    found = files.result(at.store, item.id, request.path_params["name"])
    return Attachment(_blob(at, Area(found.area), found.blob, found.bytes), found.name, found.blob)


def act(request: Request, *, form: bool = False, seen: str | None = None) -> Upload:
    """Approve, refuse or retry, as the last word of the path says; gives the upload to look at then.

    `seen`: when what the person looked at had ended. Problem: it ended otherwise since, for reasons nobody has seen.
    """
    at, token, item = of_upload(request, write=True, form=form)
    if seen is not None and seen != (receipt.moment(item.finished_at) or ""):
        raise Problem("wrong-state", f"upload {item.id} was checked again since this page was loaded")
    acted = uploads.decide(at.store, request.url.path.rpartition("/")[2], item.id, f"token:{token.name}")
    at.wake()
    return acted


def decide(request: Request) -> Response:
    """POST …/uploads/{id}/approve, refuse or retry: answers with the upload to look at."""
    acted = act(request)
    return _told(acted, new=acted.id != request.path_params["id"])


def _told(item: Upload, *, new: bool) -> Response:
    where = {"Location": f"/api/v1/brands/{item.brand}/uploads/{item.id}"}
    return JSONResponse(receipt.of(item), 201 if new else 200, where)


def brand_versions(request: Request) -> Response:
    """GET …/versions: newest first."""
    at, _, brand = of_brand(request)
    return _paged(request, partial(versions.page, at.store, brand.name))


def changes(request: Request) -> Response:
    """GET …/versions/{number}/changes: pages of JSON, or the whole as format=csv."""
    at, _, brand = of_brand(request)
    version = versions.get(at.store, brand.name, min(request.path_params["number"], LARGEST))
    form = request.query_params.get("format", "json")
    if form not in {"json", "csv"}:
        raise Problem("bad-request", "the changes come as json or csv")
    if version.changes_csv is None:
        raise Problem("not-found", f"the changes of version {version.number} were removed after their time")
    size = version.changes_csv_bytes
    file = _blob(at, Area.CATALOG, version.changes_csv, size)
    if form != "json":
        return Attachment(file, f"v{version.number:06}.changes.{form}", version.changes_csv)
    with file as path, path.open("rb") as stream:
        return _paged(request, partial(changes_csv.page, stream, size), version=version.number, last=size)


def catalog(request: Request) -> Response:
    """GET …/catalog?format=csv|jsonl|parquet&version=: a whole version, the current one by default."""
    at, _, brand = of_brand(request)
    form = request.query_params.get("format", "csv")
    if form not in FORMS:
        raise Problem("bad-request", "format must be csv, jsonl or parquet")
    version = versions.kept(at.store, brand.name, asked(request, "version", whole))
    whole_file = _blob(at, Area.CATALOG, version.file, version.file_bytes) if form == "parquet" else None
    file = whole_file or at.export(brand.name, version.number, form)
    return Attachment(file, f"{brand.name}.v{version.number:06}.{form}", version.file + form)


@contextmanager
def _blob(at: Desk, area: Area, name: str, size: int) -> Iterator[Path]:
    """Lend a blob; one that has to be fetched is so once for all who want it. NotFound, DiskFull, Unavailable."""
    if not at.files.is_local:
        at.health.require_room(size)
    with ExitStack() as held:
        if not OPENING.acquire(timeout=OPENING_SECONDS):
            raise Unavailable("too many files are being fetched at this moment; try again in a minute")
        try:
            path = held.enter_context(lent(at.files, area, name))
        finally:
            OPENING.release()
        yield path


async def _receive(request: Request) -> Response:
    """Take the body as a file: 201 with its receipt, or 200 when this Idempotency-Key was seen before."""
    at, token, brand = await asyncio.to_thread(of_brand, request, write=True)
    mode, path, key = _announced(request, brand)
    limit, declared = await asyncio.to_thread(at.room, brand.name), int(request.headers.get("content-length") or 0)
    if declared > limit:
        raise Problem("too-large", f"{declared:,} bytes are announced and {max(limit, 0):,} may come")
    conditions.check_list(request.headers)
    await asyncio.to_thread(at.health.require_room, declared)
    async with Arrival(at.files, "http-") as arrival:
        try:
            await arrival.fill(_fitting(at, request.stream()), limit, Pace(STALL_SECONDS, STALL_BYTES))
        except TimeoutError:
            raise Problem("stalled", f"less than {STALL_BYTES:,} bytes came in {STALL_SECONDS} seconds") from None
        if arrival.bytes > limit:
            raise Problem("too-large", f"more than {limit:,} bytes")
        told = request.headers.get("x-checksum-sha256", "").strip().lower()
        if told and told != arrival.sha256:
            raise Problem("digest", f"announced sha256 {told}, received {arrival.sha256}")
        await asyncio.get_running_loop().run_in_executor(KEEPING, arrival.keep)
    client = {"ip": request.client.host if request.client else "", "token": token.name}
    came = uploads.New(mode, path, arrival.sha256, arrival.bytes, "http", True, at.store.now(), client)
    made, new = await asyncio.to_thread(uploads.receive_once, at.store, key, brand.name, came, f"token:{token.name}")
    # The path tells the mode, too; that of the upload may be another by now, once it is seen to be a correction.
    if (made.path, made.sha256, made.bytes) != (came.path, came.sha256, came.bytes):
        raise Problem("key-reused", f"Idempotency-Key belongs to upload {made.id}, which is another file")
    at.wake()
    return _told(made, new=new)


async def _fitting(at: Desk, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass pieces on while there is room: chunks announce no size, and others write meanwhile, too. DiskFull."""
    async for piece in pieces:
        at.health.require_room(len(piece))
        yield piece


def _announced(request: Request, brand: Brand) -> tuple[Mode, str, str]:
    """Give mode, path and Idempotency-Key, if a file may come like that. Raises Problem."""
    query, headers = request.query_params, request.headers
    if not brand.enabled:
        raise Problem("not-allowed", f"brand {brand.name} is disabled")
    if headers.get("content-type", "").strip().lower().startswith("multipart/"):
        raise Problem("media-type")
    mode = query.get("mode") or brand.settings.mode or "full"
    path = upload_name.placed(query.get("name") or "", mode)
    key = headers.get("idempotency-key", "")
    if len(key) > LONGEST_KEY:
        raise Problem("bad-request", f"Idempotency-Key may have {LONGEST_KEY} characters")
    return Mode(mode), path, key
