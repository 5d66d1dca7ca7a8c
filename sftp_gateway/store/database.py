"""Opens the store and lends connections: many readers, one writer at a time on SQLite.

SQLite runs with WAL and synchronous=FULL: measured, no acknowledged commit was lost in 25 power
cuts, and it is faster than the default (measured). Every write begins with
BEGIN IMMEDIATE, because a read transaction that wants to write later fails at once with
BUSY_SNAPSHOT and never waits. On PostgreSQL the server's clock rules leases, no host's.
"""

import contextlib
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event as hooks

from sftp_gateway import errors, logs
from sftp_gateway.store import columns, driver, migrations, tables, upsert

log = logs.get(__name__)

BUSY_SECONDS = 10
IDLE_SECONDS = 30.0
"""A transaction that says nothing for so long is of a process that is frozen or cut off: the server ends it."""
TRIES = 5
"""Times that a function is run in a transaction before it is told that others are quicker again and again."""
LOUD = {"upload.failed": "error", "job.taken_over": "warning", "job.lease_lost": "warning"}

T = TypeVar("T")
_view = tables.view
_COUNTED = (
    sa.update(_view).where(_view.c.brand == sa.bindparam("counted")).values(seq=_view.c.seq + sa.bindparam("changes"))
)
_DIRTIED = (
    sa.update(tables.home).where(tables.home.c.brand == sa.bindparam("dirtied")).values(seq=tables.home.c.seq + 1)
)

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Tell the host's time, aware UTC."""
    return datetime.now(UTC)


class Transaction:
    """One write under way: `conn` to execute on, `now` fixed once, events logged after the commit."""

    def __init__(self, conn: sa.Connection, clock: Clock | None) -> None:
        self.conn = conn
        self.dirty: set[str] = set()
        self.touched: Counter[str] = Counter()
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._clock = clock
        self._now: datetime | None = None

    @property
    def now(self) -> datetime:
        """The transaction's moment: the injected clock, else PostgreSQL's own, else this host's."""
        if self._now is None:
            if self._clock is None and self.conn.dialect.name == "postgresql":
                self._now = self.conn.execute(sa.select(sa.func.clock_timestamp())).scalar_one().astimezone(UTC)
            else:
                self._now = (self._clock or utc_now)()
        return self._now

    def mark_dirty(self, brand: str) -> None:
        """Have the home of a brand rendered again; written last, at the commit (lock order)."""
        self.dirty.add(brand)

    def touch(self, brand: str) -> None:
        """Count a change of a brand's entries, once for each operation, whatever it changed; an erased brand has none.

        Written at the commit, in one order (two doors may touch the same two).
        """
        self.touched[brand] += 1

    def write_marks(self) -> None:
        """Write what was touched and marked: the last statements of the transaction."""
        for brand, changes in sorted(self.touched.items()):
            if self.conn.execute(_COUNTED, {"counted": brand, "changes": changes}).rowcount == 0:
                self.conn.execute(_first_count(self.conn.dialect.name, brand, changes))
        for brand in sorted(self.dirty):
            self.conn.execute(_DIRTIED, {"dirtied": brand})

    def emit(self, event: str, **fields: Any) -> None:
        """Note a log event; it is written only if the commit succeeds."""
        self.events.append((event, fields))


class Store:
    """The database as the rest of the gateway sees it. Thread-safe; blocks, so not for the loop."""

    def __init__(self, engine: sa.Engine, reader: sa.Engine, clock: Clock | None) -> None:
        self._engine, self._reader, self._clock = engine, reader, clock
        self.before_marks: Callable[[Transaction], None] = lambda _: None  # at the end of each transaction (deeds)
        # SQLite has one writer; waiting here is fair and cheap, waiting in its busy handler is neither.
        one_writer = engine.dialect.name == "sqlite"
        self._turn: contextlib.AbstractContextManager[Any] = (
            threading.Lock() if one_writer else contextlib.nullcontext()
        )

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @property
    def clock(self) -> Clock | None:
        """The injected clock; None: the server's or the host's."""
        return self._clock

    def now(self) -> datetime:
        """Tell the injected or the host's time, aware UTC."""
        return (self._clock or utc_now)()

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Lend a connection that sees one snapshot (SQLite) and writes nothing; StoreUnreachable."""
        with driver.translated(), self._reader.connect() as conn:
            yield conn

    @contextlib.contextmanager
    def write(self) -> Iterator[Transaction]:
        """Run one transaction: commits at the end, rolls back on any error.

        StoreUnreachable, DiskFull, Collided; NotFound if what a new row belongs to was erased meanwhile.
        """
        try:
            with self._turn, driver.translated(), self._engine.begin() as conn:
                tx = Transaction(conn, self._clock)
                yield tx
                self.before_marks(tx)
                tx.write_marks()
        except driver.ReadOnly:
            self._engine.dispose()  # after a failover the same name leads to another server; these connections do not
            raise
        for name, fields in tx.events:
            getattr(log, LOUD.get(name, "info"))(name, **fields)

    def rows(self, query: Any, values: Mapping[str, Any] | None = None) -> list[Any]:
        """Give the rows of one query; StoreUnreachable."""
        with self.read() as conn:
            return list(conn.execute(query, values))

    def first(self, query: Any) -> Any:
        """Give the first row of one query, None if it has none; StoreUnreachable."""
        with self.read() as conn:
            return conn.execute(query).first()

    def scalar(self, query: Any) -> Any:
        """Give the first column of that row, None if there is none; StoreUnreachable."""
        row = self.first(query)
        return None if row is None else row[0]

    def all(self, query: Any, kind: type[T]) -> list[T]:
        """Give the rows of one query as values of a kind, whose fields are columns of it; StoreUnreachable."""
        return [columns.value(row, kind) for row in self.rows(query)]

    def ping(self) -> None:
        """Raise StoreUnreachable unless the database answers."""
        self.scalar(sa.select(1))

    def close(self) -> None:
        """Give every connection back; one that a thread still has is closed when it comes back: no pool is left to close it."""
        for engine in (self._reader, self._engine):
            hooks.listen(engine, "checkin", _close)
            engine.dispose()


def _close(_connection: object, record: Any) -> None:
    record.invalidate()


def run(store: Store, do: Callable[[Transaction], T]) -> T:
    """Run a function in a transaction, and once more if another one was quicker (PostgreSQL); it may be run twice."""
    for _ in range(TRIES - 1):
        try:
            with store.write() as tx:
                return do(tx)
        except driver.Collided:
            continue
        except sa.exc.IntegrityError as error:
            if not driver.is_taken(error):
                raise
    with store.write() as tx:
        return do(tx)


def _first_count(dialect: str, brand: str, changes: int) -> Any:
    """Give the statement that counts a brand's first changes, unless it was erased; another process may be as quick."""
    made = upsert.into(_view, dialect)
    here = sa.select(tables.brand.c.name, sa.literal(changes)).where(tables.brand.c.name == brand)
    grown = {"seq": _view.c.seq + made.excluded.seq}
    return made.from_select(["brand", "seq"], here).on_conflict_do_update(index_elements=[_view.c.brand], set_=grown)


def open_store(url: str, *, now: Clock | None = None, migrate: bool = True) -> Store:
    """Open the database at this SQLAlchemy URL, made or migrated to the present shape unless `migrate` is off.

    `now` replaces both the host's and the server's clock (tests). Raises StoreUnreachable, and
    ConfigError for a URL that cannot work: an unknown engine, SQLite on a network file system,
    a database of a newer gateway.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise errors.ConfigError(
            "store.url is no database URL; give postgresql+psycopg://… or leave it empty"
        ) from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        engine, reader = _sqlite(parsed)
    elif backend == "postgresql":
        engine = reader = _postgresql(parsed)
    else:
        raise errors.ConfigError(f"store.url: sqlite and postgresql+psycopg are known, not {backend!r}")
    store = Store(engine, reader, now)
    if not migrate:
        return store
    try:
        with driver.translated():
            migrations.bring_up(engine, reader)
    except BaseException:
        store.close()
        raise
    return store


def _postgresql(url: sa.URL) -> sa.Engine:
    columns.partial_on_postgresql()
    how = {"connect_timeout": BUSY_SECONDS, **driver.ALIVE}
    try:
        engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=8,
            max_overflow=24,
            pool_pre_ping=True,  # after a restart or failover of the server the next use just works
            connect_args={name: value for name, value in how.items() if name not in url.query},
        )
    except ModuleNotFoundError:
        raise errors.ConfigError(
            "store.url: PostgreSQL needs the extra: pip install 'sftp-gateway[postgres]'"
        ) from None

    @hooks.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # A lock that is not given in time is an answer too; otherwise one stuck session stops a brand.
        connection.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
        # And whoever stands still with a lock is ended: a frozen host would keep it until its connection breaks, in hours.
        connection.execute(f"SET idle_in_transaction_session_timeout = '{round(IDLE_SECONDS * 1000)}ms'")
        connection.commit()

    return engine


def _sqlite(url: sa.URL) -> tuple[sa.Engine, sa.Engine]:
    if not url.database or url.database == ":memory:":
        raise errors.ConfigError("store.url: SQLite needs a file")
    path = Path(url.database).absolute()
    kind = driver.file_system(path.parent)
    if kind in driver.NETWORK_FILE_SYSTEMS:
        raise errors.ConfigError(f"store.url: SQLite on a network file system ({kind}) loses data; use PostgreSQL")
    return _sqlite_engine(url, writes=True), _sqlite_engine(url, writes=False)


def _sqlite_engine(url: sa.URL, *, writes: bool) -> sa.Engine:
    size, more = (1, 0) if writes else (4, 60)
    engine = sa.create_engine(
        url.set(drivername="sqlite+pysqlite"),
        poolclass=sa.QueuePool,
        pool_size=size,
        max_overflow=more,
        connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS, "isolation_level": None},
    )

    @hooks.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        driver.switch_to_wal(connection, BUSY_SECONDS)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA wal_autocheckpoint = 1000")
        if not writes:
            connection.execute("PRAGMA query_only = ON")

    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"

    @hooks.listens_for(engine, "begin")
    def start(conn: sa.Connection) -> None:
        conn.exec_driver_sql(begin)

    return engine
