"""Whatever the facts: nothing dropped is received, nothing rests for ever, time only ever ripens a decision."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from sftp_gateway.intake.settle import Facts, Verdict, decide
from sftp_gateway.settings import Intake
from sftp_gateway.store.drafts import Place

AT = datetime(2026, 1, 5, tzinfo=UTC)
facts = st.builds(
    Facts,
    place=st.sampled_from(Place),
    changed_at=st.integers(-100_000, 0).map(lambda seconds: AT + timedelta(seconds=seconds)),
    bytes=st.integers(0, 3),
    declared_bytes=st.none() | st.integers(0, 3),
    named=st.booleans(),
    temporary=st.booleans(),
    companion=st.booleans(),
    known=st.booleans(),
    shown=st.booleans(),
    marker_missing=st.booleans(),
    companion_open=st.booleans(),
)
rules = st.builds(
    lambda settle, more, last: Intake(
        settle_seconds=settle, incomplete_after=settle + more, abandoned_after=settle + more + last
    ),
    st.integers(0, 5),
    st.integers(0, 1000),
    st.integers(0, 1000),
)


@given(facts, rules)
@settings(derandomize=True, max_examples=1000, deadline=None)
def test_only_what_was_closed_and_has_a_name_of_its_own_is_ever_received(known, limits):
    decision = decide(known, limits, AT)
    if decision.verdict is Verdict.RECEIVE:
        assert known.place is Place.CLOSED
        assert not known.temporary and not known.companion
        assert known.declared_bytes is None or known.bytes >= known.declared_bytes
        assert not known.named or not (known.marker_missing or known.companion_open)
        assert not known.named or AT - known.changed_at >= timedelta(seconds=limits.settle_seconds)


@given(facts, rules)
@settings(derandomize=True, max_examples=1000, deadline=None)
def test_who_waits_says_until_when_unless_another_step_comes_first(known, limits):
    decision = decide(known, limits, AT)
    if decision.verdict is not Verdict.WAIT:
        assert decision.due_at is None
    elif decision.due_at is None:
        assert known.place not in {Place.CLOSED, Place.DROPPED} or known.shown
    else:
        assert decision.due_at > AT


@given(facts, rules, st.integers(0, 100_000))
@settings(derandomize=True, max_examples=1000, deadline=None)
def test_a_decision_does_not_change_while_only_time_passes_except_by_ending_a_wait(known, limits, seconds):
    first, later = decide(known, limits, AT), decide(known, limits, AT + timedelta(seconds=seconds))
    if first.verdict is not Verdict.WAIT:
        assert later.verdict is first.verdict
    elif first.due_at is not None and AT + timedelta(seconds=seconds) < first.due_at:
        assert later == first
