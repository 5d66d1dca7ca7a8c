"""Steps of a stream beside each other, a few items ahead: memory stays bounded, order stays.

Reading, checking and writing overlap because Arrow, numpy and zstd let go of the interpreter's lock.
"""

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
_END = object()
_TICK_SECONDS = 0.05


class _Failed:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def ahead(items: Iterable[Item], depth: int = 2) -> Generator[Item, None, None]:
    """Give the items in order while a thread makes up to `depth` more; raises what making one raised.

    When the caller stops early, the thread stops at its next item and `items` is closed in it.
    """
    ready: queue.Queue[Any] = queue.Queue(depth)
    stop = threading.Event()
    thread = threading.Thread(target=_work, args=(iter(items), ready, stop), daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not _END:
            if isinstance(item, _Failed):
                raise item.error
            yield item
    finally:
        stop.set()
        thread.join()


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


def _work(items: Iterator[Any], ready: "queue.Queue[Any]", stop: threading.Event) -> None:
    last: object = _END
    try:
        for item in items:
            if not _put(ready, stop, item):
                break
    except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that asked
        last = _Failed(error)
    finally:
        if isinstance(items, Generator):
            items.close()
    _put(ready, stop, last)


def _put(ready: "queue.Queue[Any]", stop: threading.Event, item: object) -> bool:
    while not stop.is_set():
        try:
            ready.put(item, timeout=_TICK_SECONDS)
        except queue.Full:
            continue
        return True
    return False
