"""What monitors count of files that never reached a worker: refused at the door, or cut."""

from pathlib import Path

import asyncssh
import pytest

from sftp_gateway import settings
from sftp_gateway.store.figures import Tally
from sftp_gateway.upload import State


def came_to(tally, transport):
    """Give how many uploads came to rest by outcome, without those nothing came to."""
    found = {}
    for (name, labels), value in tally.series().items():
        if name == "uploads_total" and ("transport", transport) in labels and value:
            found[dict(labels)["outcome"]] = value
    return found


async def all_refused(house, count):
    await house.received(count)
    await house.until(lambda: all(upload.state is State.REFUSED for upload in house.history()))


async def test_what_is_refused_at_the_door_counts_as_refused_and_nothing_else(open_house):
    house = await open_house(limits=settings.Limits(disk_floor_bytes=0, max_file_bytes=1000))
    tally = Tally(house.store)
    async with house.sftp() as client:
        with pytest.raises(asyncssh.SFTPFailure):
            await client.open("/known.csv", "wb", asyncssh.SFTPAttrs(size=1001))
        file = await client.open("/unknown.csv", "wb")
        with pytest.raises(asyncssh.SFTPFailure):
            await file.write(b"x" * 1001)
        with pytest.raises(asyncssh.SFTPFailure):
            await file.close()
        async with client.open("/bad.csv.sha256", "w") as marker:
            await marker.write("0" * 64)
        async with client.open("/bad.csv", "w") as file:
            await file.write("sku\nA\n")
        await house.received(3)
        assert "unfinished" not in came_to(tally, "sftp"), "as little as long as the intake has not ended them"
        await all_refused(house, 3)
    assert came_to(tally, "sftp") == {"refused": 3}


async def test_a_dropped_file_that_is_refused_counts_once_too(house, drop):
    tally, inbox = Tally(house.store), Path(drop.folder / "acme" / "inbox")
    (inbox / "large.csv").write_bytes(b"x" * 1001)
    (inbox / "bad.csv.sha256").write_text("0" * 64)
    (inbox / "bad.csv").write_text("sku\nA\n")
    await all_refused(house, 2)
    assert came_to(tally, "drop") == {"refused": 2}


async def test_a_file_that_stops_in_the_middle_counts_as_unfinished(house):
    tally = Tally(house.store)
    async with house.connect() as connection, connection.start_sftp_client() as client:
        file = await client.open("/cut.csv", "w")
        await file.write("sku\nA")
        connection.abort()
    await house.state(State.UNFINISHED)
    assert came_to(tally, "sftp") == {"unfinished": 1}
