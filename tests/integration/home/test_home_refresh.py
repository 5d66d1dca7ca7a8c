"""The picture of a brand's names is read once for all of its sessions that want it at the same moment."""

import asyncio
import contextlib
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sftp_gateway import errors
from sftp_gateway.settings import Limits
from sftp_gateway.sftp import view as view_module
from sftp_gateway.sftp.allowance import Allowance
from sftp_gateway.store import drafts


async def test_sessions_that_look_at_the_same_moment_share_one_reading_of_the_store(house):
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(house.sftp()) for _ in range(20)]
        homes = house.homes
        before = homes.ledger.operations
        await asyncio.gather(*(client.stat("/inbox") for client in clients))
        assert homes.ledger.operations - before == 1


async def test_one_who_goes_away_while_the_picture_is_read_takes_it_from_nobody(house):
    homes = house.homes
    view = homes.enter("acme")
    looks = [asyncio.create_task(homes.refresh(view)) for _ in range(3)]
    await asyncio.sleep(0)
    looks[0].cancel()
    await asyncio.gather(*looks[1:])
    assert view.loaded and looks[0].cancelled()


async def test_a_reading_that_fails_is_told_to_all_who_wait_and_is_tried_again(house):
    homes = house.homes
    view = homes.enter("acme")
    with house.store.write() as tx:
        tx.conn.exec_driver_sql("ALTER TABLE entry RENAME TO away")
    looks = await asyncio.gather(*(homes.refresh(view) for _ in range(3)), return_exceptions=True)
    assert [type(look) for look in looks] == [errors.StoreUnreachable] * 3
    with house.store.write() as tx:
        tx.conn.exec_driver_sql("ALTER TABLE away RENAME TO entry")
    await homes.refresh(view)
    assert view.loaded


async def test_what_the_intake_does_is_told_and_has_nothing_read_anew(open_house, monkeypatch):
    house = await open_house(settle_seconds=20)
    homes, loads = house.homes, []
    load = homes._load
    monkeypatch.setattr(homes, "_load", lambda view: loads.append(view) or load(view))
    monkeypatch.setattr(view_module, "STALE_SECONDS", 0.0)
    async with house.sftp() as client:
        await client.stat("/inbox")
        for number in range(80):
            async with client.open(f"/inbox/{number}.csv", "wb") as file:
                await file.write(b"sku\n1\n")
        await house.until(lambda: len(house.rows()) == 80)
        await client.listdir("/inbox")
        loads.clear()
        house.rest()
        await house.until(lambda: len(house.history()) == 80)
        await house.quiet()
        assert len(await client.listdir("/inbox")) == 82
    assert loads == []


@pytest.fixture
def slow_disk(monkeypatch):
    """Have the intake's thread wait for the disk, to remove the draft of what it took in; gives events: it waits, it may go on."""
    waits, goes_on, unlink = threading.Event(), threading.Event(), Path.unlink

    def slowly(path, **how):
        if path.parent.name == "drafts" and not path.suffix and not waits.is_set():
            waits.set()
            goes_on.wait(60)
        unlink(path, **how)

    monkeypatch.setattr(Path, "unlink", slowly)
    yield waits, goes_on
    goes_on.set()


@pytest.mark.parametrize("renamed", [True, False])
async def test_a_name_that_is_changed_before_the_intake_tells_of_its_file_stays_as_it_is(
    open_house, slow_disk, monkeypatch, renamed
):
    house, (waits, goes_on) = await open_house(settle_seconds=1), slow_disk
    monkeypatch.setattr(view_module, "STALE_SECONDS", 1e9)
    async with house.sftp() as client:
        async with client.open("/a.csv", "wb") as file:
            await file.write(b"sku\n1\n")
        await house.until(waits.is_set)
        if renamed:
            await client.rename("/a.csv", "/b.csv")
        else:
            async with client.open("/a.csv", "wb") as file:
                await file.write(b"sku\n1\n2\n")
        goes_on.set()
        await house.quiet()
        await house.heard()
        told = {name.filename: name.attrs.size for name in await client.readdir("/inbox") if name.attrs.size}
        (view,) = house.homes._views.values()
        assert view.allowance.used_bytes == sum(told.values())
    assert told == ({"b.csv": 6} if renamed else {"a.csv": 8})


async def test_a_look_has_no_rows_written_that_gather_while_files_come(house, monkeypatch):
    homes = house.homes
    async with house.sftp() as client:
        await client.stat("/inbox")
        monkeypatch.setattr(homes.ledger, "_may_wait", lambda: True)
        monkeypatch.setattr(view_module, "STALE_SECONDS", 0.0)
        before = homes.ledger.commits
        for number in range(5):  # each looks whether another process did something
            async with client.open(f"/inbox/{number}.csv", "wb") as file:
                await file.write(b"sku\n1\n")
            await client.stat(f"/inbox/{number}.csv")
        assert homes.ledger.commits == before
        assert not house.rows()
        await homes.ledger.flush()
        assert len(house.rows()) == 5


async def test_what_another_process_does_is_seen_though_files_come_all_the_time(house, monkeypatch):
    monkeypatch.setattr(view_module, "STALE_SECONDS", 0.0)
    monkeypatch.setattr(view_module, "DOUBT_SECONDS", 0.2)
    async with house.sftp() as client:
        async with client.open("/inbox/gone.csv", "wb") as file:
            await file.write(b"sku\n1\n")
        await house.until(house.history)
        await house.quiet()
        (row,) = house.rows()
        with house.store.write() as tx:
            drafts.remove(tx, row.id)
            tx.touch("acme")
        number, until = 0, asyncio.get_running_loop().time() + 20
        while await client.exists("/inbox/gone.csv"):
            assert asyncio.get_running_loop().time() < until
            number += 1
            async with client.open(f"/inbox/{number}.csv", "wb") as file:
                await file.write(b"sku\n1\n")


def test_changes_of_our_own_on_their_way_explain_a_count_but_not_for_ever(monkeypatch):
    view = view_module.View(
        "acme", Allowance(Limits(quota_bytes=1, quota_files=1, max_file_bytes=1)), lambda: datetime.now(UTC)
    )
    assert not view.agrees(0, 0)  # nothing was read yet
    view.fill(5, [])
    view.counted()
    assert view.agrees(5, 5) and view.agrees(6, 5) and view.agrees(6, 6)
    assert not view.agrees(4, 5) and not view.agrees(7, 5)
    monkeypatch.setattr(view_module, "DOUBT_SECONDS", 0.0)
    assert not view.agrees(5, 5) and not view.agrees(6, 5)
