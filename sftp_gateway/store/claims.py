"""Drafts that are claimed and accepted many at a time: as many statements for a hundred as for one.

To build a statement costs more here than to run it. The rows and their places are those of drafts.py.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from msgspec.structs import replace

from sftp_gateway.store import columns
from sftp_gateway.store.database import Transaction
from sftp_gateway.store.drafts import COLUMNS, Entry, Place
from sftp_gateway.store.tables import entry as table

_IDS = table.c.id.in_(sa.bindparam("ids", expanding=True))
# One statement for a batch; the ids beside the pairs, so that every engine finds the rows by their key.
_CLAIM = (
    sa.update(table)
    .where(
        _IDS,
        sa.tuple_(table.c.id, table.c.changed_at).in_(sa.bindparam("seen", expanding=True)),
        table.c.place == Place.CLOSED,
    )
    .values(place=Place.CLAIMED, owner=sa.bindparam("claimer"), due_at=None)
    .returning(*COLUMNS)
)
_CLAIMED = sa.select(*COLUMNS).where(_IDS, table.c.place == Place.CLAIMED).with_for_update()
_ACCEPT = (
    sa.update(table)
    .where(table.c.id == sa.bindparam("draft"))
    .values(
        place=Place.ACCEPTED, upload=sa.bindparam("became"), sha256=sa.bindparam("digest"), owner="", due_at=None,
        reason=None, expires_at=sa.bindparam("until"),
    )
)  # fmt: skip


def claim(tx: Transaction, rows: Sequence[Entry], owner: str) -> list[Entry]:
    """Claim those of the rows that are closed still, by the close they were seen with; in their order."""
    if not rows:
        return []
    seen = {"ids": [row.id for row in rows], "seen": [(row.id, row.changed_at) for row in rows], "claimer": owner}
    mine = {row.id: columns.value(row, Entry) for row in tx.conn.execute(_CLAIM, seen)}
    return [mine[row.id] for row in rows if row.id in mine]


def claimed(tx: Transaction, ids: Iterable[str]) -> dict[str, Entry]:
    """Give those of the rows that are claimed, by id; nobody changes them before the commit."""
    return {row.id: columns.value(row, Entry) for row in tx.conn.execute(_CLAIMED, {"ids": list(ids)})}


def gone_on(tx: Transaction, ids: Iterable[str]) -> set[str]:
    """Tell which of some ended drafts the intake has gone on with; it does with none of the others before the commit."""
    rests = {Place.OPEN, Place.CLOSED, Place.DROPPED}
    these = sa.select(table.c.id, table.c.place).where(table.c.id.in_(list(ids))).with_for_update()
    return {row.id for row in tx.conn.execute(these) if row.place not in rests}


def accept(tx: Transaction, rows: Sequence[Entry], until: datetime) -> list[Entry]:
    """Let the names of claimed rows, which tell their uploads and hashes now, stay for a while; gives them so."""
    accepted = [
        replace(row, place=Place.ACCEPTED, owner="", due_at=None, reason=None, expires_at=until) for row in rows
    ]
    if accepted:
        told = [{"draft": row.id, "became": row.upload, "digest": row.sha256, "until": until} for row in accepted]
        tx.conn.execute(_ACCEPT, told)
    return accepted


def forget(tx: Transaction, ids: Sequence[str]) -> None:
    """Forget rows."""
    if ids:
        tx.conn.execute(sa.delete(table).where(table.c.id.in_(list(ids))))
