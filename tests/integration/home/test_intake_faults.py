"""What the world does to the intake in the middle of its work: nothing ends it, and no file is left lying."""

import contextlib
import errno
import hashlib
import os
from datetime import timedelta

import asyncssh
import pytest
from msgspec.structs import replace

from sftp_gateway import errors
from sftp_gateway.intake import batch, claim, judge, recover, sources
from sftp_gateway.store import drafts, erasing, uploads
from sftp_gateway.store.drafts import Entry, Place
from sftp_gateway.upload import State

BODY = b"sku,name\n1,one\n"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(claim, "BACKOFF_SECONDS", 0.05)
    monkeypatch.setattr(claim, "SWEEP_SECONDS", 0.2)


async def put(client, path, body=BODY):
    async with client.open(path, "wb") as file:
        await file.write(body)


def once(monkeypatch, place, name, do):
    """Have something happen the first time that a function is called, before it does its work."""
    real, left = getattr(place, name), [1]

    def called(*arguments, **named):
        if left:
            left.pop()
            do()
        return real(*arguments, **named)

    monkeypatch.setattr(place, name, called)
    return left


def raises(error):
    def do():
        raise error

    return do


@pytest.mark.parametrize("step", ["_receive", "_hand_back too"])
async def test_a_store_that_goes_away_in_the_middle_of_a_claim_leaves_no_file_claimed(house, monkeypatch, step):
    left = once(monkeypatch, batch.Batch, "_receive", raises(errors.StoreUnreachable("gone")))
    if step != "_receive":
        once(monkeypatch, sources, "keep", raises(errors.DiskFull("no room")))
        once(monkeypatch, batch.Batch, "_hand_back", raises(errors.StoreUnreachable("gone")))
    async with house.sftp() as client:
        await put(client, "/a.csv")
        (upload,) = await house.received(1)
    assert not left and house.bytes_of(upload) == BODY
    await house.quiet()
    assert len(house.history()) == 1


@pytest.mark.parametrize(
    ("place", "step", "name"),
    [(judge.settle, "decide", "a.csv"), (judge.settle, "decide", "a.csv.tmp"), (batch.sources, "keep", "a.csv")],
)
async def test_a_brand_that_is_erased_in_the_middle_of_a_claim_ends_nothing(house, monkeypatch, place, step, name):
    left = once(monkeypatch, place, step, lambda: erasing.erase(house.store, house.files, "bolt"))
    async with house.sftp("bolt") as client:
        await put(client, f"/{name}")
        await house.until(lambda: not left)
    async with house.sftp() as client:
        await put(client, "/b.csv")
        await house.received(1)
    assert not house.settling.done()


async def test_a_disk_without_room_for_a_moment_ends_nothing(house, monkeypatch, log_lines):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    left = once(monkeypatch, sources.os, "link", raises(full))
    async with house.sftp() as client:
        await put(client, "/a.csv")
        (upload,) = await house.received(1)
    assert not left and house.bytes_of(upload) == BODY and not house.settling.done()
    assert "No space left" in next(line for line in log_lines if line["event"] == "intake.postponed")["reason"]


async def test_a_brand_whose_files_cannot_be_taken_in_now_keeps_no_other_from_being_seen(house, monkeypatch):
    monkeypatch.setattr(claim, "BACKOFF_SECONDS", 60)
    in_the_way = house.root / "blobs" / hashlib.sha256(BODY).hexdigest()[:2]
    in_the_way.touch()  # the directory that its blobs belong in cannot be made
    at, sha256 = house.store.now(), hashlib.sha256(BODY).hexdigest()
    with house.store.write() as tx:
        for number in range(300):  # more than are looked at together
            id_, name = house.homes.staging.new_id(), f"{number}.csv"
            house.homes.staging.file(id_).write_bytes(BODY)
            closed = Entry(id_, "acme", f"inbox/{name}", name, Place.CLOSED, len(BODY), at, at, at, sha256=sha256)
            drafts.save(tx, replace(closed, due_at=at))
    await house.until(lambda: house.intake._not_before and not house.intake._busy)
    async with house.sftp("bolt") as client:
        await put(client, "/b.csv", b"sku,name\n2,two\n")
        await house.received(1, brand="bolt")
    assert house.history() == []
    in_the_way.unlink()
    house.intake._not_before.clear()
    await house.received(300)


async def test_a_file_that_the_disk_cannot_read_is_refused_and_the_next_one_received(open_house, monkeypatch):
    house = await open_house(settle_seconds=20)
    once(monkeypatch, sources, "digest", raises(OSError(errno.EIO, "Input/output error")))
    async with house.sftp() as client:
        for name in ("/a.csv", "/b.csv"):
            await put(client, name)
            async with client.open(name, asyncssh.FXF_WRITE | asyncssh.FXF_APPEND, encoding=None) as file:
                await file.write(BODY * 20_000)  # goes on: it is hashed when it is taken in
        house.rest()
        ends = {State.REFUSED, State.RECEIVED}
        await house.until(lambda: {upload.state for upload in house.history()} == ends)
    one, two = house.history()
    assert (one.path, one.state, one.reasons[0]["code"]) == ("a.csv", State.REFUSED, "disk_failed")
    assert two.state is State.RECEIVED


async def test_what_a_dead_process_left_does_not_keep_the_next_one_from_starting(open_house, monkeypatch):
    house = await open_house()
    at, id_ = house.store.now(), house.homes.staging.new_id()
    house.homes.staging.file(id_).write_bytes(BODY)
    sha256 = hashlib.sha256(BODY).hexdigest()
    claimed = Entry(
        id_, "acme", "inbox/a.csv", "a.csv", Place.CLAIMED, len(BODY), at, at, at, sha256=sha256, owner="never-was"
    )
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with monkeypatch.context() as patched:
        patched.setattr(recover.drafts, "move", lambda *_, **__: raises(full)())
        with house.store.write() as tx:
            drafts.save(tx, claimed)
            tx.touch("acme")
        again = await open_house()
        assert not again.settling.done()
    assert again.bytes_of((await again.received(1))[0]) == BODY


async def test_an_abandoned_upload_keeps_its_bytes_where_the_sources_cannot_take_them_at_that_moment(
    open_house, log_lines
):
    house = await open_house(incomplete_after=0.1, abandoned_after=0.3)
    sha256 = hashlib.sha256(BODY).hexdigest()
    in_the_way = house.root / "blobs" / sha256[:2]
    in_the_way.touch()  # the directory that its blob belongs in cannot be made
    async with house.connect() as conn:
        client = await conn.start_sftp_client()
        await (await client.open("/a.csv", "wb")).write(BODY)
        conn.abort()
    await house.until(lambda: [line for line in log_lines if line["event"] == "intake.postponed"])
    assert [upload.state for upload in house.history()] == [State.UNFINISHED]
    in_the_way.unlink()
    refused = await house.state(State.REFUSED)
    assert house.bytes_of(refused) == BODY
    await house.until(lambda: house.staged() == [])
    assert uploads.retry(house.store, refused.id, "me").bytes == len(BODY)


async def test_an_abandoned_upload_that_cannot_be_given_up_keeps_no_other_one(open_house, log_lines):
    house = await open_house(incomplete_after=0.1, abandoned_after=0.3, visible_after=0.5)
    bodies = [BODY, BODY + b"2,two\n"]
    in_the_way = house.root / "blobs" / hashlib.sha256(BODY).hexdigest()[:2]
    in_the_way.touch()
    async with house.connect() as conn, house.sftp() as stays:
        client = await conn.start_sftp_client()
        for number, body in enumerate(bodies):
            await (await client.open(f"/{number}.csv", "wb")).write(body)
        conn.abort()
        await put(stays, "/whole.csv", b"sku,name\n3,x\n")
        (whole,) = await house.until(lambda: [u for u in house.history() if u.path == "whole.csv"])
        await house.until(lambda: [u.path for u in house.history() if u.state is State.REFUSED] == ["1.csv"])
        await house.until(lambda: all(row.upload != whole.id for row in house.rows()))  # its name left the view
        told = [line for line in log_lines if line["event"] == "intake.postponed"]
        assert {(line["brand"], line["path"]) for line in told} == {("acme", "0.csv")}
        in_the_way.unlink()
        await house.until(lambda: [u.path for u in house.history() if u.state is State.REFUSED] == ["0.csv", "1.csv"])
        await house.heard()
        assert await stays.listdir("/inbox") == [".", ".."]


@pytest.mark.parametrize("place", [Place.CLOSED, Place.DROPPED])
async def test_a_clock_that_was_set_back_makes_no_file_wait_for_the_time_to_come_again(house, place):
    at = house.store.now() + timedelta(hours=2)
    id_ = house.homes.staging.new_id()
    house.homes.staging.file(id_).write_bytes(BODY)
    sha256 = hashlib.sha256(BODY).hexdigest()
    before = Entry(
        id_, "acme", "inbox/a.csv", "a.csv", place, len(BODY), at, at, at, sha256=sha256,
        due_at=at + timedelta(seconds=1),
    )  # fmt: skip
    with house.store.write() as tx:
        drafts.save(tx, before)
        tx.touch("acme")
    await house.state(State.RECEIVED if place is Place.CLOSED else State.UNFINISHED)
    with contextlib.suppress(StopIteration):
        assert next(iter(house.rows())).changed_at < at - timedelta(hours=1)


async def test_a_gateway_that_stops_waits_for_no_hash_of_a_large_file_and_the_next_one_takes_it(open_house):
    """What came out of order is hashed when it is claimed: 10 GiB take longer than systemd waits for a stop."""
    house = await open_house()
    house.intake._desk.stopping.set()
    async with house.sftp() as client:
        file = await client.open("/large.csv", "wb")
        await file.write(b"\n" * 1_000_000, 3_000_000)
        await file.write(b"sku,name,msrp\n", 0)
        await file.close()
    await house.until(lambda: [row.place for row in house.rows()] == [Place.CLOSED] and not house.intake._busy)
    assert not house.history()
    await house.stack.aclose()
    house = await open_house()
    (upload,) = await house.received(1)
    assert (upload.bytes, upload.state) == (4_000_000, State.RECEIVED)


async def test_a_gateway_that_stops_waits_for_no_hash_of_an_abandoned_file(open_house, log_lines):
    house = await open_house(incomplete_after=0.1, abandoned_after=0.3)
    house.intake._desk.stopping.set()
    async with house.connect() as conn:
        client = await conn.start_sftp_client()
        await (await client.open("/a.csv", "wb")).write(BODY)
        conn.abort()
    await house.until(lambda: [line for line in log_lines if line["event"] == "intake.postponed"])
    assert [upload.state for upload in house.history()] == [State.UNFINISHED]
    house.intake._desk.stopping.clear()  # as in the next process
    assert house.bytes_of(await house.state(State.REFUSED)) == BODY
