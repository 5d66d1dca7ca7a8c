"""Marker files, without which a file of a brand that agreed on them is no upload (spec §2). Serves drafts.py."""

import sqlalchemy as sa

from sftp_gateway import upload_name
from sftp_gateway.store import brands
from sftp_gateway.store.database import Transaction
from sftp_gateway.store.tables import entry as table


def is_missing(tx: Transaction, brand: str, path: str | None) -> bool:
    """Whether the brand requires a marker that does not lie beside this name; without a name it cannot. NotFound."""
    ending = brands.settings(tx.conn, brand).marker
    if not ending or path is None:
        return bool(ending)
    names = [name for name, kind in upload_name.companions(path, ending).items() if kind == "marker"]
    beside = sa.select(table.c.id).where(table.c.brand == brand, table.c.path.in_(names), table.c.place == "closed")
    return tx.conn.execute(beside.limit(1)).first() is None
