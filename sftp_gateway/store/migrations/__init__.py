"""Brings a database to the present shape: in one transaction, so a kill half-way leaves the old one.

A new database is made from `store/tables.py`. One of an older release is migrated by revisions, numbered as they come
(the first release is 0007): each only adds what old code can live with, so that an old process keeps running while the
new one starts. A process that finds the newest revision, or nothing, does not even import Alembic.
"""

from pathlib import Path

import sqlalchemy as sa

from sftp_gateway import errors
from sftp_gateway.store import tables

PLACE = Path(__file__).parent
_REVISIONS = sorted(path.name[:4] for path in (PLACE / "versions").glob("[0-9]*.py"))
FIRST, HEAD = _REVISIONS[0], _REVISIONS[-1]
LOCK = 7_310_415_927  # any constant: the advisory lock of PostgreSQL under which one process migrates
_MARK = sa.Table("alembic_version", sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True))


def bring_up(engine: sa.Engine, reader: sa.Engine) -> None:
    """Make it or migrate it to `HEAD` if needed; a second process that opens at the same time waits for the first.

    Whether it is needed is asked by the connection that takes no lock, so that nobody waits for a writer to look.
    """
    with reader.connect() as conn:
        if revision(conn) == HEAD:
            return
    with engine.begin() as conn:
        if conn.dialect.name == "postgresql":
            conn.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        found = revision(conn)
        if stranger := strange(found):
            raise errors.ConfigError(f"the store {stranger}")
        if not found:
            _make(conn)
        elif found != HEAD:
            _upgrade(conn)


def revision(conn: sa.Connection) -> str:
    """Give the revision of a database; '' where there are no tables yet."""
    if not sa.inspect(conn).has_table(_MARK.name):
        return ""
    return conn.execute(sa.select(_MARK)).scalar() or ""


def strange(found: str) -> str:
    """Say why this gateway cannot run with a store of that revision; '' where it can, or migrates it."""
    if found > HEAD:
        whose = "a newer gateway"
    elif found and found < FIRST:
        whose = "a gateway of before the first release"  # nothing leads from there
    else:
        return ""
    return f"belongs to {whose} (its revision {found}, ours {HEAD})"


def _make(conn: sa.Connection) -> None:
    tables.metadata.create_all(conn)
    _MARK.create(conn)
    conn.execute(_MARK.insert().values(version_num=HEAD))


def _upgrade(conn: sa.Connection) -> None:
    # Here and not above: Alembic costs 100 ms, and nearly every start finds nothing to migrate.
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config(attributes={"connection": conn})
    config.set_main_option("script_location", str(PLACE))
    command.upgrade(config, "head")
