"""Bytes nobody sane sends: packets of SFTP after login, streams before it, mutated from good ones.

What must hold: no exception of ours that nobody expected, no memory, no descriptor more than before, and the
next good client is served. Seeded; `make test-all` sends 1,000,000 packets and 100,000 streams, in parts that
may run side by side.
"""

import asyncio
import contextlib
import itertools
import os
import random
import struct
from pathlib import Path

import asyncssh
import pytest
from asyncssh import constants

from sftp_gateway import settings
from tests.fuzz.mutation import mutate

TOGETHER = 64
SENTINEL = 0xFFFFFF00
PARTS, PACKETS, STREAMS = 10, 1_000_000, 100_000
GROWTH_BYTES = 32 * 1024**2
FAULTS = {"session.faulted", "part.died"}


def text(value):
    return struct.pack(">I", len(value)) + value


NO_ATTRIBUTES = struct.pack(">I", 0)
SIZE = struct.pack(">IQ", 1, 5000)
CORPUS = [
    (constants.FXP_OPEN, text(b"/inbox/a.csv") + struct.pack(">I", 0x1A) + NO_ATTRIBUTES),
    (constants.FXP_OPEN, text(b"/inbox/b.csv") + struct.pack(">I", 0x0A) + SIZE),
    (constants.FXP_OPEN, text(b"/README.txt") + struct.pack(">I", 1) + NO_ATTRIBUTES),
    (constants.FXP_CLOSE, text(b"\0\0\0\0")),
    (constants.FXP_READ, text(b"\0\0\0\0") + struct.pack(">QI", 0, 32768)),
    (constants.FXP_WRITE, text(b"\0\0\0\0") + struct.pack(">Q", 0) + text(b"sku,name\n" * 20)),
    (constants.FXP_WRITE, text(b"\0\0\0\1") + struct.pack(">Q", 180) + text(b"1,one\n" * 20)),
    (constants.FXP_LSTAT, text(b"/inbox")),
    (constants.FXP_STAT, text(b"/catalog/current.csv")),
    (constants.FXP_FSTAT, text(b"\0\0\0\0")),
    (constants.FXP_SETSTAT, text(b"/inbox/a.csv") + struct.pack(">III", 8, 1, 2)),
    (constants.FXP_FSETSTAT, text(b"\0\0\0\0") + SIZE),
    (constants.FXP_OPENDIR, text(b"/")),
    (constants.FXP_READDIR, text(b"\0\0\0\1")),
    (constants.FXP_REMOVE, text(b"/inbox/a.csv")),
    (constants.FXP_MKDIR, text(b"/inbox/d") + NO_ATTRIBUTES),
    (constants.FXP_RMDIR, text(b"/inbox/d")),
    (constants.FXP_REALPATH, text(b".")),
    (constants.FXP_RENAME, text(b"/inbox/a.csv") + text(b"/partial/a.csv")),
    (constants.FXP_READLINK, text(b"/inbox/a.csv")),
    (constants.FXP_SYMLINK, text(b"/etc/passwd") + text(b"/inbox/l")),
    (constants.FXP_EXTENDED, text(b"posix-rename@openssh.com") + text(b"/inbox/b.csv") + text(b"/test/b.csv")),
    (constants.FXP_EXTENDED, text(b"fsync@openssh.com") + text(b"\0\0\0\0")),
    (constants.FXP_EXTENDED, text(b"statvfs@openssh.com") + text(b"/inbox")),
    (constants.FXP_EXTENDED, text(b"limits@openssh.com")),
    (constants.FXP_EXTENDED, text(b"copy-data") + text(b"\0\0\0\0") + bytes(16) + text(b"\0\0\0\1") + bytes(8)),
]


def packet(kind, id_, payload):
    body = bytes([kind]) + struct.pack(">I", id_) + payload
    return struct.pack(">I", len(body)) + body


def holding():
    """Resident bytes and open descriptors of this process, which is the gateway too."""
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    return resident, sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture
async def unexpected():
    """What asyncio would only have written to the log."""
    seen = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: seen.append(context))
    return seen


@pytest.fixture
async def undebugged():
    """Without asyncio's debug mode, which costs most of a long run: the short ones are told what it tells."""
    asyncio.get_running_loop().set_debug(False)


@pytest.fixture
async def house(open_house):
    limits = settings.Limits(disk_floor_bytes=0, max_file_bytes=64 * 1024, quota_files=200, quota_bytes=4 * 1024**2)
    door = {"penalty_exempt": ["127.0.0.1"], "unauthenticated": 300, "unauthenticated_per_source": 300}
    return await open_house(limits=limits, front=door, settle_seconds=3600.0)


def some_packet(dice):
    kind, payload = dice.choice(CORPUS)
    kind = kind if dice.random() < 0.97 else dice.randrange(256)
    return packet(kind, dice.randrange(SENTINEL), mutate(payload, dice))


def pieces(packets, dice):
    """As a client may hand them over: each by itself, or one after the other, cut anywhere."""
    if dice.random() < 0.3:
        return packets
    data = b"".join(packets)
    cuts = [0, *sorted(dice.randrange(len(data)) for _ in range(dice.randrange(4))), len(data)]
    return [data[start:stop] for start, stop in itertools.pairwise(cuts) if start < stop]


async def converse(house, dice, count):
    """Send mutated packets over one channel, framed well, up to a sentinel each few; gives how many went out."""
    sent = 0
    async with house.connect() as connection:
        out, answers, _ = await connection.open_session(subsystem="sftp", encoding=None)
        out.write(struct.pack(">IBI", 5, constants.FXP_INIT, 3))
        await answers.readexactly(struct.unpack(">I", await answers.readexactly(4))[0])
        while sent < count:
            for piece in pieces([some_packet(dice) for _ in range(TOGETHER)], dice):
                out.write(piece)
            sent += TOGETHER
            out.write(packet(constants.FXP_REALPATH, SENTINEL, text(b".")))
            while True:
                answer = await answers.readexactly(struct.unpack(">I", await answers.readexactly(4))[0])
                if struct.unpack(">I", answer[1:5])[0] == SENTINEL:
                    break
    return sent


async def end_of_framing(house, dice):
    """Send what no parser can go on after: the channel ends, nothing else."""
    async with house.connect() as connection:
        out, answers, _ = await connection.open_session(subsystem="sftp", encoding=None)
        out.write(mutate(struct.pack(">IBI", 5, 1, 3) + packet(*dice.choice(CORPUS)[:1], 1, b"x" * 50), dice))
        with contextlib.suppress(OSError):
            out.write_eof()
        with contextlib.suppress(asyncssh.Error, OSError):
            await answers.read()


async def fuzz_packets(house, count, seed, log_lines, unexpected):
    dice = random.Random(seed)
    await converse(house, dice, 2000)
    before, sent = holding(), 0
    while sent < count:
        log_lines.clear()  # the proof keeps nothing
        sent += await converse(house, dice, min(20_000, count - sent))
        await end_of_framing(house, dice)
        assert not [line for line in log_lines if line["event"] in FAULTS]
    await settled(house, before)
    assert not unexpected


async def settled(house, before):
    """Everybody is gone, and left nothing."""
    await house.until(lambda: not house.front._door.inside and not len(house.front._door.lobby), 30.0)
    await house.until(lambda: holding()[1] <= before[1] + 2, 30.0)
    assert holding()[0] - before[0] < GROWTH_BYTES
    async with house.sftp() as client:
        assert "inbox" in await client.listdir("/")
    await house.until(lambda: not house.open_drafts(), 30.0)


async def recorded(house):
    """Record what a good client sends up to and with its login."""
    parts = []

    async def between(reader, writer):
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", house.port)

        async def carry(source, target, keep):
            while data := await source.read(65536):
                keep(data)
                target.write(data)
            target.close()

        await asyncio.gather(carry(reader, inner_writer, parts.append), carry(inner_reader, writer, len))

    async with await asyncio.start_server(between, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with asyncssh.connect(
            "127.0.0.1", port, username="acme", client_keys=[house.key], known_hosts=None, config=None, agent_path=None
        ):
            pass
    return b"".join(parts)


async def knock(house, stream):
    """Send a stream, read what comes, hang up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    try:
        writer.write(stream)
        writer.write_eof()
        async with asyncio.timeout(10):
            while await reader.read(65536):
                pass
    except (OSError, TimeoutError):
        pass
    finally:
        writer.transport.abort()


async def fuzz_streams(house, count, seed, log_lines, unexpected):
    dice = random.Random(seed)
    good = await recorded(house)
    assert good.startswith(b"SSH-2.0-")
    cuts = [good[:40], good[:1000], good[:1400], good]

    async def some(number):
        for _ in range(number):
            await knock(house, mutate(dice.choice(cuts), dice))

    await some(200)
    before = holding()
    for start in range(0, count, 2000):
        log_lines.clear()
        share = min(2000, count - start) // 20
        await asyncio.gather(*(some(share) for _ in range(20)))
        assert not [line for line in log_lines if line["event"] in FAULTS]
    await settled(house, before)
    assert not unexpected


async def test_packets_nobody_sane_sends_do_no_harm(house, log_lines, unexpected):
    await fuzz_packets(house, 4000, 1, log_lines, unexpected)


async def test_streams_nobody_sane_sends_do_no_harm(house, log_lines, unexpected):
    await fuzz_streams(house, 400, 2, log_lines, unexpected)


async def test_a_read_beyond_every_offset_is_the_end_of_the_file(house):
    async with house.sftp() as client, client.open("/inbox/a.csv", "wb+") as file:
        await file.write(b"sku")
        for offset in (3, 2**63 - 1, 2**63, 2**64 - 1):
            assert await file.read(10, offset) == b""


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
async def test_many_packets_nobody_sane_sends_do_no_harm(undebugged, house, log_lines, unexpected, part):
    await fuzz_packets(house, PACKETS // PARTS, 100 + part, log_lines, unexpected)


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
async def test_many_streams_nobody_sane_sends_do_no_harm(undebugged, house, log_lines, unexpected, part):
    await fuzz_streams(house, STREAMS // PARTS, 200 + part, log_lines, unexpected)
