"""Two front doors, each on a host of its own, before one store and one set of files."""

import asyncio

import asyncssh
import pytest

from sftp_gateway.sftp import writing
from sftp_gateway.store.drafts import Place
from sftp_gateway.upload import State

only_postgresql = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
SENDERS, FILES = 8, 4


@pytest.fixture
async def doors(open_house, store_url):
    return [await open_house(url=store_url, host=host) for host in ("a", "b")]


async def put(house, path, body):
    async with house.sftp() as client, client.open(path, "wb") as file:
        await file.write(body)


@only_postgresql
async def test_many_who_send_at_once_are_all_taken_once_and_nobody_waits_for_another(doors, log_lines, monkeypatch):
    """Rows of new files, closed ones and those that the intakes claim meet in the database all the time."""
    monkeypatch.setattr(writing, "NOTE_AFTER_SECONDS", 0.0)  # each file has a row while it is open, as large ones do

    async def sender(number):
        async with doors[number % 2].sftp() as client:
            for each in range(FILES):
                async with client.open(f"/{number}-{each}.csv", "wb") as file:
                    await file.write(b"sku,name\n" + b"1,one\n" * 30_000)  # larger than what the journal takes

    await asyncio.gather(*(sender(number) for number in range(SENDERS)))
    found = await doors[0].received(SENDERS * FILES, 30)
    assert {upload.state for upload in found} == {State.RECEIVED}
    assert len({upload.path for upload in found}) == len(found) == SENDERS * FILES
    for house in doors:
        await house.quiet()
    assert not any(house.settling.done() for house in doors)
    assert [
        line for line in log_lines if line["event"] in {"ledger.failed", "ledger.postponed", "intake.postponed"}
    ] == []


@pytest.mark.parametrize("size", [10, 40_000])  # in the journal, and larger than what goes there
async def test_a_name_that_both_doors_close_costs_neither_its_acknowledged_file(doors, size):
    bodies = [b"sku\n" + str(number).encode() * size + b"\n" for number in range(2)]
    for house in doors:
        async with house.sftp() as client:
            await client.stat("/inbox")  # each door has its picture of the home, which is fresh for a while
    await asyncio.gather(*(put(house, "/catalog.csv", body) for house, body in zip(doors, bodies, strict=True)))
    found = await doors[0].received(2)
    assert sorted(doors[0].bytes_of(upload) for upload in found) == bodies
    for house in doors:
        await house.quiet()
    (row,) = house.rows()
    assert (row.path, row.place) == ("inbox/catalog.csv", Place.ACCEPTED)


async def test_a_file_that_both_doors_write_is_two_uploads_and_the_last_to_close_has_the_name(doors, monkeypatch):
    monkeypatch.setattr(writing, "NOTE_AFTER_SECONDS", 0.0)
    bodies = [b"sku\n" + str(number).encode() * 200_000 + b"\n" for number in range(2)]
    one, two = doors
    async with one.sftp() as first, two.sftp() as second:
        async with first.open("/catalog.csv", "wb") as at_one:
            await at_one.write(bodies[0])
            async with second.open("/catalog.csv", "wb") as at_two:
                await at_two.write(bodies[1])
        found = await one.received(2)
    assert sorted(one.bytes_of(upload) for upload in found) == bodies
    for house in doors:
        await house.quiet()
    (row,) = one.rows()
    assert (row.path, row.place, row.bytes) == ("inbox/catalog.csv", Place.ACCEPTED, len(bodies[0]))


@pytest.mark.parametrize("how", ["remove", "rename"])
async def test_what_another_process_of_a_host_writes_is_neither_removed_nor_renamed_under_its_hands(
    open_house, monkeypatch, how
):
    """As while an old process drains after an upgrade: it writes row, name and bytes, and knows of nothing else."""
    monkeypatch.setattr(writing, "NOTE_AFTER_SECONDS", 0.0)
    body = b"sku\n" + b"1\n" * 200_000
    old, new = await open_house(), await open_house()
    async with old.sftp() as first, new.sftp() as second:
        async with first.open("/a.csv.part", "wb") as file:
            await file.write(body)
            await new.until(lambda: [row.place for row in new.rows()] == [Place.OPEN])
            with pytest.raises(asyncssh.SFTPFailure, match="still being written"):
                await (second.remove("/a.csv.part") if how == "remove" else second.rename("/a.csv.part", "/a.csv"))
        await first.rename("/a.csv.part", "/a.csv")
        (upload,) = await old.received(1)
    assert (upload.state, upload.path, old.bytes_of(upload)) == (State.RECEIVED, "a.csv", body)
