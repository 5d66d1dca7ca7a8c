"""Things that are looked at again a moment later, by one timer."""

import asyncio

from sftp_gateway.sftp.later import Later


async def test_all_are_called_in_their_order_once_and_not_too_early():
    loop, later, called, done = asyncio.get_running_loop(), Later(), [], asyncio.Event()
    began = loop.time()

    def call(number):
        called.append(number)
        assert loop.time() - began >= 0.009  # the clock of the loop ticks in milliseconds
        if number == 99:
            done.set()

    for number in range(100):
        later.put(0.01, lambda number=number: call(number))
        if number % 10 == 0:
            await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await done.wait()
    assert called == list(range(100))
    done.clear()
    later.put(0.01, lambda: call(99))
    async with asyncio.timeout(20):
        await done.wait()


async def test_many_have_one_timer(monkeypatch):
    loop, later, timers = asyncio.get_running_loop(), Later(), []
    monkeypatch.setattr(loop, "call_later", lambda *told: timers.append(told))
    for _ in range(100):
        later.put(60.0, lambda: None)
    assert len(timers) == 1


async def test_an_error_of_one_is_not_that_of_the_others():
    loop, later, done, told = asyncio.get_running_loop(), Later(), asyncio.Event(), []
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))

    def fail():
        raise ZeroDivisionError

    later.put(0.0, fail)
    later.put(0.0, done.set)
    async with asyncio.timeout(20):
        await done.wait()
    assert [type(error) for error in told] == [ZeroDivisionError]
