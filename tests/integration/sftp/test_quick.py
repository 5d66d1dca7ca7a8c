"""Requests in the short way: taken whole however they are cut, answered as in the long one, and not before the version is settled."""

import asyncio
import random
import struct
from types import SimpleNamespace

import asyncssh
import pytest
from asyncssh import constants, sftp, stream
from asyncssh.packet import String, UInt32, UInt64

from sftp_gateway.sftp import quick, requests

MOST = quick.WHOLE_BYTES


def request(kind, number, *parts):
    body = bytes([kind]) + UInt32(number) + b"".join(parts)
    return UInt32(len(body)) + body


@pytest.fixture
async def fed():
    """Give a session's reader and what gives it bytes, without a limit at which it pauses."""
    session = stream.SSHServerStreamSession(None)
    session._loop = asyncio.get_running_loop()
    return SimpleNamespace(_session=session), session


@pytest.mark.parametrize("seed", range(20))
async def test_requests_are_taken_whole_however_they_are_cut_and_joined(fed, seed):
    reader, session = fed
    chance = random.Random(seed)
    sent = [
        request(constants.FXP_WRITE, number, chance.randbytes(chance.choice([0, 4, 900, 70_000])))
        for number in range(30)
    ]
    whole, at, taken = b"".join(sent), 0, []

    async def take():
        # A head that came in two pieces is asyncssh's to take.
        taken.extend([await quick._taken(reader) or await asked.recv_packet() for _ in sent])

    asked = object.__new__(sftp.SFTPServerHandler)
    asked._reader = SimpleNamespace(readexactly=lambda size: session.read(None, size, exact=True))
    taking = asyncio.create_task(take())
    while at < len(whole):
        size = chance.choice([1, 5, 30, 32_768, 100_000])
        session.data_received(whole[at : at + size], None)
        at += size
        if chance.random() < 0.5:
            await asyncio.sleep(0)
    await taking
    assert [
        one if isinstance(one, bytes) else UInt32(len(one.get_full_payload())) + one.get_full_payload() for one in taken
    ] == sent
    assert (session._recv_buf_len, session._recv_buf[None]) == (0, [])


@pytest.mark.parametrize("left", ["odd size", "too large", "an error in the middle", "the end in the middle"])
async def test_what_is_odd_is_left_to_asyncssh_as_it_came(fed, left):
    reader, session = fed
    pieces = {
        "odd size": [UInt32(4) + bytes(40)],
        "too large": [UInt32(MOST) + bytes(40)],
        "an error in the middle": [UInt32(60) + bytes(40), asyncssh.BreakReceived(0), bytes(40)],
        "the end in the middle": [UInt32(60) + bytes(40)],
    }[left]
    for piece in pieces:
        session._recv_buf[None].append(piece)
        session._recv_buf_len += len(piece) if isinstance(piece, bytes) else 0
    session._eof_received = left.startswith("the end")
    assert await quick._taken(reader) is None
    assert session._recv_buf[None] == pieces


async def raw(client):
    writer, reader, _ = await client.open_session(subsystem="sftp", encoding=None)

    async def answer():
        size = int.from_bytes(await reader.readexactly(4))
        return await reader.readexactly(size)

    return writer, answer


async def settled(client):
    writer, answer = await raw(client)
    writer.write(UInt32(5) + bytes([constants.FXP_INIT]) + UInt32(3))
    await answer()
    return writer, answer


async def test_nothing_is_answered_before_the_version_is_settled(front, until):
    door = await front()
    async with through(door) as client:
        writer, answer = await raw(client)
        opened = String(b"/a.csv") + UInt32(constants.FXF_WRITE | constants.FXF_CREAT) + UInt32(0)
        writer.write(request(constants.FXP_OPEN, 1, opened))
        with pytest.raises(asyncio.IncompleteReadError):
            await answer()
    await until(lambda: not door.listener._door.talking)
    assert not list(door.folder.iterdir())


ATTRIBUTES = {
    "none": UInt32(0),
    "mode": UInt32(4) + UInt32(0o644),
    "all": UInt32(15) + UInt64(3) + UInt32(0) * 2 + UInt32(0o644) + UInt32(0) * 2,
    "an extension": UInt32(0x80000004) + UInt32(0o644) + UInt32(1) + String(b"a@b") + String(b"c"),
}


@pytest.mark.parametrize("told", ATTRIBUTES)
async def test_a_file_is_opened_written_read_and_closed_whatever_is_told_of_it(front, told):
    door = await front()
    async with through(door) as client:
        writer, answer = await settled(client)
        flags = constants.FXF_READ | constants.FXF_WRITE | constants.FXF_CREAT
        writer.write(request(constants.FXP_OPEN, 7, String(b"/a.csv"), UInt32(flags), ATTRIBUTES[told]))
        said = await answer()
        assert said[:5] == bytes([constants.FXP_HANDLE]) + UInt32(7)
        handle = said[5:]
        done = bytes([constants.FXP_STATUS]) + struct.pack(">IIII", 8, constants.FX_OK, 0, 0)
        writer.write(request(constants.FXP_WRITE, 8, handle, UInt64(0), String(b"sku")))
        assert await answer() == done
        writer.write(request(constants.FXP_READ, 9, handle, UInt64(1), UInt32(50)))
        assert await answer() == bytes([constants.FXP_DATA]) + UInt32(9) + String(b"ku")
        writer.write(request(constants.FXP_CLOSE, 8, handle))
        assert await answer() == done
        writer.write(request(constants.FXP_CLOSE, 10, handle))
        assert (await answer())[5:9] != UInt32(constants.FX_OK)
    assert (door.folder / "a.csv").read_bytes() == b"sku"
    assert door.notes == ["closed"]


@pytest.mark.parametrize(
    "wrong", [b"", b"\x00", UInt32(99), String(b"/a.csv") + UInt32(2), String(b"/a.csv") + UInt32(2) + UInt32(4)]
)
async def test_an_open_that_is_cut_off_is_told_so_and_the_next_request_is_answered(front, wrong):
    door = await front()
    async with through(door) as client:
        writer, answer = await settled(client)
        writer.write(request(constants.FXP_OPEN, 7, wrong))
        assert (await answer())[:9] == bytes([constants.FXP_STATUS]) + UInt32(7) + UInt32(constants.FX_BAD_MESSAGE)
        writer.write(request(constants.FXP_STAT, 8, String(b"/")))
        assert (await answer())[:5] == bytes([constants.FXP_ATTRS]) + UInt32(8)
    assert not list(door.folder.iterdir())


async def test_a_failure_is_told_of_the_request_that_failed_and_of_no_other(front):
    door = await front()
    (door.folder / "a.csv").write_bytes(b"sku")
    async with through(door) as client, client.start_sftp_client() as files:
        async with files.open("a.csv", "rb") as file:
            with pytest.raises(asyncssh.SFTPError):
                await file._handler.write(file._handle, 0, b"x")
            assert (await files.stat("a.csv")).size == 3
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            await files.open("absent.csv", "rb")
        assert "a.csv" in await files.listdir(".")


async def test_one_who_closes_files_without_waiting_for_answers_leaves_the_others_their_turn(front):
    door, most = await front(), 0
    async with through(door) as client:
        writer, _ = await settled(client)
        flags = UInt32(constants.FXF_WRITE | constants.FXF_CREAT) + UInt32(0)
        asked = [
            request(constants.FXP_OPEN, 1, String(b"/%d.csv" % number), flags)
            + request(constants.FXP_CLOSE, 2, String(UInt32(number)))
            for number in range(50)
        ]
        writer.write(b"".join(asked))
        while (seen := len(door.notes)) < len(asked):
            await asyncio.sleep(0)
            most = max(most, len(door.notes) - seen)
    assert most <= 2


async def test_one_who_asks_without_waiting_for_answers_leaves_the_others_their_turn_now_and_then(front, monkeypatch):
    """Two megabytes of the smallest requests, 80,000 of them, kept all other sessions waiting for seconds."""
    monkeypatch.setattr(quick, "TURN_SECONDS", 0)
    door, most, count = await front(), 0, 300
    async with through(door) as client:
        writer, answer = await settled(client)
        flags = UInt32(constants.FXF_WRITE | constants.FXF_CREAT) + UInt32(0)
        writer.write(request(constants.FXP_OPEN, 1, String(b"/a.csv"), flags))
        handle = (await answer())[5:]
        asked = [request(constants.FXP_WRITE, 2, handle, UInt64(number), String(b"x")) for number in range(count)]
        writer.write(b"".join(asked))
        while (seen := (door.folder / "a.csv").stat().st_size) < count:
            await asyncio.sleep(0)
            most = max(most, (door.folder / "a.csv").stat().st_size - seen)
    assert most <= 2


def through(door):
    return asyncssh.connect("127.0.0.1", door.port, username="acme", client_keys=[door.key], known_hosts=None, config=None,
                            agent_path=None)  # fmt: skip


def test_whatever_is_answered_in_the_short_way_has_a_long_one():
    assert set(quick.ANSWERS) <= set(requests.Handler._packet_handlers)
