"""Who may enter: keys, passwords, expiry; who is kept out, and what it costs a good client."""

import asyncio
import contextlib
import datetime as dt
import statistics
import subprocess
import time

import asyncssh
import paramiko
import pytest
from msgspec import structs

from sftp_gateway import brand, errors
from sftp_gateway.sftp import auth

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
PASSWORD = "correct horse"


def by_password(door, name="acme", password=PASSWORD, **options):
    return door.connect(username=name, password=password, client_keys=None, **options)


async def enter(connecting):
    async with connecting as connection, connection.start_sftp_client() as sftp:
        return await sftp.stat(".")


async def test_a_key_and_a_password_open_the_door(front):
    door = await front()
    await enter(door.connect())
    await enter(by_password(door))
    by_key, by_pass = door.sessions
    assert (by_key.method, by_key.key_fingerprint) == ("publickey", door.key.get_fingerprint())
    assert (by_pass.method, by_pass.key_fingerprint) == ("password", None)


@pytest.mark.parametrize("password", [f"{PASSWORD}\n", "a\0b", "a\x1b[2Jb", "\u0378"], ids=ascii)
async def test_a_password_that_can_be_none_is_a_wrong_one_and_another_may_follow(front, log_lines, password):
    door = await front(login_tries=3)

    def come():
        with contextlib.closing(paramiko.Transport(("127.0.0.1", door.port))) as client:
            client.start_client(timeout=30)
            with pytest.raises(paramiko.AuthenticationException, match="Authentication failed"):
                client.auth_password("acme", password)
            return client.auth_password("acme", PASSWORD)

    assert await asyncio.to_thread(come) == []
    (refused,) = [line for line in log_lines if line["event"] == "login.refused"]
    assert (refused["method"], refused["reason"], refused["tries"]) == ("password", "not_accepted", 1)
    assert not any(repr(password)[1:-1] in repr(line) for line in log_lines)


async def test_a_login_asks_the_store_once(front):
    door = await front(parts={"clock": lambda: 1000.0})  # a login may take longer than what the store said is good for
    await enter(door.connect())
    assert door.brands.looks == 1
    await enter(by_password(door))
    assert door.brands.looks == 2


async def test_what_the_store_said_is_good_for_a_second(front):
    """A client that takes its time between two tries is judged by the rules as they are then."""
    moment = [1000.0]
    door = await front(parts={"clock": lambda: moment[0]})

    class Slow(asyncssh.SSHClient):
        tries = 0

        def password_auth_requested(self):
            self.tries += 1
            if self.tries == 2:
                moment[0] += 1.5
                door.brands.hashes["acme"] = auth.hash_password("another")
            return ["wrong", "another"][self.tries - 1]

    await enter(door.connect(client_keys=None, client_factory=Slow))
    assert door.brands.looks == 2


async def test_many_sessions_of_a_brand_are_looked_after_with_one_look(front):
    moment = [1000.0]
    door = await front(parts={"clock": lambda: moment[0]})
    connections = [await door.connect() for _ in range(5)]
    door.brands.looks = 0
    moment[0] += 3
    await door.listener.watch_once()
    assert door.brands.looks == 1
    for connection in connections:
        connection.abort()
        await connection.wait_closed()


async def test_two_keys_overlap_until_one_expires(front):
    late, early = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    moment = [NOW]
    door = await front(parts={"now": lambda: moment[0]})
    known = [auth.parse_public_key(key.export_public_key().decode()) for key in (late, early)]
    known[1] = structs.replace(known[1], expires_at=NOW + dt.timedelta(days=1))
    door.brands.keys["acme"] = known
    for key in (late, early):
        await enter(door.connect(client_keys=[key]))
    moment[0] += dt.timedelta(days=1)
    await enter(door.connect(client_keys=[late]))
    with pytest.raises(asyncssh.PermissionDenied):
        await enter(door.connect(client_keys=[early]))


@pytest.mark.parametrize("name", ["globex", "nokey", "../etc", "ACME", "acmé"])
async def test_whoever_is_not_known_gets_the_same_answer(front, name):
    door = await front(penalty_exempt=["127.0.0.0/8"])
    answers = set()
    for who in (name, "acme"):
        with pytest.raises(asyncssh.PermissionDenied) as caught:
            await enter(by_password(door, who, "wrong"))
        answers.add(caught.value.reason.replace(repr(who)[1:-1], "NAME").replace(who, "NAME"))
        stranger = asyncssh.generate_private_key("ssh-ed25519")
        with pytest.raises(asyncssh.PermissionDenied):
            await enter(door.connect(username=who, client_keys=[stranger]))
    assert len(answers) == 1
    assert not door.sessions


async def test_a_disabled_brand_is_an_unknown_one(front):
    door = await front()
    door.brands.disabled.add("acme")
    for connecting in (door.connect(), by_password(door)):
        with pytest.raises((asyncssh.PermissionDenied, asyncssh.ConnectionLost, OSError)):
            await enter(connecting)


async def test_an_unknown_brand_costs_as_much_time_as_a_wrong_password(password_hash):
    """Interleaved, medians: what differs is less than half of one hash."""
    people = {"acme": brand.Login((), password_hash)}
    checker = auth.Authenticator(people.get, now=lambda: NOW)
    spent = {"acme": [], "globex": []}
    for _ in range(9):
        for name, seconds in spent.items():
            started = time.perf_counter()
            rules = await checker.rules(name)
            assert await checker.check_password(rules, "wrong", "192.0.2.1", "192.0.2.1") is None
            seconds.append(time.perf_counter() - started)
    checker.close()
    known, unknown = (statistics.median(spent[name]) for name in ("acme", "globex"))
    assert unknown > known / 2
    assert known > unknown / 2


async def test_four_tries_and_the_connection_is_over(front, log_lines):
    door = await front()
    given = []

    class Guesser(asyncssh.SSHClient):
        def password_auth_requested(self):
            given.append(1)
            return f"guess {len(given)}"

    with pytest.raises(asyncssh.DisconnectError, match="Too many failed logins"):
        await asyncssh.connect("127.0.0.1", door.port, username="acme", client_factory=Guesser, known_hosts=None,
                               client_keys=None, config=None, agent_path=None)  # fmt: skip
    assert len(given) == 4
    refused = [line for line in log_lines if line["event"] == "login.refused"]
    assert [line["tries"] for line in refused] == [1, 2, 3, 4]
    assert refused[0]["brand"] == "acme"
    assert refused[0]["source"] == "127.0.0.1"
    assert [line["penalty_seconds"] for line in refused] == [5.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("then", ["another key", "a password"])
async def test_a_client_that_asks_for_the_login_anew_before_each_try_may_try_again(front, tmp_path, then):
    """paramiko does, and what is built on it; it signs with each key it finds, a foreign one first."""
    door = await front()
    foreign = tmp_path / "foreign"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(foreign)
    keys = [str(foreign), *([str(door.key_file)] if then == "another key" else [])]

    def log_in():
        with paramiko.SSHClient() as client:
            client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
            client.connect(
                "127.0.0.1", door.port, "acme", None if then == "another key" else PASSWORD, key_filename=keys,
                look_for_keys=False, allow_agent=False,
            )  # fmt: skip
            with client.open_sftp() as sftp:
                return sftp.listdir("/")

    assert await asyncio.to_thread(log_in) == []
    method = "publickey" if then == "another key" else "password"
    assert [session.method for session in door.sessions] == [method]


async def test_up_to_twenty_offered_keys_are_free(front):
    door = await front()
    strangers = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(20)]
    await enter(door.connect(client_keys=[*strangers[:19], door.key]))
    with pytest.raises(asyncssh.DisconnectError, match="More than 20 keys offered"):
        await enter(door.connect(client_keys=[*strangers, door.key]))
    assert door.listener._door.penalties.running() == {}
    await enter(door.connect())


async def test_a_failed_login_keeps_its_source_out_and_others_not(front, log_lines):
    door = await front()
    with pytest.raises(asyncssh.PermissionDenied):
        await enter(by_password(door, password="wrong", local_addr=("127.0.0.2", 0)))
    with pytest.raises(asyncssh.PermissionDenied, match="too many failed logins"):
        await enter(by_password(door, local_addr=("127.0.0.2", 0)))
    assert list(door.listener._door.penalties.running()) == ["127.0.0.2"]
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port, local_addr=("127.0.0.2", 0))
    assert b"Not allowed at this time: too many failed logins. Try again in" in await reader.read()
    writer.close()
    await enter(by_password(door))
    refusals = [line for line in log_lines if line["event"] == "connection.refused"]
    assert [(line["source"], line["reason"]) for line in refusals] == [("127.0.0.2", "penalised")]
    assert door.listener.snapshot()["refused_total"] == 2, "the log has one line for both"


@pytest.mark.parametrize("client", ["sftp", "scp", "psftp", "rclone"])
async def test_who_is_turned_away_at_the_door_reads_why(front, tmp_path, client):
    door = await front()
    with pytest.raises(asyncssh.PermissionDenied):
        await enter(by_password(door, password="wrong"))
    at, port = "acme@127.0.0.1", str(door.port)
    openssh = ["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-P", port]
    file = tmp_path / "file.csv"
    file.write_text("sku\n")
    command = {
        "sftp": ["sftp", *openssh, at],
        "scp": ["scp", *openssh, str(file), f"{at}:"],
        "psftp": ["psftp", "-batch", "-P", port, "-pw", "x", at],
        "rclone": ["rclone", "--retries=1", "--low-level-retries=1", "--config=", f"--sftp-port={port}", "--sftp-user=acme",
                   "--sftp-host=127.0.0.1", "--sftp-pass=8FZEP7qgccq6940NioPVSL0", "lsf", ":sftp:"],
    }[client]  # fmt: skip
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode
    assert "Not allowed at this time: too many failed logins. Try again in" in done.stdout + done.stderr


async def test_a_probe_that_says_nothing_is_never_penalised(front):
    door = await front()
    for first in (b"", b"SSH-2.0-probe\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        for _ in range(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            assert (await reader.readline()).startswith(b"SSH-2.0-SftpGateway")
            writer.write(first)
            writer.close()
    assert door.listener._door.penalties.running() == {}
    await enter(door.connect())


async def test_exempt_networks_are_never_penalised(front):
    door = await front(penalty_exempt=["127.0.0.2/32"])
    for _ in range(3):
        with pytest.raises(asyncssh.PermissionDenied):
            await enter(by_password(door, password="wrong", local_addr=("127.0.0.2", 0)))
    await enter(by_password(door, local_addr=("127.0.0.2", 0)))


async def test_who_does_not_log_in_is_cut_after_the_grace_time(front):
    door = await front(login_grace_seconds=0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    async with asyncio.timeout(20):  # by default it is cut after 30
        await reader.read()
    writer.close()
    assert len(door.listener._door.lobby) == 0


async def test_a_source_may_wait_at_the_door_only_so_often(front):
    door = await front(unauthenticated_per_source=3)
    waiting = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(3)]
    for reader, _ in waiting:
        await reader.readline()
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    assert b"Too many connections from your address" in await reader.read()
    assert door.listener.snapshot()["refused_total"] == 1
    await enter(door.connect(local_addr=("127.0.0.3", 0)))
    for _, open_writer in [*waiting, (reader, writer)]:
        open_writer.close()


async def test_under_a_flood_a_good_client_is_in_within_two_seconds(front):
    """300 silent sockets from 30 sources, and 8 more that guess on and on."""
    asyncio.get_running_loop().set_debug(False)  # it would cost the attackers' share of this process five times over
    door = await front()
    silent = [
        await asyncio.open_connection("127.0.0.1", door.port, local_addr=(f"127.0.1.{number % 30 + 1}", 0))
        for number in range(300)
    ]
    stop = asyncio.Event()

    async def guess(source):
        while not stop.is_set():
            with contextlib.suppress(asyncssh.Error, OSError):
                await enter(by_password(door, password="wrong", local_addr=(source, 0)))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.02)

    guessing = [asyncio.create_task(guess(f"127.0.2.{number}")) for number in range(1, 9)]
    spent = []
    try:
        for connecting in (door.connect, lambda: by_password(door)) * 3:
            started = time.monotonic()
            await enter(connecting())
            spent.append(time.monotonic() - started)
    finally:
        stop.set()
        await asyncio.gather(*guessing)
        for _, writer in silent:
            writer.close()
    assert statistics.median(spent) < 2
    assert len(door.listener._door.lobby) <= 100
    assert door.listener.snapshot()["refused_total"] >= 200, "those who had to make room for others, too"


async def test_while_the_store_is_away_nobody_is_blamed(front):
    door = await front()

    def away(_brand):
        raise errors.StoreUnreachable("the database does not answer")

    door.listener._door.authenticator._lookup = away
    for connecting in (door.connect(), by_password(door)):
        with pytest.raises(asyncssh.DisconnectError, match="cannot check logins right now"):
            await enter(connecting)
    assert door.listener._door.penalties.running() == {}


async def test_a_balancer_names_the_client_it_speaks_for(front):
    door = await front(proxy_protocol_from=["127.0.0.1/32"])
    header = bytes.fromhex("0d0a0d0a000d0a515549540a 21 11 000c cb007107 c0000201 1234 0016")
    async with Balancer(door, header) as port:
        await enter(asyncssh.connect("127.0.0.1", port, username="acme", client_keys=[door.key], known_hosts=None,
                                     config=None, agent_path=None))  # fmt: skip
    assert door.sessions[0].source_ip == "203.0.113.7"


async def test_a_header_from_anybody_else_is_not_believed(front):
    door = await front()
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(bytes.fromhex("0d0a0d0a000d0a515549540a 21 11 000c cb007107 c0000201 1234 0016"))
    assert (await reader.readline()).startswith(b"SSH-2.0-")
    await reader.read()
    writer.close()
    assert not door.sessions


class Balancer:
    """A balancer: every connection gets the header first, then bytes both ways."""

    def __init__(self, door, header):
        self.door, self.header, self.tasks = door, header, []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def __aexit__(self, *_):
        self.server.close()
        await asyncio.gather(*self.tasks)

    async def _relay(self, reader, writer):
        theirs, ours = await asyncio.open_connection("127.0.0.1", self.door.port)
        ours.write(self.header)
        self.tasks += [asyncio.create_task(self._copy(reader, ours)), asyncio.create_task(self._copy(theirs, writer))]

    async def _copy(self, reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()


async def test_a_brand_comes_from_its_networks_only_and_nobody_can_tell(front, log_lines):
    door = await front(penalty_exempt=["127.0.0.0/8"])
    door.brands.networks["acme"] = "127.0.0.2/32,192.0.2.0/24"
    answers = set()
    for connecting in (by_password(door), by_password(door, password="wrong"), door.connect()):
        with pytest.raises(asyncssh.PermissionDenied) as caught:
            await enter(connecting)
        answers.add(caught.value.reason)
    assert len(answers) == 1
    refused = [line for line in log_lines if line["event"] == "login.refused"]
    assert {(line["brand"], line["source"], line["reason"]) for line in refused} == {
        ("acme", "127.0.0.1", "source_not_allowed")
    }
    assert [line["method"] for line in refused] == ["password", "password", "publickey"]
    await enter(by_password(door, local_addr=("127.0.0.2", 0)))
    await enter(door.connect(local_addr=("127.0.0.2", 0)))


async def test_a_refused_network_takes_as_long_as_a_wrong_password(front):
    door = await front(penalty_exempt=["127.0.0.0/8"], login_tries=100)
    took = {"": [], "192.0.2.0/24": []}
    for _ in range(12):
        for networks, seconds in took.items():
            door.brands.networks["acme"] = networks
            began = time.perf_counter()
            with pytest.raises(asyncssh.PermissionDenied):
                await enter(by_password(door, password="wrong" if not networks else PASSWORD))
            seconds.append(time.perf_counter() - began)
    open_door, shut = map(min, took.values())  # the least disturbed of each: other work on the machine only adds
    assert 0.5 < shut / open_door < 2


async def test_a_network_that_is_withdrawn_ends_the_session(front, until):
    door = await front()
    async with door.connect() as connection, connection.start_sftp_client():
        door.brands.networks["acme"] = "192.0.2.0/24"
        await until(lambda: not door.listener.connections())
