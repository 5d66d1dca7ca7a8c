"""The upload history as it is read: one upload, its timeline, pages of uploads."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from sftp_gateway import errors, receipt
from sftp_gateway.store import tables
from sftp_gateway.store.database import Store
from sftp_gateway.upload import Mode, State, Upload

BATCH = 500
NEAR = 5_000
"""So many ids are looked through for a page before it is worth asking where `since` begins."""

_uploads = tables.upload
_WHOLE = [column for column in _uploads.c if column.name not in {"arrival", "source_kept", "rows"}]
_LISTED = [column for column in _WHOLE if column.name != "findings"]
_GET = sa.select(*_WHOLE).where(_uploads.c.id == sa.bindparam("upload_id"))


class Event(Struct, frozen=True):
    """One line of the timeline of an upload: what happened, by whom, with which figures."""

    id: int
    at: datetime
    event: str
    by: str
    detail: dict[str, Any]


def get(store: Store, upload: int) -> Upload:
    """Give an upload, its whole receipt included; NotFound."""
    with store.read() as conn:
        return find(conn, upload)


def find(conn: sa.Connection, upload: int) -> Upload:
    """Give an upload on an open connection; NotFound."""
    row = conn.execute(_GET, {"upload_id": upload}).first()
    if row is None:
        raise errors.NotFound(f"no upload {upload}")
    return _of(row)


def rows_meant(store: Store, upload: int) -> Mode | None:
    """Tell what a row of an upload meant, FULL or PARTIAL; None: it was not judged."""
    found = store.scalar(sa.select(_uploads.c.rows).where(_uploads.c.id == upload))
    return Mode(found) if found else None


def _of(row: Any) -> Upload:
    """Make the value of a row; a row without `findings` gives a receipt without them."""
    values = dict(row._mapping)  # noqa: SLF001 - public, only named so
    if "findings" in values:
        findings = values.pop("findings") or []
        values["receipt"] = values["receipt"] and values["receipt"] | {"findings": findings}
    values |= {"mode": Mode(row.mode), "state": State(row.state)}
    return Upload(**values | {name: tuple(values[name] or ()) for name in ("reasons", "waived")})


def listing(  # noqa: PLR0913 - the filters of a list
    store: Store,
    *,
    brand: str | None = None,
    states: tuple[State, ...] = (),
    since: datetime | None = None,
    limit: int = 50,
    before: int | None = None,
) -> tuple[list[Upload], int | None]:
    """List uploads, newest first, without findings, and the cursor (`before`) of the next page.

    `receiving` is internal and never listed. Every page costs the same, whatever lies before it.
    """
    shown = set(states or State) - {State.RECEIVING}
    if not shown or limit < 1:
        return [], None
    where = [] if brand is None else [_uploads.c.brand == brand]
    where += [] if before is None else [_uploads.c.id < before]
    where += [] if since is None else [_uploads.c.received_at >= since]
    with store.read() as conn:

        def read(*of: Any) -> Sequence[Any]:
            return conn.execute(_page([*where, *of], states and sorted(shown), limit + 1)).all()

        rows = read(*([] if since is None else [_uploads.c.id > _newest(conn, before) - NEAR]))
        if since is not None and len(rows) <= limit and (first := _first_since(conn, since)) is not None:
            rows = read(_uploads.c.id >= first)
    found = [_of(row) for row in rows[:limit]]
    return found, found[-1].id if len(rows) > limit else None


def newest(store: Store, brand: str, limit: int) -> list[int]:
    """Give the ids of a brand's newest uploads, newest first; `these` tells which of them are listed."""
    query = sa.select(_uploads.c.id).where(_uploads.c.brand == brand)
    return [upload for (upload,) in store.rows(query.order_by(_uploads.c.id.desc()).limit(limit))]


def these(store: Store, ids: Sequence[int]) -> Iterator[list[Upload]]:
    """Give those of some uploads that are listed, without findings, a batch at a time."""
    for start in range(0, len(ids), BATCH):
        some = _uploads.c.id.in_(ids[start : start + BATCH])
        yield [_of(row) for row in store.rows(_page([some], (), BATCH))]


def page(store: Store, limit: int, before: int | None = None, **where: Any) -> tuple[list[Any], int | None]:
    """Give uploads as JSON, newest first, and the cursor (`before`) of the next page; `where`: as for `listing`."""
    found, after = listing(store, limit=limit, before=before, **where)
    return [receipt.listed(upload) for upload in found], after


def _page(where: list[Any], states: Any, limit: int) -> sa.Select[Any]:
    newest = _uploads.c.id.desc()
    if not states:
        # Not by a list of the other states: the primary key alone gives the order.
        listed = _uploads.c.state != State.RECEIVING
        return sa.select(*_LISTED).where(*where, listed).order_by(newest).limit(limit)
    # One short index scan per state: states that are rare among a million are found at once.
    ids = [
        sa.select(
            sa.select(_uploads.c.id).where(*where, _uploads.c.state == state).order_by(newest).limit(limit).subquery()
        )
        for state in states
    ]
    return sa.select(*_LISTED).where(_uploads.c.id.in_(sa.union_all(*ids))).order_by(newest).limit(limit)


def _newest(conn: sa.Connection, before: int | None) -> int:
    """Give the id from which a page goes back."""
    return before or conn.execute(sa.select(sa.func.max(_uploads.c.id))).scalar() or 0


def _first_since(conn: sa.Connection, since: datetime) -> int | None:
    """Find the lowest id received since then, so that a list never walks the history before it."""
    if conn.execute(sa.select(_uploads.c.id).where(_uploads.c.received_at < since).limit(1)).first() is None:
        return 0  # all of them, and a million entries of the index need not be read for it
    # `+ 0`: else both planners walk the primary key up from 1 until a row is young enough.
    query = sa.select(sa.func.min(_uploads.c.id + 0)).where(_uploads.c.received_at >= since)
    return conn.execute(query).scalar()


def events(store: Store, upload: int) -> list[Event]:
    """Give the timeline of an upload, oldest first; NotFound."""
    rows = tables.event
    with store.read() as conn:
        find(conn, upload)
        found = conn.execute(sa.select(rows).where(rows.c.upload == upload).order_by(rows.c.id)).all()
    return [Event(row.id, row.at, row.event, row.by, row.detail or {}) for row in found]
