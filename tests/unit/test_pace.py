"""How slowly bytes may come: what counts is the time waited for them, and enough of them makes it begin anew."""

from sftp_gateway.blobs.pace import Pace


def test_enough_bytes_in_time_begin_a_new_time():
    pace = Pace(60, 100)
    for _ in range(50):
        pace.came(50, 29)
        assert (pace.left_seconds, pace.is_too_slow) == (31, False)
        pace.came(50, 29)
        assert (pace.left_seconds, pace.is_too_slow) == (60, False)


def test_a_byte_short_of_a_second_before_the_end_is_too_slow():
    pace = Pace(60, 100)
    pace.came(99, 59)
    assert (pace.left_seconds, pace.is_too_slow) == (1, False)
    pace.came(0, 2)
    assert (pace.left_seconds, pace.is_too_slow) == (0, True)


def test_the_last_byte_that_makes_it_enough_may_come_late():
    pace = Pace(60, 100)
    pace.came(100, 61)
    assert not pace.is_too_slow
