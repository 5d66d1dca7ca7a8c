"""Sources that stay out after failed logins: kept over restarts, shared by every front door, lifted by `bans clear`."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import asdict

from sftp_gateway.store import database, tables, upsert
from sftp_gateway.store.database import Store, Transaction

MOST_SOURCES = 10_000
REMEMBERED = timedelta(hours=2)
"""So long after its end a penalty still makes the next one longer; then its level has run out anyhow."""

_penalties = tables.penalty


class Penalty(Struct, frozen=True):
    """One source: `level` is how often it offended, `until` when it may come again, `tried` the brand it wanted."""

    source: str
    tried: str
    level: int
    until: datetime


def save(store: Store, changed: Iterable[Penalty], gone: Iterable[str]) -> None:
    """Write what changed, forget who is gone and what ended long ago; another door may write the same sources now."""
    rows = [asdict(penalty) for penalty in changed]
    rows.sort(key=lambda row: str(row["source"]))  # in one order: two doors must not wait for each other
    forgotten = sorted(gone)
    database.run(store, lambda tx: _save(tx, rows, forgotten))


def _save(tx: Transaction, rows: list[dict[str, Any]], forgotten: list[str]) -> None:
    for start in range(0, len(forgotten), 500):
        some = forgotten[start : start + 500]
        tx.conn.execute(sa.delete(_penalties).where(_penalties.c.source.in_(some)))
    tx.conn.execute(sa.delete(_penalties).where(_penalties.c.until < tx.now - REMEMBERED))
    if rows:
        tx.conn.execute(upsert.replacing(_penalties, tx.conn.dialect.name), rows)


def listing(store: Store, *, running: bool = False) -> list[Penalty]:
    """List the sources that are remembered, or only those that are out now; who stays out longest first."""
    query = sa.select(_penalties).order_by(_penalties.c.until.desc(), _penalties.c.source).limit(MOST_SOURCES)
    if running:
        query = query.where(_penalties.c.until > store.now())
    return store.all(query, Penalty)


def clear(store: Store, source: str | None = None, by: str = "gateway") -> int:
    """Forget one source, or all; give how many were forgotten. Front doors see it within a second."""
    query = sa.delete(_penalties)
    with store.write() as tx:
        gone = tx.conn.execute(query if source is None else query.where(_penalties.c.source == source)).rowcount
        tx.emit("bans.cleared", source=source or "all", count=gone, by=by)
    return gone
