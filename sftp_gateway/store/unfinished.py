"""Uploads that stop in the middle: they may still be completed, a later file has their name, or their host is gone.

What a later file replaced ends as `superseded`, by way of `received`: the sender has done what there was to do, and is
told nothing. Serves finishing.py and the intake.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sftp_gateway import receipt as receipts
from sftp_gateway.store import arrived, drafts, journal, queue, tables, uploads
from sftp_gateway.store.database import Store, Transaction, utc_now
from sftp_gateway.store.drafts import COLUMNS, Entry, Place
from sftp_gateway.upload import State, Upload

_uploads, _entries, _events, _jobs = tables.upload, tables.entry, tables.event, tables.job
WAITED = receipts.reason("FILE_INCOMPLETE", "The file was not complete yet")
BATCH, MOST_OF_OTHERS = 500, 256


def listed(store: Store) -> Iterator[tuple[Upload, datetime, Entry | None]]:
    """Give the unfinished uploads, since when they are, and the row by which they can be completed; some at a time."""
    became = (_events.c.upload == _uploads.c.id, _events.c.event == f"upload.{State.UNFINISHED}")
    since = sa.select(sa.func.max(_events.c.at)).where(*became).scalar_subquery()
    query = sa.select(_uploads.c.id, since).where(_uploads.c.state == str(State.UNFINISHED)).order_by(_uploads.c.id)
    last, more = 0, True
    while more:
        with store.read() as conn:
            ids = conn.execute(query.where(_uploads.c.id > last).limit(BATCH)).all()
            found = [(uploads.find(conn, id_), at or utc_now(), drafts.of_upload(conn, id_)) for id_, at in ids]
        yield from found
        last, more = max((id_ for id_, _ in ids), default=0), len(ids) == BATCH


def take_back(store: Store) -> None:
    """Have uploads stand as unfinished again that no draft goes on with: the answer to the commit that said so was lost."""
    drafted = sa.select(_entries.c.id).where(_entries.c.upload == _uploads.c.id, _entries.c.place.in_(drafts.UNDER_WAY))
    left = sa.select(_uploads.c.id).where(_uploads.c.state == str(State.RECEIVING), ~drafted.exists())
    for (id_,) in store.rows(left):
        with store.write() as tx:
            if tx.conn.execute(left.where(_uploads.c.id == id_)).first():  # and nobody did since
                journal.move(tx, id_, State.UNFINISHED, detail={"why": "not gone on with"})


def has(store: Store, upload: int) -> bool:
    """Whether an upload is unfinished; nothing else of it is read, a receipt may be long."""
    return bool(store.scalar(sa.select(_uploads.c.state).where(_uploads.c.id == upload)) == State.UNFINISHED)


def remind(tx: Transaction, upload: int, brand: str, receipt: dict[str, Any], findings: list[Any]) -> None:
    """Give an unfinished upload its receipt; it stays unfinished."""
    where = (_uploads.c.id == upload, _uploads.c.state == str(State.UNFINISHED))
    if tx.conn.execute(sa.update(_uploads).where(*where).values(receipt=receipt, findings=findings)).rowcount:
        journal.note(tx, brand, "upload.reminded", upload=upload)


def keep_name(tx: Transaction, upload: int, brand: str) -> None:
    """Let the name of an upload that turned out unfinished stay: by it the upload may be completed, till it is given up."""
    rows = (_entries.c.upload == upload, _entries.c.place == Place.ACCEPTED)
    if tx.conn.execute(sa.update(_entries).where(*rows).values(expires_at=None)).rowcount:
        tx.touch(brand)


def is_replaced(tx: Transaction, upload: int) -> bool:
    """Whether a later file has the name of an upload; NotFound."""
    if drafts.of_upload(tx.conn, upload) is not None:
        return False
    # The row of the later one may not be written yet.
    received = (_events.c.upload == upload, _events.c.event == f"upload.{State.RECEIVED}")
    if any(
        (told or {}).get("replaced") for told in tx.conn.execute(sa.select(_events.c.detail).where(*received)).scalars()
    ):
        return True
    found = uploads.find(tx.conn, upload)
    path = arrived.place_of(found.path)
    return path in drafts.at(tx.conn, found.brand, [path])


def end_replaced(tx: Transaction, upload: int, reasons: Iterable[dict[str, Any]]) -> None:
    """Take an upload from `processing` to its end; its job is done already."""
    journal.move(tx, upload, State.RECEIVED, detail={"why": "replaced"})
    journal.move(tx, upload, State.SUPERSEDED, finished_at=tx.now, reasons=_said(reasons) or None)


def end_waiting(tx: Transaction, upload: int) -> bool:
    """Take an upload to its end that waits to be completed; no worker sees it. False if it waits no more. NotFound."""
    queue.lock(tx, brand := uploads.find(tx.conn, upload).brand)
    found = uploads.find(tx.conn, upload)
    if found.state not in {State.UNFINISHED, State.RECEIVING}:
        return False  # a person was faster
    reasons = found.reasons if found.state is State.UNFINISHED else (WAITED,)
    if found.state is State.UNFINISHED:
        journal.move(tx, upload, State.RECEIVING, detail={"why": "replaced"})
    journal.move(tx, upload, State.RECEIVED, detail={"why": "replaced"})
    its = (_jobs.c.brand == brand, _jobs.c.upload == upload, _jobs.c.place != queue.Place.DONE)
    tx.conn.execute(sa.update(_jobs).where(*its).values(place=queue.Place.DONE))
    told: dict[str, Any] = {"reasons": _said(reasons) or None, "receipt": None, "findings": None}
    journal.move(tx, upload, State.SUPERSEDED, finished_at=tx.now, **told)
    return True


def _said(reasons: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**reason, "text": f"{str(reason['text']).rstrip('.')}; a later file took its name"} for reason in reasons]


def of_others(store: Store, area: str, open_before: datetime, closed_before: datetime) -> list[Entry]:
    """Give drafts of other hosts that were left as they are for so long, and that have a name or are in no history."""
    ended = _entries.c.place.in_([Place.CLOSED, Place.DROPPED, Place.CLAIMED]) & (_entries.c.changed_at < closed_before)
    shows = _entries.c.path.is_not(None) | _entries.c.upload.is_(None)
    left = ((_entries.c.place == Place.OPEN) & (_entries.c.changed_at < open_before)) | (ended & shows)
    query = sa.select(*COLUMNS).where(_entries.c.id.not_like(area + "%"), left).order_by(_entries.c.changed_at)
    return store.all(query.limit(MOST_OF_OTHERS), Entry)


def renew(tx: Transaction, row: Entry, now: datetime) -> None:
    """Say that who has a draft open lives."""
    still = (_entries.c.id == row.id, _entries.c.place == Place.OPEN, _entries.c.changed_at == row.changed_at)
    tx.conn.execute(sa.update(_entries).where(*still).values(changed_at=now))
