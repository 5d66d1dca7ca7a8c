"""Poisoned files: each kills its own child and nothing else; the brand's later uploads and its neighbours go on."""

import asyncio
import contextlib
import sys
import time
from pathlib import Path

import pytest

from sftp_gateway import settings
from sftp_gateway.brand import Guards
from sftp_gateway.catalog.rules import schema
from sftp_gateway.store import brands, uploads
from sftp_gateway.upload import State
from sftp_gateway.worker import slots
from sftp_gateway.worker.bench import Bench
from sftp_gateway.worker.crew import Crew
from sftp_gateway.worker.turn import Terms
from sftp_gateway.worker.watch import Bounds
from tests import sent

STANDINS = Path(__file__).parents[1] / "integration"
SETTINGS = settings.Worker(processes=3, tries=2, backoff_seconds=0.05)
BOUNDS = Bounds(240 << 20, 5.0)
"""So far apart that a slow machine (10 ms a MiB) still sees the memory eaten before the time is up."""
POISONS = {"crash": "died (SIGSEGV)", "eat": "MiB of memory", "loop": "was not done after 5 s"}


@pytest.fixture(scope="module")
def crew():
    sys.path.insert(0, str(STANDINS))
    with contextlib.closing(Crew(BOUNDS, preload=("standin",))) as crew:
        yield crew
    sys.path.remove(str(STANDINS))


async def longest_pause(stop):
    """Watch how long the event loop does not turn."""
    longest = 0.0
    while not stop.is_set():
        before = time.monotonic()
        await asyncio.sleep(0.005)
        longest = max(longest, time.monotonic() - before)
    return longest


async def test_poisoned_files_fail_alone_while_everything_else_goes_on(live_store, files, crew, eventually_async):
    terms = Terms(
        schema.load(), Guards(), 1 << 30, BOUNDS.memory_bytes, 2, SETTINGS.small_bytes, process="standin:process"
    )
    part = slots.Worker(Bench(live_store, files, crew, SETTINGS, lambda: terms))
    poisoned, later, neighbours = {}, {}, []
    for word in POISONS:
        brands.create(live_store, word)
        poisoned[word] = sent.text(live_store, files, f"{word}\n", word)
        later[word] = sent.text(live_store, files, f"publish {word}\na\n", word)
    for number in range(5):
        brands.create(live_store, f"brand-{number}")
        neighbours.append(sent.text(live_store, files, f"publish {number}\na\n", f"brand-{number}"))
    stop = asyncio.Event()
    lag = asyncio.create_task(longest_pause(stop))
    async with part:
        running = asyncio.create_task(part.run())
        await eventually_async(
            lambda: all(
                uploads.get(live_store, one).state is State.PUBLISHED for one in [*neighbours, *later.values()]
            ),
            timeout=60,
        )
        await part.drain(0)
        await running
    stop.set()
    for word, says in POISONS.items():
        upload = uploads.get(live_store, poisoned[word])
        assert upload.state is State.FAILED
        assert says in upload.reasons[0]["text"]
    for one in [*neighbours, *later.values()]:
        assert [event.event for event in uploads.events(live_store, one)] == [
            "upload.received",
            "upload.processing",
            "upload.published",
        ]
    assert await lag < BOUNDS.seconds / 2  # a loop that waits for the one that loops stands still for all of them
