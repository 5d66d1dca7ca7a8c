import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sftp_gateway.catalog import lane


def test_items_come_in_order_from_another_thread():
    seen = []

    def make():
        for number in range(50):
            seen.append(threading.get_ident())
            yield number

    assert list(lane.ahead(make())) == list(range(50))
    assert threading.get_ident() not in seen


def test_lanes_can_be_laid_one_after_the_other():
    assert list(lane.ahead(n * 2 for n in lane.ahead(iter(range(10))))) == [n * 2 for n in range(10)]


def test_what_making_an_item_raised_is_raised_after_the_items_before_it():
    def make():
        yield 1
        raise ValueError("two")

    stream = lane.ahead(make())
    assert next(stream) == 1
    with pytest.raises(ValueError, match="two"):
        next(stream)


def test_only_a_few_items_are_made_ahead(eventually):
    made = []

    def make():
        for number in range(100):
            made.append(number)
            yield number

    stream = lane.ahead(make(), depth=2)
    next(stream)
    eventually(lambda: len(made) >= 4)
    assert len(made) <= 4
    stream.close()


def test_a_caller_that_stops_ends_the_thread_and_closes_the_source():
    closed = threading.Event()

    def make():
        try:
            while True:
                yield 1
        finally:
            closed.set()

    stream = lane.ahead(lane.ahead(make()))
    next(stream)
    before = threading.active_count()
    stream.close()
    assert closed.wait(30)
    assert threading.active_count() < before


def test_work_in_a_pool_comes_back_in_order():
    with ThreadPoolExecutor(3) as pool:
        assert list(lane.each(lambda number: number * 2, range(50), pool, 2)) == [number * 2 for number in range(50)]


def test_what_work_in_a_pool_raises_is_raised_where_it_is_asked_for():
    def work(number):
        if number == 3:
            raise ValueError(number)
        return number

    with ThreadPoolExecutor(2) as pool:
        results = lane.each(work, range(9), pool, 1)
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="3"):
            next(results)
