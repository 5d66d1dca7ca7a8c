"""Refusals at the door, on both engines: a client that tries for ever fills no history, and none goes unsaid."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from sftp_gateway.store import arrived, brands, drafts, tables
from sftp_gateway.store.drafts import Entry, Place


@pytest.fixture
def refuse(store, clock):
    """Give a function that refuses a file now; it gives the upload under which that stands."""
    brands.create(store, "acme")
    brands.create(store, "bolt")
    made = iter(range(10_000))

    def again(path="a.csv", code="FILE_TOO_LARGE", brand="acme"):
        at, reason = clock(), {"code": code, "text": "No", "suggestion": ""}
        row = Entry(f"area-{next(made)}", brand, None, path, Place.REFUSED, 0, at, at, at, due_at=at, reason=reason)
        with store.write() as tx:
            upload = arrived.refused(tx, row)
            assert (drafts.get(tx.conn, row.id) is not None) == (upload not in given)
            given.add(upload)
        return upload

    given: set[int | None] = {None}
    return again


def test_the_same_refusal_within_an_hour_is_one_row_and_a_later_one_another(refuse, clock):
    first = refuse()
    assert [refuse() for _ in range(3)] == [first] * 3
    others = [refuse("b.csv"), refuse(code="quota_exceeded"), refuse(brand="bolt")]
    assert len({first, *others}) == 4
    clock.jump(timedelta(hours=1).total_seconds() + 1)
    assert refuse() not in {first, *others}


def test_refusals_under_ever_new_names_are_bounded_for_each_brand_and_reason(store, refuse, clock):
    told = [refuse(f"{number}.csv") for number in range(arrived.MOST_REFUSALS + 20)]
    assert [upload is not None for upload in told] == [True] * arrived.MOST_REFUSALS + [False] * 20
    assert refuse("0.csv") == told[0]
    assert refuse("other.csv", code="quota_exceeded") and refuse("1.csv", brand="bolt")
    clock.jump(timedelta(hours=1).total_seconds() + 1)
    assert refuse("new.csv") is not None


def test_a_refusal_looks_at_none_of_those_that_are_long_past(sqlite_store, clock):
    brands.create(sqlite_store, "acme")
    steps = []

    def refuse(name):
        at, reason = clock(), {"code": "quota_exceeded", "text": "No", "suggestion": ""}
        row = Entry(name, "acme", None, "a.csv", Place.REFUSED, 0, at, at, at, due_at=at, reason=reason)
        with sqlite_store.write() as tx:
            tx.conn.connection.driver_connection.set_progress_handler(lambda: steps.append(name), 10)
            try:
                return arrived.refused(tx, row)
            finally:
                tx.conn.connection.driver_connection.set_progress_handler(None, 0)

    upload = refuse("first")
    with sqlite_store.write() as tx:
        old = tx.conn.execute(sa.select(tables.upload).where(tables.upload.c.id == upload)).one()._asdict()
        old |= {"received_at": clock() - timedelta(days=2), "state": "refused"}
        del old["id"]
        tx.conn.execute(sa.insert(tables.upload), [old] * 1000)
    clock.jump(timedelta(hours=1).total_seconds() + 1)
    assert refuse("second") > upload + 1000
    assert steps.count("second") < 2 * steps.count("first"), "as dear as where nothing was refused before"
