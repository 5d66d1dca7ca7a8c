"""Steps of a stream beside each other, a few items ahead: memory stays bounded, order stays.

Reading, checking and writing overlap because Arrow, numpy and zstd let go of the interpreter's lock.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
_END = object()


def ahead(items: Iterable[Item], depth: int = 2) -> Generator[Item, None, None]:
    """Give the items in order while a thread makes up to `depth` more; raises what making one raised.

    When the caller stops early, the thread stops at its next item and `items` is closed in it.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        waiting: deque[Future[Any]] = deque(thread.submit(next, source, _END) for _ in range(depth + 1))
        try:
            while (item := waiting.popleft().result()) is not _END:
                waiting.append(thread.submit(next, source, _END))
                yield item
        finally:
            for future in waiting:
                future.cancel()
            if isinstance(source, Generator):
                thread.submit(source.close)


def each(work: Callable[[Item], Result], items: Iterable[Item], pool: Executor, depth: int) -> Iterator[Result]:
    """Give the result for each item in order, while up to `depth` more are worked on by the pool."""
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        wait(waiting)


@contextlib.contextmanager
def beside(work: Callable[[], Result]) -> Iterator[Callable[[], Result]]:
    """Do one thing in a thread while the block runs; gives what waits for its result, or raises what it raised."""
    with ThreadPoolExecutor(1, thread_name_prefix="beside") as thread:
        yield thread.submit(work).result
