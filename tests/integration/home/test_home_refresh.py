"""The picture of a brand's names is read once for all of its sessions that want it at the same moment."""

import asyncio
import contextlib

from sftp_gateway import errors


async def test_sessions_that_look_at_the_same_moment_share_one_reading_of_the_store(house):
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(house.sftp()) for _ in range(20)]
        homes = house.doors.homes
        before = homes.ledger.operations
        await asyncio.gather(*(client.stat("/inbox") for client in clients))
        assert homes.ledger.operations - before == 1


async def test_one_who_goes_away_while_the_picture_is_read_takes_it_from_nobody(house):
    homes = house.doors.homes
    view = homes.enter("acme")
    looks = [asyncio.create_task(homes.refresh(view)) for _ in range(3)]
    await asyncio.sleep(0)
    looks[0].cancel()
    await asyncio.gather(*looks[1:])
    assert view.loaded and looks[0].cancelled()


async def test_a_reading_that_fails_is_told_to_all_who_wait_and_is_tried_again(house):
    homes = house.doors.homes
    view = homes.enter("acme")
    with house.store.write() as tx:
        tx.conn.exec_driver_sql("ALTER TABLE entry RENAME TO away")
    looks = await asyncio.gather(*(homes.refresh(view) for _ in range(3)), return_exceptions=True)
    assert [type(look) for look in looks] == [errors.StoreUnreachable] * 3
    with house.store.write() as tx:
        tx.conn.exec_driver_sql("ALTER TABLE away RENAME TO entry")
    await homes.refresh(view)
    assert view.loaded
