"""Who waits for whom in PostgreSQL: transactions that belong side by side never end each other."""

import threading

import pytest
import sqlalchemy as sa

from sftp_gateway import errors
from sftp_gateway.store import brands, database, drafts, erasing, jobs, queue, tables
from sftp_gateway.store.drafts import Entry, Place
from tests import sent

pytestmark = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
SECONDS = 20


@pytest.fixture
def many(live_store):
    for name in ("acme", "bolt"):
        brands.create(live_store, name)
        with live_store.write() as tx:
            tx.touch(name)
    return live_store


@pytest.fixture
def beside():
    """Run functions side by side; give what each gave, or the error it ended with."""

    def run(*functions):
        results = [None] * len(functions)

        def call(place):
            try:
                results[place] = functions[place]()
            except Exception as error:  # noqa: BLE001 - it is what the test looks at
                results[place] = error

        threads = [threading.Thread(target=call, args=(place,)) for place in range(len(functions))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
        assert not any(thread.is_alive() for thread in threads)
        return results

    return run


def entry(store, number, brand="acme", place=Place.OPEN):
    at = store.now()
    return Entry(f"{number:032}", brand, f"inbox/{number}.csv", f"{number}.csv", place, 1, at, at, at)


def seq(store, brand):
    with store.read() as conn:
        return drafts.changes(conn, brand)


def somebody_waits(store):
    with store.read() as conn:
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return conn.exec_driver_sql(query).scalar()


def test_a_new_file_does_not_wait_for_the_turn_of_its_brand(many, beside):
    closed, locked = threading.Event(), threading.Event()

    def front_door():
        with many.write() as tx:  # a CLOSE and an OPEN that share a commit
            drafts.save(tx, entry(many, 1, place=Place.CLOSED))
            tx.touch("acme")
            closed.set()
            assert locked.wait(SECONDS)
            drafts.save(tx, entry(many, 2))
            tx.touch("acme")

    def intake():
        assert closed.wait(SECONDS)
        with many.write() as tx:
            queue.lock(tx, "acme")
            locked.set()
            tx.touch("acme")

    assert beside(front_door, intake) == [None, None]
    assert seq(many, "acme") == 1 + 3


def test_changes_of_two_brands_are_counted_in_one_order(many, beside):
    both = threading.Barrier(2, timeout=SECONDS)

    def door(*names):
        def commit():
            with many.write() as tx:
                tx.touch(names[0])
                both.wait()
                tx.touch(names[1])
                tx.touch(names[1])

        return commit

    assert beside(door("acme", "bolt"), door("bolt", "acme")) == [None, None]
    assert seq(many, "acme") == seq(many, "bolt") == 1 + 3


def test_the_first_change_of_a_brand_may_be_counted_by_two_at_once(live_store, beside):
    brands.create(live_store, "acme")
    both = threading.Barrier(2, timeout=SECONDS)

    def door():
        with live_store.write() as tx:
            tx.touch("acme")
            both.wait()

    assert beside(door, door) == [None, None]
    assert seq(live_store, "acme") == 2


def crossing(store, both, order):
    """Give an operation that changes two rows in this order, the first time at the same moment as another one."""
    first = [True]

    def do(tx):
        for place, number in enumerate(order):
            drafts.move(tx, f"{number:032}", [Place.CLOSED], bytes=7 + order[0])
            if place == 0 and first:
                first.pop()
                both.wait()
        tx.touch("acme")
        return "done"

    return lambda: database.run(store, do)


def test_of_two_that_wait_for_each_other_one_is_run_again(many, beside):
    with many.write() as tx:
        for number in (1, 2):
            drafts.save(tx, entry(many, number, place=Place.CLOSED))
    both = threading.Barrier(2, timeout=SECONDS)
    assert beside(crossing(many, both, (1, 2)), crossing(many, both, (2, 1))) == ["done", "done"]
    assert seq(many, "acme") == 1 + 2
    with many.read() as conn:
        assert len({row.bytes for row in drafts.load(conn, "acme")[1]}) == 1


def test_who_waits_for_each_other_is_told_apart_from_a_store_that_is_away(many, beside):
    with many.write() as tx:
        for number in (1, 2):
            drafts.save(tx, entry(many, number, place=Place.CLOSED))
    both = threading.Barrier(2, timeout=SECONDS)

    def door(*order):
        def commit():
            with many.write() as tx:
                drafts.move(tx, f"{order[0]:032}", [Place.CLOSED], bytes=7)
                both.wait()
                drafts.move(tx, f"{order[1]:032}", [Place.CLOSED], bytes=7)

        return commit

    ended = [error for error in beside(door(1, 2), door(2, 1)) if error]
    assert [type(error).__name__ for error in ended] == ["Collided"]
    assert isinstance(ended[0], errors.Unavailable)


def test_a_brand_is_erased_while_its_files_come(many, files, beside, eventually):
    """The front door holds a file of it and waits to save the next one; erasing holds the brand and waits for that file."""
    with many.write() as tx:
        drafts.save(tx, entry(many, 1))
    holds, first = threading.Event(), [True]

    def do(tx):
        drafts.move(tx, f"{1:032}", list(Place), bytes=7)
        if first:
            first.pop()
            holds.set()
            eventually(lambda: somebody_waits(many))
        drafts.save(tx, entry(many, 2))

    def erase():
        assert holds.wait(SECONDS)
        return erasing.erase(many, files, "acme")["brand"]

    door, erased = beside(lambda: database.run(many, do), erase)
    assert erased == "acme"
    assert door is None or isinstance(door, errors.NotFound)
    with many.read() as conn:
        assert conn.execute(sa.select(tables.entry.c.id)).all() == []
        assert [brand.name for brand in brands.all_brands(many)] == ["bolt"]


def turn(store, claimed):
    """What ends a job begins with."""
    return lambda tx: queue.lock(tx, claimed.brand)


def beat(store, claimed):
    """A worker says that it lives."""
    return lambda tx: tx.conn.execute(sa.update(tables.job).where(tables.job.c.id == claimed.id).values(progress=None))


@pytest.mark.parametrize("holds", [turn, beat])
def test_a_host_that_is_frozen_in_a_transaction_stops_its_own_brand_alone(store, store_url, clock, holds):
    for name in ("frozen", "other", "third"):
        brands.create(store, name)
    sent.receive(store, "frozen")
    frozen = database.open_store(store_url, now=clock)
    claimed = jobs.claim(frozen, owner="host-b", lease_seconds=2)
    sent.receive(store, "other")
    sent.receive(store, "third")
    another = database.open_store(store_url, now=clock)
    with frozen.write() as tx:
        holds(frozen, claimed)(tx)
        clock.jump(10)
        found = [jobs.claim(another, owner="host-a", lease_seconds=20).brand for _ in range(2)]
        assert found == ["other", "third"]
        assert jobs.claim(another, owner="host-a", lease_seconds=20) is None
    assert jobs.claim(another, owner="host-a", lease_seconds=20).brand == "frozen"
    for opened in (frozen, another):
        opened.close()


def test_a_transaction_that_stands_still_is_ended_by_the_server(many, store_url, monkeypatch):
    with many.read() as conn:
        assert conn.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar() == "30s"
    monkeypatch.setattr(database, "IDLE_SECONDS", 0.1)
    frozen = database.open_store(store_url)

    def stands_still():
        with frozen.write() as tx:
            queue.lock(tx, "acme")
            with many.write() as other:  # waits until the server has ended the other one
                queue.lock(other, "acme")
            queue.lock(tx, "acme")

    with pytest.raises(errors.StoreUnreachable):
        stands_still()
    with frozen.write() as tx:  # the next connection is as good as new
        queue.lock(tx, "acme")
    frozen.close()
