"""How a database stands, for `check`: asked without making or changing anything."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from sftp_gateway.store import database, migrations


@dataclass(frozen=True, slots=True)
class Standing:
    """`revision` is '' where there are no tables yet; `now` is the server's clock, with SQLite this host's."""

    dialect: str
    revision: str
    now: datetime

    @property
    def is_strange(self) -> bool:
        """Whether another gateway made it, so that this one cannot run with it."""
        return bool(migrations.strange(self.revision))

    @property
    def says(self) -> str:
        """Say what it is, and what the next start will make of it."""
        if self.is_strange:
            return f"it {migrations.strange(self.revision)}"
        if not self.revision:
            return f"{self.dialect}; its tables will be made at the first start"
        if self.revision < migrations.HEAD:
            return f"{self.dialect} of revision {self.revision}; the next start brings it to {migrations.HEAD}"
        return self.dialect


def look(url: str) -> Standing | None:
    """Tell how the database at this URL stands; None: there is none yet. StoreUnreachable, ConfigError."""
    store = database.open_store(url, migrate=False)
    try:
        if store.dialect == "sqlite" and not Path(sa.make_url(url).database or "").exists():
            return None  # to connect would make it
        with store.read() as conn:
            return Standing(store.dialect, migrations.revision(conn), database.Transaction(conn, None).now)
    finally:
        store.close()
