"""The queue against a small model of it: whatever happens in whatever order, the two agree."""

import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sftp_gateway.errors import LeaseLost, WrongState
from sftp_gateway.store import brands, database, jobs, tables, takeover, uploads
from sftp_gateway.store.jobs import Finish
from sftp_gateway.store.versions import NewVersion
from sftp_gateway.upload import Mode, State
from tests import sent

BRANDS = ("a", "b", "c")
LEASE, TRIES, BACKOFF = 20, 3, 5
MEMORY = next((path for path in ("/dev/shm",) if Path(path).is_dir()), None)  # thousands of commits, no need of a disk
NUMBER = st.integers(0, 10_000)

_versions, _jobs = tables.version.c, tables.job.c
STATES = sa.select(tables.upload.c.id, tables.upload.c.state)
VERSIONS = sa.select(_versions.brand, _versions.number, _versions.upload).order_by(_versions.number)
CURRENT = sa.select(tables.brand.c.name, tables.brand.c.current_version)
WORK = sa.select(_jobs.brand, _jobs.upload, _jobs.place).where(_jobs.place != "done").order_by(_jobs.id)


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
    takeovers: dict[int, int] = field(default_factory=dict)
    count: int = 0

    def enqueue(self, upload: int, now: datetime) -> None:
        self.lines[self.brand[upload]].append(upload)
        self.states[upload], self.due[upload], self.failures[upload] = State.RECEIVED, now, 0
        self.takeovers[upload] = 0
        self.count += 1
        self.queued[upload] = self.count

    def next(self, now: datetime) -> int | None:
        for upload, (_, lease) in list(self.running.items()):
            if lease >= now:
                continue
            self.takeovers[upload] += 1
            if self.takeovers[upload] > takeover.TAKEOVERS_LIMIT:
                self.leave(upload, State.FAILED)  # a file that takes its workers with it must not hold up its brand
                continue
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


def lease_of(claimed):
    """What a claim is held by: an approved upload gets another job, whose tokens begin anew."""
    return claimed.id, claimed.token


class Queue(RuleBasedStateMachine):
    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="queue-", dir=MEMORY))
        shutil.copyfile(self.template, self.directory / "gateway.db")
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.store = database.open_store(f"sqlite:///{self.directory}/gateway.db", now=lambda: self.now)
        for brand in BRANDS:
            brands.create(self.store, brand)
        self.model = Model()
        self.claims: list[jobs.Claimed] = []

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.directory)

    @initialize(brands=st.lists(st.sampled_from(BRANDS), min_size=3, max_size=6))
    def begin(self, brands):
        for brand in brands:
            self.receive(brand, Mode.FULL)

    @rule(brand=st.sampled_from(BRANDS), mode=st.sampled_from([Mode.FULL, Mode.PARTIAL]))
    def receive(self, brand, mode):
        upload = sent.receive(self.store, brand, mode=mode).id
        self.model.brand[upload], self.model.modes[upload] = brand, mode
        self.model.arrived.append(upload)
        self.model.enqueue(upload, self.now)

    @precondition(lambda self: any(self.model.lines.values()))
    @rule()
    def claim_past_every_lease(self):
        """A late owner is about to come back."""
        self.now += timedelta(seconds=LEASE + 1)
        self.claim()

    @precondition(lambda self: any(self.model.lines.values()))
    @rule()
    def claim(self):
        claimed = jobs.claim(self.store, owner="somebody", lease_seconds=LEASE)
        expected = self.model.next(self.now)
        assert (claimed and claimed.upload.id) == expected
        if claimed is None:
            return
        self.model.running[expected] = (lease_of(claimed), self.now + timedelta(seconds=LEASE))
        self.model.states[expected] = State.PROCESSING
        self.claims.append(claimed)

    @precondition(lambda self: self.claims)
    @rule(which=NUMBER, state=st.sampled_from([State.PUBLISHED, State.HELD, State.REFUSED, State.UNCHANGED]))
    def finish(self, which, state):
        claimed = self.claims.pop(which % len(self.claims))
        upload, brand = claimed.upload.id, claimed.brand
        number = len(self.model.published[brand]) + 1
        version = NewVersion(number, f"{brand}/{number}", 1, 1, ("sku",)) if state is State.PUBLISHED else None
        end = Finish(state, version=version, mode=claimed.upload.mode, reasons=({"code": "price_move"},))
        if self.model.running.get(upload, (None, None))[0] != lease_of(claimed):
            with pytest.raises(LeaseLost):
                jobs.finish(self.store, claimed.id, claimed.token, end)
            return
        jobs.finish(self.store, claimed.id, claimed.token, end)
        jobs.finish(self.store, claimed.id, claimed.token, end)
        self.model.leave(upload, state)
        if version:
            self.model.published[brand].append(upload)

    @precondition(lambda self: self.claims)
    @rule(which=NUMBER, shutdown=st.booleans())
    def hand_back(self, which, shutdown):
        claimed = self.claims.pop(which % len(self.claims))
        upload, model = claimed.upload.id, self.model
        more = {"error": "x", "tries": TRIES, "backoff_seconds": BACKOFF, "shutdown": shutdown}
        if model.running.get(upload, (None, None))[0] != lease_of(claimed):
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

    @precondition(lambda self: self.claims)
    @rule(which=NUMBER)
    def beat(self, which):
        claimed = self.claims[which % len(self.claims)]
        upload = claimed.upload.id
        if self.model.running.get(upload, (None, None))[0] == lease_of(claimed):
            jobs.beat(self.store, claimed.id, claimed.token, LEASE)
            self.model.running[upload] = (lease_of(claimed), self.now + timedelta(seconds=LEASE))
        else:
            with pytest.raises(LeaseLost):
                jobs.beat(self.store, claimed.id, claimed.token, LEASE)

    @rule(seconds=st.sampled_from([1, 6, 11, 21, 600]))
    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)

    @rule(which=NUMBER, verb=st.sampled_from(["approve", "refuse", "retry"]))
    def decide(self, which, verb):
        # Mostly one that waits for a decision, so that the verbs apply.
        open_ones = [u for u, state in self.model.states.items() if state in {State.HELD, State.FAILED, State.REFUSED}]
        upload = (open_ones * 3 + sorted(self.model.states))[which % (3 * len(open_ones) + len(self.model.states))]
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
    def the_store_is_as_the_model_says(self):
        """States, versions without a gap in the order of their publishing, one job each, one head a brand."""
        with self.store.read() as conn:
            states = dict(conn.execute(STATES).all())
            made = conn.execute(VERSIONS).all()
            current = dict(conn.execute(CURRENT).all())
            work = conn.execute(WORK).all()
        assert states == self.model.states
        for brand in BRANDS:
            published = self.model.published[brand]
            assert [(number, upload) for of, number, upload in made if of == brand] == list(
                enumerate(published, start=1)
            )
            assert current[brand] == len(published)
            line = self.model.lines[brand]
            assert [upload for of, upload, _ in work if of == brand] == line
            places = [place for of, _, place in work if of == brand]
            assert [place != "waiting" for place in places] == [position == 0 for position in range(len(line))]


def run(template: Path, examples: int, steps: int) -> None:
    Queue.template = template
    run_state_machine_as_test(
        Queue,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=True,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_queue_does_what_its_model_does(sqlite_template):
    run(sqlite_template, examples=40, steps=40)


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_the_queue_does_what_its_model_does_for_long(sqlite_template):
    run(sqlite_template, examples=1000, steps=50)
