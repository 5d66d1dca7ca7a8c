import threading

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
    assert closed.wait(5)
    assert threading.active_count() < before
