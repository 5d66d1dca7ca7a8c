"""Who gets a brand's turn where its names tell an order, while several workers claim and files come: on both engines."""

import random
import threading
import time

import pytest

from sftp_gateway import upload_name
from sftp_gateway.brand import BrandSettings
from sftp_gateway.store import brands, jobs, uploads, workers
from sftp_gateway.upload import NAME_OLDER, Mode, State
from tests import sent

PATTERN = r"cat_(?P<sequence>\d+)\.csv"
SECONDS = 60


@pytest.fixture
def store(live_store):
    brands.create(live_store, "acme", BrandSettings(name_pattern=PATTERN))
    return live_store


def receive(store, *numbers):
    with store.write() as tx:
        return uploads.insert_all(tx, "acme", [sent.new(store, f"inbox/cat_{number:03}.csv") for number in numbers])


def claim(store, slot="test"):
    return jobs.claim(store, owner=workers.me(slot), lease_seconds=20)


def end(store, claimed):
    finish = jobs.Finish(state=State.UNCHANGED, receipt={"findings": []}, base_version=0, mode=Mode.FULL)
    jobs.finish(store, claimed.id, claimed.token, finish)


def states(store, ids):
    return [str(uploads.get(store, id_).state) for id_ in ids]


def test_a_worker_that_claims_while_an_older_file_comes_gets_that_one_or_none(store):
    """The file that was next lost its place in a transaction that nobody sees yet."""
    [newer] = receive(store, 2)
    got = []
    with store.write() as tx:
        [older] = uploads.insert_all(tx, "acme", [sent.new(store, "inbox/cat_001.csv")])
        thread = threading.Thread(target=lambda: got.append(claim(store)))
        thread.start()
        thread.join(0.5 if store.dialect == "postgresql" else 0)  # SQLite: it waits for our commit
    thread.join(SECONDS)
    [first] = got
    first = first or claim(store)
    assert first.upload.id == older
    assert claim(store) is None, "one of a brand at a time"
    end(store, first)
    second = claim(store)
    assert second.upload.id == newer
    end(store, second)
    assert (states(store, [older, newer]), jobs.pending(store).total) == (["unchanged", "unchanged"], 0)


def test_of_two_workers_that_claim_at_once_one_gets_the_older_file(store):
    newer, older = receive(store, 2, 1)
    both, got = threading.Barrier(2), []

    def work(slot):
        both.wait(SECONDS)
        got.append(claim(store, slot))

    threads = [threading.Thread(target=work, args=(slot,)) for slot in ("1", "2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    [claimed] = [one for one in got if one is not None]
    assert claimed.upload.id == older
    end(store, claimed)
    assert claim(store).upload.id == newer


class Race:
    """One thread that sends files in any order, and two that work them off; what happened, and what went wrong."""

    def __init__(self, store, seed):
        self.store, self.chance = store, random.Random(seed)
        self.numbers = self.chance.sample(range(100), 40)
        self.sent, self.ended, self.busy, self.failures = [], [], [], []
        self.all_sent = threading.Event()
        self.deadline = time.monotonic() + SECONDS

    def run(self):
        parts = [(self.send,), (self.work, "1", random.Random(10)), (self.work, "2", random.Random(20))]
        threads = [threading.Thread(target=self.guarded, args=part) for part in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS + 10)

    def guarded(self, part, *args):
        try:
            part(*args)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.failures.append(error)
            self.all_sent.set()

    def send(self):
        while self.numbers:
            some = [self.numbers.pop() for _ in range(min(len(self.numbers), self.chance.randint(1, 4)))]
            self.sent.extend(receive(self.store, *some))
        self.all_sent.set()

    def is_over(self):
        return self.all_sent.is_set() and jobs.pending(self.store).total == 0

    def work(self, slot, luck):
        while time.monotonic() < self.deadline and not self.is_over():
            claimed = claim(self.store, slot)
            if claimed is not None:
                self.have_turn(slot, claimed, stops=luck.random() < 0.2)

    def have_turn(self, slot, claimed, *, stops):
        """Work one file off, or hand it back as a worker does that is told to stop."""
        assert not self.busy, "two files of a brand at once"
        self.busy.append(slot)
        if not stops:
            self.ended.append(upload_name.key(claimed.upload.name, PATTERN))
        self.busy.remove(slot)
        if stops:
            jobs.hand_back(self.store, claimed.id, claimed.token, shutdown=True)
        else:
            end(self.store, claimed)


@pytest.mark.parametrize("seed", [1, 2])
def test_files_that_come_while_two_workers_claim_go_live_in_order_and_none_is_stuck(store, seed):
    """Each ends unchanged, or superseded by a newer one; what one worker ends is never older than what ended before."""
    race = Race(store, seed)
    race.run()
    assert race.failures == []
    assert jobs.pending(store).total == 0
    assert race.ended == sorted(race.ended)
    found = [uploads.get(store, id_) for id_ in race.sent]
    assert len(found) == 40
    assert {str(one.state) for one in found} <= {"unchanged", "superseded"}
    assert len(race.ended) == sum(one.state is State.UNCHANGED for one in found)
    assert race.ended[-1] == max(upload_name.key(one.name, PATTERN) for one in found)
    late = [one for one in found if one.state is State.SUPERSEDED]
    assert [reason["code"] for one in late for reason in one.reasons] == [NAME_OLDER] * len(late)
