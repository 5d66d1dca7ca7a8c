"""`check`: tells what a gateway would stumble over later, by asking the store and the bucket themselves."""

import contextlib
import http.server
import os
import pathlib
import socket
import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa

from sftp_gateway import blobs, doctor, settings
from sftp_gateway.store import migrations


@pytest.fixture
def looked(tmp_path, monkeypatch):
    """Give a function that examines a gateway of these settings and gives what it says of one thing: (bad, says)."""
    root = tmp_path / "root"

    def look(what, **environ):
        given = {"SFTP_GATEWAY_STORAGE__ROOT": str(root), **environ}
        (found,) = [one for one in doctor.examine(None, given) if one.what == what]
        return found.bad, found.says

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    look.root = root
    return look


def test_check_compares_the_clock_of_the_database_server_with_the_hosts(looked, postgresql_server):
    """Leases go by the server's clock: the server here tells a time that is five minutes ahead."""
    function = "CREATE FUNCTION skewed.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS"
    with postgresql_server.connect() as conn:
        conn.exec_driver_sql("CREATE SCHEMA skewed")
        conn.exec_driver_sql(f"{function} $$ SELECT pg_catalog.clock_timestamp() + interval '300 s' $$")
        try:
            url = postgresql_server.url.render_as_string(hide_password=False)
            skewed = "options=-csearch_path%3Dpublic,skewed,pg_catalog"
            between = "&" if "?" in url else "?"
            bad, says = looked("store", SFTP_GATEWAY_STORE__URL=f"{url}{between}{skewed}")
            assert looked("store", SFTP_GATEWAY_STORE__URL=url) == (False, "postgresql")
        finally:
            conn.exec_driver_sql("DROP SCHEMA skewed CASCADE")
    assert bad and "differ by 300 s" in says


def test_check_lists_every_mistake_of_the_configuration(tmp_path):
    wrong = {"SFTP_GATEWAY_SFTP__PORT": "x", "SFTP_GATEWAY_WEB__PROT": "1", "SFTP_GATEWAY_LOG__LEVEL": "loud"}
    found = doctor.examine(None, {"SFTP_GATEWAY_STORAGE__ROOT": str(tmp_path), **wrong})
    assert [(one.what, one.bad) for one in found] == [("configuration", True)] * 3
    assert {one.says.partition(":")[0] for one in found} == set(wrong)


def _revision(url, value=None):
    engine = sa.create_engine(url)
    with engine.begin() as conn:
        if value is not None:
            conn.execute(sa.text("UPDATE alembic_version SET version_num = :value"), {"value": value})
        found = conn.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one()
    engine.dispose()
    return found


@pytest.mark.parametrize(("stored", "wrong", "told"), [
    (migrations.HEAD, False, ""),
    ("0001", True, f"it belongs to a gateway of before the first release (its revision 0001, ours {migrations.HEAD})"),
    ("9999", True, f"it belongs to a newer gateway (its revision 9999, ours {migrations.HEAD})"),
])  # fmt: skip
def test_check_says_what_shape_the_store_has_and_leaves_it_so(looked, store_url, stored, wrong, told):
    _revision(store_url, stored)
    try:
        bad, says = looked("store", SFTP_GATEWAY_STORE__URL=store_url)
        assert _revision(store_url) == stored
    finally:
        _revision(store_url, migrations.HEAD)
    assert bad is wrong and told in says


def test_check_says_what_the_next_start_makes_of_a_store_of_the_release_before(looked, store_url, monkeypatch):
    monkeypatch.setattr(migrations, "HEAD", "9998")
    told = f"of revision {_revision(store_url)}; the next start brings it to 9998"
    bad, says = looked("store", SFTP_GATEWAY_STORE__URL=store_url)
    assert not bad and told in says


def test_check_makes_no_store(looked):
    looked.root.mkdir(mode=0o700)
    assert looked("store") == (False, "will be made at the first start")
    assert list(looked.root.iterdir()) == []


def test_check_makes_no_tables_in_an_empty_database(looked, postgresql_server):
    with postgresql_server.connect() as conn:
        conn.exec_driver_sql("CREATE DATABASE empty")
        try:
            url = postgresql_server.url.set(database="empty")
            told = looked("store", SFTP_GATEWAY_STORE__URL=url.render_as_string(hide_password=False))
            engine = sa.create_engine(url)
            assert sa.inspect(engine).get_table_names() == []
            engine.dispose()
        finally:
            conn.exec_driver_sql("DROP DATABASE empty WITH (FORCE)")
    assert told == (False, "postgresql; its tables will be made at the first start")


class Denying(http.server.BaseHTTPRequestHandler):
    """A bucket whose keys are wrong, as S3 says it."""

    def do_PUT(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(403)
        self.end_headers()
        self.wfile.write(b"<Error><Code>InvalidAccessKeyId</Code></Error>")

    def log_message(self, *_):
        pass


def test_check_says_that_a_bucket_does_not_take_these_keys(looked, monkeypatch):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Denying) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        bad, says = looked("files", SFTP_GATEWAY_STORAGE__FILES="s3://gateway/here")
        server.shutdown()
        serving.join()
    assert bad and "403" in says, says
    assert not looked.root.exists()  # the bytes under way while it asks lie elsewhere


def test_check_waits_for_a_silent_bucket_no_longer_than_a_start_may_take(looked, monkeypatch):
    monkeypatch.setattr(doctor, "BUCKET_SECONDS", 0.3)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        bad, says = looked("files", SFTP_GATEWAY_STORAGE__FILES="s3://gateway/here")
    assert bad and says.startswith("S3 does not answer for ")


@pytest.mark.full
@pytest.mark.timeout(180)
def test_check_puts_an_object_into_the_bucket_and_leaves_nothing_there(looked, s3_files, tmp_path):
    url = s3_files._bucket.prefix  # the fixture's own part of the bucket
    files = f"s3://gateway/{url}"
    assert looked("files", SFTP_GATEWAY_STORAGE__FILES=files) == (False, files)
    left = blobs.open_files(settings.Storage(root=tmp_path, files=files))
    assert [name for area in blobs.Area for name in left.names(area)] == []
    bad, says = looked("files", SFTP_GATEWAY_STORAGE__FILES="s3://no-such-bucket/here")
    assert bad and "no-such-bucket" in says


@pytest.mark.parametrize("below", ["", "srv/drop"])
def test_check_and_run_say_that_nothing_can_be_made_in_the_drop_folder(looked, below):
    closed_place = pathlib.Path("/sys")  # nobody makes anything there, not even root
    folder = closed_place / below
    bad, says = looked("drop folder", SFTP_GATEWAY_INTAKE__DROP=str(folder))
    assert bad and f"intake.drop: nothing can be made in {closed_place} (" in says
    environ = {**os.environ, "SFTP_GATEWAY_STORAGE__ROOT": str(looked.root), "SFTP_GATEWAY_INTAKE__DROP": str(folder)}
    ports = {"SFTP_GATEWAY_SFTP__PORT": "0", "SFTP_GATEWAY_WEB__PORT": "0"}
    command = [sys.executable, "-m", "sftp_gateway", "run", "--only", "sftp"]
    done = subprocess.run(command, check=False, env=environ | ports, capture_output=True, text=True, timeout=60)
    assert done.returncode == 78 and says in done.stderr


def test_check_leaves_nothing_in_a_drop_folder(looked, tmp_path):
    (tmp_path / "drop").mkdir()
    assert looked("drop folder", SFTP_GATEWAY_INTAKE__DROP=str(tmp_path / "drop")) == (False, str(tmp_path / "drop"))
    assert not list((tmp_path / "drop").iterdir())
