"""Upgrades under load: the new process gets the sockets, the old one drains; nobody is refused, nothing is cut."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys

import pytest

from sftp_gateway.daemon import handover
from tests import whole

CLIENTS = 3


async def keep_sending(gateway, number, over, done):
    """Connect, send one file, leave; again and again."""
    while not over.is_set():
        name = f"{number}-{len(done)}.csv"
        async with (
            gateway.connect() as connection,
            connection.start_sftp_client() as sftp,
            sftp.open(f"/partial/{name}", "w") as file,
        ):
            await file.write(whole.catalog(3))
        done.append(name)


async def send_slowly(gateway, name, until):
    """A transfer that began before the restart and ends after it began."""
    async with gateway.connect() as connection, connection.start_sftp_client() as sftp:
        file = await sftp.open(f"/partial/{name}", "w")
        await file.write("sku,name,msrp\n")
        yield
        await file.write("A-1,Chair,10\n")
        await file.close()
        # This client says nothing when the connection is gone already.
        assert sftp._handler._writer is not None, "cut before CLOSE was answered"
    yield


async def replace(gateway, slow):
    """Start a new process that takes over; the old one ends by itself."""
    old = gateway.running
    await anext(slow)
    await asyncio.to_thread(gateway.start, "sftp", "web", take_over=True)
    await anext(slow)
    assert await asyncio.to_thread(old.wait, 60) == 0


async def restart_under_load(gateway, times):
    gateway.start("sftp", "web")
    over, done = asyncio.Event(), []
    sending = [asyncio.create_task(keep_sending(gateway, number, over, done)) for number in range(CLIENTS)]
    for number in range(times):
        await replace(gateway, send_slowly(gateway, f"slow-{number}.csv", None))
        assert not any(task.done() for task in sending), [task.exception() for task in sending if task.done()]
    over.set()
    await asyncio.gather(*sending)
    assert len(done) > times
    assert len(gateway.events("gateway.handed_over")) == times
    assert all(event["cut_transfers"] == 0 for event in gateway.events("listener.drained"))
    async with gateway.connect() as connection, connection.start_sftp_client() as sftp:
        there = set(await sftp.listdir("/partial"))
    assert {*done, *(f"slow-{number}.csv" for number in range(times))} <= there
    assert gateway.stop() == 0
    assert not list((gateway.root / "staging" / "journal").iterdir())


@pytest.mark.timeout(180)
async def test_a_restart_under_load_refuses_nobody_and_cuts_nothing(gateway):
    await restart_under_load(gateway, 3)


@pytest.mark.full
@pytest.mark.timeout(900)
async def test_twenty_restarts_under_load_refuse_nobody_and_cut_nothing(gateway):
    await restart_under_load(gateway, 20)


@pytest.mark.timeout(180)
async def test_a_role_is_taken_over_from_the_process_that_has_it_and_the_others_go_on(gateway):
    door = gateway.start("sftp")
    web = gateway.start("web")
    new_door = await asyncio.to_thread(gateway.start, "sftp", take_over=True)
    assert await asyncio.to_thread(door.wait, 60) == 0
    assert web.poll() is None
    new_web = await asyncio.to_thread(gateway.start, "web", take_over=True)
    assert await asyncio.to_thread(web.wait, 60) == 0
    assert new_door.poll() is None
    both = await asyncio.to_thread(gateway.start, "sftp", "web", take_over=True)
    assert [await asyncio.to_thread(old.wait, 60) for old in (new_door, new_web)] == [0, 0]
    async with gateway.connect() as connection, connection.start_sftp_client() as sftp:
        assert "inbox" in await sftp.listdir("/")
    assert both.poll() is None
    assert not gateway.events("handover.absent")
    assert len(gateway.events("gateway.handed_over")) == 4
    assert gateway.stop() == 0
    assert not list(gateway.root.glob("handover*"))


@pytest.mark.timeout(180)
async def test_a_worker_has_nothing_to_take_and_ends_nobody(gateway):
    door = gateway.start("sftp")
    worker = gateway.start("worker", take_over=True)
    async with gateway.connect() as connection, connection.start_sftp_client() as sftp:
        assert "inbox" in await sftp.listdir("/")
    assert not gateway.events("gateway.handed_over")
    assert gateway.stop() == 0
    assert worker.returncode == 0
    door.terminate()
    assert await asyncio.to_thread(door.wait, 60) == 0


async def test_a_new_process_that_dies_before_it_is_ready_changes_nothing(tmp_path):
    handed = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with handover.Handover(tmp_path, "sftp", lambda: listening, lambda: handed.append(1)) as giving:
            running = asyncio.create_task(giving.run())
            taken = await asyncio.to_thread(handover.take, tmp_path, {"sftp"})
            port = listening.getsockname()[1]
            assert taken.socket("sftp", port + 1) is None, "another port is wanted now"
            got = taken.socket("sftp", port)
            assert got.getsockname() == listening.getsockname()
            taken.close()  # as its death does
            got.close()
            again = await asyncio.to_thread(handover.take, tmp_path, {"sftp"})
            assert handed == []
            again.ready()
            while not handed:  # noqa: ASYNC110 - a callback has no event
                await asyncio.sleep(0.001)
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            (tmp_path / "new").touch()
            (tmp_path / "new").replace(tmp_path / "handover.sftp")
        assert (tmp_path / "handover.sftp").exists(), "it is the new process's"


def test_without_an_old_process_there_is_nothing_to_take(tmp_path):
    taken = handover.take(tmp_path, {"sftp", "web"})
    assert taken.socket("sftp", 0) is None
    taken.ready()


async def test_the_socket_of_systemd_is_used_and_stays_open_while_the_daemon_restarts(gateway, tmp_path):
    with socket.create_server(("127.0.0.1", gateway.port)) as listening:
        os.set_inheritable(listening.fileno(), True)
        start = (
            f"import os; os.dup2({listening.fileno()}, 3); os.environ['LISTEN_PID'] = str(os.getpid());"
            "os.execv(os.sys.executable, [os.sys.executable, '-m', 'sftp_gateway', 'run', '--only', 'sftp'])"
        )
        environ = gateway.environ | {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "sftp"}
        for life in range(2):
            with gateway.log.open("ab") as log:
                gateway.running = subprocess.Popen(  # noqa: ASYNC220 - starts in no time
                    [sys.executable, "-c", start], env=environ, cwd=whole.ROOT, close_fds=False, stderr=log, stdout=log,
                    start_new_session=True,
                )  # fmt: skip
            # Asked for before it listens, and between two lives: the backlog waits.
            async with gateway.connect() as connection, connection.start_sftp_client() as sftp:
                assert "inbox" in await sftp.listdir("/")
            assert len(gateway.events("listener.opened")) == life + 1
            assert gateway.stop() == 0
