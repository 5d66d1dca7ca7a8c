"""The queue: order, one at a time per brand, leases, tokens, takeover, back-off."""

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from sftp_gateway.errors import LeaseLost, NotFound
from sftp_gateway.store import brands, jobs, tables, takeover, uploads, workers
from sftp_gateway.store.jobs import Finish, Place
from sftp_gateway.upload import Mode, State
from tests import sent

ME = "worker-1"


@pytest.fixture
def receive(store, clock):
    def made(brand="acme", size=10, mode=Mode.FULL):
        if brand not in {b.name for b in brands.all_brands(store)}:
            brands.create(store, brand)
        return sent.receive(store, brand, mode=mode, bytes=size, via="sftp", complete=False).id

    return made


def claim(store, owner=ME, **more):
    return jobs.claim(store, owner=owner, lease_seconds=20, **more)


def end(store, claimed, state=State.UNCHANGED):
    jobs.finish(store, claimed.id, claimed.token, Finish(state))


def states(store):
    return [upload.state for upload in reversed(uploads.listing(store)[0])]


def test_uploads_of_a_brand_run_one_at_a_time_in_order_of_arrival(store, receive):
    ids = [receive() for _ in range(3)]
    seen = []
    while claimed := claim(store):
        assert claim(store) is None, "the next waits for this one"
        assert claimed.upload.state is State.PROCESSING
        assert claimed.upload.started_at is not None
        seen.append(claimed.upload.id)
        end(store, claimed)
    assert seen == ids
    assert states(store) == [State.UNCHANGED] * 3


def test_brands_run_side_by_side_the_longest_waiting_first(store, receive):
    a, b, _ = receive("a"), receive("b"), receive("a")
    first, second = claim(store), claim(store)
    assert [first.upload.id, second.upload.id] == [a, b]
    assert claim(store) is None


def test_a_claim_may_be_for_one_brand_or_for_small_files(store, receive):
    receive("a", size=100)
    receive("b", size=10)
    assert claim(store, max_bytes=10) is None
    assert claim(store, max_bytes=11).brand == "b"
    assert claim(store, brand="b") is None
    assert claim(store, brand="a").brand == "a"


def test_an_upload_of_an_unknown_brand_is_not_received(store, clock):
    with pytest.raises(NotFound):
        sent.receive(store, "no")


def test_a_lapsed_lease_is_taken_over_and_the_late_owner_changes_nothing(store, receive, clock):
    upload = receive()
    late = claim(store)
    clock.jump(19)
    assert claim(store, "other") is None
    clock.jump(2)
    with capture_logs() as lines:
        taken = claim(store, "other")
    assert (taken.id, taken.attempt) == (late.id, 2)
    assert taken.token > late.token
    assert next(line for line in lines if line["event"] == "job.taken_over")["owner"] == ME
    for call in (
        lambda: jobs.beat(store, late.id, late.token, 20),
        lambda: jobs.finish(store, late.id, late.token, Finish(State.REFUSED)),
        lambda: jobs.hand_back(store, late.id, late.token, error="x"),
    ):
        with pytest.raises(LeaseLost):
            call()
    end(store, taken)
    assert uploads.get(store, upload).state is State.UNCHANGED
    assert [event.event for event in uploads.events(store, upload)] == [
        "upload.received", "upload.processing", "upload.received", "job.taken_over", "upload.processing", "upload.unchanged",
    ]  # fmt: skip


def test_a_beat_keeps_the_lease_and_tells_the_progress(store, receive, clock):
    receive()
    claimed = claim(store)
    for _ in range(3):
        clock.jump(15)
        jobs.beat(store, claimed.id, claimed.token, 20, progress=("check", 0.5))
    assert claim(store, "other") is None
    assert jobs.get(store, claimed.id).progress == {"stage": "check", "share": 0.5}


def test_the_job_of_a_dead_process_is_taken_over_at_once(store, receive):
    receive()
    host, space, _, _, _ = workers.me().split("|")
    dead = f"{host}|{space}|{2**22 + 1}|5|0"
    assert claim(store, dead) is not None
    assert claim(store, workers.me("0")) is not None


def test_a_lease_from_the_future_does_not_stop_a_brand(store, receive, clock):
    receive()
    claim(store)
    clock.jump(-365 * 24 * 3600)
    assert claim(store, "other") is not None


def test_a_back_off_from_the_future_does_not_stop_a_brand(store, receive, clock):
    receive()
    claimed = claim(store)
    jobs.hand_back(store, claimed.id, claimed.token, error="x")
    clock.jump(-365 * 24 * 3600)
    assert claim(store) is not None


def test_a_fault_of_ours_backs_off_doubling_and_keeps_the_place(store, receive, clock):
    first, second = receive(), receive()
    waits = []
    for _ in range(2):
        claimed = claim(store)
        assert claimed.upload.id == first
        assert (
            jobs.hand_back(store, claimed.id, claimed.token, error="child died", tries=3, backoff_seconds=5)
            is State.RECEIVED
        )
        job = jobs.get(store, claimed.id)
        assert (job.place, job.error, job.owner) == (Place.QUEUED, "child died", None)
        waits.append((job.run_at - clock()).total_seconds())
        assert claim(store) is None, "the next does not overtake"
        clock.jump(waits[-1])
    assert 4.5 <= waits[0] <= 5.5
    assert 9 <= waits[1] <= 11
    claimed = claim(store)
    assert jobs.hand_back(store, claimed.id, claimed.token, error="child died", tries=3) is State.FAILED
    failed = uploads.get(store, first)
    assert failed.state is State.FAILED
    assert "child died" in failed.reasons[0]["text"]
    assert claim(store).upload.id == second


def test_the_back_off_ends_at_a_quarter_of_an_hour(store, receive, clock):
    receive()
    for _ in range(12):
        claimed = claim(store)
        jobs.hand_back(store, claimed.id, claimed.token, error="x", tries=99)
        wait = (jobs.get(store, claimed.id).run_at - clock()).total_seconds()
        clock.jump(wait)
    assert 810 <= wait <= 990


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_world_that_is_away_for_weeks_is_waited_for(store, receive, clock):
    receive()
    for _ in range(1100):  # each of a quarter of an hour
        claimed = claim(store)
        jobs.hand_back(store, claimed.id, claimed.token, error="no room", tries=None)
        clock.jump(2000)
    assert claim(store) is not None


def test_a_shutdown_counts_no_try_and_waits_for_nothing(store, receive):
    receive()
    for _ in range(10):
        claimed = claim(store)
        assert jobs.hand_back(store, claimed.id, claimed.token, shutdown=True) is State.RECEIVED
    assert jobs.get(store, claimed.id).failures == 0


def test_a_job_that_kills_its_workers_again_and_again_fails_and_frees_the_brand(store, receive, clock):
    killer, after = receive(), receive()
    for _ in range(takeover.TAKEOVERS_LIMIT + 1):
        assert claim(store).upload.id == killer
        clock.jump(21)
    assert claim(store).upload.id == after
    assert uploads.get(store, killer).state is State.FAILED


def test_finishing_again_after_an_unknown_commit_changes_nothing(store, receive):
    upload = receive()
    claimed = claim(store)
    end(store, claimed)
    end(store, claimed)
    assert len(uploads.events(store, upload)) == 3


def test_a_second_head_is_impossible(store, receive):
    receive()
    receive()
    with pytest.raises(sa.exc.IntegrityError), store.write() as tx:
        tx.conn.execute(sa.update(tables.job).values(place=Place.QUEUED))


def test_a_brand_without_a_head_gets_one_with_the_next_upload(store, receive):
    first = receive()
    with store.write() as tx:
        tx.conn.execute(sa.update(tables.job).values(place=Place.WAITING))
    assert claim(store) is None
    receive()
    assert claim(store).upload.id == first


def test_pending_counts_what_is_not_done(store, receive, clock):
    oldest = clock()
    receive("a")
    clock.jump(5)
    for brand in ("a", "b", "b"):
        receive(brand)
    done = claim(store)
    found = jobs.pending(store)
    assert (found.queued, found.waiting, found.running, found.total) == (1, 2, 1, 4)
    assert found.oldest_at > oldest
    assert jobs.pending(store, "a").total == 2
    end(store, done)
    assert jobs.pending(store, "a").queued == 1
    assert jobs.pending(store, "nobody").oldest_at is None


def test_a_lease_too_long_to_tell_from_a_clock_set_back_is_refused(store, receive):
    receive()
    with pytest.raises(ValueError, match="a lease of"):
        jobs.claim(store, owner=ME, lease_seconds=7200)


def test_an_unknown_job_is_not_found(store):
    with pytest.raises(NotFound):
        jobs.get(store, 17)
    with pytest.raises(LeaseLost):
        jobs.finish(store, 17, 1, Finish(State.PUBLISHED))


def test_planner_answers_a_claim_from_the_partial_index(sqlite_store):
    statement = jobs._claiming(False, False).compile(dialect=sqlite_store._engine.dialect)
    with sqlite_store._engine.connect() as conn:
        plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(None for _ in statement.positiontup)).all()
    assert any("job_queued" in row[3] for row in plan), plan


def test_what_is_pending_is_counted_at_one_moment(store):
    """In two statements a job that moves from one place to the other would be in neither, and the work seem done."""
    asked = []
    sa.event.listen(store._reader, "before_cursor_execute", lambda *about: asked.append(about[2]))
    jobs.pending(store)
    assert len([statement for statement in asked if "job" in statement]) == 1
