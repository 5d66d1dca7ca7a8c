"""Files that turn out to stop in the middle after a later one took their name: replaced, with nothing left to do."""

import asyncio
import threading

import pytest

from sftp_gateway.brand import BrandSettings
from sftp_gateway.store import jobs, unfinished, uploads, workers
from sftp_gateway.upload import FINAL, State

CUT, WHOLE = b'sku,name\n1,"on', b"sku,name\n1,one\n"
STOPS = {"code": "FILE_INCOMPLETE", "figure": None, "limit": None, "text": "The file stops in the middle."}


async def put(client, path, body):
    async with client.open(path, "wb") as file:
        await file.write(body)


def finds_it_cut(house):
    """Do what a worker would with the next upload, whose file stops in the middle."""
    claimed = jobs.claim(house.store, owner=workers.me(), lease_seconds=60)
    jobs.finish(house.store, claimed.id, claimed.token, jobs.Finish(State.UNFINISHED, reasons=(STOPS,)))
    return uploads.get(house.store, claimed.upload.id)


@pytest.mark.parametrize("way", ["truncation", "posix-rename"])
async def test_a_cut_file_that_was_replaced_before_it_settled_ends_quietly(open_house, way):
    house = await open_house(settle_seconds=1.5, incomplete_after=1)
    async with house.sftp() as client:
        await put(client, "/a.csv", CUT)
        if way == "truncation":
            later = await client.open("/a.csv", "wb")
        else:
            later = await client.open("/a.csv.part", "wb")
            await client.posix_rename("/a.csv.part", "/a.csv")
        await later.write(WHOLE)
        await house.received(1)
        cut = finds_it_cut(house)  # while the later one is still on its way
        assert (cut.state, cut.sha256 != "", cut.receipt) == (State.SUPERSEDED, True, None)
        assert cut.reasons[0]["code"] == "FILE_INCOMPLETE"
        assert cut.reasons[0]["text"] == "The file stops in the middle; a later file took its name"
        await later.close()
        _, whole = await house.received(2)
    assert (whole.state, house.bytes_of(whole)) == (State.RECEIVED, WHOLE)
    told = [event.event for event in uploads.events(house.store, cut.id)]
    assert told == ["upload.received", "upload.processing", "upload.received", "upload.superseded"]
    assert jobs.pending(house.store).total == 1


async def test_a_cut_file_whose_name_was_sent_again_while_it_waited_for_its_turn_ends_quietly(house):
    async with house.sftp() as client:
        await put(client, "/a.csv", CUT)
        await house.received(1)
        await put(client, "/a.csv", WHOLE)
        await house.received(2)
    assert finds_it_cut(house).state is State.SUPERSEDED


async def test_a_cut_file_that_has_its_name_waits_for_the_rest(house):
    async with house.sftp() as client:
        await put(client, "/a.csv", CUT)
        await put(client, "/b.csv", WHOLE)
        await house.received(2)
    assert finds_it_cut(house).state is State.UNFINISHED


async def test_the_name_of_an_unfinished_file_stays_until_it_is_given_up_for_its_true_reason(open_house):
    house = await open_house(visible_after=1.5, incomplete_after=0.2, abandoned_after=4)
    async with house.sftp() as client:
        await put(client, "/a.csv", CUT)
        await house.received(1)
        assert finds_it_cut(house).state is State.UNFINISHED
        await put(client, "/b.csv", WHOLE)
        await house.received(2)
        # Names are looked at in one go, so that of the whole file says when.
        await house.until(lambda: "inbox/b.csv" not in {row.path for row in house.rows()})
        assert house.history()[0].state is State.UNFINISHED
        assert (await client.stat("/a.csv")).size == len(CUT)
        refused = await house.until(lambda: [one for one in house.history() if one.state is State.REFUSED])
        await house.until(lambda: not house.rows())
    assert refused[0].reasons[0]["text"] == "The file stops in the middle, and nobody went on with it"


async def test_a_cut_file_that_is_found_so_while_it_is_sent_again_ends_quietly(open_house):
    """The later one is open, and its row not written yet."""
    house = await open_house(incomplete_after=0.4, abandoned_after=60)
    async with house.sftp() as client:
        await put(client, "/a.csv", CUT)
        await house.received(1)
        later = await client.open("/a.csv", "wb")
        await later.write(WHOLE)
        assert finds_it_cut(house).state is State.UNFINISHED
        await later.close()
        await house.until(lambda: State.RECEIVED in {one.state for one in house.history()})
        cut = await house.until(lambda: next((one for one in house.history() if one.state in FINAL), None))
    assert (cut.state, cut.receipt) == (State.SUPERSEDED, None)
    assert [reason["text"] for reason in cut.reasons] == ["The file stops in the middle; a later file took its name"]
    [whole] = [one for one in house.history() if one.id != cut.id]
    assert (whole.state, house.bytes_of(whole)) == (State.RECEIVED, WHOLE)
    assert jobs.pending(house.store).total == 1


async def test_a_cut_file_that_its_sender_removed_is_refused(open_house):
    house = await open_house(incomplete_after=0.4, abandoned_after=60)
    async with house.sftp() as client:
        await put(client, "/a.csv", CUT)
        await house.received(1)
        assert finds_it_cut(house).state is State.UNFINISHED
        await client.remove("/a.csv")
        await house.state(State.REFUSED)


@pytest.mark.parametrize("way", ["truncation", "posix-rename"])
async def test_a_resumed_file_that_is_replaced_before_its_marker_came_ends_quietly(open_house, way):
    house = await open_house(brand=BrandSettings(marker=".done"), incomplete_after=30)
    async with house.sftp() as client:
        async with house.connect() as conn:
            broken = await (await conn.start_sftp_client()).open("/a.csv", "wb")
            await broken.write(CUT)
            conn.abort()
        dropped = await house.state(State.UNFINISHED)
        async with client.open("/a.csv", "ab") as file:
            await file.write(b'"\n')
        if way == "truncation":
            await put(client, "/a.csv", WHOLE)
        else:
            await put(client, "/a.csv.part", WHOLE)
            await client.posix_rename("/a.csv.part", "/a.csv")
        await put(client, "/a.csv.done", b"")
        await house.until(lambda: State.RECEIVED in {one.state for one in house.history()})
        ended = await house.until(lambda: next((one for one in house.history() if one.state in FINAL), None))
    assert (ended.id, ended.state, ended.receipt) == (dropped.id, State.SUPERSEDED, None)
    assert [house.bytes_of(one) for one in house.history() if one.state is State.RECEIVED] == [WHOLE]
    assert jobs.pending(house.store).total == 1


async def test_who_opens_a_name_of_his_own_does_not_wait_for_one_who_replaces_a_file(house, monkeypatch):
    real, may_answer = unfinished.has, threading.Event()

    def asked(*about):
        assert may_answer.wait(30)
        return real(*about)

    async with house.sftp() as client, house.sftp() as other:
        await put(client, "/a.csv", WHOLE)
        await house.received(1)
        monkeypatch.setattr(unfinished, "has", asked)
        replacing = asyncio.create_task(put(client, "/a.csv", WHOLE + b"2,two\n"))
        try:
            async with asyncio.timeout(20):
                await put(other, "/b.csv", WHOLE)
            assert not replacing.done()
        finally:
            may_answer.set()
            await replacing
        assert [upload.name for upload in (await house.received(3))] == ["a.csv", "b.csv", "a.csv"]
