"""A directory of a brand that gets another name, with all that lies in it at any depth. Serves sftp.

A few statements, whatever lies there: every brand waits for the transaction that this is part of, and a directory may
hold ten thousand names.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from msgspec.structs import replace

from sftp_gateway.store import columns, drafts
from sftp_gateway.store.database import Transaction
from sftp_gateway.store.drafts import Entry, Place
from sftp_gateway.store.tables import entry as table

_UNDER_WAY = (Place.OPEN, Place.CLOSED, Place.DROPPED)
_CHANGED = sa.update(table).where(table.c.id == sa.bindparam("row")).values(changed_at=sa.bindparam("at"))


def rename(  # noqa: PLR0913 - whose, from where, to where, how it was sent, and what it means for its files
    tx: Transaction, brand: str, old: str, new: str, *, sent: str, now: datetime, due_at: datetime, submits: bool
) -> list[Entry]:
    """Put all that has the path `old`, or one below it, to `new`; gives the rows as they are then.

    What is under way rests anew, under the name it was sent as: `sent` and what comes after `old`. `submits`: accepted
    files become drafts again, of the same bytes. Whatever has one of the new names loses it, as with `drafts.rename`.
    """
    _make_room(tx, brand, old, new)
    below = sa.func.substr(table.c.path, len(old) + 1, type_=sa.Text)
    path = {"path": sa.literal(new, sa.Text) + below}
    rests = {**path, "sent": sa.literal(sent, sa.Text) + below, "due_at": due_at}
    again = {**rests, "place": Place.CLOSED, "upload": None, "expires_at": None, "declared_bytes": None}
    there = _at(brand, old)
    taken, under_way = there & (table.c.place == Place.ACCEPTED), there & table.c.place.in_(_UNDER_WAY)
    _in_order(tx, taken | under_way if submits else under_way, now)
    accepted = _moved(tx, taken, again) if submits else []
    return [*accepted, *_moved(tx, under_way, rests), *_moved(tx, there, path)]


def _in_order(tx: Transaction, where: Any, now: datetime) -> None:
    """Have all of these rest from now on, and be taken in the order in which they were closed: a microsecond apart."""
    query = sa.select(table.c.id).where(where).order_by(table.c.changed_at, table.c.id)
    ids = list(tx.conn.execute(query).scalars())
    first = now - timedelta(microseconds=len(ids))
    if ids:
        tx.conn.execute(
            _CHANGED, [{"row": id_, "at": first + timedelta(microseconds=n)} for n, id_ in enumerate(ids, 1)]
        )


def _at(brand: str, path: str) -> Any:
    start = path + "/"
    inside = sa.func.substr(table.c.path, 1, len(start)) == start
    return (table.c.brand == brand) & ((table.c.path == path) | inside)


def _make_room(tx: Transaction, brand: str, old: str, new: str) -> None:
    """Take the new names from what another door gave them meanwhile; mostly there is nothing."""
    there = tx.conn.execute(sa.select(table.c.path).where(_at(brand, new))).scalars()
    taken = {str(path)[len(new) :] for path in there}
    if taken:
        rows = tx.conn.execute(sa.select(*drafts.COLUMNS).where(_at(brand, old)))
        coming = [(columns.value(row, Entry), row.path[len(old) :]) for row in rows]
        drafts.evict(tx, [replace(entry, path=new + below) for entry, below in coming if below in taken])


def _moved(tx: Transaction, where: Any, values: dict[str, Any]) -> list[Entry]:
    found = tx.conn.execute(sa.update(table).where(where).values(values).returning(*drafts.COLUMNS))
    return [columns.value(row, Entry) for row in found]
