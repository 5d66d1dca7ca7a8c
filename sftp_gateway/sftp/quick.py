"""Requests for files that succeed are taken and answered in the short way; what is odd or fails goes the long one, asyncssh's.

Private hooks as in requests.py, held by the same tests. A request is taken where the session put it, its pieces joined once,
where asyncssh reads its length and then the rest through three layers and a lock, and copies each piece that more follows on.
OPEN, WRITE, READ and CLOSE are answered without being made objects of, or spelt out for a log that is off.
"""

import asyncio
import functools
import struct
import time
from typing import Any, cast

from asyncssh.constants import FX_OK, FXP_CLOSE, FXP_DATA, FXP_HANDLE, FXP_OPEN, FXP_READ, FXP_STATUS, FXP_WRITE
from asyncssh.packet import SSHPacket
from asyncssh.sftp import SFTPAttrs, SFTPServerHandler
from asyncssh.stream import SSHReader

from sftp_gateway.sftp import faults
from sftp_gateway.sftp.fastpath import Silent

WHOLE_BYTES = 1024 * 1024
"""Requests up to that size are taken whole: half of what a channel lets wait before it pauses."""
TURN_SECONDS = 0.005
"""One who asks without waiting for answers is served so long before all others have their turn: 80,000 requests may wait."""
REQUEST = struct.Struct(">IBI")
"""Head of a request: length, kind, number."""
HANDLE = struct.Struct(">I4s")
"""A handle of ours, its length in front."""
WRITE = struct.Struct(">I4sQI")
"""A WRITE over a handle of ours: lengths of the handle and of the data that follows, with the offset between them."""
OPEN = struct.Struct(">II")
"""What follows the path of an OPEN: how it is to be opened, and which attributes follow."""
SIZE_TOLD = 1
ATTRIBUTE_BYTES = {SIZE_TOLD: 8, 2: 8, 4: 4, 8: 8}
"""Attributes that may follow (draft-ietf-secsh-filexfer-02 §5): bit and length of each. The size comes first."""
NOTHING_TOLD = SFTPAttrs()
DONE = struct.Struct(">IIII")
"""A status without words: request, code, and the lengths of the words."""
OPENED = struct.Struct(">II4s")
"""What an OPEN is answered with: request, handle."""
READ = struct.Struct(">II")
"""Head of what a READ is answered with: request, length of the bytes."""


class Quick(Silent, SFTPServerHandler):
    """A conversation that takes and answers requests in the short way where there is one, once its version is settled."""

    _is_quick = False
    _turn_ends_at = 0.0
    _failed: Exception | None = None
    """Why the request in hand failed, in the short way."""

    async def recv_packet(self) -> SSHPacket:
        """Answer what can be answered in the short way; give the first request that cannot."""
        while (request := await self._next()) is not None:
            if not (self._is_quick and await self._is_answered(request)):
                packet = SSHPacket(request)
                packet.get_uint32()
                return packet
        return await super().recv_packet()

    async def _next(self) -> bytes | None:
        """Take the next request. A turn begins where one was waited for, and ends where others still wait after its time."""
        assert self._reader is not None
        begins = not self._reader._session._recv_buf_len  # noqa: SLF001 - this is the hook
        if not begins and time.monotonic() >= self._turn_ends_at:
            await asyncio.sleep(0)
            begins = True
        request = await _taken(self._reader)
        if begins:
            self._turn_ends_at = time.monotonic() + TURN_SECONDS
        return request

    async def _is_answered(self, request: bytes) -> bool:
        self._failed = None
        _, kind, number = REQUEST.unpack_from(request)
        answer = ANSWERS.get(kind)
        if answer is None or not await self._is_read():
            return False
        try:
            return await answer(self, number, request)
        except Exception as error:  # noqa: BLE001 - raised again by `raise_failed`, where words are found for it
            self._failed = error
            return False

    def raise_failed(self) -> None:
        """Raise what the request in hand failed of; it is never tried again: an APPEND would write twice."""
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed

    async def _is_read(self) -> bool:
        raise NotImplementedError

    async def _opening(self, path: bytes, flags: int, attrs: SFTPAttrs) -> bytes:
        raise NotImplementedError

    def _done(self, number: int) -> bool:
        self.send_packet(FXP_STATUS, number, DONE.pack(number, FX_OK, 0, 0))
        return True

    async def _opened(self, number: int, request: bytes) -> bool:
        start = REQUEST.size + 4
        end = start + int.from_bytes(request[REQUEST.size : start])
        if len(request) < end + OPEN.size:
            return False
        flags, told = OPEN.unpack_from(request, end)
        rest = request[end + OPEN.size :]
        if told > sum(ATTRIBUTE_BYTES) or len(rest) != sum(
            ATTRIBUTE_BYTES[bit] for bit in ATTRIBUTE_BYTES if told & bit
        ):
            return False
        # Of all that a client tells here the size alone is looked at.
        attrs = SFTPAttrs(size=int.from_bytes(rest[:8])) if told & SIZE_TOLD else NOTHING_TOLD
        handle = await self._opening(request[start:end], flags, attrs)
        self.send_packet(FXP_HANDLE, number, OPENED.pack(number, len(handle), handle))
        return True

    async def _written(self, number: int, request: bytes) -> bool:
        start = REQUEST.size + WRITE.size
        if len(request) < start:
            return False
        length, handle, offset, size = WRITE.unpack_from(request, REQUEST.size)
        # No check of the packet's end: Go's pkg/sftp (rclone 1.60) pads its last WRITE.
        file, data = self._file_handles.get(handle), memoryview(request)[start : start + size]
        if length != len(handle) or not file or len(data) != size:
            return False
        result: Any = self._server.write(file, offset, cast(bytes, data))
        if faults.is_awaited(result):
            await result
        return self._done(number)

    async def _answered(self, number: int, request: bytes) -> bool:
        data, _ = await self._process_read(SSHPacket(request[REQUEST.size :]))
        self.send_packet(FXP_DATA, number, READ.pack(number, len(data)), data)
        return True

    async def _closed(self, number: int, request: bytes) -> bool:
        if len(request) != REQUEST.size + HANDLE.size:
            return False
        length, handle = HANDLE.unpack_from(request, REQUEST.size)
        file = self._file_handles.pop(handle, None) if length == len(handle) else None
        if not file:
            return False
        closed: Any = self._server.close(file)
        await closed
        self._done(number)
        if self._reader is not None and self._reader._session._recv_buf_len:  # noqa: SLF001 - this is the hook
            await asyncio.sleep(0)  # one who asks without waiting for answers: the others have their turn now and then
        return True


ANSWERS = {FXP_OPEN: Quick._opened, FXP_WRITE: Quick._written, FXP_READ: Quick._answered, FXP_CLOSE: Quick._closed}  # noqa: SLF001 - its own
"""What tries to answer a request: gives False, or raises, where the long way has to."""


def resumed(process: faults.Process) -> faults.Process:
    """Wrap what answers a kind of request the long way: what failed in the short one is told, and not tried again."""

    @functools.wraps(process)
    async def answer(handler: Quick, packet: SSHPacket) -> object:
        handler.raise_failed()
        return await process(handler, packet)

    return answer


async def _taken(reader: SSHReader[bytes]) -> bytes | None:
    """Take the next request, its length in front; None: it is odd or very large, or there is none any more."""
    session: Any = reader._session  # noqa: SLF001 - this is the hook
    pieces: list[bytes | Exception] = session._recv_buf[None]  # noqa: SLF001 - as above
    while True:
        if pieces:
            first = pieces[0]
            if isinstance(first, Exception) or len(first) < REQUEST.size:
                return None
            size = 4 + int.from_bytes(first[:4])
            if not REQUEST.size <= size <= WHOLE_BYTES:
                return None
            if session._recv_buf_len >= size:  # noqa: SLF001 - as above
                break
        if session._eof_received:  # noqa: SLF001 - as above
            return None
        await session._block_read(None)  # noqa: SLF001 - as above
    request = cast(bytes, pieces.pop(0)) if len(first) == size else _cut(pieces, size)
    if request is not None:
        session._recv_buf_len -= size  # noqa: SLF001 - as above
        session._maybe_resume_reading()  # noqa: SLF001 - as above
    return request


def _cut(pieces: list[bytes | Exception], size: int) -> bytes | None:
    """Take so many bytes off the head of what came, joined; None if something is among them that is none."""
    taken: list[bytes | memoryview] = []
    for piece in pieces:
        if isinstance(piece, Exception):
            return None
        taken.append(piece)
        size -= len(piece)
        if size <= 0:
            break
    rest = taken[-1][len(taken[-1]) + size :] if size else b""
    if rest:
        taken[-1] = memoryview(taken[-1])[:size]
    pieces[: len(taken)] = [cast(bytes, rest)] if rest else []
    return b"".join(taken)
