"""One test for each way in which a file can lie about being finished (the list is in settle.py)."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from sftp_gateway.intake import settle
from sftp_gateway.intake.settle import Facts, Verdict, decide
from sftp_gateway.settings import Intake
from sftp_gateway.store.drafts import Place

CLOSED_AT = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
RULES = Intake(settle_seconds=1, incomplete_after=900, abandoned_after=86400)
FACTS = Facts(place=Place.CLOSED, changed_at=CLOSED_AT, bytes=100)


def after(seconds: float, **changes: object) -> settle.Decision:
    return decide(structs.replace(FACTS, **changes), RULES, CLOSED_AT + timedelta(seconds=seconds))


def test_a_closed_file_rests_and_is_then_received():
    assert after(0.999) == settle.Decision(Verdict.WAIT, CLOSED_AT + timedelta(seconds=1))
    assert after(1).verdict is Verdict.RECEIVE


@pytest.mark.parametrize("place", [Place.OPEN, Place.CLAIMED, Place.ACCEPTED, Place.SPENT, Place.DIRECTORY])
def test_what_somebody_has_in_hand_is_nobody_elses_business(place):
    assert after(1e6, place=place).verdict is Verdict.WAIT
    assert after(1e6, place=place).due_at is None


def test_a_dropped_file_is_unfinished_whatever_its_bytes():
    assert after(0.5, place=Place.DROPPED).verdict is Verdict.WAIT
    assert after(1, place=Place.DROPPED).verdict is Verdict.UNFINISHED


def test_an_unfinished_file_is_shown_once_and_then_left_to_the_sweep():
    assert after(1, place=Place.DROPPED, known=True, shown=True) == settle.Decision(Verdict.WAIT, None, settle.DROPPED)
    assert after(1, place=Place.DROPPED, known=True).verdict is Verdict.UNFINISHED


@pytest.mark.parametrize(
    ("size", "verdict"), [(99, Verdict.UNFINISHED), (100, Verdict.RECEIVE), (101, Verdict.RECEIVE)]
)
def test_a_declared_size_must_be_reached(size, verdict):
    assert after(1, bytes=size, declared_bytes=100).verdict is verdict


def test_temporary_names_are_never_uploads_and_forgotten_in_the_end():
    for place in (Place.CLOSED, Place.DROPPED):
        assert after(86399, temporary=True, place=place).verdict is Verdict.WAIT
        assert after(86400, temporary=True, place=place).verdict is Verdict.FORGET


def test_a_companion_is_never_an_upload():
    assert after(2, companion=True).verdict is Verdict.WAIT
    assert after(86400, companion=True).verdict is Verdict.FORGET


def test_a_file_waits_for_a_companion_that_is_being_written():
    decision = after(2, companion_open=True)
    assert decision.verdict is Verdict.WAIT
    assert decision.due_at > CLOSED_AT + timedelta(seconds=2)


def test_a_marker_that_does_not_come_leaves_the_file_unfinished_in_time():
    assert after(899, marker_missing=True) == settle.Decision(Verdict.WAIT, CLOSED_AT + timedelta(seconds=900))
    assert after(900, marker_missing=True).reason == settle.NO_MARKER


def test_a_closed_file_that_lost_its_name_is_received_at_once():
    assert after(0, named=False).verdict is Verdict.RECEIVE


@pytest.mark.parametrize(
    "changes",
    [{"bytes": 0}, {"place": Place.DROPPED}, {"temporary": True}, {"companion": True}, {"declared_bytes": 101}],
)
def test_what_lost_its_name_and_is_no_whole_file_is_forgotten_or_refused_if_it_was_shown(changes):
    assert after(0, named=False, **changes).verdict is Verdict.FORGET
    assert after(0, named=False, known=True, **changes).verdict is Verdict.REFUSE


def test_what_was_refused_while_it_was_written_is_made_history_at_once():
    assert after(0, place=Place.REFUSED).verdict is Verdict.REFUSE
