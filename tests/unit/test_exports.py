"""Exports while they are downloaded: shared, bounded, gone with their last user."""

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


def test_who_wants_the_same_shares_one_file_that_goes_with_the_last(lent, tmp_path):
    with lent.lend("a", tmp_path / "1", made) as one:
        with lent.lend("a", tmp_path / "2", pytest.fail) as two:
            assert one == two == tmp_path / "1" and one.read_text() == "made"
        assert one.exists()
    assert list(tmp_path.iterdir()) == []
    with lent.lend("a", tmp_path / "3", made) as again:
        assert again == tmp_path / "3"


def test_only_so_many_files_are_out_and_those_may_be_had_by_more(lent, tmp_path):
    with contextlib.ExitStack() as held:
        for number in range(exports.MOST):
            held.enter_context(lent.lend(str(number), tmp_path / str(number), made))
        with pytest.raises(Unavailable, match="Too many"), lent.lend("x", tmp_path / "x", made):
            pass
        held.enter_context(lent.lend("0", tmp_path / "x", pytest.fail))
    with lent.lend("x", tmp_path / "x", made):
        pass


def test_one_brand_leaves_places_to_the_others(lent, tmp_path):
    with contextlib.ExitStack() as held:
        for number in range(exports.MOST_OF_A_BRAND):
            held.enter_context(lent.lend(f"acme/{number}.csv", tmp_path / str(number), made))
        with pytest.raises(Unavailable, match="of this brand"), lent.lend("acme/99.csv", tmp_path / "x", made):
            pass
        held.enter_context(lent.lend("acme/0.csv", tmp_path / "x", pytest.fail))
        held.enter_context(lent.lend("acme-2/1.csv", tmp_path / "other", made))
    assert exports.MOST_OF_A_BRAND < exports.MOST


def test_one_that_fails_is_made_by_the_next(lent, tmp_path):
    def fail(path):
        path.write_text("half")
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"), lent.lend("a", tmp_path / "1", fail):
        pass
    assert list(tmp_path.iterdir()) == []
    with lent.lend("a", tmp_path / "2", made) as path:
        assert path.read_text() == "made"


def test_they_are_made_few_at_a_time(lent, tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "WAIT_SECONDS", 0.05)
    begun, go_on = threading.Semaphore(0), threading.Event()

    def slow(path):
        begun.release()
        assert go_on.wait(10)
        made(path)

    def take(number):
        with lent.lend(str(number), tmp_path / str(number), slow):
            pass

    threads = [threading.Thread(target=take, args=(number,)) for number in range(exports.SIDE_BY_SIDE)]
    for thread in threads:
        thread.start()
        assert begun.acquire(timeout=10)
    with pytest.raises(Unavailable), lent.lend("x", tmp_path / "x", made):
        pass
    go_on.set()
    for thread in threads:
        thread.join()


def test_those_who_wait_for_one_to_be_made_take_only_so_many_threads(lent, tmp_path, eventually):
    ready = threading.Event()

    def slow(path):
        assert ready.wait(30)
        made(path)

    def wants():
        with contextlib.suppress(Unavailable), lent.lend("large", tmp_path / "large", slow):
            pass

    threads = [threading.Thread(target=wants) for _ in range(5 * exports.MOST_WAITING)]
    with lent.lend("small", tmp_path / "small", made):
        for thread in threads:
            thread.start()
        eventually(lambda: sum(thread.is_alive() for thread in threads) == exports.MOST_OF_A_BRAND)
        with lent.lend("small", tmp_path / "other", pytest.fail):  # it is there already
            pass
        with lent.lend("of another brand", tmp_path / "another", made):
            ready.set()
    for thread in threads:
        thread.join()
