"""Penalties in the store: kept, listed, cleared, and the same in two front doors."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from sftp_gateway.sftp import bans
from sftp_gateway.store import penalties
from sftp_gateway.store.penalties import Penalty


def test_who_is_out_is_listed_and_cleared(store, clock):
    now = store.now()
    short, long = (
        Penalty(f"192.0.2.{n}", "acme", n, now + timedelta(seconds=seconds)) for n, seconds in ((1, 5), (2, 600))
    )
    penalties.save(store, [short, long], ["192.0.2.9"])
    assert penalties.listing(store, running=True) == [long, short]
    clock.jump(10)
    assert penalties.listing(store, running=True) == [long]
    assert penalties.listing(store) == [long, short]
    with capture_logs() as lines:
        assert penalties.clear(store, "192.0.2.1") == 1
        assert penalties.clear(store) == 1
    assert [(line["source"], line["count"]) for line in lines] == [("192.0.2.1", 1), ("all", 1)]
    assert penalties.listing(store) == []


def test_a_penalty_that_ended_long_ago_is_forgotten(store, clock):
    penalties.save(store, [Penalty("192.0.2.1", "acme", 1, store.now())], [])
    clock.jump(3 * 3600)
    penalties.save(store, [], [])
    assert penalties.listing(store) == []


async def test_two_front_doors_and_a_restart_agree(store):
    async with bans.Bans(store) as one:
        one.penalties.offend("192.0.2.1", "acme")
        await one.exchange()
        async with bans.Bans(store) as two:
            assert two.penalties.remaining("192.0.2.1") == pytest.approx(5, abs=1)
            two.penalties.forgive("192.0.2.1")
            two.penalties.offend("192.0.2.2", "x" * 64)
        await one.exchange()
        assert list(one.penalties.running()) == ["192.0.2.2"]
        penalties.clear(store)
        await one.exchange()
        assert one.penalties.running() == {}


async def test_no_clock_that_is_set_makes_a_penalty_longer_or_shorter(store, clock):
    moment = [1000.0]
    async with bans.Bans(store, lambda: moment[0]) as door:
        door.penalties.offend("192.0.2.1")
        await door.exchange()
        clock.jump(-3600)
        await door.exchange()
        assert door.penalties.remaining("192.0.2.1") == pytest.approx(5, abs=0.1)
        clock.jump(7200)
        await door.exchange()
        assert door.penalties.remaining("192.0.2.1") == pytest.approx(5, abs=0.1)
        moment[0] += 6
        clock.jump(-7200)
        await door.exchange()
        assert door.penalties.running() == {}
        # A door that begins now cannot know, but the longest penalty holds for it, too.
        async with bans.Bans(store, lambda: moment[0]) as another:
            assert another.penalties.remaining("192.0.2.1") <= 600
        assert penalties.clear(store, "192.0.2.1") == 1
        await door.exchange()
        assert door.penalties.offend("192.0.2.1") == 5


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
async def test_two_front_doors_may_note_one_source_at_the_same_moment(live_store):
    one, two = bans.Bans(live_store), bans.Bans(live_store)
    for number in range(60):
        source = f"192.0.2.{number}"
        one.penalties.offend(source, "acme")
        two.penalties.offend(source, "acme")
        await asyncio.gather(one.exchange(), two.exchange())
    assert {penalty.source for penalty in penalties.listing(live_store)} == {f"192.0.2.{n}" for n in range(60)}


async def test_of_two_notes_of_one_source_the_later_counts(store):
    first, second = (Penalty("192.0.2.1", f"brand-{level}", level, store.now()) for level in (1, 2))
    for note in (first, second):
        penalties.save(store, [note], [])
    assert penalties.listing(store) == [second]
