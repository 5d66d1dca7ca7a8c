"""Who closed small files lately."""

import pytest

from sftp_gateway.sftp import senders


@pytest.fixture
def clock(monkeypatch):
    at = [100.0]
    monkeypatch.setattr(senders.time, "monotonic", lambda: at[0])
    return at


def heard(clock, of, step):
    known = senders.Senders()
    for sender in of:
        clock[0] += step
        known.hear(sender)
    return known


NAMES = [f"sender {number}" for number in range(senders.CROWD)]


def test_one_who_sends_alone_is_alone(clock):
    assert heard(clock, NAMES[:1] * 30, 0.001).are_one()
    assert heard(clock, NAMES[:1], 0.001).are_one()


def test_a_second_one_of_a_moment_ago_may_come_again_and_one_of_long_ago_does_not(clock):
    known = heard(clock, [NAMES[1], *NAMES[:1] * 3], 0.001)
    assert not known.are_one()
    clock[0] += senders.CROWD_SECONDS
    known.hear(NAMES[0])
    assert known.are_one()
    for name, alone in ((NAMES[1], False), (NAMES[0], False), (NAMES[0], False)):
        known.hear(name)
        assert known.are_one() is alone


def test_many_different_ones_in_a_moment_are_a_crowd(clock):
    assert heard(clock, NAMES * 2, 0.001).are_a_crowd()
    assert not heard(clock, NAMES * 2, 0.1).are_a_crowd()
    assert not heard(clock, NAMES[:-1] * 3, 0.001).are_a_crowd()
    assert not heard(clock, NAMES, 0.001).are_a_crowd()
