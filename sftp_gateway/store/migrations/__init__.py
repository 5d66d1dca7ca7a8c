"""Brings a database to the present shape: in one transaction, so a kill half-way leaves the old one.

A process that finds the newest revision does not even import Alembic. Revisions are numbered
0001, 0002 …; each only adds what old code can live with, so that an old process keeps running
while the new one starts. After a change of `store/tables.py`, `python -m sftp_gateway.store.migrations
"what changed"` writes the next one; read it before it is committed.
"""

from pathlib import Path

import sqlalchemy as sa

from sftp_gateway import errors

HEAD = max((path.name[:4] for path in (Path(__file__).parent / "versions").glob("[0-9]*.py")), default="")
LOCK = 7_310_415_927  # any constant: the advisory lock of PostgreSQL under which one process migrates


def bring_up(engine: sa.Engine, reader: sa.Engine) -> None:
    """Migrate to `HEAD` if needed; a second process that opens at the same time waits for the first.

    Whether it is needed is asked by the connection that takes no lock, so that nobody waits for a writer to look.
    """
    with reader.connect() as conn:
        if revision(conn) == HEAD:
            return
    with engine.begin() as conn:
        if conn.dialect.name == "postgresql":
            conn.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        found = revision(conn)
        if found > HEAD:
            raise errors.ConfigError(f"the store belongs to a newer gateway (its revision {found}, ours {HEAD})")
        if found != HEAD:
            _upgrade(conn)


def revision(conn: sa.Connection) -> str:
    """Give the revision of a database; '' where there are no tables yet."""
    if not sa.inspect(conn).has_table("alembic_version"):
        return ""
    return conn.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() or ""


def _upgrade(conn: sa.Connection) -> None:
    # Here and not above: Alembic costs 100 ms, and nearly every start finds nothing to migrate.
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config(attributes={"connection": conn})
    config.set_main_option("script_location", str(Path(__file__).parent))
    command.upgrade(config, "head")
