"""Which brands' rendered files (history.csv, receipts …) are behind the truth."""

import sqlalchemy as sa

from sftp_gateway.store import queue, tables
from sftp_gateway.store.database import Store, Transaction

_homes = tables.home
# As the partial index says it, so that clean homes are never looked at.
_DIRTY = _homes.c.seq != _homes.c.rendered_seq


def dirty(store: Store, limit: int = 1000) -> list[tuple[str, int]]:
    """Give (brand, seq) of homes to render; hand that seq to `is_behind` and `cleaned` when they are.

    Whoever sent something last comes first: thousands may be told only what changed in a setting.
    """
    newest = sa.select(sa.func.max(tables.upload.c.id)).where(tables.upload.c.brand == _homes.c.brand)
    order = (sa.func.coalesce(newest.scalar_subquery(), 0).desc(), _homes.c.brand)
    query = sa.select(_homes.c.brand, _homes.c.seq).where(_DIRTY).order_by(*order).limit(limit)
    return [(row.brand, row.seq) for row in store.rows(query)]


def is_behind(tx: Transaction, brand: str, seq: int) -> bool:
    """Hold the brand until the commit; False if another painter rendered `seq` or later meanwhile. NotFound."""
    queue.lock(tx, brand)
    rendered = sa.select(_homes.c.rendered_seq).where(_homes.c.brand == brand)
    return int(tx.conn.execute(rendered).scalar_one()) < seq


def cleaned(tx: Transaction, brand: str, seq: int) -> None:
    """Say that what was true at `seq` is rendered; changes since then keep the home dirty."""
    clean: sa.Update = sa.update(_homes).where(_homes.c.brand == brand, _homes.c.rendered_seq < seq)
    tx.conn.execute(clean.values(rendered_seq=seq))
