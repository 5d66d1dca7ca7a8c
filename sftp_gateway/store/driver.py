"""What a database driver is told about the world, and what it says, as errors of ours; what our SQL did wrong stays what it is."""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from sftp_gateway import errors

ALIVE = {
    "keepalives": 1,
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 50_000,
}
"""A host of PostgreSQL that vanished without a word is noticed within a minute; else whoever waits for it waits for hours."""
AGAIN_SECONDS = 0.01
NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "glusterfs"})


class ReadOnly(errors.StoreUnreachable):
    """The server takes no writes: it was the first and is the second now."""


class Collided(errors.Unavailable):
    """Two transactions waited for each other, and this one was ended for the other; run again it goes through."""


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise StoreUnreachable, Collided, DiskFull or NotFound instead of what the driver raises."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        if (ours := _of_sqlite(error.orig) or _of_postgresql(error.orig)) is not None:
            raise ours from error
        if isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError) or error.connection_invalidated:
            raise errors.StoreUnreachable("the database does not answer", _first_line(error.orig)) from error
        raise
    except sa.exc.TimeoutError as error:
        raise errors.StoreUnreachable("every connection to the database is in use") from error


def switch_to_wal(connection: sqlite3.Connection, seconds: float) -> None:
    """Have SQLite keep a write-ahead log, waiting that long for others who have the file at this moment.

    Its own time limit does not hold where another one writes: then it says at once that the file is locked. A file that
    has a log already is locked by nobody for this.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        else:
            return
        time.sleep(AGAIN_SECONDS)


def is_taken(error: sa.exc.IntegrityError) -> bool:
    """Whether another transaction was quicker to take what must be there once."""
    return getattr(error.orig, "sqlstate", None) == "23505"


def _of_sqlite(cause: BaseException | None) -> errors.GatewayError | None:
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if isinstance(cause, sqlite3.OperationalError):
        if code == sqlite3.SQLITE_FULL:
            return errors.DiskFull("no room for the database")
        return errors.StoreUnreachable("the database does not answer", str(cause))
    if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
        which = "gateway.db in storage.root, or the file of store.url"
        return errors.StoreUnreachable(f"the database file is damaged ({cause}); restore it from a backup", which)
    if getattr(cause, "sqlite_errorname", "") == "SQLITE_CONSTRAINT_FOREIGNKEY":
        return errors.NotFound("what this belongs to was erased meanwhile")
    return None


def _of_postgresql(cause: BaseException | None) -> errors.GatewayError | None:
    match getattr(cause, "sqlstate", None):
        case "53100":
            return errors.DiskFull("no room for the database")
        case "25006":
            return ReadOnly("the database takes no writes now: it is a standby")
        case "23503":
            return errors.NotFound("what this belongs to was erased meanwhile")
        case "40P01" | "40001":
            return Collided("the database let another change of the same rows go first; try again")
    return None


def _first_line(cause: BaseException | None) -> str:
    return str(cause).strip().partition("\n")[0]


def file_system(directory: Path) -> str:
    """Name the type of the file system that holds a directory; empty where /proc does not tell."""
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return ""
    where, found = directory.resolve(), ("", "")
    for line in lines:
        mount, _, source = line.partition(" - ")
        point = mount.split()[4].replace("\\040", " ")
        if where.is_relative_to(point) and len(point) >= len(found[0]):
            found = (point, source.split()[0])
    return found[1]
