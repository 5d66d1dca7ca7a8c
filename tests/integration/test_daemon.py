"""The daemon as a process: it starts, says so, takes a file in, reloads, drains, stops; and says what died."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import asyncssh
import pytest
import sqlalchemy as sa

from sftp_gateway.blobs import Area
from sftp_gateway.sftp import auth, hostkeys
from sftp_gateway.store import brands, outbox, penalties, tables, uploads
from sftp_gateway.upload import Mode
from tests import whole


async def put(gateway, name, text):
    async with (
        gateway.connect() as connection,
        connection.start_sftp_client() as sftp,
        sftp.open(name, "w") as file,
    ):
        await file.write(text)


async def read(gateway, name):
    async with gateway.connect() as connection, connection.start_sftp_client() as sftp, sftp.open(name) as file:
        return await file.read()


async def wait_for_receipt(gateway, name):
    until = time.monotonic() + 30
    async with gateway.connect() as connection, connection.start_sftp_client() as sftp:
        while time.monotonic() < until:
            if name in await sftp.listdir("/receipts"):
                return json.loads(await (await sftp.open(f"/receipts/{name}")).read())
            await asyncio.sleep(0.02)
    raise AssertionError(f"no receipt {name}: {gateway.log.read_text()[-3000:]}")


def get(gateway, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.web_port}{path}", timeout=10) as answer:
        return answer.read().decode()


async def test_a_file_dropped_by_sftp_is_published_and_answered_in_the_same_place(gateway):
    gateway.start()
    began = time.monotonic()
    await put(gateway, "/catalog.csv", whole.catalog(200))
    receipt = await wait_for_receipt(gateway, "catalog.csv.1.json")
    assert time.monotonic() - began < 25  # a second or two where nothing else is done
    assert (receipt["state"], receipt["version"], receipt["rows"]["accepted"]) == ("published", 1, 200)
    assert (await read(gateway, "/catalog/current.csv")).count("\n") == 201
    assert "1,2" in await read(gateway, "/history.csv")
    assert json.loads(get(gateway, "/readyz"))["ready"]
    told = get(gateway, "/metrics")
    assert "sftp_gateway_uploads_total" in told
    assert all(f'sftp_gateway_connections_refused_total{{door="{door}"}} 0' in told for door in ("sftp", "web"))
    assert gateway.stop() == 0
    assert gateway.events()[-1]["event"] == "gateway.stopped"
    assert not gateway.events("part.died")


async def test_the_roles_may_be_processes_of_their_own(gateway):
    worker = gateway.start("worker")
    gateway.start("sftp", "web")
    await put(gateway, "/catalog.csv", whole.catalog(3))
    receipt = await wait_for_receipt(gateway, "catalog.csv.1.json")
    assert receipt["state"] == "published"
    assert json.loads(get(gateway, "/readyz"))["ready"]
    assert gateway.stop() == 0
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=30) == 0


async def test_a_worker_on_a_host_without_a_front_door_tells_brands_the_address_and_the_keys_of_the_one_there_is(
    gateway,
):
    elsewhere = gateway.folder / "elsewhere"
    for area in Area:
        (gateway.root / area).mkdir(exist_ok=True)
        elsewhere.mkdir(mode=0o700, exist_ok=True)
        (elsewhere / area).symlink_to(gateway.root / area)
    gateway.environ["SFTP_GATEWAY_STORE__URL"] = f"sqlite:///{gateway.root / 'gateway.db'}"
    worker = gateway.start(
        "worker",
        SFTP_GATEWAY_STORAGE__ROOT=str(elsewhere),
        SFTP_GATEWAY_SFTP__PUBLIC_HOST="",
        SFTP_GATEWAY_SFTP__PORT="1",
    )
    gateway.start("sftp")
    [key] = hostkeys.fingerprints(hostkeys.load([], gateway.root / "keys"))
    until = time.monotonic() + 30
    readme = ""
    while f"sftp -P {gateway.port} acme@127.0.0.1" not in readme:
        assert time.monotonic() < until, readme
        await asyncio.sleep(0.1)
        with contextlib.suppress(asyncssh.SFTPNoSuchFile):
            readme = await read(gateway, "/README.txt")
    assert [line.split()[-1] for line in readme.splitlines() if "host key" in line] == [key]
    assert not (elsewhere / "keys").exists()
    assert gateway.stop() == 0
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=30) == 0


@pytest.mark.parametrize("role", ["sftp", "worker", "web", ""])
@pytest.mark.parametrize(
    "mode", [0o701, pytest.param(0o750, marks=pytest.mark.full), pytest.param(0o770, marks=pytest.mark.full)], ids=oct
)
def test_a_root_that_is_open_to_other_users_ends_the_start_of_every_role_with_what_to_do(gateway, role, mode):
    gateway.root.chmod(mode)
    process = gateway.start(*filter(None, [role]), wait=False)
    assert process.wait(timeout=30) == 78
    said = f"{gateway.root} is open to other users; chmod 700 {gateway.root}"
    assert gateway.log.read_text().strip() == f"sftp-gateway: {said}"
    if not role:  # `check` knows none
        command = [sys.executable, "-m", "sftp_gateway", "check"]
        told = subprocess.run(command, env=gateway.environ, cwd=whole.ROOT, capture_output=True, text=True, check=False)
        assert told.returncode == 78 and said in told.stdout
    gateway.root.chmod(0o700)
    gateway.start(*filter(None, [role]))
    assert gateway.stop() == 0


def test_a_root_that_is_not_there_yet_is_made_closed_to_others(gateway):
    root = gateway.folder / "new" / "root"
    gateway.start(SFTP_GATEWAY_STORAGE__ROOT=str(root))
    assert root.stat().st_mode & 0o777 == 0o700
    assert json.loads(get(gateway, "/readyz"))["ready"]
    assert gateway.stop() == 0


def test_systemd_is_told_each_stage(gateway, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        gateway.start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="400000")
        assert manager.recv(4096) in {b"READY=1", b"WATCHDOG=1"}
        seen = set()
        while seen != {b"WATCHDOG=1"}:
            seen = {manager.recv(4096) for _ in range(2)}
        gateway.running.send_signal(signal.SIGHUP)
        gateway.wait_event("settings.reloaded")
        assert gateway.stop() == 0
        manager.setblocking(False)
        said = b""
        try:
            while True:
                said += b"\n" + manager.recv(4096)
        except BlockingIOError:
            pass
    assert said.index(b"RELOADING=1") < said.index(b"READY=1") < said.index(b"STOPPING=1")
    assert b"EXTEND_TIMEOUT_USEC=" in said


def test_a_reload_takes_over_what_it_may_names_the_rest_and_survives_a_mistake(gateway):
    config = gateway.folder / "gateway.toml"
    config.write_text("[limits]\nmax_file_bytes = '1 MiB'\n")
    del gateway.environ["SFTP_GATEWAY_WEB__PORT"]
    config.write_text(f"[limits]\nmax_file_bytes = '1 MiB'\n[web]\nport = {gateway.web_port}\n")
    gateway.start("sftp", "web", SFTP_GATEWAY_CONFIG=str(config))
    config.write_text("[limits]\nmax_file_bytes = '2 MiB'\n[log]\nlevel = 'warning'\n[web]\nport = 1\n")
    gateway.running.send_signal(signal.SIGHUP)
    # The new log level rules already, so the news of the taken over ones is not shown any more.
    assert gateway.wait_event("settings.need_restart")["settings"] == ["web.port"]
    config.write_text("[limits]\nmax_file_byte = '2 MiB'\n")
    gateway.running.send_signal(signal.SIGHUP)
    assert "max_file_bytes" in gateway.wait_event("settings.refused")["error"]
    assert json.loads(get(gateway, "/readyz"))["ready"]
    assert gateway.stop(signal.SIGINT) == 0


def test_a_reload_of_a_secret_that_is_no_text_is_refused_and_said(gateway):
    """It took nothing over and said nothing."""
    secret = gateway.folder / "secret"
    secret.write_text("hunter2")
    gateway.start("web", SFTP_GATEWAY_MAIL__PASSWORD_FILE=str(secret))
    secret.write_bytes(b"hunter\xff")
    gateway.running.send_signal(signal.SIGHUP)
    assert "is not UTF-8" in gateway.wait_event("settings.refused")["error"]
    secret.write_text("hunter3")
    gateway.running.send_signal(signal.SIGHUP)
    assert gateway.wait_event("settings.reloaded")["changed"] == ["mail.password"]
    assert gateway.stop() == 0


def test_a_reload_that_is_asked_for_while_another_reads_comes_after_it(gateway):
    """It was dropped: what was saved while the files were read held only from the next one on."""
    secret, later = gateway.folder / "secret", gateway.folder / "later"
    secret.write_text("hunter2")
    later.write_text("hunter3")
    gateway.start("web", SFTP_GATEWAY_MAIL__PASSWORD_FILE=str(secret))
    secret.unlink()
    os.mkfifo(secret)
    gateway.running.send_signal(signal.SIGHUP)
    with secret.open("w") as slow:  # opens once the reload reads
        later.replace(secret)
        gateway.running.send_signal(signal.SIGHUP)
        slow.write("hunter2")
    assert gateway.wait_event("settings.reloaded")["changed"] == []
    assert gateway.wait_event("settings.reloaded", since=1)["changed"] == ["mail.password"]
    assert gateway.stop() == 0


def test_a_reload_of_the_limits_reaches_drop_folders_and_readyz(gateway):
    config = gateway.folder / "gateway.toml"
    config.write_text("[limits]\ndisk_floor_bytes = '1 B'\n")
    gateway.start("sftp", "web", SFTP_GATEWAY_CONFIG=str(config), SFTP_GATEWAY_INTAKE__QUIET_SECONDS="0.2 s")
    assert json.loads(get(gateway, "/readyz"))["checks"]["disk"] == "ok"
    config.write_text("[limits]\nmax_file_bytes = '100 B'\ndisk_floor_bytes = '900 TiB'\n")
    gateway.running.send_signal(signal.SIGHUP)
    gateway.wait_event("settings.reloaded")
    (gateway.root / "drop" / "acme" / "inbox" / "large.csv").write_text(whole.catalog(200))
    refused = gateway.wait_event("upload.refused")
    assert refused["reasons"] == ["FILE_TOO_LARGE"]
    with pytest.raises(urllib.error.HTTPError, match="503") as unready:
        get(gateway, "/readyz")
    with unready.value as answer:
        assert "the floor is 989,560,464,998,400" in json.loads(answer.read())["checks"]["disk"]
    assert gateway.stop() == 0


def test_a_mistake_in_the_rules_ends_the_start_before_anything_listens(gateway):
    rules = gateway.folder / "rules.toml"
    rules.write_text('key = ["nothing"]\n')
    gateway.environ["SFTP_GATEWAY_CATALOG__RULES"] = str(rules)
    assert gateway.start(wait=False).wait(timeout=30) == 78
    assert str(rules.name) in gateway.log.read_text()
    assert not gateway.events("listener.opened")


async def test_a_mistake_saved_in_the_rules_keeps_nothing_from_brands_while_the_old_ones_are_in_force(gateway):
    rules = gateway.folder / "rules.toml"
    rules.write_text('key = ["sku"]\n[column.sku]\ntype = "text"\n[column.pieces]\ntype = "integer"\n')
    gateway.environ["SFTP_GATEWAY_CATALOG__RULES"] = str(rules)
    processes = [gateway.start("worker"), gateway.start("sftp", "web")]
    token = gateway.verb("token", "add", "ops")["token"]
    rules.write_text(rules.read_text() + "[column.size\n")
    for number, process in enumerate(processes):
        process.send_signal(signal.SIGHUP)
        assert "not TOML" in gateway.wait_event("settings.refused", since=number)["error"]
    await put(gateway, "/catalog.csv", "sku,pieces\nA-1,7\n")
    assert (await wait_for_receipt(gateway, "catalog.csv.1.json"))["state"] == "published"
    assert await read(gateway, "/catalog/current.csv") == "sku,pieces\r\nA-1,7\r\n"
    url = f"http://127.0.0.1:{gateway.web_port}/api/v1/brands/acme/catalog?format=jsonl"
    asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with await asyncio.to_thread(urllib.request.urlopen, asked, timeout=30) as answer:
        assert json.loads(answer.read()) == {"sku": "A-1", "pieces": 7}
    assert not gateway.events("home.render_failed") + gateway.events("catalog.export_failed")
    processes[0].send_signal(signal.SIGTERM)
    assert (gateway.stop(), processes[0].wait(timeout=30)) == (0, 0)


@pytest.mark.parametrize("door", ["sftp", "web"])
def test_a_port_that_is_taken_is_told_plainly_and_with_the_setting_that_names_it(gateway, door):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = gateway.start(wait=False, **{f"SFTP_GATEWAY_{door.upper()}__PORT": str(port)}).wait(timeout=30)
    assert ended == 69
    said = (
        f"cannot listen on 127.0.0.1 port {port}: Address already in use; `ss -ltnp` shows who listens, {door}.host and"
    )
    assert said in gateway.log.read_text()
    assert "Traceback" not in gateway.log.read_text()


async def test_a_drain_lets_a_transfer_end_and_a_second_signal_ends_the_drain(gateway):
    gateway.start()
    async with gateway.connect() as connection, connection.start_sftp_client() as sftp:
        file = await sftp.open("/catalog.csv", "w")
        await file.write("sku,name,msrp\n")
        gateway.running.send_signal(signal.SIGTERM)
        gateway.wait_event("gateway.stopping")
        await file.write("A-1,Chair,10\n")
        await file.close()
    assert gateway.running.wait(timeout=30) == 0
    gateway.running = None
    # The closed file was only settled; the next process takes it in.
    gateway.start()
    assert (await wait_for_receipt(gateway, "catalog.csv.1.json"))["rows"]["accepted"] == 1
    async with gateway.connect() as connection, connection.start_sftp_client() as sftp:
        file = await sftp.open("/half.csv", "w")
        await file.write("sku,na")
        gateway.running.send_signal(signal.SIGTERM)
        gateway.wait_event("gateway.stopping", since=1)
        began = time.monotonic()
        gateway.running.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(gateway.running.wait, 30) == 0
        assert time.monotonic() - began < 15
    gateway.running = None


def test_a_mail_server_that_takes_connections_and_says_nothing_holds_no_stop_up(gateway):
    with gateway.store() as store:
        for number in range(4):
            outbox.add(store, "acme", f"upload:{number}", recipient="ann@acme.example", subject="s", text="t")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        gateway.start("web", SFTP_GATEWAY_MAIL__HOST="127.0.0.1", SFTP_GATEWAY_MAIL__PORT=str(silent.getsockname()[1]))
        with silent.accept()[0]:
            began = time.monotonic()
            assert gateway.stop() == 0
            assert time.monotonic() - began < 15
    assert "Traceback" not in gateway.log.read_text()
    with gateway.store() as store:  # the one that was under way is due again when its lease is over
        assert [outbox.take(store, 60) is None for _ in range(4)] == [False, False, False, True]


def test_a_bucket_that_takes_connections_and_says_nothing_holds_no_stop_up(gateway):
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        silent.settimeout(30)
        bucket = {"SFTP_GATEWAY_STORAGE__FILES": "s3://gateway/a", "AWS_ACCESS_KEY_ID": "a"}
        bucket |= {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}", "AWS_SECRET_ACCESS_KEY": "b"}
        gateway.start(**bucket)
        with silent.accept()[0]:  # the home that is painted
            began = time.monotonic()
            assert gateway.stop() == 0
            assert time.monotonic() - began < 15
        with gateway.store() as store:
            new = uploads.New(Mode.FULL, "inbox/a.csv", "0" * 64, 1, "http", complete=True, received_at=store.now())
            uploads.receive(store, "acme", new)
        gateway.start(**bucket)
        gateway.wait_event("upload.processing")
        with silent.accept()[0], silent.accept()[0]:  # the file that is checked, too
            gateway.running.send_signal(signal.SIGTERM)
            gateway.wait_event("gateway.stopping", since=1)
            began = time.monotonic()
            assert gateway.stop() == 0
            assert time.monotonic() - began < 15
    assert "Traceback" not in gateway.log.read_text()


def test_what_verbs_do_is_logged_once_by_whichever_process_runs_and_says_who_did_it(gateway):
    """A verb's own log is a terminal: brands and tokens came and went, and operators saw nothing."""
    gateway.environ["SUDO_USER"] = "ann"
    (gateway.folder / "feed.csv").write_text(whole.catalog(3))
    gateway.verb("token", "add", "early")  # before anything runs
    gateway.verb("ingest", "--brand", "acme", str(gateway.folder / "feed.csv"))
    worker = gateway.start("worker")
    gateway.start("sftp", "web")
    gateway.verb("brand", "add", "beta")
    gateway.verb("brand", "set", "beta", "currency=EUR")
    gateway.verb("brand", "disable", "beta")
    gateway.verb("token", "add", "ops", "--brand", "beta", "--read-only")
    gateway.verb("token", "remove", "early")
    gateway.verb("rollback", "--brand", "acme", "1")
    gateway.verb("bans", "clear")
    gateway.wait_event("token.added", since=1)  # nobody hears later what a brand did that was erased
    gateway.verb("erase", "--brand", "beta", "--yes")
    erased = gateway.wait_event("brand.erased")
    assert (erased["brand"], erased["by"], erased["level"]) == ("beta", "cli:ann", "info")
    assert datetime.fromisoformat(erased["at"]) <= datetime.fromisoformat(erased["timestamp"])
    worker.send_signal(signal.SIGTERM)
    assert (worker.wait(timeout=30), gateway.stop()) == (0, 0)
    deeds = [
        (event["event"], event["by"]) for event in gateway.events() if event["module"] == "sftp_gateway.daemon.teller"
    ]
    assert sorted(deeds) == sorted([
        *[(name, "cli:ann") for name in ("brand.added", "brand.password_set", "brand.changed", "brand.disabled", "brand.erased")],
        *[(name, "cli:ann") for name in ("token.added", "token.added", "token.removed", "rollback.requested", "bans.cleared")],
        *[(name, "gateway") for name in ("upload.processing", "upload.published")],
        ("upload.received", "cli:ann"),
    ])  # fmt: skip
    with gateway.store() as store, store.read() as conn:
        kept = conn.execute(sa.select(tables.deed).order_by(tables.deed.c.id)).all()
        asked = sa.select(tables.event.c.by).where(tables.event.c.event.in_(["rollback.requested", "upload.received"]))
        assert set(conn.execute(asked).scalars()) == {"cli:ann"}
    assert {row.by for row in kept} == {"cli:ann"}
    assert [row.event for row in kept if "beta" in str(row.detail)] == ["brand.erased"], "all else of it went with it"
    assert {"token.added", "token.removed"} <= {row.event for row in kept}
    assert "sg_" not in str([row.detail for row in kept])


async def knock(gateway, password):
    async with asyncssh.connect("127.0.0.1", gateway.port, username="acme", password=password, client_keys=None,
                                known_hosts=None, config=None, agent_path=None):  # fmt: skip
        return True


async def test_a_ban_is_lifted_from_the_shell_while_the_daemon_runs(gateway):
    gateway.start("sftp")
    with gateway.store() as store:
        brands.set_password_hash(store, "acme", auth.hash_password("right"))
    with pytest.raises(asyncssh.PermissionDenied):
        await knock(gateway, "wrong")
    until = time.monotonic() + 4
    while not (found := gateway.verb("bans", "list")["bans"]):
        assert time.monotonic() < until
    assert (found[0]["source"], found[0]["tried"], found[0]["level"]) == ("127.0.0.1", "acme", 1)
    # Long enough that only the verb can end it.
    far = penalties.Penalty("127.0.0.1", "acme", 8, datetime.now(UTC) + timedelta(seconds=600))
    with gateway.store() as store:
        penalties.save(store, [far], [])
    with pytest.raises((asyncssh.Error, OSError)):
        await knock(gateway, "right")
    assert gateway.verb("bans", "clear", "127.0.0.1") == {"cleared": 1}
    until, entered = time.monotonic() + 3, False
    while not entered:
        assert time.monotonic() < until
        with contextlib.suppress(asyncssh.Error, OSError):
            entered = await knock(gateway, "right")
    assert gateway.verb("bans", "list") == {"bans": []}
    assert gateway.stop() == 0
    assert gateway.verb("bans", "clear") == {"cleared": 0}
