"""Uploads: received, approved, refused, retried. States change by `move` alone; `history` reads them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace

from sftp_gateway import errors
from sftp_gateway.store import journal, order, queue, tables
from sftp_gateway.store.database import Store, Transaction
from sftp_gateway.store.history import Event, events, find, get, listing, newest, page, rows_meant, these
from sftp_gateway.store.journal import move
from sftp_gateway.upload import Mode, State, Upload

__all__ = [
    "Event", "New", "approve", "decide", "events", "find", "get", "has_source", "insert", "insert_all", "listing", "move", "newest", "page",
    "receive", "receive_once", "refuse", "retry", "rows_meant", "these",
]  # fmt: skip

INCOMPLETE = "FILE_INCOMPLETE"
"""Why an upload that nobody completed is refused."""
REMEMBERED = timedelta(hours=24)
"""So long the key of a file that came by HTTP is known."""
_uploads = tables.upload
_INSERT = sa.insert(_uploads).returning(_uploads.c.id, sort_by_parameter_order=True)
_SOURCE = sa.select(_uploads.c.source_kept, _uploads.c.sha256)
_ARRIVED = sa.update(_uploads).where(_uploads.c.id == sa.bindparam("upload_id")).values(arrival=sa.bindparam("job_id"))
_AS_THEY_ARE = ("path", "via", "complete", "bytes", "sha256", "received_at", "source_upload", "client")


class New(Struct, frozen=True):
    """What is known of a file that arrived.

    `path` is as sent, without the leading `/`; `complete`: whole by definition (shell, drop folder, HTTP).
    """

    mode: Mode
    path: str
    sha256: str
    bytes: int
    via: str
    complete: bool
    received_at: datetime
    client: dict[str, Any] | None = None
    source_upload: int | None = None
    reasons: tuple[dict[str, Any], ...] = ()
    draft: str = ""
    """The draft it was, which the audit lines of its transfers name."""
    replaced: bool = False
    """Whether a later file had its name before it was received."""
    refused: bool = False
    """Whether it is refused already, and only on its way there: nobody will complete it."""

    def facts(self) -> dict[str, Any]:
        """Give what its first event tells."""
        told = {"name": self.path, "bytes": self.bytes, "sha256": self.sha256, "mode": str(self.mode), "via": self.via}
        told |= {"draft": self.draft} if self.draft else {}
        return told | {name: True for name in ("replaced", "refused") if getattr(self, name)}


def receive(store: Store, brand: str, new: New, *, by: str = "gateway") -> Upload:
    """Take a file whose bytes already are in the sources area: one commit, then it is ours. NotFound."""
    with store.write() as tx:
        return find(tx.conn, insert(tx, brand, new, by=by))


def receive_once(store: Store, key: str, brand: str, new: New, by: str) -> tuple[Upload, bool]:
    """Receive a file at most once per key that its sender chose; True if it is new. An empty key is always new. NotFound.

    For clients that send again when an answer was lost. The brand's turn is held, so that of two at the same time one wins.
    """
    with store.write() as tx:
        queue.lock(tx, brand)
        if key:
            if (seen := _seen(tx, brand, key)) is not None:
                return find(tx.conn, seen), False
            new = replace(new, client={**(new.client or {}), "idempotency_key": key})
        return find(tx.conn, insert(tx, brand, new, by=by)), True


def _seen(tx: Transaction, brand: str, key: str) -> int | None:
    """Find the upload of a key that is still remembered."""
    lately = _uploads.c.received_at >= tx.now - REMEMBERED
    first = sa.select(_uploads.c.id).where(
        _uploads.c.brand == brand,
        # Without it all that the brand ever sent is looked at.
        _uploads.c.id >= sa.select(sa.func.min(_uploads.c.id + 0)).where(lately).scalar_subquery(),
        lately,
        _uploads.c.client["idempotency_key"].as_string() == key,
    )
    return tx.conn.execute(first.limit(1)).scalar()


def insert(tx: Transaction, brand: str, new: New, state: State = State.RECEIVED, *, by: str = "gateway") -> int:
    """Give a file its id: `received` (it joins the brand's queue) or `unfinished`; NotFound."""
    return insert_all(tx, brand, [new], state, by=by)[0]


def insert_all(
    tx: Transaction, brand: str, news: Sequence[New], state: State = State.RECEIVED, *, by: str = "gateway"
) -> list[int]:
    """Give files of a brand their ids, in this order, which is that of their jobs too; NotFound.

    As many statements for a hundred as for one.
    """
    if state not in {State.RECEIVED, State.UNFINISHED}:
        raise errors.WrongState(f"an upload is not born {state}")
    queue.lock(tx, brand)
    rows = [
        {name: getattr(new, name) for name in _AS_THEY_ARE}
        | {"brand": brand, "mode": str(new.mode), "state": str(state), "name": new.path.rpartition("/")[2]}
        | {"source_kept": True, "reasons": list(new.reasons) or None}
        for new in news
    ]
    ids = [int(upload) for upload in tx.conn.execute(_INSERT, rows).scalars()]
    if state is State.RECEIVED:
        work = [(upload, new.bytes) for upload, new in zip(ids, news, strict=True)]
        jobs = queue.enqueue_all(tx, brand, queue.Kind.PROCESS, work)
        arrived = [{"upload_id": upload, "job_id": job} for upload, job in zip(ids, jobs, strict=True)]
        tx.conn.execute(_ARRIVED, arrived)
    happened = [(upload, new.facts()) for upload, new in zip(ids, news, strict=True)]
    journal.note_all(tx, brand, f"upload.{state}", happened, by=by)
    order.arrange(tx, brand)
    return ids


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
            # It was found whole when it was held: how the brand's files end since then says nothing of it.
            move(tx, upload, State.RECEIVED, by=by, detail={"waived": codes}, waived=waived, complete=True)
            order.arrange(tx, found.brand)
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
    """Try again: a failed upload itself, or a new upload of the bytes of one that is refused, held or came too late by its name.

    Whoever retries what was never completed says that it is: as with files from the shell, nothing more is waited for;
    what was held was found whole.
    Raises WrongState for another state, or where the bytes are not there, or no longer; NotFound.
    """
    with store.write() as tx:
        found = _locked(tx, upload)
        if found.state not in {State.FAILED, State.REFUSED, State.HELD} and not found.came_late:
            raise errors.WrongState(f"upload {upload} is {found.state}: only failed, refused and held ones are retried")
        _require_source(tx, upload)
        if found.state is State.FAILED:
            move(tx, upload, State.RECEIVED, by=by, finished_at=None, reasons=None)
            order.arrange(tx, found.brand)
            return find(tx.conn, upload)
        again = New(
            mode=_asked_mode(found), path=found.path, sha256=found.sha256, bytes=found.bytes, via=found.via,
            complete=found.complete or found.state is State.HELD or any(why["code"] == INCOMPLETE for why in found.reasons),
            received_at=tx.now, client=found.client, source_upload=upload,
        )  # fmt: skip
        return find(tx.conn, insert(tx, found.brand, again, by=by))


def decide(store: Store, verb: str, upload: int, by: str) -> Upload:
    """Do what a verb says, approve, refuse or retry; gives the upload to look at then. As the verbs, raises."""
    if verb == "retry":
        return retry(store, upload, by)
    (approve if verb == "approve" else refuse)(store, upload, by)
    return get(store, upload)


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


def has_source(store: Store, upload: int) -> bool:
    """Tell whether the bytes of an upload were taken in and are still there."""
    return all(store.first(_SOURCE.where(_uploads.c.id == upload)) or [False])


def _require_source(tx: Transaction, upload: int) -> None:
    kept, sha256 = tx.conn.execute(_SOURCE.where(_uploads.c.id == upload)).one()
    if not sha256:
        raise errors.WrongState(f"upload {upload} was refused before its bytes were taken in; send the file again")
    if not kept:
        raise errors.WrongState(f"upload {upload}: its bytes were removed after their retention; send the file again")


def _asked_mode(upload: Upload) -> Mode:
    """Tell the mode the sender chose: `correction` is found by looking into the file."""
    if upload.mode is not Mode.CORRECTION:
        return upload.mode
    return Mode.PARTIAL if upload.path.startswith("partial/") else Mode.FULL
