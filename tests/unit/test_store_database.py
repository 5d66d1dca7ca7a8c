"""Opening, migrating, reading and writing the database; what its failures become."""

import contextlib
import hashlib
import os
import shutil
import socket
import socketserver
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.dialects import postgresql, sqlite
from structlog.testing import capture_logs

from sftp_gateway.errors import ConfigError, DiskFull, StoreUnreachable
from sftp_gateway.store import brands, columns, database, driver, migrations, tables


def test_an_empty_database_gets_the_shape_of_the_tables(store):
    with store._engine.connect() as conn:
        context = MigrationContext.configure(conn, opts={"compare_type": True})
        # SQLite cannot tell a constraint that is an index from one that is not; names and columns agree.
        assert compare_metadata(context, tables.metadata) == []


def test_no_table_is_changed_without_a_revision_that_changes_it_where_it_is():
    made = [
        str(sa.schema.CreateTable(table).compile(dialect=sqlite.dialect())) for table in tables.metadata.sorted_tables
    ]
    indexes = (index for table in tables.metadata.sorted_tables for index in table.indexes)
    made += sorted(str(sa.schema.CreateIndex(index).compile(dialect=sqlite.dialect())) for index in indexes)
    shape = hashlib.sha256("".join(made).encode()).hexdigest()[:16]
    assert (migrations.HEAD, shape) == ("0007", "f7388b817a8acf2e")


def test_an_index_of_some_rows_is_one_on_both_engines():
    columns.partial_on_postgresql()
    [index] = (index for index in tables.job.indexes if index.name == "job_queued")
    for dialect in (sqlite.dialect(), postgresql.dialect()):
        assert "WHERE" in str(sa.schema.CreateIndex(index).compile(dialect=dialect))


def test_postgresql_is_loaded_for_such_a_store_alone(tmp_path):
    code = (
        "import sys; from sftp_gateway.cli import uploads; from sftp_gateway.store import database;"
        f" database.open_store('sqlite:///{tmp_path}/new.db').close();"
        " sys.exit('sqlalchemy.dialects.postgresql' in sys.modules)"
    )
    database.open_store(f"sqlite:///{tmp_path}/new.db").close()  # made, so that there is nothing to migrate
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_opening_again_finds_nothing_to_migrate(store_url):
    for _ in range(2):
        database.open_store(store_url).close()


def test_a_store_that_another_process_writes_to_is_opened_and_read_at_once(store_url, store, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0)  # it would have to wait, so it fails if it tries
    with store.write():
        other = database.open_store(store_url)
        other.ping()
        other.close()


def test_a_migration_that_dies_half_way_leaves_nothing_and_runs_again(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/new.db"

    class Died(BaseException):
        pass

    def dies(*_args, **_more):
        raise Died

    monkeypatch.setattr(migrations, "_make", lambda conn: (tables.brand.create(conn), dies()))
    with pytest.raises(Died):
        database.open_store(url)
    with sqlite3.connect(tmp_path / "new.db") as raw:
        assert raw.execute("SELECT name FROM sqlite_master").fetchall() == []
    raw.close()
    monkeypatch.undo()
    store = database.open_store(url)
    assert brands.all_brands(store) == []
    store.close()


def test_a_new_store_that_another_process_writes_at_this_moment_is_waited_for(tmp_path):
    failures = []

    def opens():
        try:
            database.open_store(f"sqlite:///{tmp_path}/new.db").close()
        except Exception as error:  # noqa: BLE001 - as below
            failures.append(error)

    with contextlib.closing(sqlite3.connect(tmp_path / "new.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        thread = threading.Thread(target=opens)
        thread.start()
        thread.join(1.0)
        assert failures == []
        assert thread.is_alive()
        other.execute("COMMIT")
        thread.join()
    assert failures == []


def test_many_processes_may_open_a_new_store_at_once(tmp_path):
    url, failures = f"sqlite:///{tmp_path}/new.db", []

    def opens():
        try:
            database.open_store(url).close()
        except Exception as error:  # noqa: BLE001 - whatever it is fails the test
            failures.append(error)

    threads = [threading.Thread(target=opens) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://x/y", "sqlite://", "sqlite:///:memory:"])
def test_a_url_that_cannot_work_is_a_configuration_error(url):
    with pytest.raises(ConfigError, match=r"store\.url"):
        database.open_store(url)


def test_a_database_that_is_not_there_is_unreachable(tmp_path):
    with pytest.raises(StoreUnreachable):
        database.open_store(f"sqlite:///{tmp_path}/missing/gateway.db")
    with pytest.raises(StoreUnreachable):
        database.open_store("postgresql+psycopg://nobody@127.0.0.1:1/none")


@pytest.fixture
def postgresql_by_tcp(postgresql_server):
    """Give the URL of the tests' server by TCP: it listens on a Unix socket alone, and a relay stands before it."""
    url = postgresql_server.url
    here = Path(str(url.query["host"])) / ".s.PGSQL.5432"

    class Relay(socketserver.BaseRequestHandler):
        def handle(self):
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(str(here))
                back = threading.Thread(target=pump, args=(server, self.request))
                back.start()
                pump(self.request, server)
                back.join()

    def pump(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as relay:
        serving = threading.Thread(target=relay.serve_forever)
        serving.start()
        yield url.set(host="127.0.0.1", port=relay.server_address[1], query={})
        relay.shutdown()
        serving.join()


@pytest.mark.parametrize(("asked", "idle"), [({}, 20), ({"keepalives_idle": "7"}, 7)], ids=["default", "the URL's own"])
def test_a_database_host_that_vanished_is_noticed_within_a_minute(postgresql_by_tcp, asked, idle):
    url = postgresql_by_tcp.update_query_dict(asked).render_as_string(hide_password=False)
    with contextlib.closing(database.open_store(url, migrate=False)) as store, store.read() as conn:
        descriptor = conn.connection.driver_connection.fileno()
        with socket.socket(fileno=os.dup(descriptor)) as there:
            options = [socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT]
            assert there.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            kept, every, count, unanswered = (there.getsockopt(socket.IPPROTO_TCP, option) for option in options)
    assert kept == idle
    assert kept + every * count <= 60 and 0 < unanswered <= 60_000


def test_sqlite_on_a_network_file_system_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "file_system", lambda _: "nfs4")
    with pytest.raises(ConfigError, match="network file system"):
        database.open_store(f"sqlite:///{tmp_path}/gateway.db")


def test_the_file_system_of_a_directory_is_told(tmp_path):
    assert driver.file_system(tmp_path) not in {"", "proc"}
    assert driver.file_system(database.Path("/proc/self")) == "proc"


def test_sqlite_runs_as_measured(sqlite_store):
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10000}
    for engine in (sqlite_store._engine, sqlite_store._reader):
        with engine.connect() as conn:
            assert {name: conn.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted} == wanted


def test_a_reader_cannot_write_on_sqlite(sqlite_store):
    with pytest.raises(StoreUnreachable, match="readonly"), sqlite_store.read() as conn:
        conn.execute(sa.delete(tables.brand))


def test_an_error_inside_a_write_leaves_no_trace_and_no_log_line(store):
    with capture_logs() as lines, pytest.raises(ZeroDivisionError), store.write() as tx:
        tx.conn.execute(
            sa.insert(tables.process).values(id="p", host="h", pid=1, roles=[], started_at=tx.now, beat_at=tx.now)
        )
        tx.emit("brand.added", brand="acme")
        1 / 0  # noqa: B018 - the error
    assert lines == []
    with store.read() as conn:
        assert conn.execute(sa.select(tables.process)).all() == []


def test_log_lines_come_after_the_commit(store):
    with capture_logs() as lines:
        with store.write() as tx:
            tx.emit("brand.added", brand="acme")
            assert lines == []
        assert [(line["event"], line["brand"]) for line in lines] == [("brand.added", "acme")]


def test_moments_come_back_aware_and_the_same(store, clock):
    with store.write() as tx:
        tx.conn.execute(
            sa.insert(tables.process).values(id="p", host="h", pid=1, roles=[], started_at=clock(), beat_at=clock())
        )
    with store.read() as conn:
        assert conn.execute(sa.select(tables.process.c.beat_at)).scalar_one() == clock()
    with pytest.raises(sa.exc.StatementError, match="time zone"), store.write() as tx:
        tx.conn.execute(sa.update(tables.process).values(beat_at=clock().replace(tzinfo=None)))


def test_a_write_waits_for_the_lock_of_another_process(sqlite_store, tmp_path):
    other = sqlite3.connect(tmp_path / "gateway.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    made = []
    writer = threading.Thread(target=lambda: made.append(brands.create(sqlite_store, "acme")))
    writer.start()
    brands.all_brands(sqlite_store)  # readers do not wait
    assert made == []
    other.execute("COMMIT")
    other.close()
    writer.join(30)
    assert [brand.name for brand in made] == ["acme"]


def test_a_full_disk_is_named_and_survived(tmp_path, sqlite_store, clock):
    with sqlite_store._engine.connect() as conn:
        pages = conn.exec_driver_sql("PRAGMA page_count").scalar()
        conn.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(DiskFull), sqlite_store.write() as tx:
        tx.conn.execute(
            sa.insert(tables.process),
            [
                {"id": f"{n}", "host": "x" * 4000, "pid": n, "roles": [], "started_at": clock(), "beat_at": clock()}
                for n in range(99)
            ],
        )
    with sqlite_store._engine.connect() as conn:
        conn.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert brands.create(sqlite_store, "acme").name == "acme"


@pytest.mark.parametrize("dies", ["", "; raise OSError('it dies')"], ids=["lives", "dies"])
def test_a_store_of_the_release_before_is_migrated_whole_or_not_at_all(tmp_path, monkeypatch, dies):
    url = f"sqlite:///{tmp_path}/old.db"
    database.open_store(url).close()
    shutil.copytree(migrations.PLACE, tmp_path / "migrations")
    (tmp_path / "migrations" / "versions" / "0008_pets.py").write_text(
        f'revision, down_revision = "0008", "0007"\nimport sqlalchemy as sa\nfrom alembic import op\n'
        f'def upgrade():\n    op.create_table("pet", sa.Column("name", sa.Text())){dies}\n'
    )
    monkeypatch.setattr(migrations, "PLACE", tmp_path / "migrations")
    monkeypatch.setattr(migrations, "HEAD", "0008")
    with pytest.raises(OSError, match="it dies") if dies else contextlib.nullcontext():
        database.open_store(url).close()
    with contextlib.closing(database.open_store(url, migrate=False)) as store, store.read() as conn:
        assert migrations.revision(conn) == ("0007" if dies else "0008")
        assert sa.inspect(conn).has_table("pet") is not bool(dies)


@pytest.mark.parametrize(("revision", "older"), [("0006", "of before the first release"), ("9999", "newer")])
def test_a_store_that_cannot_be_migrated_is_refused_as_it_is(store_url, store, revision, older):
    """What was made before the first release has no way to it; it was an error of ours that named no store."""
    mark = sa.text("UPDATE alembic_version SET version_num = :found")
    try:
        with store._engine.begin() as conn:
            conn.execute(mark, {"found": revision})
        told = rf"store belongs to a .*{older}.*its revision {revision}, ours {migrations.HEAD}"
        with pytest.raises(ConfigError, match=told):
            database.open_store(store_url)
        with store.read() as conn:
            assert migrations.revision(conn) == revision
    finally:
        with store._engine.begin() as conn:
            conn.execute(mark, {"found": migrations.HEAD})


def test_a_connection_that_a_thread_still_has_when_the_store_is_closed_is_closed_when_it_comes_back(live_store):
    with live_store.read() as conn:
        driver_connection = conn.connection.driver_connection
        live_store.close()
        assert conn.execute(sa.select(1)).scalar() == 1
    with pytest.raises(Exception, match="closed"):
        driver_connection.execute("SELECT 1")
