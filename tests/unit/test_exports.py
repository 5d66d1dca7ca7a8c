"""Exports while they are downloaded: shared as fetched blobs are (test_fetched), and bounded."""

import contextlib
import os
import threading

import pytest

from sftp_gateway.daemon import exports
from sftp_gateway.errors import Unavailable


@pytest.fixture
def lent():
    return exports.Exports()


def made():
    return os.memfd_create("made")


def test_only_so_many_files_are_out_and_those_may_be_had_by_more(lent):
    with contextlib.ExitStack() as held:
        files = [held.enter_context(lent.lend(str(number), made)) for number in range(exports.MOST)]
        with pytest.raises(Unavailable, match="Too many"), lent.lend("x", made):
            pass
        assert held.enter_context(lent.lend("0", pytest.fail)) == files[0]
    with lent.lend("x", made):
        pass


def test_they_are_made_few_at_a_time(lent, monkeypatch):
    monkeypatch.setattr(exports, "WAIT_SECONDS", 0.05)
    begun, go_on = threading.Semaphore(0), threading.Event()

    def slow():
        begun.release()
        assert go_on.wait(10)
        return made()

    def take(number):
        with lent.lend(str(number), slow):
            pass

    threads = [threading.Thread(target=take, args=(number,)) for number in range(exports.SIDE_BY_SIDE)]
    for thread in threads:
        thread.start()
        assert begun.acquire(timeout=10)
    with pytest.raises(Unavailable), lent.lend("x", made):
        pass
    go_on.set()
    for thread in threads:
        thread.join()


def test_those_who_wait_for_one_to_be_made_take_only_so_many_threads(lent, eventually):
    ready = threading.Event()

    def slow():
        assert ready.wait(30)
        return made()

    def wants():
        with contextlib.suppress(Unavailable), lent.lend("large", slow):
            pass

    threads = [threading.Thread(target=wants) for _ in range(5 * exports.MOST_WAITING)]
    with lent.lend("small", made):
        for thread in threads:
            thread.start()
        eventually(lambda: sum(thread.is_alive() for thread in threads) == exports.MOST_WAITING)
        with lent.lend("small", pytest.fail):  # it is there already
            ready.set()
    for thread in threads:
        thread.join()
