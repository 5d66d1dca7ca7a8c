"""One timer for many things that are looked at again a moment later. Serves writing.py."""

import asyncio
from collections import deque
from collections.abc import Callable


class Later:
    """Calls what was put here after so many seconds, or half as many more; used on one event loop only.

    With a timer each the loop would take a turn more for every small file, and nearly all of them are closed by then.
    """

    def __init__(self) -> None:
        self._calls: deque[tuple[float, Callable[[], None]]] = deque()

    def put(self, seconds: float, call: Callable[[], None]) -> None:
        """Have something called after that time, which is the same for all, or at least no shorter than for those before."""
        loop = asyncio.get_running_loop()
        self._calls.append((loop.time() + seconds, call))
        if len(self._calls) == 1:
            loop.call_later(seconds, self._look, seconds / 2)

    def _look(self, pause: float) -> None:
        loop = asyncio.get_running_loop()
        now, due = loop.time(), []
        while self._calls and self._calls[0][0] <= now:
            due.append(self._calls.popleft()[1])
        if self._calls:
            loop.call_later(max(self._calls[0][0] - now, pause), self._look, pause)
        for call in due:
            loop.call_soon(call)  # each by itself, whatever another one raises
