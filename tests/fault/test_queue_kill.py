"""Four workers race while they are killed and stopped at random: order kept, nothing lost, nothing twice."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict

import pytest
import sqlalchemy as sa

from sftp_gateway.store import brands, database, jobs, tables, takeover
from sftp_gateway.upload import Mode, State
from tests import sent

BRANDS = [f"brand-{number}" for number in range(6)]

WORKER = """
import random, sys, time
from sftp_gateway import errors, logs
from sftp_gateway.store import brands, database, jobs, workers
from sftp_gateway.store.versions import NewVersion
from sftp_gateway.upload import State

logs.configure("critical")
store = database.open_store(sys.argv[1])
owner = workers.me("0")
print("ready", flush=True)
while True:
    try:
        claimed = jobs.claim(store, owner=owner, lease_seconds=3.0)
        if claimed is None:
            time.sleep(0.01)
            continue
        number = brands.get(store, claimed.brand).current_version + 1
        time.sleep(random.uniform(0, 0.01))
        version = NewVersion(number, f"{claimed.upload.id}-{claimed.token}", 1, 1, ("sku",))
        jobs.finish(store, claimed.id, claimed.token, jobs.Finish(State.PUBLISHED, version=version))
        print(claimed.upload.id, flush=True)
    except errors.LeaseLost:
        pass
    except errors.Unavailable:  # one that was stopped while it wrote holds the store; the worker waits, too
        time.sleep(0.1)
"""

RECEIVER = """
import sys, time
from sftp_gateway import logs
from sftp_gateway.store import database, uploads
from sftp_gateway.upload import Mode

logs.configure("critical")
store = database.open_store(sys.argv[1])
for number in range(10_000):
    brand = f"brand-{number % 6}"
    made = uploads.receive(store, brand, uploads.New(mode=Mode.PARTIAL, path="killed.csv", sha256="x", bytes=1, via="cli", complete=True, received_at=store.now()))
    print(made.id, flush=True)
    time.sleep(0.03)
"""


class Process:
    """A child that reports on its output; what it told before it was killed is kept."""

    def __init__(self, script: str, url: str) -> None:
        self.told: list[str] = []
        self.child = subprocess.Popen([sys.executable, "-c", script, url], stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        self.told.extend(line.strip() for line in self.child.stdout)

    def kill(self) -> None:
        self.child.kill()
        self.child.wait()
        self.reader.join()
        self.child.stdout.close()


def storm(url: str, each: int, kills: int, stops: int, seed: int) -> None:
    chance = random.Random(seed)
    store = database.open_store(url)
    for brand in BRANDS:
        brands.create(store, brand)
    given = []
    for _ in range(each):
        given += [receive(store, brand) for brand in BRANDS]
    receiver = Process(RECEIVER, url)
    crew = [Process(WORKER, url) for _ in range(4)]
    asleep: dict[int, threading.Timer] = {}
    deeds = ["kill"] * kills + ["stop"] * stops
    chance.shuffle(deeds)
    try:
        for deed in deeds:
            victim = wait_for_one_at_work(store, crew, asleep, chance)
            if deed == "kill":
                crew[victim].kill()
                crew[victim] = Process(WORKER, url)
            else:
                # Past its lease, then back, while others are hit: what it tries to finish must be refused.
                os.kill(crew[victim].child.pid, signal.SIGSTOP)
                asleep[victim] = threading.Timer(3.3, os.kill, (crew[victim].child.pid, signal.SIGCONT))
                asleep[victim].start()
        for waking in asleep.values():
            waking.join()
        receiver.kill()
        deadline = time.monotonic() + 300
        while jobs.pending(store).total:
            assert time.monotonic() < deadline, jobs.pending(store)
            time.sleep(0.02)
        assert [process.child.poll() for process in crew] == [None] * 4, "a worker ended that nobody killed"
    finally:
        for waking in asleep.values():
            waking.cancel()
            waking.join()
        for process in [*crew, receiver]:
            process.kill()
    check(store, given, [int(line) for line in receiver.told])
    store.close()


def receive(store, brand):
    return sent.receive(store, brand, mode=Mode.PARTIAL).id


def wait_for_one_at_work(store, crew, asleep, chance):
    """Choose a worker that holds a job and is awake; its next moment is anywhere between two system calls.

    Not of a job that was hit so often that it would be given up soon: on a busy machine the few heads of
    queues are hit again and again, and giving up has tests of its own.
    """
    few = tables.job.c.takeovers < takeover.TAKEOVERS_LIMIT - 5
    held = sa.select(tables.job.c.owner).where(tables.job.c.place == "running", few)
    while True:
        time.sleep(chance.uniform(0, 0.05))
        with store.read() as conn:
            pids = {int(owner.split("|")[2]) for (owner,) in conn.execute(held)}
        away = {number for number, waking in asleep.items() if waking.is_alive()}
        busy = [number for number, process in enumerate(crew) if process.child.pid in pids and number not in away]
        if busy:
            return chance.choice(busy)


def check(store, given, told):
    with store.read() as conn:
        found = conn.execute(sa.select(tables.upload.c.id, tables.upload.c.brand, tables.upload.c.state)).all()
        made = conn.execute(sa.select(tables.version.c.brand, tables.version.c.number, tables.version.c.upload)).all()
        left = conn.execute(sa.select(tables.job.c.place).distinct()).scalars().all()
        taken_over = conn.execute(sa.select(sa.func.sum(tables.job.c.takeovers))).scalar_one()
        ends = (
            conn.execute(sa.select(tables.event.c.upload).where(tables.event.c.event == "upload.published"))
            .scalars()
            .all()
        )
    assert set(given) | set(told) <= {row.id for row in found}, "an acknowledged upload is lost"
    assert {row.state for row in found} == {State.PUBLISHED}
    assert left == ["done"]
    assert taken_over, "no worker was hit at work: the storm proves nothing"
    assert sorted(ends) == sorted(row.id for row in found), "published once, each"
    by_brand = defaultdict(list)
    for row in sorted(made, key=lambda row: row.number):
        by_brand[row.brand].append((row.number, row.upload))
    for brand in BRANDS:
        ids = sorted(row.id for row in found if row.brand == brand)
        assert by_brand[brand] == list(enumerate(ids, start=1)), "no gap, no repeat, in order of arrival"


@pytest.mark.timeout(400)
def test_fault_21_racing_workers_killed_at_random_lose_nothing_and_repeat_nothing(store_url):
    storm(store_url, each=10, kills=4, stops=1, seed=1)


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(4))
def test_fault_21_many_kills_and_stops(store_url, seed):
    # So much at first, and what is received meanwhile: there is work to be hit at to the end.
    storm(store_url, each=100, kills=100, stops=10, seed=seed)
