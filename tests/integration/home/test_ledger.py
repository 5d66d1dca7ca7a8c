import asyncio
import contextlib

import pytest

from sftp_gateway.blobs import unshare
from sftp_gateway.sftp import ledger as ledgers
from sftp_gateway.sftp.ledger import OWED_SECONDS, Ledger
from sftp_gateway.store import drafts
from sftp_gateway.store.drafts import Entry, Place
from sftp_gateway.store.staging import Staging


async def test_what_gathers_during_a_commit_shares_the_next_one_in_order(house):
    ledger, done = Ledger(house.store), []
    first = ledger.post(lambda tx: done.append(0))
    await asyncio.sleep(0)
    await asyncio.gather(first, *(ledger.post(lambda tx, n=n: done.append(n)) for n in range(1, 50)))
    assert done == list(range(50))
    assert ledger.commits <= 3 and ledger.operations == 50


def owed(house, number):
    at, id_ = house.store.now(), house.homes.staging.new_id()
    path = f"inbox/{number}.csv"
    return Entry(id_, "acme", path, path, Place.CLOSED, 3, at, at, at, sha256="00")


async def test_rows_let_a_burst_pass_unless_somebody_waits_for_what_came_after(house):
    burst = [True]
    ledger = Ledger(house.store, may_wait=lambda: burst[0])
    ledger.owe("j", 1, owed(house, 1))
    # Many times the moment that rows gather for when there is no burst.
    await asyncio.wait([ledger._writer], timeout=OWED_SECONDS * 6)
    assert ledger.commits == 0 and not house.rows()
    number = await ledger.post(lambda tx: drafts.journaled(tx.conn, "j"))
    assert number == 1 and [row.path for row in house.rows()] == ["inbox/1.csv"]
    ledger.owe("j", 2, owed(house, 2))
    burst[0] = False
    await house.until(lambda: len(house.rows()) == 2)


async def test_a_burst_that_does_not_end_is_written_down_nevertheless(house, monkeypatch):
    monkeypatch.setattr(ledgers, "BURST_SECONDS", 0.2)
    ledger = Ledger(house.store, may_wait=lambda: True)
    ledger.owe("j", 1, owed(house, 1))
    await house.until(lambda: len(house.rows()) == 1)


async def test_one_operation_that_fails_fails_alone(house):
    ledger = Ledger(house.store)

    def broken(_tx):
        raise ValueError("mine alone")

    before, wrong, after = ledger.post(lambda tx: 1), ledger.post(broken), ledger.post(lambda tx: 2)
    with pytest.raises(ValueError, match="mine alone"):
        await wrong
    assert (await before, await after) == (1, 2)
    await ledger.flush()


def test_an_owner_is_gone_when_it_closes_or_dies_and_not_before(tmp_path):
    one, two = Staging(tmp_path), Staging(tmp_path)
    assert one.area == two.area
    with contextlib.closing(one.join()) as owner:
        assert not two.is_gone(owner.token)
    assert two.is_gone(owner.token)
    assert two.is_gone("never-was") and two.is_gone("") and two.is_gone("../area")


def test_a_staging_file_that_became_a_blob_gets_bytes_of_its_own_before_it_is_written_again(tmp_path):
    blob, file = tmp_path / "blob", tmp_path / "draft"
    file.write_bytes(b"acknowledged")
    blob.hardlink_to(file)
    blob.chmod(0o440)
    unshare(file)
    with file.open("r+b") as writing:
        writing.write(b"X")
    assert blob.read_bytes() == b"acknowledged"
    assert file.read_bytes() == b"Xcknowledged"
