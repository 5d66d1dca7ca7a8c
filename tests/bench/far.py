"""A line to a server that is far away: what goes through arrives so much later, there and back.

In a thread of its own, as the clients are processes; what is on its way is bounded by what SSH lets be so.
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

DELAY_SECONDS = 0.025
"""One way."""
PIECE_BYTES = 1 << 18


@contextlib.contextmanager
def line(port: int) -> Iterator[int]:
    """Give a port from which a server of this host is far away."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listening = asyncio.run_coroutine_threadsafe(_listen(port), loop).result()
    try:
        yield int(listening.sockets[0].getsockname()[1])
    finally:
        asyncio.run_coroutine_threadsafe(_end(listening), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _listen(port: int) -> asyncio.Server:
    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port, limit=PIECE_BYTES)
        try:
            await asyncio.gather(_carry(reader, there_writer), _carry(there_reader, writer))
        finally:
            for each in (writer, there_writer):
                each.close()
                with contextlib.suppress(OSError):
                    await each.wait_closed()

    return await asyncio.start_server(join, "127.0.0.1", 0, limit=PIECE_BYTES)


async def _end(listening: asyncio.Server) -> None:
    listening.close()
    lines = asyncio.all_tasks() - {asyncio.current_task()}
    for line in lines:
        line.cancel()
    await asyncio.gather(*lines, return_exceptions=True)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    clock, way = asyncio.get_running_loop().time, asyncio.Queue[tuple[float, bytes]]()

    async def arrive() -> None:
        piece = b"first"
        while piece:
            at, piece = await way.get()
            await asyncio.sleep(at - clock())
            writer.write(piece)
        writer.close()

    arriving = asyncio.create_task(arrive())
    piece = b"first"
    while piece:
        piece = await reader.read(PIECE_BYTES)
        way.put_nowait((clock() + DELAY_SECONDS, piece))
    await arriving
