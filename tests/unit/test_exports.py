"""Exports while they are downloaded: bounded, and gone afterwards."""

import contextlib
import threading

import pytest

from sftp_gateway.daemon import exports
from sftp_gateway.errors import Unavailable


@pytest.fixture
def lent():
    return exports.Exports()


def made(path):
    path.write_text("made")


def test_only_so_many_files_are_out_and_each_goes_with_its_reader(lent, tmp_path):
    with contextlib.ExitStack() as held:
        for number in range(exports.MOST):
            assert held.enter_context(lent.lend(f"brand-{number}", tmp_path / str(number), made)).read_text() == "made"
        with pytest.raises(Unavailable, match="Too many"), lent.lend("acme", tmp_path / "x", pytest.fail):
            pass
    assert list(tmp_path.iterdir()) == []
    with lent.lend("acme", tmp_path / "x", made) as path:
        assert path.read_text() == "made"


def test_slow_readers_of_one_brand_leave_places_to_the_others(lent, tmp_path):
    with contextlib.ExitStack() as held:
        for number in range(exports.MOST_OF_ONE):
            held.enter_context(lent.lend("acme", tmp_path / str(number), made))
        with pytest.raises(Unavailable, match="Too many"), lent.lend("acme", tmp_path / "x", pytest.fail):
            pass
        assert held.enter_context(lent.lend("bolt", tmp_path / "y", made)).read_text() == "made"
    with lent.lend("acme", tmp_path / "x", made) as path:
        assert path.read_text() == "made"


def test_one_that_fails_leaves_nothing_and_takes_no_place(lent, tmp_path):
    def fail(path):
        path.write_text("half")
        raise OSError("no room")

    for _ in range(exports.MOST + 1):
        with pytest.raises(OSError, match="no room"), lent.lend("acme", tmp_path / "1", fail):
            pass
    assert list(tmp_path.iterdir()) == []


def test_they_are_made_few_at_a_time(lent, tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "WAIT_SECONDS", 0.05)
    begun, go_on = threading.Semaphore(0), threading.Event()

    def slow(path):
        begun.release()
        assert go_on.wait(10)
        made(path)

    def take(number):
        with lent.lend("acme", tmp_path / str(number), slow):
            pass

    threads = [threading.Thread(target=take, args=(number,)) for number in range(exports.SIDE_BY_SIDE)]
    for thread in threads:
        thread.start()
        assert begun.acquire(timeout=10)
    with pytest.raises(Unavailable), lent.lend("bolt", tmp_path / "x", made):
        pass
    go_on.set()
    for thread in threads:
        thread.join()
