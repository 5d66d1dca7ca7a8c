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


def test_many_different_ones_in_a_moment_are_a_crowd(clock):
    assert heard(clock, NAMES * 2, 0.001).are_a_crowd()
    assert not heard(clock, NAMES * 2, 0.1).are_a_crowd()
    assert not heard(clock, NAMES[:-1] * 3, 0.001).are_a_crowd()
    assert not heard(clock, NAMES, 0.001).are_a_crowd()


def test_one_is_alone_until_another_one_comes_and_again_when_that_was_long_ago(clock):
    assert heard(clock, NAMES[:1], 0.001).is_one
    assert heard(clock, NAMES[:1] * 40, 0.001).is_one
    assert not heard(clock, [*NAMES[:1] * 40, NAMES[1]], 0.001).is_one
    assert not heard(clock, [NAMES[1], *NAMES[:1] * (2 * senders.CROWD - 1)], 0.001).is_one
    assert heard(clock, [NAMES[1], *NAMES[:1] * 2 * senders.CROWD], 0.001).is_one
