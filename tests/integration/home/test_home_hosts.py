"""Two hosts of one gateway: two front doors with one store and the same blobs, each with its own staging directory."""

import hashlib

import asyncssh
import pytest

from sftp_gateway.intake import stranded
from sftp_gateway.sftp import neighbour
from sftp_gateway.store import drafts
from sftp_gateway.store.drafts import Entry, Place
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
    one, other = await open_house(settle_seconds=20), await open_house(host="other", settle_seconds=20)
    async with one.sftp() as client:
        await put(client, "/a.csv")
    async with other.sftp() as client:
        with pytest.raises(asyncssh.SFTPNoSuchFile, match=neighbour.UNREADABLE):
            await client.open("/a.csv", "rb")
        one.rest()
        await one.received(1)
        async with client.open("/a.csv", "rb") as file:
            assert await file.read() == BODY


@pytest.mark.parametrize("flags", [RESUME, APPEND])
async def test_a_file_that_one_host_acknowledged_is_received_whatever_another_is_asked_to_do_with_it(open_house, flags):
    one, other = await open_house(settle_seconds=20), await open_house(host="other", settle_seconds=20)
    async with one.sftp() as client:
        await put(client, "/a.csv")
    async with other.sftp() as client:
        with pytest.raises(asyncssh.SFTPFailure, match=neighbour.TOLD):
            await client.open("/a.csv", flags, encoding=None)
        await put(client, "/a.csv", BODY + REST)
    one.rest()
    other.rest()
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


def left_by_the_dead(house, name, place, **more):
    """Have a draft be as a host left it that is gone, with its staging directory."""
    at = house.store.now()
    row = Entry(
        f"dead{name:0>28}", "acme", f"inbox/{name}", name, place, 7, at, at, at, owner="never-was",
        due_at=at if place is Place.CLOSED else None, **more,
    )  # fmt: skip
    with house.store.write() as tx:
        drafts.save(tx, row)
        tx.touch("acme")


QUICK = {"incomplete_after": 0.1, "abandoned_after": 1.0}


async def test_what_a_host_had_open_that_is_gone_becomes_unfinished_and_its_name_free(open_house):
    house = await open_house(**QUICK)
    left_by_the_dead(house, "a.csv", Place.OPEN)
    async with house.sftp() as client:
        with pytest.raises(asyncssh.SFTPFailure, match="still being written"):
            await client.open("/a.csv", asyncssh.FXF_WRITE | asyncssh.FXF_CREAT, encoding=None)
        unfinished = await house.state(State.UNFINISHED)
        assert (unfinished.path, unfinished.reasons[0]["text"]) == ("a.csv", stranded.AWAY["text"])
        await house.quiet()  # the open session hears of it just after the commit
        async with client.open("/a.csv", asyncssh.FXF_WRITE | asyncssh.FXF_CREAT, encoding=None) as file:
            await file.write(BODY)
        _, received = await house.received(2)
        assert house.bytes_of(received) == BODY
    await house.until(lambda: house.history()[0].state is State.REFUSED)
    refused = house.history()[0]
    assert refused.receipt["findings"][0]["code"] == "FILE_INCOMPLETE" and stranded.AWAY["text"] in str(refused.receipt)
    await house.until(lambda: [row.upload for row in house.rows()] == [received.id])


async def test_what_a_host_acknowledged_that_is_gone_is_shown_and_taken_in_when_it_comes_back(open_house):
    gone = await open_house()
    at, id_ = gone.store.now(), gone.homes.staging.new_id()
    gone.homes.staging.file(id_).write_bytes(BODY)
    await gone.stack.aclose()
    house = await open_house(host="other", **QUICK)
    row = Entry(
        id_, "acme", "inbox/a.csv", "a.csv", Place.CLOSED, len(BODY), at, at, at, due_at=at,
        sha256=hashlib.sha256(BODY).hexdigest(),
    )  # fmt: skip
    with house.store.write() as tx:
        drafts.save(tx, row)
        tx.touch("acme")
    unfinished = await house.state(State.UNFINISHED)
    async with house.sftp() as client:
        assert not await client.exists("/a.csv")
    back = await open_house()
    received = await house.state(State.RECEIVED)
    assert (received.id, back.bytes_of(received)) == (unfinished.id, BODY)


async def test_what_a_host_left_short_that_is_gone_was_replaced_by_nothing_and_is_refused_when_it_comes_back(
    open_house,
):
    gone = await open_house()
    at, id_ = gone.store.now(), gone.homes.staging.new_id()
    gone.homes.staging.file(id_).write_bytes(BODY)
    await gone.stack.aclose()
    house = await open_house(host="other", **QUICK)
    row = Entry(
        id_,
        "acme",
        "inbox/a.csv",
        "a.csv",
        Place.CLOSED,
        len(BODY),
        at,
        at,
        at,
        due_at=at,
        declared_bytes=len(BODY) + 1,
    )
    with house.store.write() as tx:
        drafts.save(tx, row)
        tx.touch("acme")
    unfinished = await house.state(State.UNFINISHED)
    await open_house()
    assert (await house.state(State.REFUSED)).id == unfinished.id


async def test_a_temporary_name_that_a_host_left_that_is_gone_is_forgotten(open_house):
    house = await open_house(**QUICK)
    left_by_the_dead(house, "a.csv.filepart", Place.OPEN)
    await house.until(lambda: house.rows() == [])
    assert house.history() == []


async def test_what_a_living_host_has_open_for_long_stays_as_it_is(open_house):
    one, other = await open_house(**QUICK), await open_house(host="other", **QUICK)
    async with one.sftp() as client:
        file = await client.open("/a.csv", "wb")
        await file.write(BODY)
        await one.until(lambda: [row.place for row in one.rows()] == [Place.OPEN])
        left_by_the_dead(one, "b.csv", Place.OPEN)
        assert (await other.state(State.UNFINISHED)).path == "b.csv"  # for so long a.csv was open, too
        await file.close()
        await one.until(lambda: [u.path for u in one.history() if u.state is State.RECEIVED] == ["a.csv"])
