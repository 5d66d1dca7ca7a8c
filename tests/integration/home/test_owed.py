"""Rows that were acknowledged before the store has them: whatever the store answers, none is lost and none is taken twice."""

import asyncio
import contextlib
import os
import threading

import pytest
from msgspec.structs import replace

from sftp_gateway import errors
from sftp_gateway.sftp import ledger as ledgers
from sftp_gateway.sftp.ledger import Ledger
from sftp_gateway.sftp.unwritten import Unwritten
from sftp_gateway.store import brands, drafts, erasing
from sftp_gateway.store.drafts import Entry, Place
from sftp_gateway.store.staging import Staging

only_postgresql = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(ledgers, "BACKOFF_SECONDS", 0.02)


@pytest.fixture
def many(live_store):
    for name in ("acme", "other", "gone"):
        brands.create(live_store, name)
    return live_store


@pytest.fixture
def staging(tmp_path):
    return Staging(tmp_path)


class Shaky:
    """A store in which something happens: `before` each write, or `after` its commit."""

    def __init__(self, store, *, before=None, after=None):
        self.store, self.before, self.after = store, before, after

    @contextlib.contextmanager
    def write(self):
        if self.before:
            self.before()
        with self.store.write() as tx:
            yield tx
        if self.after:
            self.after()


def closed(staging, store, name, brand="acme"):
    at = store.now()
    path = f"inbox/{name}"
    return Entry(staging.new_id(), brand, path, name, Place.CLOSED, 3, at, at, at, sha256="00", due_at=at)


def names(store):
    with store.read() as conn:
        return {(row.brand, row.sent, row.place) for brand in ("acme", "other") for row in drafts.load(conn, brand)[1]}


def somebody_waits(store):
    with store.read() as conn:
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return conn.exec_driver_sql(query).scalar()


@only_postgresql
async def test_a_server_that_takes_no_writes_loses_nothing_and_the_next_one_is_found(many, staging, postgresql_server):
    ledger = Ledger(many)
    with postgresql_server.connect() as server:
        server.exec_driver_sql(f"ALTER DATABASE {server.engine.url.database} SET default_transaction_read_only = on")
    try:
        many.close()  # the connections are new ones, as after a failover
        ledger.owe("j", 1, closed(staging, many, "a.csv"))
        with pytest.raises(errors.StoreUnreachable, match="takes no writes"):
            await ledger.post(lambda tx: tx.touch("acme"))
    finally:
        with postgresql_server.connect() as server:
            server.exec_driver_sql(f"ALTER DATABASE {server.engine.url.database} RESET default_transaction_read_only")
    async with asyncio.timeout(10):
        await ledger.flush()
    assert names(many) == {("acme", "a.csv", Place.CLOSED)}


@only_postgresql
async def test_a_name_that_another_process_takes_at_the_same_moment_costs_nobody_a_row(many, staging, eventually_async):
    ledger, holds, may_commit = Ledger(many), threading.Event(), threading.Event()

    def other_process():
        with many.write() as tx:
            drafts.save(tx, closed(staging, many, "a.csv"))
            holds.set()
            may_commit.wait(10)

    thread = threading.Thread(target=other_process)
    thread.start()
    await asyncio.to_thread(holds.wait, 10)
    ledger.owe("j", 1, mine := closed(staging, many, "a.csv"))
    ledger.owe("j", 2, closed(staging, many, "b.csv", "other"))
    done = asyncio.create_task(ledger.flush())
    await eventually_async(lambda: somebody_waits(many))
    may_commit.set()
    await done
    thread.join()
    assert names(many) == {("acme", "a.csv", Place.CLOSED), ("other", "b.csv", Place.CLOSED)}
    with many.read() as conn:
        assert drafts.get(conn, mine.id) is not None  # the later close has the name


@pytest.mark.parametrize("beside", [False, True])
async def test_a_brand_that_is_erased_meanwhile_costs_the_others_nothing(many, staging, files, monkeypatch, beside):
    ledger, real, stale = Ledger(many), drafts.living, [{"gone"}]
    erasing.erase(many, files, "gone")
    monkeypatch.setattr(drafts, "living", lambda tx, wanted: real(tx, wanted) | (stale.pop() if stale else set()))
    ledger.owe("j", 1, closed(staging, many, "a.csv"))
    ledger.owe("j", 2, closed(staging, many, "b.csv", "gone"))
    if beside:
        with pytest.raises(errors.NotFound):
            await ledger.post(lambda tx: drafts.save(tx, closed(staging, many, "c.csv", "never-was")))
    await ledger.flush()
    assert not stale and names(many) == {("acme", "a.csv", Place.CLOSED)}


async def test_an_operation_that_is_wrong_beside_a_store_that_goes_away_costs_no_owed_row(many, staging):
    tries = []

    def away():
        tries.append(1)
        if len(tries) == 3:
            raise errors.StoreUnreachable("gone")

    ledger = Ledger(Shaky(many, before=away))
    wrong = ledger.post(lambda tx: drafts.save(tx, closed(staging, many, "x.csv", "never-was")))
    ledger.owe("j", 1, closed(staging, many, "a.csv"))
    with pytest.raises(errors.NotFound):
        await wrong
    await ledger.flush()
    assert len(tries) == 4 and names(many) == {("acme", "a.csv", Place.CLOSED)}


async def test_rows_whose_commit_came_through_without_an_answer_are_not_set_back(many, staging):
    """The intake goes on with them at once; set back, the file would be received again, over a newer one."""
    entry, lost = closed(staging, many, "a.csv"), []

    def lose_the_answer():
        if not lost:
            lost.append(1)
            with many.write() as tx:
                assert drafts.move(tx, entry.id, [Place.CLOSED], place=Place.ACCEPTED, due_at=None)
            raise errors.StoreUnreachable("the connection broke")

    ledger = Ledger(Shaky(many, after=lose_the_answer))
    ledger.owe("j", 1, entry)
    await ledger.flush()
    assert names(many) == {("acme", "a.csv", Place.ACCEPTED)}
    ledger.owe("j", 2, replace(closed(staging, many, "b.csv"), id="area-2"))
    await ledger.flush()
    assert names(many) == {("acme", "a.csv", Place.ACCEPTED), ("acme", "b.csv", Place.CLOSED)}


async def test_what_is_in_no_journal_is_written_although_the_journal_is_further(many, staging):
    ledger = Ledger(many)
    ledger.owe("j", 7, closed(staging, many, "a.csv"))
    await ledger.flush()
    ledger.owe("j", None, replace(closed(staging, many, "b.csv"), place=Place.DROPPED))
    await ledger.flush()
    assert names(many) == {("acme", "a.csv", Place.CLOSED), ("acme", "b.csv", Place.DROPPED)}
    with many.read() as conn:
        assert drafts.journaled(conn, "j") == 7


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_rows_that_the_store_does_not_take_are_told_and_tried_for_ever(
    many, staging, log_lines, eventually_async
):
    refuse = "CREATE TRIGGER no BEFORE INSERT ON entry WHEN NEW.sent = 'a.csv' BEGIN SELECT RAISE(ABORT, 'no'); END"
    ledger = Ledger(many)
    with many.write() as tx:
        tx.conn.exec_driver_sql(refuse)
    ledger.owe("j", 1, closed(staging, many, "a.csv"))
    with pytest.raises(errors.Unavailable, match="received before"):
        await ledger.post(lambda _tx: None)  # what asks whether all is stored hears that it is not
    assert "ledger.stuck" in {line["event"] for line in log_lines}
    with many.write() as tx:
        tx.conn.exec_driver_sql("DROP TRIGGER no")
    await eventually_async(lambda: names(many) == {("acme", "a.csv", Place.CLOSED)})
    await ledger.post(lambda _tx: None)


async def test_a_store_that_takes_nothing_for_long_is_told_of_once_a_minute(many, staging, log_lines, monkeypatch):
    tries = []

    def before():
        tries.append(1)
        if len(tries) <= 30:
            raise errors.DiskFull("no room for the database")

    ledger = Ledger(Shaky(many, before=before))
    for place, told in ((1, 1), (2, 30)):
        tries.clear()
        log_lines.clear()
        ledger.owe("j", place, closed(staging, many, f"{place}.csv"))
        await ledger.flush()
        assert len([line for line in log_lines if line["event"] == "ledger.postponed"]) == told
        monkeypatch.setattr(ledgers, "TELL_SECONDS", 0.0)
        ledger = Ledger(Shaky(many, before=before))
    assert names(many) == {("acme", "1.csv", Place.CLOSED), ("acme", "2.csv", Place.CLOSED)}


async def test_the_file_of_a_row_that_comes_late_looks_young(many, staging, eventually_async):
    """The intake removes old staging files without a row; a store may take nothing for longer than that."""
    unwritten, away = Unwritten(staging), [True]

    def before():
        if away:
            raise errors.DiskFull("no room for the database")

    ledger = Ledger(Shaky(many, before=before), put_down=unwritten.put_down)
    entry = closed(staging, many, "a.csv")
    assert unwritten.takes(3)
    unwritten.keep(entry.id, bytearray(b"sku"))
    ledger.owe("j", 1, entry)
    file = staging.file(entry.id)
    await eventually_async(file.exists)
    os.utime(file, (0, 0))
    await eventually_async(lambda: file.stat().st_mtime > 0)
    away.clear()
    await ledger.flush()
    assert names(many) == {("acme", "a.csv", Place.CLOSED)} and file.read_bytes() == b"sku"
