"""The API (/api/v1): what brands' and operators' programs ask. Reads the store and streams files; computes nothing."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from sftp_gateway import receipt
from sftp_gateway import upload as uploaded
from sftp_gateway.blobs import Area
from sftp_gateway.brand import Brand
from sftp_gateway.catalog import changes_csv
from sftp_gateway.store import brands, files, uploads, versions
from sftp_gateway.store.tokens import Token
from sftp_gateway.upload import Upload
from sftp_gateway.web import desk, receive
from sftp_gateway.web.desk import Desk
from sftp_gateway.web.problem import Problem

T = TypeVar("T")
PAGE_ROWS, MOST_ROWS = 50, 500
LARGEST = 2**31 - 1  # a version's number is a 32-bit integer on PostgreSQL
FORMS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl", "parquet": "application/vnd.apache.parquet"}
TYPES = FORMS | {"json": "application/json", "gz": "application/gzip"}
VERBS = ("approve", "refuse", "retry")


class Attachment(FileResponse):
    """A file to save, never to show: streamed, with ranges (RFC 9110 §14) and an RFC 6266 name."""

    def __init__(self, lent: AbstractContextManager[Path], name: str) -> None:
        self.lent, path = lent, lent.__enter__()
        kind = TYPES.get(name.rpartition(".")[2], "application/octet-stream")
        super().__init__(path, media_type=kind, filename=name, stat_result=path.stat())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream, then give the file back, whatever happened."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await asyncio.to_thread(self.lent.__exit__, None, None, None)


def asked(request: Request, name: str, read: Callable[[str], T]) -> T | None:
    """Read a part of the query, if it is there. Raises Problem."""
    text = request.query_params.get(name)
    try:
        return read(text) if text else None
    except (ValueError, OverflowError) as error:
        raise Problem("bad-request", f"{name}: {error}") from None


def whole(least: int = 0, most: int = LARGEST) -> Callable[[str], Any]:
    """Make a reader of whole numbers between these."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text[:19]) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return read


def of_brand(request: Request, *, write: bool = False) -> tuple[Desk, Token, Brand]:
    """Give desk, token and the brand the path names, if this token may see it. Raises Problem, NotFound."""
    at = desk.of(request)
    token = at.gate.admit(request, write=write)
    return at, token, brands.get(at.store, request.path_params["brand"])


def of_upload(request: Request, *, write: bool = False, form: bool = False) -> tuple[Desk, Token, Upload]:
    """Give desk, token and the upload the path names, if this token may see it. Raises Problem, NotFound."""
    at = desk.of(request)
    token = at.gate.admit(request, write=write, form=form)
    upload = uploads.get(at.store, numbered(request, "id"))
    if upload.brand != request.path_params.get("brand", token.brand or upload.brand):
        raise Problem("not-found", f"no upload {upload.id}")
    return at, token, upload


def numbered(request: Request, name: str) -> int:
    """Give the id or version number in the path, if one may be so large. Raises Problem."""
    if request.path_params[name] >= LARGEST:
        raise Problem("not-found")
    return int(request.path_params[name])


def _paged(request: Request, read: Callable[[int, Any], tuple[list[Any], int | None]], **body: Any) -> Response:
    """Answer with a page of a list, called by the last word of the path; `read` gives it and the next cursor."""
    limit, cursor = asked(request, "limit", whole(1, MOST_ROWS)) or PAGE_ROWS, asked(request, "cursor", whole())
    page, after = read(limit, cursor)
    body |= {request.url.path.rpartition("/")[2]: page, "next": after}
    link = {"Link": f'<{request.url.include_query_params(cursor=after)}>; rel="next"'}
    return JSONResponse(body, headers=link if after is not None else None)


async def brand_uploads(request: Request) -> Response:
    """GET …/uploads: newest first, the shape of `uploads --json`. POST: sends one."""
    if request.method == "POST":
        at, token, brand = await asyncio.to_thread(of_brand, request, write=True)
        return await receive.upload(request, at, brand, token.name)
    return await asyncio.to_thread(_history, request)


def _history(request: Request) -> Response:
    at, _, brand = of_brand(request)
    states, since = asked(request, "state", uploaded.states) or (), asked(request, "since", receipt.read_moment)

    def page(limit: int, before: int | None) -> tuple[list[receipt.Receipt], int | None]:
        found, after = uploads.listing(
            at.store, brand=brand.name, states=states, since=since, limit=limit, before=before
        )
        return [receipt.listed(item) for item in found], after

    return _paged(request, page)


def upload(request: Request) -> Response:
    """GET …/uploads/{id}: the receipt."""
    return JSONResponse(receipt.of(of_upload(request)[2]))


def file(request: Request) -> Response:
    """GET …/uploads/{id}/files/{name}: a result file."""
    at, _, item = of_upload(request)
    found = files.result(at.store, item.id, request.path_params["name"])
    return Attachment(at.files.local(Area(found.area), found.blob), found.name)


def act(request: Request, *, form: bool = False) -> Upload:
    """Approve, refuse or retry, as the last word of the path says; gives the upload to look at then."""
    at, token, item = of_upload(request, write=True, form=form)
    acted = uploads.decide(at.store, request.url.path.rpartition("/")[2], item.id, f"token:{token.name}")
    at.wake()
    return acted


def decide(request: Request) -> Response:
    """POST …/uploads/{id}/approve, refuse or retry: answers with the upload to look at."""
    acted = act(request)
    where = {"Location": f"/api/v1/brands/{acted.brand}/uploads/{acted.id}"}
    return JSONResponse(receipt.of(acted), 200 if acted.id == request.path_params["id"] else 201, where)


def brand_versions(request: Request) -> Response:
    """GET …/versions: newest first."""
    at, _, brand = of_brand(request)
    return _paged(request, lambda limit, before: versions.page(at.store, brand.name, limit, before))


def changes(request: Request) -> Response:
    """GET …/versions/{number}/changes: pages of JSON, or the whole as format=csv or parquet."""
    at, _, brand = of_brand(request)
    version = versions.get(at.store, brand.name, numbered(request, "number"))
    form = request.query_params.get("format", "json")
    blob = {"json": version.changes_csv, "csv": version.changes_csv, "parquet": version.changes}.get(form, "")
    if not blob:
        raise Problem("not-found" if blob is None else "bad-request", "the changes come as json, csv or parquet")
    if form != "json":
        return Attachment(at.files.local(Area.CATALOG, blob), f"v{version.number:06}.changes.{form}")

    def page(limit: int, offset: int | None) -> tuple[list[changes_csv.Change], int | None]:
        with at.files.open(Area.CATALOG, blob) as stream:
            found = list(islice(changes_csv.read(stream, offset or 0), limit))
        more = found and found[-1][1] < version.changes_csv_bytes
        return [change for change, _ in found], found[-1][1] if more else None

    return _paged(request, page, version=version.number)


def catalog(request: Request) -> Response:
    """GET …/catalog?format=csv|jsonl|parquet&version=: a whole version, the current one by default."""
    at, _, brand = of_brand(request)
    form = request.query_params.get("format", "csv")
    if form not in FORMS:
        raise Problem("bad-request", "format must be csv, jsonl or parquet")
    number = asked(request, "version", whole(1)) or brand.current_version
    if number == 0:
        raise Problem("not-found", f"nothing of {brand.name} is published yet")
    version = versions.get(at.store, brand.name, number)
    if not version.file:
        raise Problem("not-found", f"the bytes of version {number} were removed after their time")
    lent = at.files.local(Area.CATALOG, version.file) if form == "parquet" else _exported(at, version, form)
    return Attachment(lent, f"{brand.name}.v{number:06}.{form}")


@contextmanager
def _exported(at: Desk, version: versions.Version, form: str) -> Iterator[Path]:
    path = at.export(version.brand, version.number, form)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
