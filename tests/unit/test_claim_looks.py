"""When the intake looks again."""

from datetime import UTC, datetime, timedelta

import pytest

from sftp_gateway.intake import claim

NOW = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.mark.parametrize("due_in", [-1.0, 0.0, 0.001])
def test_files_that_come_due_one_after_the_other_share_a_look(due_in):
    assert claim._until(NOW + timedelta(seconds=due_in), NOW) == claim.TOGETHER_SECONDS


def test_what_comes_due_later_is_looked_for_then():
    assert claim._until(NOW + timedelta(seconds=3), NOW) == pytest.approx(3)
    assert claim._until(None, NOW) == float("inf")
