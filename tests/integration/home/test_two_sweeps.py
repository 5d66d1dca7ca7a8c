"""Two intakes that find the same unfinished upload, of which no host has the bytes, at the same moment."""

import threading

import pytest

from sftp_gateway import blobs, settings
from sftp_gateway.intake import sweep
from sftp_gateway.intake.desk import Desk
from sftp_gateway.store import brands, erasing, files, uploads
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


@pytest.fixture
def upload(live_store, desks):
    with live_store.write() as tx:
        made = uploads.insert(
            tx, brand="acme", mode=Mode.FULL, path="a.csv", sha256="", bytes=5, via="sftp", complete=False,
            received_at=live_store.now(), state=State.UNFINISHED,
        )  # fmt: skip
    return uploads.get(live_store, made)


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
    assert sum(told.refused for each in news for told in each) == 1
    assert uploads.get(live_store, upload.id).state is State.REFUSED
    assert [event.event for event in uploads.events(live_store, upload.id)].count("upload.refused") == 1
    assert len(files.listing(live_store, "acme", files.Folder.ERRORS)) == 1


def test_it_is_reminded_of_once(live_store, desks, upload, monkeypatch):
    assert together(monkeypatch, desks, lambda desk: sweep._remind(desk, upload)) == [None, None]
    assert uploads.get(live_store, upload.id).receipt is not None
    assert [event.event for event in uploads.events(live_store, upload.id)].count("upload.reminded") == 1
    assert len(files.listing(live_store, "acme", files.Folder.ERRORS)) == 1


def test_a_brand_that_is_erased_at_this_moment_ends_the_look_at_its_upload_alone(
    live_store, desks, upload, monkeypatch
):
    real = sweep.answer.make

    def made(*arguments):
        monkeypatch.setattr(sweep.answer, "make", real)
        erasing.erase(live_store, desks[0].files, "acme")
        return real(*arguments)

    brands.create(live_store, "bolt")
    with live_store.write() as tx:
        other = uploads.insert(
            tx, brand="bolt", mode=Mode.FULL, path="b.csv", sha256="", bytes=5, via="sftp", complete=False,
            received_at=live_store.now(), state=State.UNFINISHED,
        )  # fmt: skip
    monkeypatch.setattr(sweep.answer, "make", made)
    assert [told.refused for told in sweep.sweep(desks[0], live_store.now())] == [1]
    assert uploads.get(live_store, other).state is State.REFUSED
