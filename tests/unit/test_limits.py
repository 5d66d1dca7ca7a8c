"""Penalties, room at the door, seats: arithmetic with a clock that jumps."""

import pytest

from sftp_gateway import errors
from sftp_gateway.sftp import limits


class Clock:
    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def penalties(clock):
    return limits.Penalties(clock)


def test_penalties_double_from_5_to_600_seconds(penalties, clock):
    imposed = []
    for _ in range(10):
        imposed.append(penalties.offend("192.0.2.1"))
        clock.seconds += imposed[-1]
    assert imposed == [5, 10, 20, 40, 80, 160, 320, 600, 600, 600]


def test_a_thousand_offences_do_not_overflow(penalties, clock):
    for _ in range(3000):
        clock.seconds += penalties.offend("192.0.2.1")
    assert penalties.offend("192.0.2.1") == 600


def test_offences_during_a_penalty_do_not_add_up(penalties, clock):
    assert penalties.offend("192.0.2.1") == 5
    assert penalties.offend("192.0.2.1") == 0
    clock.seconds += 4.9
    assert penalties.remaining("192.0.2.1") == pytest.approx(0.1)
    clock.seconds += 0.1
    assert penalties.remaining("192.0.2.1") == 0
    assert penalties.offend("192.0.2.1") == 10


def test_a_success_lifts_the_penalty_and_halves_the_level(penalties, clock):
    for _ in range(4):
        clock.seconds += penalties.offend("192.0.2.1")
    penalties.offend("192.0.2.1")
    penalties.forgive("192.0.2.1")
    assert penalties.remaining("192.0.2.1") == 0
    assert penalties.offend("192.0.2.1") == 20


def test_a_slip_before_a_success_is_forgotten(penalties):
    penalties.offend("192.0.2.1")
    penalties.forgive("192.0.2.1")
    assert penalties.changes() == {"192.0.2.1": None}


def test_quiet_time_takes_levels_away(penalties, clock):
    for _ in range(4):
        clock.seconds += penalties.offend("192.0.2.1")
    clock.seconds += 1800
    assert penalties.offend("192.0.2.1") == 10


def test_what_is_agreed_elsewhere_holds_here_but_for_what_changed_meanwhile(penalties):
    penalties.offend("192.0.2.1", "acme")
    penalties.offend("192.0.2.2", "acme")
    told = penalties.changes()
    assert penalties.remaining("192.0.2.3") == 0
    assert set(penalties.running()) == set(told) == {"192.0.2.1", "192.0.2.2"}
    penalties.offend("192.0.2.4", "bolt")
    elsewhere = limits.Record(2, told["192.0.2.2"].until + 100, "acme")
    assert penalties.agree({"192.0.2.2": told["192.0.2.2"], "192.0.2.3": elsewhere}) == 1
    assert set(penalties.running()) == {"192.0.2.2", "192.0.2.3", "192.0.2.4"}
    assert set(penalties.changes()) == {"192.0.2.4"}
    penalties.again(["192.0.2.4"])
    assert penalties.agree({}) == 2
    assert set(penalties.running()) == {"192.0.2.4"}


def test_memory_of_sources_is_bounded(clock):
    penalties = limits.Penalties(clock, most_sources=3)
    for number in range(10):
        penalties.offend(f"192.0.2.{number}")
    assert list(penalties.running()) == ["192.0.2.7", "192.0.2.8", "192.0.2.9"]


def test_a_source_has_so_many_places_and_no_more():
    lobby = limits.Lobby(total=100, per_source=2)
    for who in ("a", "b"):
        assert not lobby.is_full("s")
        lobby.enter(who, "s")
    assert lobby.is_full("s") and not lobby.is_full("t")
    lobby.enter("c", "s")  # as one that is exempt does
    lobby.leave("a")
    assert lobby.is_full("s")
    lobby.leave("b")
    assert not lobby.is_full("s")
    lobby.enter("d", "s")
    assert lobby.waiting() == ["c", "d"]


def test_when_it_is_full_the_oldest_of_the_largest_source_goes():
    lobby = limits.Lobby(total=4, per_source=3)
    for who, source in (("good", "g"), ("f1", "f"), ("f2", "f"), ("f3", "f")):
        assert lobby.enter(who, source) is None
    assert lobby.enter("new", "n") == "f1"
    assert lobby.waiting() == ["good", "f2", "f3", "new"]
    assert len(lobby) == 4


def test_leaving_twice_is_no_matter():
    lobby = limits.Lobby(total=1, per_source=1)
    lobby.enter("a", "s")
    lobby.leave("a")
    lobby.leave("a")
    assert not lobby.is_full("s")
    assert lobby.enter("b", "s") is None


def test_seats_are_counted_by_brand_and_in_total():
    seats = limits.Seats(total=3, per_brand=2)
    assert [seats.take("acme") for _ in range(2)] == ["", ""]
    assert "acme already has 2 connections" in seats.take("acme")
    assert seats.take("globex") == ""
    assert "full" in seats.take("initech")
    seats.give_back("acme")
    assert seats.take("acme") == ""
    assert len(seats) == 3
    seats.give_back("globex")
    assert len(seats) == 2 and "acme already" in seats.take("acme")


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_a_source_is_what_one_host_can_change_at_will(address, source):
    assert limits.source_of(address) == source


def test_networks_hold_addresses_in_both_clothes():
    nets = limits.networks(["192.0.2.0/24", "2001:db8::/32"], "x")
    assert limits.is_in("::ffff:192.0.2.9", nets)
    assert limits.is_in("2001:db8::1", nets)
    assert not limits.is_in("198.51.100.1", nets)
    assert not limits.is_in("", nets)


@pytest.mark.parametrize("text", ["::ffff:192.0.2.0/120", "::FFFF:c000:200/120", "::ffff:192.0.2.9"])
def test_a_network_may_itself_be_written_in_the_other_clothes(text):
    nets = limits.networks([text], "x")
    assert limits.is_in("192.0.2.9", nets) and limits.is_in("::ffff:192.0.2.9", nets)
    assert not limits.is_in("192.0.3.9", nets)


def test_a_network_wider_than_all_mapped_addresses_has_them_too():
    assert limits.is_in("192.0.2.9", limits.networks(["::ffff:0:0/96"], "x"))
    assert limits.is_in("2001:db8::1", limits.networks(["::/0"], "x"))


def test_a_wrong_network_names_its_setting():
    with pytest.raises(errors.ConfigError, match=r"sftp\.penalty_exempt: 'lan' does not appear"):
        limits.networks(["lan"], "sftp.penalty_exempt")
