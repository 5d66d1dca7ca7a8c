"""What verbs of the command line did, and who: kept beside each change, and told by a running gateway in its log.

A verb's own log is a terminal that nobody reads later. A deed is a row of the verb's transaction; it stays,
also of what belongs to no brand (any more): tokens, an erased brand. Whichever process takes it logs it.
"""

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from sftp_gateway.store import tables
from sftp_gateway.store.database import Store, Transaction

MOST = 200
_deeds = tables.deed
_UNTOLD = (
    sa.select(_deeds)
    .where(_deeds.c.told_at.is_(None))
    .order_by(_deeds.c.id)
    .limit(MOST)
    .with_for_update(skip_locked=True)
)
_OF_NOBODY = frozenset({"brand.erased"})
"""Events after which the brand is no more; a later brand of that name has nothing to do with them."""


class Deed(Struct, frozen=True):
    """One event of a verb; `fields` are those of its log line, `by` the person at the shell."""

    at: datetime
    event: str
    by: str
    fields: dict[str, Any]


def keep(store: Store, by: str) -> None:
    """Have every transaction of this store note its events as deeds of this person."""

    def note(tx: Transaction) -> None:
        if tx.events:
            rows = [_row(tx.now, by, event, fields) for event, fields in tx.events]
            tx.conn.execute(sa.insert(_deeds), rows)

    store.before_marks = note


def take(store: Store) -> list[Deed]:
    """Give deeds that no process took yet, in their order: to be logged, once."""
    if store.first(sa.select(_deeds.c.id).where(_deeds.c.told_at.is_(None)).limit(1)) is None:
        return []
    with store.write() as tx:
        rows = tx.conn.execute(_UNTOLD).all()
        taken = [row.id for row in rows]
        tx.conn.execute(sa.update(_deeds).where(_deeds.c.id.in_(taken)).values(told_at=tx.now))
    return [Deed(row.at, row.event, row.by, row.detail) for row in rows]


def _row(at: datetime, by: str, event: str, fields: dict[str, Any]) -> dict[str, Any]:
    brand = None if event in _OF_NOBODY else fields.get("brand")
    detail = json.loads(json.dumps(fields, default=str))
    return {"brand": brand, "at": at, "event": event, "by": by, "detail": detail}
