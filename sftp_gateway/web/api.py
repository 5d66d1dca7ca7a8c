"""The API (/api/v1): what brands' and operators' programs ask. Reads the store and streams files; computes nothing."""

import asyncio
import csv
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from sftp_gateway import receipt
from sftp_gateway.blobs import Area
from sftp_gateway.store import brands, files, uploads, versions
from sftp_gateway.upload import State, Upload
from sftp_gateway.web import desk
from sftp_gateway.web.problem import Problem

PAGE_ROWS, MOST_ROWS = 50, 500
LARGEST = 2**31 - 1  # a version's number is a 32-bit integer on PostgreSQL
FORMS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl", "parquet": "application/vnd.apache.parquet"}
TYPES = FORMS | {"json": "application/json", "gz": "application/gzip"}
UNKNOWN = "application/octet-stream"
VERBS = {"approve": uploads.approve, "refuse": uploads.refuse, "retry": uploads.retry}
csv.field_size_limit(2**24)  # a long list or map of images and attributes
ESCAPED = re.compile(r"'+[=+\-@\t\r]")


class Attachment(FileResponse):
    """A file to save, never to show: streamed, with ranges (RFC 9110 §14) and an RFC 6266 name."""

    def __init__(self, lent: AbstractContextManager[Path], name: str, kind: str = "") -> None:
        self.lent = lent
        path = lent.__enter__()
        kind = kind or TYPES.get(name.rpartition(".")[2], UNKNOWN)
        super().__init__(path, media_type=kind, filename=name, stat_result=path.stat())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream, then give the file back, whatever happened."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await asyncio.to_thread(self.lent.__exit__, None, None, None)


def integer(request: Request, name: str, default: int | None, least: int = 1, most: int = LARGEST) -> Any:
    """Read a whole number of the query. Raises Problem."""
    text = request.query_params.get(name) or ""
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text[:19]) <= most:
        raise Problem("bad-request", f"{name} must be a whole number from {least} to {most}")
    return int(text)


def numbered(request: Request, name: str) -> int:
    """Give the id or version number in the path, if one may be so large. Raises Problem."""
    if request.path_params[name] >= LARGEST:
        raise Problem("not-found")
    return int(request.path_params[name])


def states(request: Request) -> tuple[State, ...]:
    """Read `state=held,refused`. Raises Problem."""
    wanted = [text for text in request.query_params.get("state", "").split(",") if text]
    if unknown := [text for text in wanted if text not in set(State)]:
        raise Problem("bad-request", f"no state {unknown[0]!r}: use {', '.join(State)}")
    return tuple(State(text) for text in wanted)


def _since(request: Request) -> datetime | None:
    text = request.query_params.get("since")
    try:
        at = datetime.fromisoformat(text) if text else None
        return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC) if at else None
    except (ValueError, OverflowError):
        raise Problem("bad-request", "since must be an ISO 8601 moment, like 2026-11-24T15:00:00Z") from None


def of_brand(request: Request, *, write: bool = False) -> tuple[desk.Desk, Upload]:
    """Give the upload the path names, if this token may see it. Raises Problem, NotFound."""
    at = desk.of(request)
    token = at.gate.admit(request, write=write)
    upload = uploads.get(at.store, numbered(request, "id"))
    if upload.brand != request.path_params.get("brand", token.brand or upload.brand):
        raise Problem("not-found", f"no upload {upload.id}")
    return at, upload


def _paged(request: Request, body: dict[str, Any]) -> Response:
    link = {"Link": f'<{request.url.include_query_params(cursor=body["next"])}>; rel="next"'}
    return JSONResponse(body, headers=link if body["next"] is not None else None)


def history(request: Request) -> Response:
    """GET …/uploads: newest first, the shape of `uploads --json`."""
    at = desk.of(request)
    at.gate.admit(request)
    brand = brands.get(at.store, request.path_params["brand"])
    limit, before = integer(request, "limit", PAGE_ROWS, most=MOST_ROWS), integer(request, "cursor", None, 0)
    found, after = uploads.listing(
        at.store, brand=brand.name, states=states(request), since=_since(request), limit=limit, before=before
    )
    return _paged(request, {"uploads": [receipt.listed(item) for item in found], "next": after})


def upload(request: Request) -> Response:
    """GET …/uploads/{id}: the receipt."""
    return JSONResponse(receipt.of(of_brand(request)[1]))


def result_files(at: desk.Desk, number: int) -> list[files.File]:
    """List the files of an upload that people may have."""
    return [found for found in files.of_upload(at.store, number) if found.folder != files.Folder.INTERNAL]


def file(request: Request) -> Response:
    """GET …/uploads/{id}/files/{name}: a result file."""
    at, item = of_brand(request)
    name = request.path_params["name"]
    for found in result_files(at, item.id):
        if found.name == name:
            return Attachment(at.files.local(Area(found.area), found.blob), name)
    raise Problem("not-found", f"upload {item.id} has no file {name}")


def source(request: Request) -> Response:
    """GET …/uploads/{id}/source: the file as it was sent."""
    at, item = of_brand(request)
    return Attachment(at.files.local(Area.SOURCES, item.sha256), item.name, UNKNOWN)


def versioned(request: Request) -> Response:
    """GET …/versions: newest first."""
    at = desk.of(request)
    at.gate.admit(request)
    brand = brands.get(at.store, request.path_params["brand"])
    limit, before = integer(request, "limit", PAGE_ROWS, most=MOST_ROWS), integer(request, "cursor", None, 0)
    found = versions.listing(at.store, brand.name, limit=limit + 1, before=before)
    shown = [
        {"version": it.number, "upload": it.upload, "origin": it.origin, "of": it.of, "products": it.products}
        | {"created_at": receipt.moment(it.created_at), "columns": list(it.columns), "rules": it.rules}
        for it in found[:limit]
    ]
    return _paged(request, {"versions": shown, "next": found[limit - 1].number if len(found) > limit else None})


def changes(request: Request) -> Response:
    """GET …/versions/{number}/changes: pages of JSON, or the whole as format=csv or parquet."""
    at = desk.of(request)
    at.gate.admit(request)
    version = versions.get(at.store, request.path_params["brand"], numbered(request, "number"))
    form = request.query_params.get("format", "json")
    blob = {"json": version.changes_csv, "csv": version.changes_csv, "parquet": version.changes}.get(form, "")
    if not blob:
        raise Problem("not-found" if blob is None else "bad-request", "the changes come as json, csv or parquet")
    if form != "json":
        return Attachment(at.files.local(Area.CATALOG, blob), f"v{version.number:06}.changes.{form}")
    limit, offset = integer(request, "limit", PAGE_ROWS, most=MOST_ROWS), integer(request, "cursor", 0, 0, 2**62)
    with at.files.open(Area.CATALOG, blob) as stream:
        page = list(islice(read_changes(stream, offset), limit))
    more = page and page[-1][1] < version.changes_csv_bytes
    body = {"version": version.number, "changes": [change for change, _ in page], "next": page[-1][1] if more else None}
    return _paged(request, body)


def read_changes(stream: BinaryIO, offset: int = 0) -> Iterator[tuple[dict[str, str], int]]:
    """Read changes.csv from a record's byte offset: each change, and the offset of the next.

    The offset is exact because csv pulls one line at a time and only those its record needs.
    """
    names = next(csv.reader([stream.readline().decode("utf-8-sig")]), [])
    place = max(offset, stream.tell())
    stream.seek(place - 1)
    if stream.read(1) != b"\n":
        raise Problem("bad-request", "cursor must be `next` of the page before")

    def lines() -> Iterator[str]:
        nonlocal place
        while line := stream.readline():
            place += len(line)
            yield line.decode("utf-8", "replace")

    for cells in csv.reader(lines()):
        yield dict(zip(names, (cell[1:] if ESCAPED.match(cell) else cell for cell in cells), strict=False)), place


def catalog(request: Request) -> Response:
    """GET …/catalog?format=csv|jsonl|parquet&version=: a whole version, the current one by default."""
    at = desk.of(request)
    at.gate.admit(request)
    brand = brands.get(at.store, request.path_params["brand"])
    form = request.query_params.get("format", "csv")
    if form not in FORMS:
        raise Problem("bad-request", "format must be csv, jsonl or parquet")
    number = integer(request, "version", brand.current_version)
    if number == 0:
        raise Problem("not-found", f"nothing of {brand.name} is published yet")
    version = versions.get(at.store, brand.name, number)
    name = f"{brand.name}.v{number:06}.{form}"
    if not version.file:
        raise Problem("not-found", f"the bytes of version {number} were removed after their time")
    if form == "parquet":
        return Attachment(at.files.local(Area.CATALOG, version.file), name)
    return Attachment(_exported(at.export, brand.name, number, form), name)


@contextmanager
def _exported(export: Callable[[str, int, str], Path], brand: str, number: int, form: str) -> Iterator[Path]:
    path = export(brand, number, form)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def decide(verb: str) -> Callable[[Request], Response]:
    """Make the endpoint POST …/uploads/{id}/approve, refuse or retry: answers with the upload to look at."""

    def endpoint(request: Request) -> Response:
        at, item = of_brand(request, write=True)
        acted = act(at, verb, item.id, at.gate.admit(request, write=True).name)
        where = {"Location": f"/api/v1/brands/{acted.brand}/uploads/{acted.id}"}
        return JSONResponse(receipt.of(acted), 200 if acted.id == item.id else 201, where)

    return endpoint


def act(at: desk.Desk, verb: str, number: int, who: str) -> Upload:
    """Approve, refuse or retry an upload; give the one to look at then. WrongState."""
    result = VERBS[verb](at.store, number, f"token:{who}")
    at.wake()
    return result if isinstance(result, Upload) else uploads.get(at.store, number)
