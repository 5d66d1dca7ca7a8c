"""Two intakes that find the same unfinished upload, of which no host has the bytes, at the same moment."""

import contextlib
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from sftp_gateway import blobs, settings
from sftp_gateway.intake import recover, sweep
from sftp_gateway.intake.desk import REMOVED, Desk, Told
from sftp_gateway.store import brands, database, drafts, erasing, files, tables, uploads
from sftp_gateway.store.drafts import Entry, Place
from sftp_gateway.upload import Mode, State

SECONDS = 20


@pytest.fixture
def desks(live_store, tmp_path):
    brands.create(live_store, "acme")
    stored = blobs.open_files(settings.Storage(root=tmp_path))
    made = [Desk(live_store, stored, settings.Intake()) for _ in range(2)]
    yield made
    for desk in made:
        desk.close()


def unfinished(store, brand, name):
    new = uploads.New(Mode.FULL, name, "", 5, "sftp", complete=False, received_at=store.now())
    with store.write() as tx:
        return uploads.insert(tx, brand, new, State.UNFINISHED)


@pytest.fixture
def upload(live_store, desks):
    return uploads.get(live_store, unfinished(live_store, "acme", "a.csv"))


def together(monkeypatch, desks, do):
    """Do it with both desks, whose answers are made at the same moment; give what each gave or ended with."""
    both, real, results = threading.Barrier(2, timeout=SECONDS), sweep.answer.make, [None, None]

    def made(*arguments):
        answer = real(*arguments)
        both.wait()
        return answer

    def call(place):
        try:
            results[place] = do(desks[place])
        except Exception as error:  # noqa: BLE001 - it is what the test looks at
            results[place] = error

    monkeypatch.setattr(sweep.answer, "make", made)
    threads = [threading.Thread(target=call, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    return results


def test_it_is_refused_once(live_store, desks, upload, monkeypatch):
    news = together(monkeypatch, desks, lambda desk: sweep.sweep(desk, live_store.now()))
    assert [type(each) for each in news] == [list, list]
    assert uploads.get(live_store, upload.id).state is State.REFUSED
    assert [event.event for event in uploads.events(live_store, upload.id)].count("upload.refused") == 1
    assert len(files.listing(live_store, "acme", files.Folder.ERRORS)) == 1


def test_it_is_refused_once_where_its_sender_removed_it_meanwhile(live_store, desks, upload, monkeypatch):
    """The sweep gives it up at the moment when the intake refuses its removed draft: one answer, one file of it."""
    at, told = live_store.now(), Told("acme")
    row = Entry(
        desks[0].staging.new_id(), "acme", None, "a.csv", Place.REFUSED, 5, at, at, at, upload=upload.id, reason=REMOVED,
        due_at=at,
    )  # fmt: skip
    with live_store.write() as tx:
        drafts.save(tx, row)
    do = {desks[0]: lambda: desks[0].refuse(row, REMOVED, "full", told),
          desks[1]: lambda: sweep.sweep(desks[1], at + timedelta(days=2))}  # fmt: skip
    refused, swept = together(monkeypatch, desks, lambda desk: do[desk]())
    assert refused is None and isinstance(swept, list), (refused, swept)
    assert uploads.get(live_store, upload.id).state is State.REFUSED
    assert [event.event for event in uploads.events(live_store, upload.id)].count("upload.refused") == 1
    assert len(files.listing(live_store, "acme", files.Folder.ERRORS)) == 1
    with live_store.read() as conn:
        assert drafts.load(conn, "acme")[1] == []


def test_a_refusal_without_a_row_of_the_history_gets_one_from_two_processes_of_a_host(live_store, desks, monkeypatch):
    """As while one process takes over from another: both have an intake."""
    at, reason = live_store.now(), {"code": "FILE_TOO_LARGE", "text": "No", "suggestion": ""}
    row = Entry(
        desks[0].staging.new_id(), "acme", None, "a.csv", Place.REFUSED, 0, at, at, at, reason=reason, due_at=at
    )
    with live_store.write() as tx:
        drafts.save(tx, row)
    ended = together(monkeypatch, desks, lambda desk: desk.refuse(row, reason, "full", Told("acme")))
    assert ended == [None, None]
    (upload,), _ = uploads.listing(live_store, brand="acme", limit=10)
    assert upload.state is State.REFUSED
    assert [event.event for event in uploads.events(live_store, upload.id)].count("upload.refused") == 1
    desks[0].refuse(row, reason, "full", Told("acme"))
    assert len(uploads.listing(live_store, brand="acme", limit=10)[0]) == 1


def test_it_is_reminded_of_once(live_store, desks, upload, monkeypatch):
    assert together(monkeypatch, desks, lambda desk: sweep._remind(desk, upload)) == [None, None]
    assert uploads.get(live_store, upload.id).receipt is not None
    assert [event.event for event in uploads.events(live_store, upload.id)].count("upload.reminded") == 1
    assert len(files.listing(live_store, "acme", files.Folder.ERRORS)) == 1


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_draft_of_a_dead_process_that_somebody_holds_keeps_no_other_one(store_url, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 1)
    stored = blobs.open_files(settings.Storage(root=tmp_path))
    with contextlib.closing(database.open_store(store_url)) as store:
        brands.create(store, "acme")
        desk, at = Desk(store, stored, settings.Intake()), store.now()
        rows = [
            Entry(desk.staging.new_id(), "acme", f"inbox/{n}", f"{n}", Place.OPEN, 5, at, at, at, owner="died")
            for n in range(3)
        ]
        with store.write() as tx:
            drafts.save_all(tx, rows)
        first = drafts.in_hand(store, desk.area)[0].id
        with store.write() as tx:
            tx.conn.execute(sa.select(tables.entry).where(tables.entry.c.id == first).with_for_update())
            assert recover.recover(desk, int) == 2
        assert recover.recover(desk, int) == 1
        desk.close()


def test_a_brand_that_is_erased_at_this_moment_ends_the_look_at_its_upload_alone(
    live_store, desks, upload, monkeypatch
):
    real = sweep.answer.make

    def made(*arguments):
        monkeypatch.setattr(sweep.answer, "make", real)
        erasing.erase(live_store, desks[0].files, "acme")
        return real(*arguments)

    brands.create(live_store, "bolt")
    other = unfinished(live_store, "bolt", "b.csv")
    monkeypatch.setattr(sweep.answer, "make", made)
    sweep.sweep(desks[0], live_store.now())
    assert uploads.get(live_store, other).state is State.REFUSED
