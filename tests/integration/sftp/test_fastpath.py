"""The fast receive path takes what the plain one takes, however the bytes are cut, and nothing else."""

import asyncio
import contextlib
import inspect
import random

import asyncssh
import pytest
from asyncssh import channel, connection, encryption, logging, mac, sftp, stream
from asyncssh.constants import MSG_CHANNEL_DATA
from asyncssh.packet import String, UInt32

from sftp_gateway.sftp import algorithms, fastpath, kept

CONTENT = random.Random(7).randbytes(700_000)
PAIRS = [(each, "hmac-sha2-256-etm@openssh.com") for each in algorithms.LEGACY.encryption]
PAIRS += [("aes256-ctr", each) for each in algorithms.LEGACY.mac]


class Chopper:
    """A relay that passes bytes to the server in pieces of random size; may change one on the way."""

    def __init__(self, port, seed, spoil_at=None):
        self.port, self.random, self.spoil_at, self.tasks, self.passed = port, random.Random(seed), spoil_at, [], 0

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def __aexit__(self, *_):
        self.server.close()
        await asyncio.gather(*self.tasks)

    async def _relay(self, reader, writer):
        theirs, ours = await asyncio.open_connection("127.0.0.1", self.port)
        self.tasks += [asyncio.create_task(self._chop(reader, ours)), asyncio.create_task(self._copy(theirs, writer))]

    async def _chop(self, reader, writer):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(self.random.choice([1, 7, 16, 33, 4096, 40_000, 200_000])):
                self.passed += len(data)
                if self.spoil_at is not None and self.passed > self.spoil_at:
                    self.spoil_at, data = None, bytes([data[0] ^ 1]) + data[1:]
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _copy(self, reader, writer):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()


def through(port, door, **options):
    return asyncssh.connect("127.0.0.1", port, username="acme", client_keys=[door.key], known_hosts=None, config=None,
                            agent_path=None, **options)  # fmt: skip


@pytest.mark.parametrize(("cipher", "mac"), PAIRS)
async def test_a_file_arrives_whole_in_pieces_of_any_size(front, cipher, mac):
    door = await front(algorithms="legacy")
    async with (
        Chopper(door.port, f"{cipher} {mac}") as port,
        through(port, door, encryption_algs=[cipher], mac_algs=[mac], rekey_bytes=300_000) as client,
        client.start_sftp_client() as sftp,
    ):
        async with sftp.open("catalog.csv", "wb") as file:
            await file.write(CONTENT)
        async with sftp.open("catalog.csv", "rb") as file:
            assert await file.read() == CONTENT
    assert (door.folder / "catalog.csv").read_bytes() == CONTENT


@pytest.mark.parametrize("cipher", ["aes128-gcm@openssh.com", "aes128-ctr"])
async def test_one_changed_bit_ends_the_connection(front, until, cipher):
    door = await front()
    async with Chopper(door.port, cipher, spoil_at=200_000) as port:
        client = await through(port, door, encryption_algs=[cipher])
        sftp = await client.start_sftp_client()
        with pytest.raises((asyncssh.Error, OSError)):
            # Small pieces: of a larger one the client leaves tasks behind that nobody asks for their error.
            async with sftp.open("catalog.csv", "wb") as file:
                for start in range(0, len(CONTENT), 50_000):
                    await file.write(CONTENT[start : start + 50_000])
        await client.wait_closed()
    await until(lambda: door.notes == ["dropped"])
    assert CONTENT.startswith((door.folder / "catalog.csv").read_bytes())


WINDOWS = [(50, 7), (32_000, 333), (100_000, 32_768), (2**21, 2**17)]


@pytest.mark.parametrize(("window", "packet"), WINDOWS)
async def test_a_file_is_read_whole_through_a_window_of_any_size(front, window, packet):
    door = await front()
    content = CONTENT[: window * 500]
    (door.folder / "catalog.csv").write_bytes(content)
    async with (
        through(door.port, door, window=window, max_pktsize=packet) as client,
        client.start_sftp_client() as sftp,
        sftp.open("catalog.csv", "rb", block_size=100_000) as file,
    ):
        assert await file.read() == content


async def test_keys_are_exchanged_anew_in_the_middle_of_a_download(front, monkeypatch):
    exchanges = []
    send_kexinit = connection.SSHConnection._send_kexinit
    monkeypatch.setattr(connection.SSHConnection, "_send_kexinit", lambda self: exchanges.append(send_kexinit(self)))
    monkeypatch.setattr(connection, "_DEFAULT_REKEY_BYTES", 100_000)
    door = await front()
    (door.folder / "catalog.csv").write_bytes(CONTENT)
    async with (
        through(door.port, door) as client,
        client.start_sftp_client() as sftp,
        sftp.open("catalog.csv", "rb") as file,
    ):
        assert await file.read() == CONTENT
        assert len(exchanges) >= 2 * 5  # each by both sides


KEPT = [("aes128-gcm@openssh.com", "")]
KEPT += [("aes128-ctr", f"umac-{size}{kind}@openssh.com") for size in (64, 128) for kind in ("", "-etm")]


@pytest.mark.parametrize(("cipher", "mac"), KEPT)
def test_a_kept_key_seals_and_opens_like_the_one_it_replaces(cipher, mac):
    key, iv = random.Random(1).randbytes(16), b"\xff" * 11 + b"\xfe"
    if mac:
        iv += bytes(4)
    theirs, ours, reader = (
        encryption.get_encryption(cipher.encode(), key, iv, mac.encode(), key, mac.endswith("-etm@openssh.com"))
        for _ in range(3)
    )
    for each in (ours, ours, reader):
        kept.keep_key(each)
    for number in range(5):
        seq, packet = 2**32 - 3 + number & 0xFFFFFFFF, b"packet %09d" % number * 16
        sealed, tag = theirs.encrypt_packet(seq, b"head", packet)
        assert ours.encrypt_packet(seq, b"head", packet) == (sealed, tag)
        first, head = reader.decrypt_header(seq, sealed[:16], 4)
        assert head == b"head"
        assert reader.decrypt_packet(seq, first, sealed[16:], 4, tag) == packet
    sealed, tag = theirs.encrypt_packet(9, b"head", packet)
    first, _ = reader.decrypt_header(9, sealed[:16], 4)
    assert reader.decrypt_packet(9, first, sealed[16:], 4, bytes(len(tag))) is None


@pytest.mark.parametrize("seed", range(20))
def test_what_waits_for_the_window_is_cut_in_order_and_never_across_kinds(seed):
    chance = random.Random(seed)
    channel = object.__new__(fastpath.FastChannel)
    parts = [(chance.randbytes(chance.randint(1, 30)), chance.choice([None, None, None, 1])) for _ in range(40)]
    channel._send_buf, cut = list(parts), {None: b"", 1: b""}
    while channel._send_buf:
        most = chance.randint(1, 50)
        pieces, size, kind = channel._cut(most)
        assert size == sum(map(len, pieces))
        assert 0 < size <= most
        cut[kind] += b"".join(pieces)
    assert cut == {kind: b"".join(part for part, own in parts if own == kind) for kind in (None, 1)}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (connection.SSHConnection._recv_data, "while self._inpbuf and self._recv_handler():"),
        (connection.SSHConnection._recv_pkthdr, "self._inpbuf = self._inpbuf[self._recv_blocksize:]"),
        (connection.SSHConnection._recv_packet, "rem = 4 + self._pktlen + self._recv_macsize - self._recv_blocksize"),
        (connection.SSHConnection._recv_packet, "self._recv_handler = lambda: False"),
        (connection.SSHConnection._recv_packet, "orig_payload = packet_data[1:-packet_data[0]]"),
        (connection.SSHConnection._recv_packet, "if self._decompressor and (self._auth_complete or"),
        (connection.SSHConnection._recv_packet, "handler = self._channels[recv_chan]"),
        (connection.SSHConnection._finish_recv_packet, "self._recv_seq = (seq + 1) & 0xffffffff"),
        (
            connection.SSHConnection._finish_recv_packet,
            "if pkttype > MSG_USERAUTH_LAST:\n            self._auth_final = True",
        ),
        (channel.SSHChannel._process_data, "if datalen > self._recv_window:"),
        (channel.SSHChannel._process_data, "if self._recv_state != 'open':"),
        (channel.SSHChannel._accept_data, "if self._send_state in {'close_pending', 'closed'}:"),
        (channel.SSHChannel._accept_data, "self._recv_window -= len(data)"),
        (connection.SSHConnection._reset_keepalive_timer, "self._set_keepalive_timer()"),
        (connection.SSHConnection._keepalive_timer_callback, "self._keepalive_count += 1"),
        (connection.SSHConnection._finish_recv_packet, "if is_async and self._inpbuf:"),
        (connection.SSHConnection.send_packet, "self.send_packet(MSG_IGNORE, String(b''))"),
        (
            connection.SSHConnection.send_packet,
            "padlen = -(self._send_enchdrlen + len(payload)) % self._send_blocksize",
        ),
        (connection.SSHConnection.send_packet, "self._send_encryption.encrypt_packet(seq, hdr, packet)"),
        (connection.SSHConnection.send_packet, "self._rekey_bytes_sent += pktlen"),
        (connection.SSHConnection.send_packet, "handler.log_sent_packet(pkttype, seq, orig_payload)"),
        (channel.SSHChannel.write, "self._send_buf.append((bytearray(encoded_data), datatype))"),
        (channel.SSHChannel._flush_send_buf, "self.send_packet(MSG_CHANNEL_DATA, String(data))"),
        (sftp.SFTPHandler.recv_packet, "pktlen = await self._reader.readexactly(4)"),
        (stream.SSHStreamSession.data_received, "self._recv_buf[datatype].append(data)"),
        (stream.SSHStreamSession._block_read, "self._read_waiters[datatype] = waiter"),
        (stream.SSHStreamSession.read, "if self._maybe_resume_reading():"),
        (stream.SSHStreamSession.read, "self._recv_buf_len -= l"),
        (sftp.SFTPHandler.send_packet, "self._writer.write(UInt32(len(payload)) + payload)"),
        (mac._UMAC.sign, "return self._umac_alg(self._key, packet, UInt64(seq)).digest()"),
        (logging.SSHLogger.packet, "if self._debug_level >= 3:"),
        (logging.SSHLogger.log, "log_args = [_text(arg) for arg in args]"),
        (logging.SSHLogger.get_child, "return type(self)(self._logger, child, self._extend_context(context))"),
        (connection.SSHConnection.__init__, "self._logger = logger.get_child("),
        (channel.SSHChannel.__init__, "self._logger = conn.logger.get_child("),
        (encryption.GCMEncryption.decrypt_packet, "self._cipher.verify_and_decrypt("),
    ],
)
def test_the_code_around_each_hook_is_what_it_was_written_against(code, words):
    assert words in inspect.getsource(code)


ODD = {
    "no such channel": (lambda own: UInt32(own + 7) + String(b"x"), "Invalid channel number"),
    "bytes behind the data": (lambda own: UInt32(own) + String(b"x") + b"y", "Unexpected data"),
    "less than it says": (lambda own: UInt32(own) + UInt32(9) + b"y", "Incomplete packet"),
    "no length": (UInt32, "Incomplete packet"),
    "more than the window": (lambda own: UInt32(own) + String(bytes(5)), "Window exceeded"),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("cipher", ["aes128-gcm@openssh.com", "aes256-ctr"])
async def test_odd_data_of_a_channel_ends_the_connection_as_asyncssh_has_it(front, kind, cipher):
    make, words = ODD[kind]
    lost = asyncio.get_running_loop().create_future()
    told = type("Told", (asyncssh.SSHClient,), {"connection_lost": lambda _, error: lost.set_result(error)})
    door = await front()
    async with through(door.port, door, encryption_algs=[cipher], client_factory=told) as client:
        await client.start_sftp_client()
        (guest,) = door.listener._door.inside
        (talk,) = guest.conversations
        talk.channel._recv_window = 4
        client.send_packet(MSG_CHANNEL_DATA, make(talk.channel._recv_chan))
        assert words in str(await lost)


async def test_a_connection_makes_nothing_ready_for_lines_that_are_not_written(front, monkeypatch):
    seen = []
    monkeypatch.setattr(fastpath.SSHLogger, "log", lambda *args, **_: seen.append(args[1]))
    door = await front()
    async with through(door.port, door) as connection, connection.start_sftp_client() as client:
        seen.clear()  # those of this client, which logs as asyncssh does
        (guest,) = door.listener._door.inside
        (talk,) = guest.conversations
        loggers = [guest._connection.logger, talk.channel.logger, talk.sftp.logger]
        await client.stat(".")
    assert {type(logger) for logger in loggers} == {fastpath.QuietLogger}
    for logger in loggers:
        logger.debug1("unwanted %s", b"x")
        assert not any("unwanted" in str(line) for line in seen)


def test_a_line_that_is_wanted_is_as_asyncssh_writes_it(caplog):
    caplog.set_level("INFO", "asyncssh")
    plain = logging.SSHLogger().get_child(context="conn=1")
    quiet = fastpath.QuietLogger(plain._logger, context=plain._context)
    for logger in (plain, quiet, quiet.get_child("sftp", "chan=0")):
        logger.info("%s from %s", b"a\x1b", ("192.0.2.1", 22))
        logger.debug1("%s", b"not on")
    first, second, third = caplog.messages
    assert first == second == "[conn=1] a\\x1b from 192.0.2.1, port 22"
    assert third == "[conn=1, chan=0] a\\x1b from 192.0.2.1, port 22"


class Counted:
    """A transport that counts how often it is written to."""

    def __init__(self, transport):
        self._transport, self.times, self.most_parts = transport, 0, 0

    def __getattr__(self, name):
        return getattr(self._transport, name)

    def writelines(self, parts):
        self.times += 1
        self.most_parts = max(self.most_parts, len(parts))
        self._transport.writelines(parts)


async def test_answers_to_what_came_together_leave_together(front):
    door = await front()
    async with through(door.port, door) as connection, connection.start_sftp_client() as client:
        (guest,) = door.listener._door.inside
        counted = guest._connection._transport = Counted(guest._connection._transport)
        await asyncio.gather(*(client.stat(".") for _ in range(32)))
        assert counted.times < 8
        counted.times = 0
        await client.stat(".")
        assert counted.times == 1


async def test_not_more_than_so_many_answers_wait_for_one_another(front):
    door = await front()
    async with through(door.port, door) as connection, connection.start_sftp_client() as client:
        (guest,) = door.listener._door.inside
        counted = guest._connection._transport = Counted(guest._connection._transport)
        await asyncio.gather(*(client.stat(".") for _ in range(2000)))
        assert counted.most_parts <= fastpath.MOST_TOGETHER + 2
        assert counted.times < 200


async def test_no_answer_waits_for_the_request_behind_it(front):
    door = await front()
    async with through(door.port, door) as connection, connection.start_sftp_client() as client:
        (guest,) = door.listener._door.inside
        (talk,) = guest.conversations
        slow = asyncio.Event()
        server, lstat = talk.sftp._server, talk.sftp._server.lstat

        async def slowly(path):
            await slow.wait()
            return lstat(path)

        server.lstat = slowly
        behind = asyncio.create_task(client.lstat("."))
        before = asyncio.create_task(client.stat("."))
        again = asyncio.create_task(client.stat("."))
        await asyncio.wait([behind], timeout=0.05)
        assert not before.done()  # asked behind the slow one: it waits as ever
        slow.set()
        await asyncio.gather(behind, before, again)
        slow.clear()
        before, behind = asyncio.create_task(client.stat(".")), asyncio.create_task(client.lstat("."))
        await before
        assert not behind.done()
        slow.set()
        await behind
