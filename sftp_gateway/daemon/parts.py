"""The parts of this process that live: a task each, by name. None of them ends by itself, unless it died."""

import asyncio
from collections.abc import Coroutine, Iterable, Iterator
from typing import Any


class Parts:
    """What runs until it is cancelled."""

    def __init__(self) -> None:
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def spawn(self, name: str, part: Coroutine[Any, Any, None]) -> None:
        """Let a part live."""
        self.tasks[name] = asyncio.create_task(part, name=name)

    async def wait_for_end(self, stopping: asyncio.Event) -> None:
        """Wait until a part ended, or all are asked to."""
        stop = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait([stop, *self.tasks.values()], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()

    def dead(self) -> Iterator[tuple[str, BaseException | None]]:
        """Give the parts that ended, each with what killed it."""
        for name, task in self.tasks.items():
            if task.done():
                yield name, None if task.cancelled() else task.exception()

    async def cancel(self, *besides: asyncio.Task[None]) -> None:
        """End all, and what else is given."""
        tasks = [*self.tasks.values(), *besides]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def drain(drains: Iterable[Coroutine[Any, Any, None]], hurry: asyncio.Event) -> None:
    """Wait until all of these are done or somebody is in a hurry; what is not done then is cancelled."""
    ends: list[asyncio.Future[Any]] = [asyncio.create_task(hurry.wait(), name="hurry")]
    ends.append(asyncio.gather(*drains, return_exceptions=True))
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for one in ends:
        one.cancel()
    await asyncio.gather(*ends, return_exceptions=True)


def told(fault: BaseException | None) -> str:
    """Say in a line what killed a part, through the groups that tasks wrap it in."""
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    return "it ended" if fault is None else f"{type(fault).__name__}: {fault}"
