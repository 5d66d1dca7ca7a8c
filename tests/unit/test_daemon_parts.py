"""What the daemon does when a part dies, and what equal rules are."""

import asyncio
import signal
import subprocess
import sys

from structlog.testing import capture_logs

from sftp_gateway import settings
from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog.rules import schema
from sftp_gateway.daemon.gateway import GOODBYE_SECONDS, Daemon
from sftp_gateway.daemon.memory import CROWD, Memory


def daemon(end_after=None):
    return Daemon(settings.Settings(), frozenset({"web"}), settings.Settings, take_over=False, end_after=end_after)


async def test_a_reload_that_fails_at_what_nobody_thought_of_is_told_with_where():
    one = daemon()
    one._read = lambda: 1 // 0
    with capture_logs() as said:
        await one._reload()
    [event] = said
    assert (event["event"], event["log_level"]) == ("settings.refused", "error")
    assert event["error"].startswith("unexpected ZeroDivisionError: ")
    assert event["exc_info"]


async def test_a_part_that_dies_is_named_with_its_reason_and_ends_the_daemon():
    async def fail():
        async with asyncio.TaskGroup() as group:
            group.create_task(fail_inside())

    async def fail_inside():
        raise ValueError("no such thing")

    one = daemon()
    one.parts.spawn("healthy", asyncio.Event().wait())
    one.parts.spawn("renderer", fail())
    with capture_logs() as said:
        assert await one._live() == 70
    [event] = said
    assert (event["event"], event["part"], event["error"]) == ("part.died", "renderer", "ValueError: no such thing")
    await one._cancel()
    assert all(task.done() for task in one.parts.tasks.values())


async def test_a_part_that_just_ends_died_too():
    one = daemon()
    one.parts.spawn("intake", asyncio.sleep(0))
    with capture_logs() as said:
        assert await one._live() == 70
    assert [(event["part"], event["error"]) for event in said] == [("intake", "it ended")]


async def test_the_first_signal_stops_and_the_second_hurries():
    ends = []
    one = daemon(lambda *end: ends.append(end))
    one._asked_to_stop(signal.SIGTERM)
    assert await one._live() == 0
    assert not one._hurry.is_set() and not ends
    one._asked_to_stop(signal.SIGTERM)
    assert one._hurry.is_set() and ends == [(GOODBYE_SECONDS, 0)]


def test_what_makes_bytes_mean_something_else_is_in_the_digest_and_nothing_more():
    rules = schema.load()
    plain, contact = BrandSettings(), BrandSettings(contact="a@b.example")
    assert rules.digest_with(plain) == rules.digest_with(contact) != rules.digest_with(BrandSettings(decimal=","))


def test_memory_is_given_back_when_half_of_a_crowd_has_gone_and_once():
    inside = [0]
    watch = Memory(lambda: inside[0])

    def at(number):
        inside[0] = number
        return watch.is_due()

    assert not any(at(number) for number in (CROWD - 1, 0, 0))
    assert not any(at(number) for number in (100, 60, 51, 90))
    assert at(50)
    assert not any(at(number) for number in (50, 40, 26))
    assert at(25) and at(12)
    assert not any(at(number) for number in (12, 3, 0, CROWD - 1, 0))


FREED = """
import gc
from sftp_gateway.daemon import memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

class Ring:
    pass

gc.disable()
last = []
for _ in range(40_000):
    ring = Ring()
    ring.itself, ring.data = ring, bytes(1500)
    last = [bytes(1500)]
del ring
full = resident()
memory.give_back()
print(full - resident())
"""


def test_what_is_given_back_goes_to_the_kernel():
    """Rings of objects with 60 MB, and something behind them on the heap."""
    ran = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    assert int(ran.stdout) > 40 * 1024**2
