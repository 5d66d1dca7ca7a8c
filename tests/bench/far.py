"""A line to a server that is far away: what goes through arrives so much later, there and back.

In a thread of its own, as the clients are processes; what is on its way is bounded by what SSH lets be so.
"""

import asyncio
import contextlib
import dataclasses
import threading
from collections.abc import Iterator

from tests.bench.doors import Door

DELAY_SECONDS = 0.025
"""One way."""
PIECE_BYTES = 1 << 18


@contextlib.contextmanager
def away(door: Door) -> Iterator[Door]:
    """Give a server under a port from which it is far away."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    line = asyncio.run_coroutine_threadsafe(_line(door.port), loop).result()
    try:
        yield dataclasses.replace(door, port=line.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(line.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def _line(port: int) -> asyncio.Server:
    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port, limit=PIECE_BYTES)
        await asyncio.gather(_carry(reader, there_writer), _carry(there_reader, writer))

    return await asyncio.start_server(join, "127.0.0.1", 0, limit=PIECE_BYTES)


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
