"""The versions of each brand's catalog: numbered without gaps, immutable, history for ever."""

import enum
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import asdict

from sftp_gateway import errors, receipt
from sftp_gateway.store import journal, queue, tables
from sftp_gateway.store.database import Store, Transaction
from sftp_gateway.upload import Mode

_versions, _brands = tables.version, tables.brand


class Origin(enum.StrEnum):
    """What made a version: an upload, the release of withheld removals, a rollback."""

    UPLOAD = "upload"
    RELEASE = "release"
    ROLLBACK = "rollback"


class NewVersion(Struct, frozen=True):
    """A version whose files are in place; `jobs.finish` publishes it. `file`, `changes_csv`: names in the catalog area.

    `of` is the number rolled back to; `sha256`, `rules`, `mode`: of the upload that made it.
    """

    number: int
    file: str
    file_bytes: int
    products: int
    columns: tuple[str, ...]
    changes_csv: str | None = None
    changes_csv_bytes: int = 0
    counts: dict[str, int] | None = None
    rules: str = ""
    sha256: str = ""
    mode: str = ""
    origin: Origin = Origin.UPLOAD
    of: int | None = None


class Version(NewVersion, frozen=True, kw_only=True):
    """A published version: its row. `file` is empty, `changes_csv` None once retention removed the bytes.

    `upload` made it (None: no upload did).
    """

    brand: str
    upload: int | None
    created_at: datetime


def current(store: Store, brand: str) -> Version | None:
    """Give what is published; None before the first version."""
    pointed = sa.select(_brands.c.current_version).where(_brands.c.name == brand).scalar_subquery()
    query = sa.select(_versions).where(_versions.c.brand == brand, _versions.c.number == pointed)
    row = store.first(query)
    return None if row is None else _of(row)


def is_current(tx: Transaction, brand: str, number: int) -> bool:
    """Hold the brand until the commit, and say whether that version is what is published. NotFound."""
    queue.lock(tx, brand)
    pointed = sa.select(_brands.c.current_version).where(_brands.c.name == brand)
    return tx.conn.execute(pointed).scalar() == number


def get(store: Store, brand: str, number: int) -> Version:
    """Give a version; NotFound."""
    query = sa.select(_versions).where(_versions.c.brand == brand, _versions.c.number == number)
    row = store.first(query)
    if row is None:
        raise errors.NotFound(f"{brand} has no version {number}")
    return _of(row)


def asked(store: Store, brand: str, number: int | None = None) -> Version:
    """Give a version, the current one by default; NotFound."""
    found = current(store, brand) if number is None else get(store, brand, number)
    if found is None:
        raise errors.NotFound(f"nothing of {brand} is published yet")
    return found


def kept(store: Store, brand: str, number: int | None = None) -> Version:
    """Give a version whose bytes are there, the current one by default; NotFound."""
    found = asked(store, brand, number)
    if not found.file:
        raise errors.NotFound(f"the bytes of version {found.number} were removed after their time")
    return found


def listing(store: Store, brand: str, *, limit: int | None = None, before: int | None = None) -> list[Version]:
    """List versions, newest first; `before`: only lower numbers."""
    query = sa.select(_versions).where(_versions.c.brand == brand).order_by(_versions.c.number.desc())
    if before is not None:
        query = query.where(_versions.c.number < before)
    return list(map(_of, store.rows(query.limit(limit))))


def page(store: Store, brand: str, limit: int, before: int | None = None) -> tuple[list[dict[str, Any]], int | None]:
    """Give versions as JSON, newest first, and the cursor (`before`) of the next page."""
    found = listing(store, brand, limit=limit + 1, before=before)
    shown = [
        {"version": it.number, "upload": it.upload, "origin": it.origin, "of": it.of, "products": it.products}
        | {"created_at": receipt.moment(it.created_at), "columns": list(it.columns), "rules": it.rules}
        for it in found[:limit]
    ]
    return shown, found[limit - 1].number if len(found) > limit else None


def later_than(store: Store, brand: str, number: int) -> list[Version]:
    """List the versions after that one, oldest first: what a correction may be stale against."""
    query = sa.select(_versions).where(_versions.c.brand == brand, _versions.c.number > number)
    return list(map(_of, store.rows(query.order_by(_versions.c.number))))


def older_sources(store: Store, brand: str, sha256: str) -> tuple[tuple[int, str], ...]:
    """Give (number, sha256 of the source) of the older versions that these bytes made as a whole catalog (CATALOG_REVERT)."""
    pointed = sa.select(_brands.c.current_version).where(_brands.c.name == brand).scalar_subquery()
    query = sa.select(_versions.c.number, _versions.c.sha256).where(
        _versions.c.brand == brand,
        _versions.c.number < pointed,
        _versions.c.sha256 == sha256,
        _versions.c.mode.not_in([str(Mode.PARTIAL), str(Mode.CORRECTION)]),
    )
    return tuple((number, sha256) for number, sha256 in store.rows(query.order_by(_versions.c.number)))


def told_codes(store: Store, version: Version) -> frozenset[str] | None:
    """Give the codes of all findings of the upload that made a version; None where that is not known, or no upload did."""
    query = sa.select(tables.upload.c.findings).where(tables.upload.c.id == version.upload)
    told = store.scalar(query) if version.upload is not None else None
    return None if told is None else frozenset(finding["code"] for finding in told)


def roll_back(store: Store, brand: str, number: int, by: str) -> int:
    """Ask for a new version equal to an old one, in the brand's turn; gives the job. NotFound, WrongState."""
    with store.write() as tx:
        queue.lock(tx, brand)  # so that retention does not give up the version meanwhile
        if not get(store, brand, number).file:
            raise errors.WrongState(f"the bytes of version {number} of {brand} were removed after their retention")
        job = queue.enqueue(tx, brand, queue.Kind.ROLLBACK, args={"number": number})
        journal.note(tx, brand, "rollback.requested", by=by, detail={"number": number, "job": job})
        return job


def insert_values(brand: str, upload: int | None, new: NewVersion, at: datetime) -> dict[str, Any]:
    """Give the row of a new version; only `jobs.finish` inserts it."""
    made_by = upload if new.origin is Origin.UPLOAD else None
    return asdict(new) | {
        "brand": brand, "upload": made_by, "origin": str(new.origin), "columns": list(new.columns),
        "counts": new.counts or {}, "created_at": at,
    }  # fmt: skip


def _of(row: Any) -> Version:
    meant = {"origin": Origin(row.origin), "file": row.file or "", "columns": tuple(row.columns)}
    return Version(**{**row._mapping, **meant})  # noqa: SLF001 - public, only named so
