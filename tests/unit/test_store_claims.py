"""Rows of drafts that are claimed and accepted many at a time, on both engines."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from sftp_gateway.errors import NotFound
from sftp_gateway.store import brands, claims, drafts, tables, unfinished, uploads
from sftp_gateway.store.drafts import Entry, Place
from sftp_gateway.upload import Mode, State


@pytest.fixture
def rows(store, clock):
    """Five closed drafts of a brand, each closed a second after the one before."""
    brands.create(store, "acme")
    made = []
    for number in range(5):
        at = clock() + timedelta(seconds=number)
        path = f"inbox/{number}.csv"
        made.append(
            Entry(f"area-{9 - number}", "acme", path, path, Place.CLOSED, 3, at, at, at, sha256="00", due_at=at)
        )
    with store.write() as tx:
        drafts.save_all(tx, made)
    return made


def now(store, row):
    with store.read() as conn:
        return drafts.get(conn, row.id)


def test_a_claim_takes_what_is_as_it_was_seen_in_the_order_asked_for(store, rows):
    with store.write() as tx:
        drafts.move(tx, rows[1].id, [Place.CLOSED], changed_at=rows[1].changed_at + timedelta(seconds=9))
        drafts.move(tx, rows[3].id, [Place.CLOSED], place=Place.OPEN)
    with store.write() as tx:
        mine = claims.claim(tx, [*rows, replace(rows[0], id="area-gone")], "me")
        assert claims.claim(tx, [], "me") == []
    assert [row.id for row in mine] == [rows[0].id, rows[2].id, rows[4].id]
    assert mine[0] == replace(rows[0], place=Place.CLAIMED, owner="me", due_at=None) == now(store, rows[0])
    assert [now(store, row).place for row in rows] == ["claimed", "closed", "claimed", "open", "claimed"]
    with store.write() as tx:
        assert claims.claim(tx, rows, "another") == []


def test_what_the_intake_has_gone_on_with_is_told_from_what_rests(store, rows):
    places = (Place.OPEN, Place.CLAIMED, Place.DROPPED, Place.ACCEPTED, Place.REFUSED)
    with store.write() as tx:
        for row, place in zip(rows, places, strict=True):
            drafts.move(tx, row.id, [Place.CLOSED], place=place)
        gone_on = claims.gone_on(tx, [*(row.id for row in rows), "area-gone"])
    assert gone_on == {rows[1].id, rows[3].id, rows[4].id}


def test_an_upload_that_is_received_while_no_draft_goes_on_with_it_is_unfinished_again(store, rows):
    with store.write() as tx:
        ids = uploads.insert_all(tx, "acme", [new(row) for row in rows], State.UNFINISHED)
        for row, id_ in zip(rows, ids, strict=True):
            drafts.move(tx, row.id, [Place.CLOSED], upload=id_)
            uploads.move(tx, id_, State.RECEIVING)
        drafts.move(tx, rows[1].id, [Place.CLOSED], place=Place.ACCEPTED)
        drafts.remove(tx, rows[3].id)
    for _ in range(2):
        unfinished.take_back(store)
        states = [uploads.get(store, id_).state for id_ in ids]
        assert [state for state in states if state is State.RECEIVING] == [State.RECEIVING] * 3
        assert (states[1], states[3]) == (State.UNFINISHED, State.UNFINISHED)


def test_what_is_accepted_is_as_the_store_has_it_then(store, rows, clock):
    until = clock() + timedelta(hours=1)
    with store.write() as tx:
        claims.claim(tx, rows[:3], "me")
        claimed = claims.claimed(tx, [row.id for row in rows])
        assert set(claimed) == {row.id for row in rows[:3]}
        ids = uploads.insert_all(tx, "acme", [new(row) for row in rows[:2]])
        become = [replace(claimed[row.id], upload=id_) for row, id_ in zip(rows, ids, strict=False)]
        told = claims.accept(tx, become, until)
        claims.forget(tx, [rows[2].id])
        assert claims.accept(tx, [], until) == []
    assert told == [now(store, row) for row in rows[:2]]
    assert {(row.place, row.owner, row.due_at, row.expires_at) for row in told} == {("accepted", "", None, until)}
    assert now(store, rows[2]) is None


def new(row):
    return uploads.New(Mode.FULL, row.sent, row.sha256, row.bytes, "sftp", False, row.changed_at, {"session": "x"})


@pytest.mark.parametrize("before", [0, 1])
def test_uploads_that_come_together_stand_in_the_queue_in_their_order(store, rows, before):
    with store.write() as tx:
        first = uploads.insert_all(tx, "acme", [new(rows[0])] * before) if before else []
        ids = first + uploads.insert_all(tx, "acme", [new(row) for row in rows])
    job = tables.job
    with store.read() as conn:
        stand = conn.execute(sa.select(job.c.upload, job.c.place, job.c.bytes, job.c.id).order_by(job.c.id)).all()
        arrivals = dict([*map(tuple, conn.execute(sa.select(tables.upload.c.id, tables.upload.c.arrival)))])
    assert ids == sorted(ids) == [row.upload for row in stand]
    assert [row.place for row in stand] == ["queued"] + ["waiting"] * (len(ids) - 1)
    assert arrivals == {row.upload: row.id for row in stand}
    assert [uploads.get(store, id_).path for id_ in ids[before:]] == [row.sent for row in rows]
    assert [uploads.events(store, id_)[0].detail["name"] for id_ in ids[before:]] == [row.sent for row in rows]


def test_none_of_them_is_taken_for_a_brand_nobody_knows(store, rows):
    with pytest.raises(NotFound), store.write() as tx:
        uploads.insert_all(tx, "globex", [new(rows[0])], State.UNFINISHED)
    assert uploads.listing(store) == ([], None)
