"""Uploads that stop in the middle and may still be completed. Serves intake/sweep.py and finishing.py."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sftp_gateway.store import drafts, journal, tables, uploads
from sftp_gateway.store.database import Store, Transaction, utc_now
from sftp_gateway.store.drafts import Entry, Place
from sftp_gateway.store.tables import entry as table
from sftp_gateway.upload import State, Upload


def listed(store: Store, limit: int = 1000) -> list[tuple[Upload, datetime, Entry | None]]:
    """Give the unfinished uploads, since when they are, and the row by which they can be completed."""
    since = (
        sa.select(sa.func.max(tables.event.c.at))
        .where(tables.event.c.upload == tables.upload.c.id, tables.event.c.event == f"upload.{State.UNFINISHED}")
        .scalar_subquery()
    )
    query = sa.select(tables.upload.c.id, since).where(tables.upload.c.state == str(State.UNFINISHED)).limit(limit)
    with store.read() as conn:
        found = conn.execute(query.order_by(tables.upload.c.id)).all()
        return [(uploads.find(conn, id_), at or utc_now(), drafts.of_upload(conn, id_)) for id_, at in found]


def remind(tx: Transaction, upload: int, brand: str, receipt: dict[str, Any], findings: list[Any]) -> None:
    """Give an unfinished upload its receipt; it stays unfinished."""
    where = (tables.upload.c.id == upload, tables.upload.c.state == str(State.UNFINISHED))
    if tx.conn.execute(sa.update(tables.upload).where(*where).values(receipt=receipt, findings=findings)).rowcount:
        journal.note(tx, brand, "upload.reminded", upload=upload)


def keep_name(tx: Transaction, upload: int, brand: str) -> None:
    """Let the name of an upload that turned out unfinished stay: by it the upload may be completed, till it is given up."""
    rows = (table.c.upload == upload, table.c.place == Place.ACCEPTED)
    if tx.conn.execute(sa.update(table).where(*rows).values(expires_at=None)).rowcount:
        tx.touch(brand)
