"""The front door with real clients: only SFTP, told apart ends, limits, drain."""

import asyncio
import socket

import asyncssh
import pytest

from sftp_gateway import errors, settings
from sftp_gateway.sftp import auth, hostkeys, listener


async def test_openssh_sftp_puts_and_gets_a_file(front, openssh, tmp_path):
    door = await front()
    (tmp_path / "catalog.csv").write_bytes(b"sku,name\n" * 50_000)
    ended = await openssh(
        "sftp", door, "-P", str(door.port), "-b", "-", "acme@127.0.0.1", stdin=f"put {tmp_path}/catalog.csv\nls -l\n"
    )
    assert ended.code == 0, ended.err
    assert (door.folder / "catalog.csv").read_bytes() == b"sku,name\n" * 50_000
    assert door.notes == ["closed"]
    assert door.sessions[0].brand == "acme"
    assert door.sessions[0].client_version.startswith("SSH-2.0-OpenSSH")


async def test_scp_ends_with_status_0(front, openssh, tmp_path):
    door = await front()
    (tmp_path / "catalog.csv").write_bytes(b"sku,name\n" * 10)
    ended = await openssh("scp", door, "-P", str(door.port), tmp_path / "catalog.csv", "acme@127.0.0.1:catalog.csv")
    assert (ended.code, ended.err) == (0, "")
    assert (door.folder / "catalog.csv").exists()


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("ssh", ["acme@127.0.0.1", "echo", "hello"], "SFTP only"),
        ("ssh", ["acme@127.0.0.1"], "SFTP only"),
        ("ssh", ["-tt", "acme@127.0.0.1"], "PTY allocation request failed"),
        ("scp", ["-O", "{file}", "acme@127.0.0.1:catalog.csv"], "SFTP only"),
    ],
    ids=["exec", "shell", "pty", "scp -O"],
)
async def test_anything_but_sftp_is_refused_at_once_in_words(front, openssh, tmp_path, *, tool, arguments, words):
    door = await front()
    file = tmp_path / "catalog.csv"
    file.write_text("sku\n")
    port = "-P" if tool == "scp" else "-p"
    started = asyncio.get_running_loop().time()
    ended = await openssh(tool, door, port, str(door.port), *[a.replace("{file}", str(file)) for a in arguments])
    assert ended.code != 0
    assert words in ended.err
    assert asyncio.get_running_loop().time() - started < 15  # one that is told nothing is given up after 20
    assert not door.sessions


async def test_forwarding_agent_and_environment_are_refused(front):
    door = await front()
    async with door.connect() as connection:
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_connection("127.0.0.1", 80)
        with pytest.raises((asyncssh.ChannelListenError, OSError)):
            await connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", 80)
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_unix_connection("/run/x")


async def test_a_subsystem_other_than_sftp_is_refused(front):
    door = await front()
    async with door.connect() as connection:
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_session(subsystem="netconf")


async def test_a_close_packet_and_a_lost_connection_are_told_apart(front, until):
    door = await front()
    async with door.connect() as connection, connection.start_sftp_client() as sftp:
        async with sftp.open("whole.csv", "wb") as file:
            await file.write(b"a")
        assert door.notes == ["closed"]
        await sftp.open("half.csv", "wb")
        connection.abort()
        await until(lambda: door.notes == ["closed", "dropped"])


async def test_a_channel_that_ends_without_close_is_a_drop(front, until):
    door = await front()
    async with door.connect() as connection:
        sftp = await connection.start_sftp_client()
        await sftp.open("half.csv", "wb")
        sftp.exit()
        await until(lambda: door.notes == ["dropped"])


async def test_the_extensions_offered_are_those_we_mean(front):
    door = await front()
    async with door.connect() as connection:
        writer, reader, _ = await connection.open_session(subsystem="sftp", encoding=None)
        writer.write(bytes.fromhex("00000005 01 00000006"))
        answer = await reader.readexactly(4)
        body = await reader.readexactly(int.from_bytes(answer, "big"))
    assert body[0] == 2
    assert int.from_bytes(body[1:5], "big") == 3, "a wish for version 6 falls to 3"
    assert b"posix-rename@openssh.com" in body
    assert b"limits@openssh.com" in body
    for unwanted in (b"hardlink", b"copy-data", b"ranges@", b"vendor-id"):
        assert unwanted not in body


@pytest.mark.parametrize("version", [0, 1, 2])
async def test_a_client_of_an_older_version_of_sftp_reads_what_is_spoken_here(front, log_lines, until, version):
    door = await front()
    async with door.connect() as connection:
        writer, reader, said = await connection.open_session(subsystem="sftp", encoding=None)
        writer.write(bytes.fromhex("00000005 01") + version.to_bytes(4, "big"))
        assert await reader.read() == b""
        told = (await said.read()).decode()
        assert (told, writer.channel.get_exit_status()) == (
            f"This gateway speaks version 3 of SFTP, your client asks for {version}: use a newer one\n", 1,
        )  # fmt: skip
        await until(lambda: [line for line in log_lines if line["event"] == "session.closed"])
        assert await connection.start_sftp_client()  # with another version, over the same connection
    (refused,) = [line for line in log_lines if line["event"] == "session.refused"]
    assert refused["reason"] == told.strip()
    assert not [line for line in log_lines if line["log_level"] in {"warning", "error"}]


async def test_links_are_unsupported_and_say_so(front):
    door = await front()
    async with door.connect() as connection, connection.start_sftp_client() as sftp:
        for request in (sftp.symlink("a", "b"), sftp.readlink("a")):
            with pytest.raises(asyncssh.SFTPOpUnsupported, match="Links are not supported"):
                await request


async def test_a_padded_write_is_cut_at_its_length(front):
    """Go's pkg/sftp as in rclone 1.60 sends bytes behind the data of its last WRITE."""
    door = await front()
    async with door.connect() as connection, connection.start_sftp_client() as sftp:
        file = await sftp.open("catalog.csv", "wb")
        handler, handle = sftp._handler, file._handle
        packet = _string(handle) + (0).to_bytes(8, "big") + _string(b"sku\n") + b"\0" * 100
        await handler._make_request(6, packet)
        await file.close()
    assert (door.folder / "catalog.csv").read_bytes() == b"sku\n"


async def _put(sftp, name: str, content: bytes) -> None:
    async with sftp.open(name, "wb") as file:
        await file.write(content)


def _string(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


async def test_an_error_of_ours_is_logged_and_not_shown(front, log_lines):
    door = await front()
    async with door.connect() as connection, connection.start_sftp_client() as sftp:
        with pytest.raises(asyncssh.SFTPFailure, match="The gateway made a mistake; quote session") as caught:
            await sftp.mkdir("explode")
    assert "secret" not in caught.value.reason
    [line] = [line for line in log_lines if line["event"] == "session.faulted"]
    assert line["request"] == "mkdir"


async def test_a_session_may_hold_so_many_handles_and_no_more(front):
    door = await front(handles_per_session=3)
    async with door.connect() as connection, connection.start_sftp_client() as sftp:
        files = [await sftp.open(f"{number}.csv", "wb") for number in range(3)]
        with pytest.raises(asyncssh.SFTPFailure, match="Too many open files"):
            await sftp.open("one-more.csv", "wb")
        await files[0].close()
        await sftp.open("one-more.csv", "wb")


async def test_a_connection_may_open_so_many_channels_and_no_more(front):
    door = await front(channels_per_connection=10)
    async with door.connect() as connection:
        for _ in range(10):
            await connection.start_sftp_client()
        with pytest.raises(asyncssh.ChannelOpenError, match="At most 10 channels"):
            await connection.start_sftp_client()
    assert [who.channel for who in door.sessions] == list(range(1, 11))
    assert len({who.connection for who in door.sessions}) == 1


async def test_a_brand_may_have_so_many_connections_and_no_more(front, openssh):
    door = await front(sessions_per_brand=2)
    async with door.connect() as first, door.connect():
        ended = await openssh("sftp", door, "-P", str(door.port), "-b", "-", "acme@127.0.0.1", stdin="pwd\n")
        assert ended.code != 0
        assert "acme already has 2 connections open; close one and try again" in ended.err
        first.close()
        await first.wait_closed()
        async with door.connect() as third, third.start_sftp_client() as sftp:
            assert await sftp.listdir(".") is not None


async def test_an_idle_connection_is_ended_with_a_reason(front, until, log_lines):
    door = await front(idle_seconds=0.2)
    connection = await door.connect()
    await connection.start_sftp_client()
    await connection.wait_closed()
    await until(lambda: any(line["event"] == "session.closed" for line in log_lines))
    [closed] = [line for line in log_lines if line["event"] == "session.closed"]
    assert closed["reason"] == "idle"


async def test_a_stalled_upload_is_ended_sooner_than_an_idle_connection(front, until, log_lines):
    door = await front(stall_seconds=0.2, idle_seconds=60)
    connection = await door.connect()
    sftp = await connection.start_sftp_client()
    await sftp.open("catalog.csv", "wb")
    await connection.wait_closed()
    await until(lambda: door.notes == ["dropped"])
    await until(lambda: [line["reason"] for line in log_lines if line["event"] == "session.closed"] == ["stalled"])


async def test_bytes_that_move_keep_a_slow_upload_alive(front):
    moment = [0.0]
    door = await front(stall_seconds=300, idle_seconds=900, parts={"clock": lambda: moment[0]})
    async with door.connect() as connection, connection.start_sftp_client() as sftp:
        file = await sftp.open("catalog.csv", "wb")
        for _ in range(5):
            moment[0] += 299
            await file.write(b"x")
            await door.listener.watch_once()
        await file.close()
        moment[0] += 899
        await door.listener.watch_once()
        await sftp.stat("catalog.csv")
    assert door.notes == ["closed"]


async def test_a_withdrawn_key_ends_its_connections(front, until, log_lines):
    moment = [0.0]
    door = await front(parts={"clock": lambda: moment[0]})
    connection = await door.connect()
    await connection.start_sftp_client()
    moment[0] += 3
    await door.listener.watch_once()
    assert door.listener.connections() == 1
    door.brands.keys["acme"] = []
    moment[0] += 3
    await door.listener.watch_once()
    await connection.wait_closed()
    await until(lambda: [line["reason"] for line in log_lines if line["event"] == "session.closed"] == ["revoked"])


async def test_a_changed_password_ends_its_connections_and_no_others(front):
    moment = [0.0]
    door = await front(parts={"clock": lambda: moment[0]})
    by_key = await door.connect()
    by_password = await door.connect(client_keys=None, password="correct horse")
    door.brands.hashes["acme"] = auth.hash_password("another")
    moment[0] += 3
    await door.listener.watch_once()
    await by_password.wait_closed()
    async with by_key, by_key.start_sftp_client() as sftp:
        await sftp.stat(".")


async def test_a_frozen_peer_is_dropped_by_keepalive(front, until):
    door = await front(keepalive_seconds=0.05)
    connection = await door.connect()
    sftp = await connection.start_sftp_client()
    await sftp.open("catalog.csv", "wb")
    connection._transport.pause_reading()
    await until(lambda: door.notes == ["dropped"])
    connection.abort()
    await connection.wait_closed()


async def test_draining_lets_a_running_upload_finish(front, until):
    door = await front()
    connection = await door.connect()
    sftp = await connection.start_sftp_client()
    file = await sftp.open("catalog.csv", "wb")
    draining = asyncio.create_task(door.listener.drain(20))
    await until(lambda: not door.listener.is_listening)
    with pytest.raises(OSError):
        await door.connect()
    for _ in range(20):
        await file.write(b"0123456789")
    await file.close()
    await draining
    await connection.wait_closed()
    assert door.notes == ["closed"]
    assert (door.folder / "catalog.csv").stat().st_size == 200


async def test_draining_lets_no_new_session_in_on_a_connection_that_has_one(front, until):
    door = await front()
    busy, fresh = await door.connect(), await door.connect()
    file = await (await busy.start_sftp_client()).open("catalog.csv", "wb")
    draining = asyncio.create_task(door.listener.drain(20))
    await until(lambda: not door.listener.is_listening)
    with pytest.raises(asyncssh.ChannelOpenError, match="being restarted; connect again"):
        await busy.start_sftp_client()
    # Who has connected before, and had no session yet, is not turned away.
    await (await (await fresh.start_sftp_client()).open("other.csv", "wb")).close()
    await file.write(b"0123456789")
    await file.close()
    await draining
    assert sorted(door.notes) == ["closed", "closed"]


async def test_draining_cuts_at_the_deadline(front):
    door = await front()
    connection = await door.connect()
    sftp = await connection.start_sftp_client()
    await sftp.open("catalog.csv", "wb")
    await door.listener.drain(0.2)
    await connection.wait_closed()
    assert door.notes == ["dropped"]


async def test_closing_the_listener_closes_every_file_first(front, tmp_path):
    door = await front()
    connection = await door.connect()
    sftp = await connection.start_sftp_client()
    await sftp.open("catalog.csv", "wb")
    await door.listener.__aexit__(None, None, None)
    assert door.notes == ["dropped"]
    await door.watching
    await connection.wait_closed()


async def test_a_listening_socket_can_be_passed_in(front):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        door = await front(parts={"sock": sock.dup()})
        assert door.port == port
        async with door.connect() as connection, connection.start_sftp_client() as sftp:
            await sftp.stat(".")


async def test_a_taken_port_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        part = listener.Listener(
            settings.Sftp(host="127.0.0.1", port=port),
            hostkeys.load([], tmp_path),
            lookup=lambda _: None,
            home=lambda chan, who: asyncssh.SFTPServer(chan),
        )
        with pytest.raises(errors.Unavailable, match=f"127.0.0.1 port {port}"):
            async with part:
                pass


async def test_the_upload_goes_on_through_a_rekey(front, openssh, tmp_path):
    door = await front()
    (tmp_path / "catalog.csv").write_bytes(bytes(range(256)) * 20_000)
    ended = await openssh(
        "sftp", door, "-o", "RekeyLimit=1M", "-P", str(door.port), "-b", "-", "acme@127.0.0.1",
        stdin=f"put {tmp_path}/catalog.csv\nget catalog.csv {tmp_path}/back.csv\n",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert (tmp_path / "back.csv").read_bytes() == (tmp_path / "catalog.csv").read_bytes()


async def test_openssh_learns_a_second_host_key(front, openssh, tmp_path):
    """hostkeys-00@openssh.com: the old key signs in, the new one is announced and proven."""
    for name, kind in (("old", "ssh-ed25519"), ("new", "ssh-ed25519"), ("rsa", "ssh-rsa")):
        path = tmp_path / name
        path.write_bytes(
            asyncssh.generate_private_key(kind, key_size=3072).export_private_key()
        ) if kind == "ssh-rsa" else path.write_bytes(asyncssh.generate_private_key(kind).export_private_key())
        path.chmod(0o600)
    keys = hostkeys.load([tmp_path / "old", tmp_path / "new", tmp_path / "rsa"], tmp_path)
    door = await front(host_keys=keys)
    for _ in range(2):
        ended = await openssh(
            "sftp", door, "-o", "UpdateHostKeys=yes", "-P", str(door.port), "-b", "-", "acme@127.0.0.1", stdin="pwd\n"
        )
        assert ended.code == 0, ended.err
    known = (tmp_path / "known_hosts").read_text()
    for pair in keys:
        assert asyncssh.public_key.binascii.b2a_base64(pair.public_data, newline=False).decode() in known


async def test_a_session_leaves_one_line_when_it_opens_and_one_when_it_ends(front, log_lines, until):
    door = await front()
    async with door.connect() as connection, connection.start_sftp_client() as sftp:
        await _put(sftp, "catalog.csv", b"x" * 1000)
    await until(lambda: any(line["event"] == "session.closed" for line in log_lines))
    events = [line["event"] for line in log_lines]
    assert events == ["listener.opened", "login.accepted", "session.opened", "session.closed"]
    accepted, closed = log_lines[1], log_lines[3]
    assert accepted["brand"] == "acme"
    assert accepted["source"] == "127.0.0.1"
    assert accepted["fingerprint"] == door.key.get_fingerprint()
    assert accepted["client"].startswith("SSH-2.0-AsyncSSH")
    assert closed["reason"] == "client"
    assert closed["received_bytes"] > 1000


async def test_the_snapshot_counts_what_goes_on(front):
    door = await front()
    async with door.connect() as connection, connection.start_sftp_client() as sftp:
        file = await sftp.open("catalog.csv", "wb")
        await file.write(b"x" * 1000)
        figures = door.listener.snapshot()
    assert figures == {"channels": 1, "failed_logins_total": 0, "refused_total": 0}


async def test_the_keepalive_of_a_client_is_answered(front):
    door = await front()
    async with door.connect() as connection:
        code, _ = await asyncio.wait_for(connection._make_global_request(b"keepalive@openssh.com"), 5)
    assert code in {81, 82}  # RFC 4254 §4: any answer will do
