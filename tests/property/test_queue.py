"""The queue against a small model of it: whatever happens in whatever order, the two agree."""

import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from sftp_gateway.errors import LeaseLost, WrongState
from sftp_gateway.store import brands, database, jobs, uploads, versions
from sftp_gateway.store.jobs import Finish
from sftp_gateway.store.versions import NewVersion
from sftp_gateway.upload import Mode, State

BRANDS = ("a", "b", "c")
LEASE, TRIES, BACKOFF = 20, 3, 5


@dataclass
class Model:
    """What must be true. `lines`: upload ids of a brand in order; the first is its head."""

    lines: dict[str, list[int]] = field(default_factory=lambda: {brand: [] for brand in BRANDS})
    states: dict[int, State] = field(default_factory=dict)
    modes: dict[int, Mode] = field(default_factory=dict)
    brand: dict[int, str] = field(default_factory=dict)
    running: dict[int, tuple[int, datetime]] = field(default_factory=dict)
    due: dict[int, datetime] = field(default_factory=dict)
    failures: dict[int, int] = field(default_factory=dict)
    queued: dict[int, int] = field(default_factory=dict)
    arrived: list[int] = field(default_factory=list)
    published: dict[str, list[int]] = field(default_factory=lambda: {brand: [] for brand in BRANDS})
    count: int = 0

    def enqueue(self, upload: int, now: datetime) -> None:
        self.lines[self.brand[upload]].append(upload)
        self.states[upload], self.due[upload], self.failures[upload] = State.RECEIVED, now, 0
        self.count += 1
        self.queued[upload] = self.count

    def next(self, now: datetime) -> int | None:
        for upload, (_, lease) in list(self.running.items()):
            if lease < now:
                del self.running[upload]
                self.states[upload] = State.RECEIVED
        heads = [line[0] for line in self.lines.values() if line]
        ready = [upload for upload in heads if upload not in self.running and self.due[upload] <= now]
        return min(ready, key=self.queued.__getitem__, default=None)

    def leave(self, upload: int, state: State) -> None:
        assert self.lines[self.brand[upload]].pop(0) == upload
        self.running.pop(upload)
        self.states[upload] = state
        if self.modes[upload] is Mode.FULL and state in {State.PUBLISHED, State.HELD}:
            for other in self.arrived[: self.arrived.index(upload)]:
                if self.brand[other] == self.brand[upload] and self.states[other] is State.HELD:
                    self.states[other] = State.SUPERSEDED


class Queue(RuleBasedStateMachine):
    template: Path

    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="queue-"))
        shutil.copyfile(self.template, self.directory / "gateway.db")
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.store = database.open_store(f"sqlite:///{self.directory}/gateway.db", now=lambda: self.now)
        for brand in BRANDS:
            brands.create(self.store, brand)
        self.model = Model()

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.directory)

    @rule(brand=st.sampled_from(BRANDS), mode=st.sampled_from([Mode.FULL, Mode.PARTIAL]))
    def receive(self, brand, mode):
        upload = uploads.receive(
            self.store,
            brand=brand,
            mode=mode,
            path="a.csv",
            sha256="x",
            bytes=1,
            via="cli",
            complete=True,
            received_at=self.now,
        ).id
        self.model.brand[upload], self.model.modes[upload] = brand, mode
        self.model.arrived.append(upload)
        self.model.enqueue(upload, self.now)

    @rule(target=claims)
    def claim(self):
        claimed = jobs.claim(self.store, owner="somebody", lease_seconds=LEASE)
        expected = self.model.next(self.now)
        assert (claimed and claimed.upload.id) == expected
        if claimed is None:
            return multiple()
        self.model.running[expected] = (claimed.token, self.now + timedelta(seconds=LEASE))
        self.model.states[expected] = State.PROCESSING
        return claimed

    @rule(
        claimed=consumes(claims), state=st.sampled_from([State.PUBLISHED, State.HELD, State.REFUSED, State.UNCHANGED])
    )
    def finish(self, claimed, state):
        upload, brand = claimed.upload.id, claimed.brand
        number = len(self.model.published[brand]) + 1
        version = NewVersion(number, f"{brand}/{number}", 1, 1, ("sku",)) if state is State.PUBLISHED else None
        end = Finish(state, version=version, mode=claimed.upload.mode, reasons=({"code": "price_move"},))
        if self.model.running.get(upload, (None, None))[0] != claimed.token:
            with pytest.raises(LeaseLost):
                jobs.finish(self.store, claimed.id, claimed.token, end)
            return
        jobs.finish(self.store, claimed.id, claimed.token, end)
        jobs.finish(self.store, claimed.id, claimed.token, end)
        self.model.leave(upload, state)
        if version:
            self.model.published[brand].append(upload)

    @rule(claimed=consumes(claims), shutdown=st.booleans())
    def hand_back(self, claimed, shutdown):
        upload, model = claimed.upload.id, self.model
        more = {"error": "x", "tries": TRIES, "backoff_seconds": BACKOFF, "shutdown": shutdown}
        if model.running.get(upload, (None, None))[0] != claimed.token:
            with pytest.raises(LeaseLost):
                jobs.hand_back(self.store, claimed.id, claimed.token, **more)
            return
        state = jobs.hand_back(self.store, claimed.id, claimed.token, **more)
        model.failures[upload] += not shutdown
        if model.failures[upload] >= TRIES and not shutdown:
            assert state is State.FAILED
            model.leave(upload, State.FAILED)
            return
        assert state is State.RECEIVED
        model.running.pop(upload)
        model.states[upload], model.due[upload] = state, jobs.get(self.store, claimed.id).run_at

    @rule(claimed=claims)
    def beat(self, claimed):
        upload = claimed.upload.id
        if self.model.running.get(upload, (None, None))[0] == claimed.token:
            jobs.beat(self.store, claimed.id, claimed.token, LEASE)
            self.model.running[upload] = (claimed.token, self.now + timedelta(seconds=LEASE))
        else:
            with pytest.raises(LeaseLost):
                jobs.beat(self.store, claimed.id, claimed.token, LEASE)

    @rule(seconds=st.sampled_from([1, 6, 11, 21, 600]))
    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)

    @rule(data=st.data(), verb=st.sampled_from(["approve", "refuse", "retry"]))
    def decide(self, data, verb):
        if not self.model.states:
            return
        upload = data.draw(st.sampled_from(sorted(self.model.states)))
        state, model = self.model.states[upload], self.model
        allowed = {"approve": {State.HELD}, "refuse": {State.HELD, State.FAILED}}
        allowed["retry"] = {State.HELD, State.FAILED, State.REFUSED}
        if state not in allowed[verb]:
            with pytest.raises(WrongState):
                getattr(uploads, verb)(self.store, upload, "ops")
            return
        made = getattr(uploads, verb)(self.store, upload, "ops")
        if verb == "refuse":
            model.states[upload] = State.REFUSED
        elif verb == "retry" and state is not State.FAILED:
            model.brand[made.id], model.modes[made.id] = model.brand[upload], model.modes[upload]
            model.arrived.append(made.id)
            model.enqueue(made.id, self.now)
        else:
            model.enqueue(upload, self.now)

    @invariant()
    def the_history_is_as_the_model_says(self):
        found = {upload.id: upload.state for upload in uploads.listing(self.store, limit=1000)[0]}
        assert found == self.model.states

    @invariant()
    def versions_have_no_gap_and_stand_in_the_order_of_their_publishing(self):
        for brand in BRANDS:
            made = [(v.number, v.upload) for v in reversed(versions.listing(self.store, brand))]
            assert made == list(enumerate(self.model.published[brand], start=1))
            assert brands.get(self.store, brand).current_version == len(made)

    @invariant()
    def open_uploads_have_one_job_each_and_brands_one_head(self):
        for brand in BRANDS:
            line, pending = self.model.lines[brand], jobs.pending(self.store, brand)
            assert pending.total == len(line)
            assert pending.queued + pending.running == min(len(line), 1)


def run(template: Path, examples: int, steps: int) -> None:
    Queue.template = template
    run_state_machine_as_test(
        Queue,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_queue_does_what_its_model_does(sqlite_template):
    run(sqlite_template, examples=25, steps=30)


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_the_queue_does_what_its_model_does_for_long(sqlite_template):
    run(sqlite_template, examples=1000, steps=50)
