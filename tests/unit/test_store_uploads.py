"""The history and its verbs: publish, hold, supersede, approve, refuse, retry, roll back, list."""

import itertools
from datetime import timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from sftp_gateway import receipt
from sftp_gateway.errors import LeaseLost, NotFound, Unavailable, WrongState
from sftp_gateway.store import brands, expiry, files, history, jobs, tables, unfinished, uploads, versions, withheld
from sftp_gateway.store.files import Folder, NewFile
from sftp_gateway.store.jobs import Finish, Kind
from sftp_gateway.store.versions import NewVersion, Origin
from sftp_gateway.store.withheld import Withheld
from sftp_gateway.upload import TRANSITIONS, Mode, State, may_move
from tests import sent

REASONS = ({"code": "reject_share", "figure": 0.5, "limit": 0.1, "text": "half is bad"},)


class Desk:
    """A worker of few words for one brand."""

    def __init__(self, store, clock):
        self.store, self.clock, self.names = store, clock, itertools.count()
        brands.create(store, "acme")

    def receive(self, mode=Mode.FULL, path="inbox/a.csv", sha256=None):
        sha256 = sha256 or f"{next(self.names):064x}"
        said = {"mode": mode, "sha256": sha256, "bytes": 3, "via": "sftp", "complete": False}
        return sent.receive(self.store, path=path, client={"session": "s1"}, **said).id

    def claim(self):
        return jobs.claim(self.store, owner="me", lease_seconds=20)

    def end(self, state, *, claimed=None, mode=Mode.FULL, **more):
        claimed = claimed or self.claim()
        if state is State.PUBLISHED and "version" not in more:
            more["version"] = self.version()
        found = {"rows": {"accepted": 2}, "findings": [{"code": "FIELD_GTIN"}], "times": {}}
        more.setdefault("receipt", found)
        jobs.finish(self.store, claimed.id, claimed.token, Finish(state, mode=mode, **more))
        return claimed.upload.id

    def version(self, **more):
        number = brands.get(self.store, "acme").current_version + 1
        defaults = {
            "file": f"acme/{next(self.names)}.parquet",
            "file_bytes": 9,
            "products": 2,
            "columns": ("sku", "name"),
        }
        return NewVersion(number=number, **(defaults | more))

    def held(self, **more):
        upload = self.receive(**more)
        assert self.end(State.HELD, reasons=REASONS, mode=more.get("mode", Mode.FULL)) == upload
        return upload

    def withholds(self, products=60):
        upload = self.receive()
        self.end(
            State.PUBLISHED,
            keeps_withheld=False,
            withheld=Withheld(upload, f"acme/{upload}.keys", products, self.clock(), "aa"),
        )
        return upload

    def state(self, upload):
        return uploads.get(self.store, upload).state


@pytest.fixture
def desk(store, clock):
    return Desk(store, clock)


def test_a_received_upload_has_all_that_was_known(store, desk, clock):
    upload = uploads.get(store, desk.receive(path="partial/sub/a b.csv", mode=Mode.PARTIAL))
    assert (upload.state, upload.mode, upload.path, upload.name) == (
        State.RECEIVED,
        Mode.PARTIAL,
        "partial/sub/a b.csv",
        "a b.csv",
    )
    assert (upload.bytes, upload.via, upload.complete, upload.received_at) == (3, "sftp", False, clock())
    assert upload.client == {"session": "s1"}
    assert receipt.of(upload)["state"] == "received"
    with pytest.raises(NotFound, match="no upload 99"):
        uploads.get(store, 99)


def test_a_publish_moves_the_pointer_the_receipt_the_files_and_the_state_together(store, desk, clock):
    upload = desk.receive()
    clock.jump(3)
    claimed = desk.claim()
    clock.jump(4)
    new = desk.version(sha256="ab", rules="r1", mode="full", counts={"created": 2})
    listed = NewFile(Folder.ERRORS, "a.csv.1.errors.csv", "results", "1-x/e.csv", 10)
    with capture_logs() as lines:
        desk.end(State.PUBLISHED, claimed=claimed, version=new, files=(listed,), base_version=0, ends_with_newline=True)
    found = uploads.get(store, upload)
    assert (found.state, found.version, found.base_version, found.finished_at) == (State.PUBLISHED, 1, 0, clock())
    assert found.receipt["findings"] == [{"code": "FIELD_GTIN"}]
    assert (found.receipt["state"], found.receipt["version"]) == ("published", 1)
    assert found.receipt["times"]["finished"] == "2026-01-05T12:00:07.000Z"
    current = versions.current(store, "acme")
    assert (current.number, current.upload, current.file, current.columns) == (1, upload, new.file, ("sku", "name"))
    assert (current.sha256, current.rules, current.origin, current.counts) == (
        "ab",
        "r1",
        Origin.UPLOAD,
        {"created": 2},
    )
    assert versions.told_codes(store, current) == {"FIELD_GTIN"}
    assert brands.ends_with_newline(store, "acme")
    assert files.get(store, "acme", "errors", "a.csv.1.errors.csv").blob == "1-x/e.csv"
    assert [file.name for file in files.of_upload(store, upload)] == ["a.csv.1.errors.csv"]
    (line,) = lines
    assert (line["event"], line["upload"], line["brand"], line["version"]) == ("upload.published", upload, "acme", 1)


def test_a_publish_that_does_not_follow_the_current_version_changes_nothing(store, desk):
    desk.receive()
    desk.end(State.PUBLISHED)
    upload = desk.receive()
    claimed = desk.claim()
    for number in (1, 3):
        with pytest.raises(LeaseLost, match="does not follow"):
            desk.end(State.PUBLISHED, claimed=claimed, version=NewVersion(number, "f", 1, 1, ("sku",)))
    assert desk.state(upload) is State.PROCESSING
    assert brands.get(store, "acme").current_version == 1
    desk.end(State.PUBLISHED, claimed=claimed)
    assert [v.number for v in versions.listing(store, "acme")] == [2, 1]


def test_the_file_of_an_older_catalog_is_one_that_was_sent_as_a_whole_catalog(store, desk):
    for mode in ("full", "partial", "correction", "full", "full"):
        desk.receive()
        desk.end(State.PUBLISHED, version=desk.version(sha256="s", mode=mode))
    assert versions.older_sources(store, "acme", "s") == ((1, "s"), (4, "s"))
    assert versions.older_sources(store, "acme", "other") == ()


def test_versions_are_listed_newest_first_and_found(store, desk):
    assert versions.current(store, "acme") is None
    for _ in range(3):
        desk.receive()
        desk.end(State.PUBLISHED)
    assert [v.number for v in versions.listing(store, "acme", limit=2)] == [3, 2]
    assert [v.number for v in versions.listing(store, "acme", before=2)] == [1]
    assert [v.number for v in versions.later_than(store, "acme", 1)] == [2, 3]
    with pytest.raises(NotFound, match="no version 4"):
        versions.get(store, "acme", 4)


@pytest.mark.parametrize("state", [State.PUBLISHED, State.HELD])
def test_a_later_full_file_that_comes_through_supersedes_what_was_held(store, desk, state):
    old, partial = desk.held(), desk.held(mode=Mode.PARTIAL)
    later = desk.receive()
    desk.end(state)
    assert [desk.state(u) for u in (old, partial, later)] == [State.SUPERSEDED, State.SUPERSEDED, state]
    assert uploads.events(store, old)[-1].detail["superseded_by"] == later


@pytest.mark.parametrize("state", [State.REFUSED, State.UNCHANGED, State.TESTED])
def test_a_later_file_that_does_not_come_through_leaves_a_hold_alone(store, desk, state):
    held = desk.held()
    desk.receive()
    desk.end(state)
    assert desk.state(held) is State.HELD


@pytest.mark.parametrize("mode", [Mode.PARTIAL, Mode.CORRECTION])
def test_a_later_file_of_another_mode_leaves_a_hold_alone(store, desk, mode):
    held = desk.held()
    desk.receive()
    desk.end(State.PUBLISHED, mode=mode)
    assert desk.state(held) is State.HELD


def test_an_approved_older_hold_does_not_supersede_a_later_one(store, desk):
    first = desk.held(mode=Mode.FULL)
    later = desk.held(mode=Mode.PARTIAL)
    uploads.approve(store, first, "ops")
    desk.end(State.PUBLISHED)
    assert desk.state(first) is State.PUBLISHED
    assert desk.state(later) is State.HELD


def test_a_correction_of_a_held_upload_supersedes_it(store, desk):
    held = desk.held()
    desk.receive()
    desk.end(State.PUBLISHED, mode=Mode.CORRECTION, corrects_held=held)
    assert desk.state(held) is State.SUPERSEDED


@pytest.mark.parametrize("verb", [uploads.refuse, uploads.approve])
def test_the_rows_of_a_held_upload_do_not_go_live_by_a_correction_if_it_was_decided_on_meanwhile(store, desk, verb):
    """They did: whoever refused it while the correction was worked on saw all of it published."""
    held, fix = desk.held(), desk.receive()
    claimed = desk.claim()
    assert claimed.upload.id == fix
    verb(store, held, "ops")
    with pytest.raises(Unavailable, match=f"upload {held} is "):
        desk.end(State.PUBLISHED, claimed=claimed, mode=Mode.CORRECTION, corrects_held=held)
    assert (desk.state(fix), versions.current(store, "acme")) == (State.PROCESSING, None)
    desk.end(State.PUBLISHED, claimed=claimed, mode=Mode.CORRECTION)
    assert desk.state(held) is (State.REFUSED if verb is uploads.refuse else State.RECEIVED)


def test_approving_a_hold_waives_its_reasons_and_runs_it_in_turn(store, desk):
    held, waiting = desk.held(), desk.receive()
    assert uploads.approve(store, held, "ops") is None
    found = uploads.get(store, held)
    assert (found.state, found.waived) == (State.RECEIVED, ("reject_share",))
    assert found.complete, "it was found whole when it was held"
    assert desk.end(State.UNCHANGED) == waiting
    claimed = desk.claim()
    assert claimed.upload.waived == ("reject_share",)
    desk.end(State.HELD, claimed=claimed, reasons=({"code": "price_move"},))
    uploads.approve(store, held, "ops")
    assert uploads.get(store, held).waived == ("price_move", "reject_share")
    assert [event.by for event in uploads.events(store, held)].count("ops") == 2


def test_refusing_a_hold_ends_it(store, desk):
    held = desk.held()
    uploads.refuse(store, held, "ops")
    assert desk.state(held) is State.REFUSED
    for verb in (uploads.approve, uploads.refuse):
        with pytest.raises(WrongState, match=f"upload {held} is refused"):
            verb(store, held, "ops")


@pytest.mark.parametrize("verb", [uploads.approve, uploads.refuse, uploads.retry])
def test_a_verb_that_does_not_apply_says_so(store, desk, verb):
    upload = desk.receive()
    with pytest.raises(WrongState, match="is received"):
        verb(store, upload, "ops")
    with pytest.raises(NotFound):
        verb(store, 99, "ops")


def test_withheld_removals_are_released_by_a_job_that_makes_a_version_without_an_upload(store, desk):
    upload = desk.withholds()
    assert withheld.get(store, "acme").products == 60
    job = uploads.approve(store, upload, "ops")
    with pytest.raises(WrongState, match="approved already"):
        uploads.approve(store, upload, "ops")
    with pytest.raises(WrongState, match="approved already"):
        uploads.refuse(store, upload, "ops")
    claimed = desk.claim()
    assert (claimed.id, claimed.kind, claimed.upload.id) == (job, Kind.RELEASE, upload)
    assert claimed.upload.state is State.PUBLISHED
    done = Finish(None, version=desk.version(origin=Origin.RELEASE), keeps_withheld=False, result={"version": 2})
    jobs.finish(store, claimed.id, claimed.token, done)
    assert versions.current(store, "acme").upload is None
    assert withheld.get(store, "acme") is None
    assert desk.state(upload) is State.PUBLISHED
    assert uploads.get(store, upload).version == 1
    assert jobs.get(store, job).result == {"version": 2}


def test_a_version_made_of_large_ones_leaves_the_slot_for_small_files_to_them(store, desk):
    """A release and a rollback had no size, so that they took it, and another brand's 200 rows waited for them."""
    upload = desk.receive()
    kept = Withheld(upload, f"acme/{upload}.keys", 60, desk.clock(), "aa")
    desk.end(State.PUBLISHED, keeps_withheld=False, withheld=kept, version=desk.version(file_bytes=1 << 32))
    asked = uploads.approve(store, upload, "ops"), versions.roll_back(store, "acme", 1, "ops")
    for job in asked:
        assert jobs.claim(store, owner="small", lease_seconds=20, max_bytes=16 << 20) is None
        claimed = desk.claim()
        assert claimed.id == job
        jobs.finish(
            store, claimed.id, claimed.token, Finish(None, version=desk.version(origin=Origin.RELEASE), result={})
        )


def test_refusing_withheld_removals_keeps_the_products(store, desk):
    upload = desk.withholds()
    uploads.refuse(store, upload, "ops")
    assert withheld.get(store, "acme") is None
    assert desk.state(upload) is State.PUBLISHED
    with pytest.raises(WrongState, match="nothing to approve"):
        uploads.approve(store, upload, "ops")


def test_only_the_latest_full_upload_answers_for_what_is_withheld(store, desk):
    first, second = desk.withholds(), desk.withholds()
    with pytest.raises(WrongState):
        uploads.approve(store, first, "ops")
    desk.receive(mode=Mode.PARTIAL)
    desk.end(State.PUBLISHED, mode=Mode.PARTIAL)
    assert uploads.approve(store, second, "ops") is not None


def test_a_full_file_that_withholds_nothing_empties_the_set(store, desk):
    desk.withholds()
    desk.receive()
    desk.end(State.PUBLISHED, keeps_withheld=False)
    assert withheld.get(store, "acme") is None


def test_a_failed_upload_is_retried_itself(store, desk):
    upload = desk.receive()
    claimed = desk.claim()
    jobs.hand_back(store, claimed.id, claimed.token, error="x", tries=1)
    assert desk.state(upload) is State.FAILED
    again = uploads.retry(store, upload, "ops")
    assert (again.id, again.state, again.reasons) == (upload, State.RECEIVED, ())
    assert desk.end(State.PUBLISHED) == upload


def test_an_approved_upload_that_fails_names_that_fault_and_no_longer_why_it_was_held(store, desk):
    held = desk.receive()
    desk.end(State.HELD, reasons=REASONS)
    uploads.approve(store, held, "ops")
    claimed = desk.claim()
    jobs.hand_back(store, claimed.id, claimed.token, error="child died", tries=1)
    told = receipt.of(uploads.get(store, held))
    assert told["state"] == "failed"
    [reason] = told["reasons"]
    assert "child died" in reason["text"]


@pytest.mark.parametrize("state", [State.REFUSED, State.HELD])
def test_a_refused_or_held_upload_is_retried_as_a_new_one_of_the_same_bytes(store, desk, state):
    old = desk.receive(sha256="cd" * 32)
    desk.end(state)
    again = uploads.retry(store, old, "ops")
    assert (again.state, again.source_upload, again.sha256, again.path) == (
        State.RECEIVED,
        old,
        "cd" * 32,
        "inbox/a.csv",
    )
    assert again.id != old
    assert again.complete is (state is State.HELD), "it was found whole"
    assert desk.state(old) is state
    desk.end(State.PUBLISHED)
    assert desk.state(old) is (State.SUPERSEDED if state is State.HELD else State.REFUSED)


def test_a_retry_goes_in_as_it_was_sent_before_the_file_told_that_it_is_a_correction(store, desk):
    for path, mode in (("inbox/c.csv", Mode.FULL), ("partial/c.csv", Mode.PARTIAL)):
        old = desk.receive(path=path, mode=mode)
        desk.end(State.REFUSED, mode=Mode.CORRECTION)
        assert uploads.get(store, old).mode is Mode.CORRECTION
        assert uploads.retry(store, old, "ops").mode is mode
        desk.end(State.REFUSED)


def test_bytes_that_retention_removed_cannot_be_retried(store, desk, clock):
    old = desk.receive()
    desk.end(State.REFUSED)
    clock.jump(10)
    assert expiry.sources(store, clock()) == 1
    with pytest.raises(WrongState, match="send the file again"):
        uploads.retry(store, old, "ops")


def test_a_rollback_is_a_job_in_the_brands_turn(store, desk):
    desk.receive()
    desk.end(State.PUBLISHED)
    before = desk.receive()
    job = versions.roll_back(store, "acme", 1, "ops")
    assert desk.end(State.PUBLISHED) == before
    claimed = desk.claim()
    assert (claimed.id, claimed.kind, claimed.upload, claimed.args) == (job, Kind.ROLLBACK, None, {"number": 1})
    jobs.finish(store, job, claimed.token, Finish(None, version=desk.version(origin=Origin.ROLLBACK, of=1)))
    current = versions.current(store, "acme")
    assert (current.number, current.origin, current.of, current.upload) == (3, Origin.ROLLBACK, 1, None)
    with pytest.raises(NotFound):
        versions.roll_back(store, "acme", 9, "ops")


def test_a_rollback_that_cannot_be_done_ends_and_frees_the_brand(store, desk):
    desk.receive()
    desk.end(State.PUBLISHED)
    job = versions.roll_back(store, "acme", 1, "ops")
    after = desk.receive()
    claimed = desk.claim()
    assert jobs.hand_back(store, job, claimed.token, error="no disk", tries=1) is State.FAILED
    assert jobs.get(store, job).error == "no disk"
    assert desk.claim().upload.id == after


def test_an_unfinished_upload_is_in_the_history_at_once_and_joins_the_queue_when_finished(store, desk, clock):
    with store.write() as tx:
        new = sent.new(store, sha256="", bytes=5, via="sftp", complete=False)
        upload = uploads.insert(tx, "acme", new, State.UNFINISHED)
    assert desk.claim() is None
    assert [u.state for u in uploads.listing(store)[0]] == [State.UNFINISHED]
    with store.write() as tx:
        uploads.move(tx, upload, State.RECEIVING)
    assert uploads.listing(store)[0] == [], "receiving is never listed"
    with store.write() as tx:
        uploads.move(tx, upload, State.RECEIVED, sha256="ee", bytes=2_000, received_at=clock())
    assert jobs.claim(store, owner="me", lease_seconds=20, max_bytes=2_000) is None
    claimed = desk.claim()
    assert (claimed.upload.id, claimed.upload.sha256, claimed.upload.bytes) == (upload, "ee", 2_000)
    desk.end(State.UNFINISHED, claimed=claimed)
    assert desk.state(upload) is State.UNFINISHED


def test_all_unfinished_uploads_are_looked_at_however_many(store, desk):
    """Of those beyond a first thousand nobody would be told before the others are given up, a day later."""
    with store.write() as tx:
        ids = uploads.insert_all(tx, "acme", [sent.new(store) for _ in range(1003)], State.UNFINISHED)
    seen = []
    for upload, since, row in unfinished.listed(store):
        assert (since, row) == (desk.clock(), None)
        seen.append(upload.id)
    assert seen == ids


def test_no_step_outside_the_table_is_taken(store, desk):
    upload = desk.receive()
    for target in set(State) - TRANSITIONS[State.RECEIVED]:
        assert not may_move(State.RECEIVED, target)
        with pytest.raises(WrongState), store.write() as tx:
            uploads.move(tx, upload, target)
    assert desk.state(upload) is State.RECEIVED


def test_lists_are_paged_by_key_newest_first(store, desk, clock):
    ids = []
    for number in range(7):
        ids.append(desk.receive())
        desk.end(State.REFUSED if number % 3 == 0 else State.UNCHANGED)
        clock.jump(60)
    newest = ids[::-1]
    seen, cursor = [], None
    while True:
        page, cursor = uploads.listing(store, limit=3, before=cursor)
        seen += [u.id for u in page]
        if cursor is None:
            break
    assert seen == newest
    assert [u.id for u in uploads.listing(store, states=(State.REFUSED,))[0]] == [ids[6], ids[3], ids[0]]
    assert [u.id for u in uploads.listing(store, states=(State.REFUSED, State.UNCHANGED), limit=2)[0]] == newest[:2]
    page, cursor = uploads.listing(store, states=(State.REFUSED,), limit=2)
    assert cursor == ids[3]
    assert [u.id for u in uploads.listing(store, states=(State.REFUSED,), before=cursor)[0]] == [ids[0]]
    since = clock() - timedelta(seconds=120)
    assert [u.id for u in uploads.listing(store, brand="acme", since=since)[0]] == newest[:2]
    assert uploads.listing(store, since=clock())[0] == []
    assert uploads.listing(store, brand="nobody") == ([], None)
    assert uploads.listing(store, limit=0) == ([], None)


@pytest.mark.parametrize("near", [1, 3, 5000])
def test_what_came_since_is_found_however_far_back_it_lies(store, clock, monkeypatch, near):
    monkeypatch.setattr(history, "NEAR", near)
    brands.create(store, "acme")
    # The third was resumed: it came after those that have higher numbers.
    came = {sent.receive(store, received_at=clock() + timedelta(hours=hours)).id: hours for hours in (0, 1, 5, 2, 3, 4)}
    for hours, limit in itertools.product(range(7), (1, 2, 6)):
        found, before = [], None
        while True:
            since = clock() + timedelta(hours=hours)
            page, before = uploads.listing(store, since=since, limit=limit, before=before)
            found += [one.id for one in page]
            if before is None:
                break
        assert found == sorted((upload for upload, at in came.items() if at >= hours), reverse=True)


def test_lists_leave_findings_out_and_the_receipt_has_them(store, desk):
    upload = desk.receive()
    desk.end(State.UNCHANGED)
    (listed,) = uploads.listing(store)[0]
    assert "findings" not in listed.receipt
    assert receipt.listed(listed)["rows"]["accepted"] == 2
    assert uploads.get(store, upload).receipt["findings"]


def test_a_file_is_replaced_in_one_step(store, desk):
    with store.write() as tx:
        assert files.replace(tx, "acme", NewFile("", "history.csv", "results", "h1", 1)) is None
    with store.write() as tx:
        assert files.replace(tx, "acme", NewFile("", "history.csv", "results", "h2", 2)).blob == "h1"
    assert [(f.name, f.blob) for f in files.listing(store, "acme", "")] == [("history.csv", "h2")]
    with pytest.raises(NotFound, match="other"):
        files.get(store, "acme", "", "other.csv")


def test_every_state_change_has_its_event_row(store, desk):
    held = desk.held()
    uploads.approve(store, held, "ops")
    desk.end(State.PUBLISHED)
    timeline = uploads.events(store, held)
    assert [event.event for event in timeline] == [
        "upload.received", "upload.processing", "upload.held", "upload.received", "upload.processing", "upload.published",
    ]  # fmt: skip
    assert timeline[2].detail["reasons"] == ["reject_share"]
    with store.read() as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(tables.event)).scalar_one() == 7
