"""Drafts whose host is gone for good: nobody else can read their bytes, and nobody there ends them. Serves the intake."""

from datetime import datetime

import sqlalchemy as sa

from sftp_gateway.store import tables
from sftp_gateway.store.database import Store, Transaction
from sftp_gateway.store.drafts import COLUMNS, Entry, Place, entry_of

_entries = tables.entry
MOST = 256


def of_others(store: Store, area: str, open_before: datetime, closed_before: datetime) -> list[Entry]:
    """Give drafts of other hosts that were left as they are for so long, and that have a name or are in no history."""
    ended = _entries.c.place.in_([Place.CLOSED, Place.DROPPED, Place.CLAIMED]) & (_entries.c.changed_at < closed_before)
    shows = _entries.c.path.is_not(None) | _entries.c.upload.is_(None)
    left = ((_entries.c.place == Place.OPEN) & (_entries.c.changed_at < open_before)) | (ended & shows)
    query = sa.select(*COLUMNS).where(_entries.c.id.not_like(area + "%"), left).order_by(_entries.c.changed_at)
    with store.read() as conn:
        return [entry_of(row) for row in conn.execute(query.limit(MOST))]


def renew(tx: Transaction, row: Entry, now: datetime) -> None:
    """Say that who has a draft open lives."""
    still = (_entries.c.id == row.id, _entries.c.place == Place.OPEN, _entries.c.changed_at == row.changed_at)
    tx.conn.execute(sa.update(_entries).where(*still).values(changed_at=now))
