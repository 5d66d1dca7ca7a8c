"""The files listed in homes and by the API: which name stands for which immutable blob."""

import enum
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import asdict

from sftp_gateway import errors
from sftp_gateway.store import columns, tables
from sftp_gateway.store.database import Store, Transaction

BATCH = 500
PAGE = 128
"""As many names as a READDIR is answered with."""

_files = tables.file


class Folder(enum.StrEnum):
    """Where a file is listed: directories of the home, `api` (HTTP only), `internal` (workers only)."""

    TOP = ""
    ERRORS = "errors"
    RECEIPTS = "receipts"
    CATALOG = "catalog"
    API = "api"
    INTERNAL = "internal"


class NewFile(Struct, frozen=True):
    """A file to be listed, whose bytes already are in place."""

    folder: str
    name: str
    area: str
    blob: str
    bytes: int


class File(NewFile, frozen=True, kw_only=True):
    """A listed file; its bytes are `blob` in `area`. `upload` is None for files of the brand itself."""

    brand: str
    upload: int | None
    created_at: datetime


def get(store: Store, brand: str, folder: str, name: str) -> File:
    """Give a file by its name; NotFound."""
    query = sa.select(_files).where(_files.c.brand == brand, _files.c.folder == folder, _files.c.name == name)
    row = store.first(query)
    if row is None:
        raise errors.NotFound(f"no file {folder}/{name}".replace(" /", " "))
    return columns.value(row, File)


def listing(
    store: Store, brand: str, folder: str, since: datetime | None = None, after: str | None = None
) -> list[File]:
    """List a folder by name; `since`: only files made at that moment or later; `after`: a `PAGE` of those behind that name."""
    query = sa.select(_files).where(_files.c.brand == brand, _files.c.folder == folder).order_by(_files.c.name)
    if since is not None:
        query = query.where(_files.c.created_at >= since)
    if after is not None:
        query = query.where(_files.c.name > after).limit(PAGE)
    return store.all(query, File)


def blobs(store: Store, brand: str, folder: str, names: Sequence[str]) -> dict[str, str]:
    """Give what each of some names in a folder stands for; those that are not listed are left out."""
    found: dict[str, str] = {}
    for start in range(0, len(names), BATCH):
        some = (_files.c.folder == folder, _files.c.name.in_(names[start : start + BATCH]))
        rows = store.rows(sa.select(_files.c.name, _files.c.blob).where(_files.c.brand == brand, *some))
        found |= {row.name: row.blob for row in rows}
    return found


def everywhere(store: Store, folder: str, name: str) -> dict[str, str]:
    """Give the blob that a name stands for, by brand."""
    # By way of the brands: the index of names begins with them.
    of_brand = (_files.c.brand.in_(sa.select(tables.brand.c.name)), _files.c.folder == folder, _files.c.name == name)
    return {row.brand: row.blob for row in store.rows(sa.select(_files.c.brand, _files.c.blob).where(*of_brand))}


def of_upload(store: Store, upload: int) -> list[File]:
    """List the files an upload made, internal ones included, in the order they were made."""
    return store.all(sa.select(_files).where(_files.c.upload == upload).order_by(_files.c.id), File)


def result(store: Store, upload: int, name: str) -> File:
    """Give a file that an upload made and people may have; NotFound."""
    for found in results(store, upload):
        if found.name == name:
            return found
    raise errors.NotFound(f"upload {upload} has no file {name}")


def results(store: Store, upload: int) -> list[File]:
    """List the files an upload made that people may have."""
    return [found for found in of_upload(store, upload) if found.folder != Folder.INTERNAL]


def kept(store: Store, uploads: Sequence[int]) -> set[str]:
    """Give the names of the files that some uploads made and that were not removed since."""
    with store.read() as conn:
        return set(conn.execute(sa.select(_files.c.name).where(_files.c.upload.in_(uploads))).scalars())


def hold(tx: Transaction, upload: int, blobs: set[str]) -> None:
    """Keep retention from what an upload listed until the commit; Unavailable if some of these are listed no more."""
    query = sa.select(_files.c.blob).where(_files.c.upload == upload).with_for_update(read=True)
    if not blobs <= set(tx.conn.execute(query).scalars()):
        raise errors.Unavailable(f"what upload {upload} listed was removed after its time at this moment")


def replace(tx: Transaction, brand: str, new: NewFile, upload: int | None = None) -> File | None:
    """List a file, in place of the one of that name; gives the earlier one, whose blob is free now.

    The blob is not deleted here: an open handle may read it, and retention finds it without a row.
    """
    same = (_files.c.brand == brand, _files.c.folder == str(new.folder), _files.c.name == new.name)
    row = tx.conn.execute(sa.select(_files).where(*same)).first()
    if row is not None:
        tx.conn.execute(sa.delete(_files).where(_files.c.id == row.id))
    made = {"brand": brand, "upload": upload, "created_at": tx.now, "folder": str(new.folder), "area": str(new.area)}
    tx.conn.execute(sa.insert(_files), asdict(new) | made)
    return None if row is None else columns.value(row, File)
