"""A commit comes through and its answer is lost, as when the connection to the database breaks: nothing waits, nothing is doubled."""

import asyncssh
import pytest

from sftp_gateway import errors, settings
from sftp_gateway.intake import claim
from sftp_gateway.sftp import homes, writing
from sftp_gateway.sftp import ledger as ledgers
from sftp_gateway.store.drafts import Place
from sftp_gateway.upload import State

BODY = b"sku,name\n1,one\n" * 1000
BIG = BODY * 10
"""Too large for the journal."""
APPEND = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_APPEND


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(claim, "SWEEP_SECONDS", 0.2)
    monkeypatch.setattr(homes, "FORGET_SECONDS", 0.1)
    monkeypatch.setattr(ledgers, "BACKOFF_SECONDS", 0.02)


class Line:
    """The wire to the database: the answer to the first commit after which `when` holds is lost, and then all `until` something."""

    def __init__(self, house, monkeypatch, when, until=lambda: True):
        self.lost = False
        real = house.homes.ledger._commit

        def commit(operations):
            if self.lost and not until():
                raise errors.StoreUnreachable("the server restarts")
            results = real(operations)
            if not self.lost and when():
                self.lost = True
                raise errors.StoreUnreachable("the connection broke")
            return results

        monkeypatch.setattr(house.homes.ledger, "_commit", commit)


def places(house):
    return [row.place for row in house.rows()]


async def put(client, path, body=BODY):
    async with client.open(path, "wb") as file:
        await file.write(body)


async def test_a_reopening_whose_answer_is_lost_leaves_a_draft_that_rests_and_can_be_gone_on_with(
    open_house, monkeypatch
):
    house = await open_house(settle_seconds=0.5)
    line = Line(house, monkeypatch, lambda: Place.OPEN in places(house))
    async with house.sftp() as client:
        await put(client, "/a.csv")
        with pytest.raises(asyncssh.SFTPFailure):
            await client.open("/a.csv", APPEND, encoding=None)
        assert line.lost and not house.open_drafts()
        unfinished = await house.state(State.UNFINISHED)
        async with client.open("/a.csv", APPEND, encoding=None) as file:
            await file.write(b"2,two\n")
        received = await house.state(State.RECEIVED)
    assert (received.id, house.bytes_of(received)) == (unfinished.id, BODY + b"2,two\n")


async def test_an_upload_that_was_to_go_on_and_does_not_is_unfinished_again(house, monkeypatch):
    monkeypatch.setattr(writing, "NOTE_AFTER_SECONDS", 60)
    async with house.sftp() as client:
        await put(client, "/a.csv")
        upload = await house.state(State.RECEIVED)
        house.verdict(upload.id, State.UNFINISHED)
        line = Line(house, monkeypatch, lambda: Place.OPEN in places(house))
        with pytest.raises(asyncssh.SFTPFailure):
            await client.open("/a.csv", APPEND, encoding=None)
        assert line.lost
        assert (await house.state(State.UNFINISHED)).id == upload.id


async def test_a_closed_file_that_was_taken_in_although_its_sender_heard_of_a_failure_is_one_upload(house, monkeypatch):
    line = Line(
        house, monkeypatch, lambda: Place.CLOSED in places(house), until=lambda: places(house) == [Place.ACCEPTED]
    )
    async with house.sftp() as client:
        file = await client.open("/a.csv", "wb")
        await file.write(BIG)
        with pytest.raises(asyncssh.SFTPFailure, match="could not record"):
            await file.close()
        assert line.lost
        await house.homes.ledger.flush()
        assert places(house) == [Place.ACCEPTED]
        assert [upload.state for upload in house.history()] == [State.RECEIVED]


async def test_a_refusal_whose_answer_is_lost_stands_once_in_the_history(open_house, monkeypatch):
    house = await open_house(limits=settings.Limits(disk_floor_bytes=0, max_file_bytes=len(BIG)))
    line = Line(house, monkeypatch, lambda: house.history() != [])
    async with house.sftp() as client:
        file = await client.open("/a.csv", "wb")
        with pytest.raises(asyncssh.SFTPFailure, match="larger than"):
            await file.write(BIG + b"x")
        with pytest.raises(asyncssh.SFTPFailure, match="could not record"):
            await file.close()
        assert line.lost
        await house.homes.ledger.flush()
        await house.until(lambda: house.rows() == [])
        await house.heard()
    assert [upload.state for upload in house.history()] == [State.REFUSED]
