"""Rows of the upload history that the intake makes: received, unfinished, refused at the door."""

import itertools
from collections.abc import Iterable
from datetime import datetime

from sftp_gateway import receipt, upload_name
from sftp_gateway.intake import answer
from sftp_gateway.store import arrived, drafts, files, order, queue, uploads
from sftp_gateway.store.database import Transaction
from sftp_gateway.store.drafts import Entry, Place
from sftp_gateway.upload import State, Upload


def end_refused(tx: Transaction, upload: Upload, made: answer.Answer, sha256: str) -> None:
    """Take an upload to `refused`, with its receipt and error file; the brand's turn is held from before the look. NotFound."""
    queue.lock(tx, upload.brand)
    state = uploads.find(tx.conn, upload.id).state
    if state is State.RECEIVING:
        uploads.move(tx, upload.id, State.UNFINISHED, detail={"refused": True})
    elif state is not State.UNFINISHED:
        return  # a person was faster
    made.receipt["state"] = str(State.REFUSED)
    made.receipt["times"]["finished"] = receipt.moment(tx.now)
    if made.file is not None:
        files.replace(tx, upload.brand, made.file, upload.id)
    uploads.move(
        tx, upload.id, State.REFUSED, finished_at=tx.now, reasons=made.reasons, receipt=made.receipt,
        findings=made.findings, sha256=sha256, source_kept=bool(sha256),
        detail={"reasons": [reason["code"] for reason in made.reasons]},
    )  # fmt: skip


def received(tx: Transaction, brand: str, rows: Iterable[Entry], mode: str) -> list[int]:
    """Give the uploads of rows, new or resumed, as received; in this order, which is that of the brand's queue."""
    ids: list[int] = []
    for resumed, some in itertools.groupby(rows, key=lambda row: row.upload is not None):
        if resumed:
            ids += [_resumed(tx, row, mode) for row in some]
        else:
            ids += uploads.insert_all(tx, brand, [arrived.new(row, mode, row.sha256) for row in some])
    return ids


def _resumed(tx: Transaction, row: Entry, mode: str) -> int:
    assert row.upload is not None
    known = uploads.find(tx.conn, row.upload)
    if known.state is State.UNFINISHED:
        uploads.move(tx, row.upload, State.RECEIVING)
    elif known.state is not State.RECEIVING:  # given up meanwhile, by a person
        return uploads.insert(tx, row.brand, arrived.new(row, mode, row.sha256))
    uploads.move(
        tx, row.upload, State.RECEIVED, sha256=row.sha256, bytes=row.bytes, path=row.sent,
        name=upload_name.base(row.sent), mode=str(arrived.mode_of(row, mode)),
        received_at=row.changed_at, client=row.client, reasons=None, receipt=None, findings=None,
        detail={"draft": row.id} | ({"replaced": True} if row.path is None else {}),
    )  # fmt: skip
    order.arrange(tx, row.brand)
    return row.upload


def spent(tx: Transaction, companion: Entry, until: datetime) -> list[Entry]:
    """Let a companion that spoke stay visible for a while, and speak no more."""
    moved = drafts.move(
        tx, companion.id, [Place.CLOSED], seen=companion.changed_at, place=Place.SPENT, due_at=None, expires_at=until
    )
    return [moved] if moved else []
