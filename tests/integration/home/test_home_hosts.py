"""Two hosts of one gateway: two front doors with one store and the same blobs, each with its own staging directory."""

import asyncssh
import pytest

from sftp_gateway.sftp import neighbour
from sftp_gateway.store.drafts import Place
from sftp_gateway.upload import State

BODY = b"sku,name\n1,one\n" * 20_000
"""Too large for the journal: its row is there when CLOSE is answered."""
REST = b"2,two\n"
RESUME = asyncssh.FXF_WRITE
APPEND = asyncssh.FXF_WRITE | asyncssh.FXF_APPEND | asyncssh.FXF_CREAT


async def put(client, path, body=BODY):
    async with client.open(path, "wb") as file:
        await file.write(body)


async def drop(house, path):
    """Write and vanish without CLOSE."""
    async with house.connect() as conn:
        client = await conn.start_sftp_client()
        await (await client.open(path, "wb")).write(BODY)
        conn.abort()


@pytest.mark.parametrize("flags", [RESUME, APPEND])
async def test_a_transfer_that_broke_off_at_one_host_is_not_ruined_by_a_resume_at_another(open_house, flags):
    one, other = await open_house(), await open_house(host="other")
    await drop(one, "/a.csv")
    unfinished = await one.state(State.UNFINISHED)
    async with other.sftp() as client:
        for _ in range(2):
            with pytest.raises(asyncssh.SFTPFailure, match=neighbour.TOLD):
                await client.open("/a.csv", flags, encoding=None)
    assert [(row.place, row.upload) for row in one.rows()] == [(Place.DROPPED, unfinished.id)]
    async with one.sftp() as client, client.open("/a.csv", APPEND, encoding=None) as file:
        await file.write(REST)
    received = await one.state(State.RECEIVED)
    assert (received.id, one.bytes_of(received)) == (unfinished.id, BODY + REST)


async def test_a_transfer_that_broke_off_at_one_host_is_sent_whole_to_another_under_the_same_id(open_house):
    one, other = await open_house(), await open_house(host="other")
    await drop(one, "/a.csv")
    unfinished = await one.state(State.UNFINISHED)
    async with other.sftp() as client:
        await put(client, "/a.csv", BODY + REST)
    received = await one.state(State.RECEIVED)
    assert (received.id, one.bytes_of(received)) == (unfinished.id, BODY + REST)
    await other.quiet()
    assert [row.place for row in one.rows()] == [Place.ACCEPTED]


async def test_what_lies_on_another_host_is_read_back_once_it_is_taken_in(open_house):
    one, other = await open_house(settle_seconds=2), await open_house(host="other", settle_seconds=2)
    async with one.sftp() as client:
        await put(client, "/a.csv")
    async with other.sftp() as client:
        with pytest.raises(asyncssh.SFTPNoSuchFile, match=neighbour.UNREADABLE):
            await client.open("/a.csv", "rb")
        await one.received(1)
        async with client.open("/a.csv", "rb") as file:
            assert await file.read() == BODY


@pytest.mark.parametrize("flags", [RESUME, APPEND])
async def test_a_file_that_one_host_acknowledged_is_received_whatever_another_is_asked_to_do_with_it(open_house, flags):
    one, other = await open_house(settle_seconds=2), await open_house(host="other", settle_seconds=2)
    async with one.sftp() as client:
        await put(client, "/a.csv")
    async with other.sftp() as client:
        with pytest.raises(asyncssh.SFTPFailure, match=neighbour.TOLD):
            await client.open("/a.csv", flags, encoding=None)
        await put(client, "/a.csv", BODY + REST)
    sent = {one.bytes_of(upload) for upload in await one.received(2)}
    assert sent == {BODY, BODY + REST}


async def test_a_temporary_name_of_one_host_is_sent_anew_and_renamed_at_another(open_house):
    one, other = await open_house(), await open_house(host="other")
    async with one.sftp() as client:
        await put(client, "/a.tmp")
    async with other.sftp() as client:
        with pytest.raises(asyncssh.SFTPFailure, match=neighbour.TOLD):
            await client.open("/a.tmp", APPEND, encoding=None)
        assert (await client.stat("/a.tmp")).size == len(BODY)
        await put(client, "/a.tmp", BODY + REST)
        await client.rename("/a.tmp", "/a.csv")
    (upload,) = await one.received(1)
    assert one.bytes_of(upload) == BODY + REST
