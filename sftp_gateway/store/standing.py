"""How a database stands, for `check`: asked without making or changing anything."""

from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from sftp_gateway import errors
from sftp_gateway.store import database, migrations


def look(url: str) -> tuple[str, datetime] | None:
    """Say what the database at this URL is and what the next start will make of it, and tell its clock (SQLite: this host's).

    None: there is none yet. StoreUnreachable; ConfigError, too, if another gateway made it.
    """
    store = database.open_store(url, migrate=False)
    try:
        if store.dialect == "sqlite" and not Path(sa.make_url(url).database or "").exists():
            return None  # to connect would make it
        with store.read() as conn:
            return _said(store.dialect, migrations.revision(conn)), database.Transaction(conn, None).now
    finally:
        store.close()


def _said(dialect: str, revision: str) -> str:
    if stranger := migrations.strange(revision):
        raise errors.ConfigError(f"it {stranger}")
    if not revision:
        return f"{dialect}; its tables will be made at the first start"
    if revision < migrations.HEAD:
        return f"{dialect} of revision {revision}; the next start brings it to {migrations.HEAD}"
    return dialect
