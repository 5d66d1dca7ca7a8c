"""Clients that flood, and clients that never read, do not fill the memory."""

import asyncio

import asyncssh
import pytest

from tests.bench import far

MIB = 1024**2


def string(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def request(kind: int, number: int, *parts: bytes) -> bytes:
    return string(bytes([kind]) + number.to_bytes(4, "big") + b"".join(parts))


async def opened(connection, path: bytes, flags: int, window: int = 2 * MIB):
    """Give writer, reader and the handle of an opened file, on bare packets."""
    writer, reader, _ = await connection.open_session(subsystem="sftp", encoding=None, window=window)
    writer.write(string(b"\x01" + (3).to_bytes(4, "big")))
    writer.write(request(3, 1, string(path), flags.to_bytes(4, "big"), bytes(4)))
    for _ in range(2):
        body = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
    return writer, reader, body[9 : 9 + int.from_bytes(body[5:9], "big")]


async def sent_until_it_stops(door) -> int:
    """Give the bytes that were answered once no more are."""
    sent = -1
    # That nothing happens any more is no event; so it is looked for.
    while not sent or sent != (sent := sum(talk.sent_bytes for talk in door.listener._door.talking)):  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    return sent


@pytest.mark.parametrize("away_seconds", [0.0, 9.0])
async def test_a_slow_store_holds_a_flooding_client_back(front, memory_bytes, away_seconds):
    """256 MiB offered without waiting for answers, 40 slow writes taken: memory stays where it was."""
    taken = asyncio.Semaphore(0)
    door = await front(pace=taken.acquire)
    connection = await door.connect()
    (guest,) = door.listener._door.inside
    guest._connection._away_seconds = away_seconds
    writer, _, handle = await opened(connection, b"/big", 0x1A)
    block = bytes(255 * 1024)
    before = memory_bytes()

    async def flood():
        for number in range(1000):
            writer.write(request(6, number, string(handle), (number * len(block)).to_bytes(8, "big"), string(block)))
            await writer.drain()

    flooding = asyncio.create_task(flood())
    grown = []
    for _ in range(40):
        taken.release()
        for _ in range(10):
            await asyncio.sleep(0)
        await asyncio.sleep(0.005)
        grown.append(memory_bytes() - before)
    received = sum(talk.received_bytes for talk in door.listener._door.talking)
    assert received < 40 * len(block) + 8 * MIB
    assert max(grown) < 20 * MIB
    flooding.cancel()
    connection.abort()
    for _ in range(100):
        taken.release()
    await connection.wait_closed()


async def test_a_client_that_never_reads_is_not_answered_for_ever(front, memory_bytes):
    """150 READs of 4 MiB each, and none of the answers taken from the socket."""
    door = await front()
    (door.folder / "big").write_bytes(bytes(8 * MIB))
    connection = await door.connect()
    writer, _, handle = await opened(connection, b"/big", 1)
    connection._transport.pause_reading()
    before = memory_bytes()
    for number in range(150):
        writer.write(request(5, number, string(handle), bytes(8), (4 * MIB).to_bytes(4, "big")))
    assert await sent_until_it_stops(door) < 8 * MIB
    assert memory_bytes() - before < 32 * MIB
    connection.abort()
    await connection.wait_closed()


async def test_small_requests_without_end_are_not_answered_for_ever(front):
    """Each STAT costs the client 30 bytes and us 100: the answers wait, then so do the requests."""
    door = await front()
    connection = await door.connect()
    writer, _, _ = await opened(connection, b"/a", 0x1A, window=65536)
    connection._transport.pause_reading()
    writer.write(request(17, 7, string(b"/a")) * 60_000)
    assert await sent_until_it_stops(door) < 1.5 * MIB
    connection.abort()
    await connection.wait_closed()


async def test_a_normal_download_is_whole(front):
    door = await front()
    content = bytes(range(256)) * 40_000
    (door.folder / "big").write_bytes(content)
    async with door.connect() as connection, connection.start_sftp_client() as sftp, sftp.open("big", "rb") as file:
        assert await file.read() == content


async def test_a_client_hears_that_it_may_go_on_long_before_half_of_its_window_is_used_up(front):
    """Else one that is far away stands still until that comes."""
    door = await front()
    connection = await door.connect()
    writer, reader, handle = await opened(connection, b"/big", 0x1A)
    block = bytes(128 * 1024)
    for number in range(7):
        writer.write(request(6, number, string(handle), (number * len(block)).to_bytes(8, "big"), string(block)))
        await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
        assert writer.channel._send_window > 2 * MIB - 3 * len(block)


async def test_who_is_far_away_may_have_more_on_its_way_over_its_first_channel(front):
    door = await front()

    async def window(connection) -> int:
        channel, _ = await connection.create_session(asyncssh.SSHClientSession, subsystem="sftp", encoding=None)
        return channel._send_window

    with far.line(door.port) as port:
        connection = await door.connect(port=port)
        first = await window(connection)
        assert 3.9 * MIB < first <= 8 * MIB
        assert await window(connection) == 2 * MIB
        (guest,) = door.listener._door.inside
        guest._connection._away_seconds = 0.02
        assert await window(connection) == 2 * MIB
        connection.abort()
