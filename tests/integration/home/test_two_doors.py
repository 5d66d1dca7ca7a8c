"""Two front doors, each on a host of its own, before one store and one set of files."""

import asyncio

import pytest

from sftp_gateway.sftp import writing
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
