"""Files that stop in the middle, whose name a later file took before that was found: nobody can complete them any more.

They end as `superseded`, by way of `received`: the sender has done what there was to do, and is told nothing. Serves
finishing.py and the intake.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from sftp_gateway.store import arrived, drafts, journal, queue, tables, uploads
from sftp_gateway.store.database import Transaction
from sftp_gateway.upload import State

_events, _jobs = tables.event, tables.job
WAITED: dict[str, Any] = {
    "code": "FILE_INCOMPLETE",
    "figure": None,
    "limit": None,
    "text": "The file was not complete yet",
}


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


def end(tx: Transaction, upload: int, reasons: Iterable[dict[str, Any]]) -> None:
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
