"""The upload history: received, listed, approved, refused, retried. States change by `move` alone."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sftp_gateway import errors
from sftp_gateway.store import journal, queue, tables
from sftp_gateway.store.database import Store, Transaction
from sftp_gateway.store.journal import move
from sftp_gateway.upload import Mode, State, Upload

__all__ = [
    "Event", "approve", "counts", "events", "get", "insert", "listing", "move", "of_row", "receive", "refuse", "retry",
]  # fmt: skip

_uploads = tables.upload
_WHOLE = [column for column in _uploads.c if column.name not in {"arrival", "source_kept"}]
_LISTED = [column for column in _WHOLE if column.name != "findings"]
_GET = sa.select(*_WHOLE).where(_uploads.c.id == sa.bindparam("upload_id"))
_INSERT = sa.insert(_uploads)
_ARRIVED = sa.update(_uploads).where(_uploads.c.id == sa.bindparam("upload_id")).values(arrival=sa.bindparam("job_id"))


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the timeline of an upload: what happened, by whom, with which figures."""

    id: int
    at: datetime
    event: str
    by: str
    detail: dict[str, Any]


def receive(  # noqa: PLR0913 - what is known of a file that arrived
    store: Store,
    *,
    brand: str,
    mode: Mode,
    path: str,
    sha256: str,
    bytes: int,  # noqa: A002 - the word of the receipt
    via: str,
    complete: bool,
    received_at: datetime,
    client: dict[str, Any] | None = None,
    source_upload: int | None = None,
) -> Upload:
    """Take a file whose bytes already are in the sources area: one commit, then it is ours.

    `path` is as sent, without the leading `/`; `complete`: whole by definition (shell, drop folder,
    HTTP). Raises NotFound for an unknown brand.
    """
    with store.write() as tx:
        upload = insert(
            tx,
            brand=brand,
            mode=mode,
            path=path,
            sha256=sha256,
            bytes=bytes,
            via=via,
            complete=complete,
            received_at=received_at,
            client=client,
            source_upload=source_upload,
        )
        return find(tx.conn, upload)


def insert(  # noqa: PLR0913 - the columns of an upload
    tx: Transaction,
    *,
    brand: str,
    mode: Mode,
    path: str,
    sha256: str,
    bytes: int,  # noqa: A002 - the word of the receipt
    via: str,
    complete: bool,
    received_at: datetime,
    state: State = State.RECEIVED,
    client: dict[str, Any] | None = None,
    source_upload: int | None = None,
    reasons: tuple[dict[str, Any], ...] = (),
    by: str = "gateway",
) -> int:
    """Give a file its id: `received` (it joins the brand's queue) or `unfinished`; NotFound."""
    if state not in {State.RECEIVED, State.UNFINISHED}:
        raise errors.WrongState(f"an upload is not born {state}")
    queue.lock(tx, brand)
    inserted = tx.conn.execute(
        _INSERT,
        {
            "brand": brand,
            "mode": str(mode),
            "state": str(state),
            "name": path.rpartition("/")[2],
            "path": path,
            "via": via,
            "complete": complete,
            "bytes": bytes,
            "sha256": sha256,
            "received_at": received_at,
            "source_upload": source_upload,
            "source_kept": True,
            "client": client,
            "reasons": list(reasons) or None,
        },
    )
    (upload,) = inserted.inserted_primary_key or (0,)
    if state is State.RECEIVED:
        job = queue.enqueue(tx, brand, queue.Kind.PROCESS, upload=upload, size=bytes)
        tx.conn.execute(_ARRIVED, {"upload_id": upload, "job_id": job})
    detail = {"name": path, "bytes": bytes, "sha256": sha256, "mode": str(mode), "via": via}
    journal.note(tx, brand, f"upload.{state}", upload=upload, by=by, detail=detail)
    return int(upload)


def get(store: Store, upload: int) -> Upload:
    """Give an upload, its whole receipt included; NotFound."""
    with store.read() as conn:
        return find(conn, upload)


def find(conn: sa.Connection, upload: int) -> Upload:
    """Give an upload on an open connection; NotFound."""
    row = conn.execute(_GET, {"upload_id": upload}).first()
    if row is None:
        raise errors.NotFound(f"no upload {upload}")
    return of_row(row)


def of_row(row: Any) -> Upload:
    """Make the value of a row; a row without `findings` gives a receipt without them."""
    receipt = row.receipt
    if receipt is not None and "findings" in row._fields:
        receipt = receipt | {"findings": row.findings or []}
    return Upload(
        id=row.id,
        brand=row.brand,
        mode=Mode(row.mode),
        state=State(row.state),
        name=row.name,
        path=row.path,
        via=row.via,
        complete=row.complete,
        bytes=row.bytes,
        sha256=row.sha256,
        received_at=row.received_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        reasons=tuple(row.reasons or ()),
        waived=tuple(row.waived or ()),
        base_version=row.base_version,
        version=row.version,
        source_upload=row.source_upload,
        client=row.client,
        receipt=receipt,
    )


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
    with store.read() as conn:
        if since is not None:
            first = _first_since(conn, since)
            if first is None:
                return [], None
            where += [_uploads.c.id >= first, _uploads.c.received_at >= since]
        rows = conn.execute(_page(where, states and sorted(shown), limit + 1)).all()
    found = [of_row(row) for row in rows[:limit]]
    return found, found[-1].id if len(rows) > limit else None


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


def _first_since(conn: sa.Connection, since: datetime) -> int | None:
    """Find the lowest id received since then, so that a list never walks the history before it."""
    # `+ 0`: else both planners walk the primary key up from 1 until a row is young enough.
    query = sa.select(sa.func.min(_uploads.c.id + 0)).where(_uploads.c.received_at >= since)
    return conn.execute(query).scalar()


def approve(store: Store, upload: int, by: str) -> int | None:
    """Confirm what a guard stopped.

    Held: its shown reasons are waived and it runs again against the version current then (None).
    The brand's latest full upload, published with removals withheld: a job that makes a version
    without these products; its id is given. Else WrongState; NotFound.
    """
    with store.write() as tx:
        found = _locked(tx, upload)
        if found.state is State.HELD:
            codes = [str(reason["code"]) for reason in found.reasons]
            waived = sorted({*found.waived, *codes})
            _require_source(tx, upload)
            move(tx, upload, State.RECEIVED, by=by, detail={"waived": codes}, waived=waived)
            return None
        if not _withholds(tx, found):
            raise errors.WrongState(f"upload {upload} is {found.state}: there is nothing to approve")
        _refuse_while_released(tx, upload)
        job = queue.enqueue(tx, found.brand, queue.Kind.RELEASE, upload=upload)
        journal.note(tx, found.brand, "removals.approved", upload=upload, by=by, detail={"job": job})
        return job


def refuse(store: Store, upload: int, by: str) -> None:
    """Give up a held or failed upload, or keep the products whose removal is withheld.

    Raises WrongState, NotFound.
    """
    with store.write() as tx:
        found = _locked(tx, upload)
        if found.state in {State.HELD, State.FAILED}:
            move(tx, upload, State.REFUSED, by=by, finished_at=tx.now)
            return
        if not _withholds(tx, found):
            raise errors.WrongState(f"upload {upload} is {found.state}: there is nothing to refuse")
        _refuse_while_released(tx, upload)
        tx.conn.execute(sa.delete(tables.withheld).where(tables.withheld.c.brand == found.brand))
        journal.note(tx, found.brand, "removals.refused", upload=upload, by=by)


def retry(store: Store, upload: int, by: str) -> Upload:
    """Try again: a failed upload itself, or a new upload of a refused or held one's bytes.

    Raises WrongState for another state, or once retention removed the bytes; NotFound.
    """
    with store.write() as tx:
        found = _locked(tx, upload)
        if found.state not in {State.FAILED, State.REFUSED, State.HELD}:
            raise errors.WrongState(f"upload {upload} is {found.state}: only failed, refused and held ones are retried")
        _require_source(tx, upload)
        if found.state is State.FAILED:
            move(tx, upload, State.RECEIVED, by=by, finished_at=None, reasons=None)
            return find(tx.conn, upload)
        again = insert(
            tx,
            brand=found.brand,
            mode=_asked_mode(found),
            path=found.path,
            sha256=found.sha256,
            bytes=found.bytes,
            via=found.via,
            complete=found.complete,
            received_at=tx.now,
            client=found.client,
            source_upload=upload,
            by=by,
        )
        return find(tx.conn, again)


def events(store: Store, upload: int) -> list[Event]:
    """Give the timeline of an upload, oldest first; NotFound."""
    rows = tables.event
    with store.read() as conn:
        find(conn, upload)
        found = conn.execute(sa.select(rows).where(rows.c.upload == upload).order_by(rows.c.id)).all()
    return [Event(row.id, row.at, row.event, row.by, row.detail or {}) for row in found]


def counts(store: Store) -> dict[State, int]:
    """Count uploads by state; states that are empty are there with 0."""
    query = sa.select(_uploads.c.state, sa.func.count()).group_by(_uploads.c.state)
    with store.read() as conn:
        found = {State(state): count for state, count in conn.execute(query)}
    return {state: found.get(state, 0) for state in State if state is not State.RECEIVING}


def _locked(tx: Transaction, upload: int) -> Upload:
    """Give an upload while its brand's turn is held, so that no job ends between look and deed."""
    found = find(tx.conn, upload)
    queue.lock(tx, found.brand)
    return find(tx.conn, upload)


def _withholds(tx: Transaction, upload: Upload) -> bool:
    rows = tables.withheld
    query = sa.select(rows.c.upload).where(rows.c.brand == upload.brand)
    return upload.state in {State.PUBLISHED, State.UNCHANGED} and tx.conn.execute(query).scalar() == upload.id


def _refuse_while_released(tx: Transaction, upload: int) -> None:
    jobs = tables.job
    query = sa.select(jobs.c.id).where(
        jobs.c.upload == upload, jobs.c.kind == queue.Kind.RELEASE, jobs.c.place != queue.Place.DONE
    )
    if tx.conn.execute(query).first():
        raise errors.WrongState(f"upload {upload}: its removals are approved already and about to be published")


def _require_source(tx: Transaction, upload: int) -> None:
    query = sa.select(_uploads.c.source_kept).where(_uploads.c.id == upload)
    if not tx.conn.execute(query).scalar():
        raise errors.WrongState(f"upload {upload}: its bytes were removed after their retention; send the file again")


def _asked_mode(upload: Upload) -> Mode:
    """Tell the mode the sender chose: `correction` is found by looking into the file."""
    if upload.mode is not Mode.CORRECTION:
        return upload.mode
    return Mode.PARTIAL if upload.path.startswith("partial/") else Mode.FULL
