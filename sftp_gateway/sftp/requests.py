"""Requests of SFTP are taken and answered without asyncssh's detours; derived from its handler, that of greeting.py is as correct.

Private hooks as in fastpath.py, and held by the same tests: a request that came in one piece is taken where the session
put it, where asyncssh reads its length and then the rest through three layers and a lock; an OPEN is not spelt out for
a log that is off; what a file's bytes are answered with is not joined; answers to what was asked together go out together.
"""

import struct
from typing import Any, cast

import asyncssh
from asyncssh.constants import FX_OK, FXP_DATA, FXP_READ, FXP_STATUS, FXP_WRITE
from asyncssh.packet import SSHPacket
from asyncssh.sftp import SFTPAttrs, SFTPServerHandler

from sftp_gateway.sftp import faults
from sftp_gateway.sftp.fastpath import Fast, FastChannel, Silent

ANSWER = struct.Struct(">IB")
"""Head of an SFTP packet: length, kind."""
READ_ANSWER = struct.Struct(">II")
"""Head of FXP_DATA after that: request, length of the bytes."""
WRITE = struct.Struct(">I4sQI")
"""A WRITE over a handle of ours: lengths of the handle and of the data that follows, with the offset between them."""
WRITTEN = struct.Struct(">IIII")
"""The status of a request, without words."""
VERSION = 3
"""Of SFTP; the only one that is spoken here."""


class FastHandler(Silent, SFTPServerHandler):
    """A handler that takes requests whole, does not join an answer's parts, and sends together what was asked together."""

    _failed: Exception | None = None
    """Why the WRITE in hand failed."""

    async def recv_packet(self) -> SSHPacket:
        """Take the next request: as the piece in which it came, if it is one; in whatever pieces, as asyncssh does."""
        assert self._reader is not None
        session: Any = self._reader._session  # noqa: SLF001 - this is the hook
        pieces: list[bytes | Exception] = session._recv_buf[None]  # noqa: SLF001 - as above
        while not pieces and not session._eof_received:  # noqa: SLF001 - as above
            await session._block_read(None)  # noqa: SLF001 - as above
        piece = pieces[0] if pieces else b""
        if isinstance(piece, Exception) or len(piece) < ANSWER.size or int.from_bytes(piece[:4]) != len(piece) - 4:
            return await super().recv_packet()
        del pieces[0]
        session._recv_buf_len -= len(piece)  # noqa: SLF001 - as above
        session._maybe_resume_reading()  # noqa: SLF001 - as above
        packet = SSHPacket(piece)
        packet.get_uint32()
        return packet

    async def _process_open(self, packet: SSHPacket) -> bytes:
        path, flags = packet.get_string(), packet.get_uint32()
        attrs = SFTPAttrs.decode(packet, VERSION)
        packet.check_end()
        result: Any = self._server.open(path, flags, attrs)
        file = await result if faults.is_awaited(result) else result
        handle = self._get_next_handle()
        self._file_handles[handle] = file
        return handle

    async def _process_close(self, packet: SSHPacket) -> None:
        handle = packet.get_string()
        packet.check_end()
        file = self._file_handles.pop(handle, None)
        if file:
            result: Any = self._server.close(file)
            if faults.is_awaited(result):
                await result
        elif self._dir_handles.pop(handle, None) is None:
            raise asyncssh.SFTPInvalidHandle("Invalid file handle")

    def send_packet(self, pkttype: int, pktid: int | None, *args: bytes) -> None:  # noqa: ARG002 - the signature of asyncssh
        """Send an answer."""
        if not self._writer:
            raise asyncssh.SFTPNoConnection("Connection not open")
        channel = cast(FastChannel, self._writer.channel)
        if not channel.is_closing():
            channel.write_parts((ANSWER.pack(1 + sum(map(len, args)), pkttype), *args))
            if self._reader is not None and not self._reader._session._recv_buf_len:  # noqa: SLF001 - this is the hook
                cast(Fast, channel.get_connection()).send_sealed()

    async def _process_packet(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        quick = QUICK.get(pkttype)
        if quick is None or not await quick(self, pktid, packet):
            await super()._process_packet(pkttype, pktid, packet)

    async def _written(self, pktid: int, packet: SSHPacket) -> bool:
        """Answer a WRITE that succeeds, and say so; what another one is answered with, the long way knows."""
        start, whole = len(packet.get_consumed_payload()), packet.get_full_payload()
        if len(whole) < start + WRITE.size:
            return False
        length, handle, offset, size = WRITE.unpack_from(whole, start)
        # No check of the packet's end: Go's pkg/sftp (rclone 1.60) pads its last WRITE.
        file, data = self._file_handles.get(handle), whole[start + WRITE.size : start + WRITE.size + size]
        if length != len(handle) or not file or len(data) != size:
            return False
        try:
            result: Any = self._server.write(file, offset, data)
            if faults.is_awaited(result):
                await result
        except Exception as error:  # noqa: BLE001 - raised again there, by `_process_write`
            self._failed = error
            return False
        self.send_packet(FXP_STATUS, pktid, WRITTEN.pack(pktid, FX_OK, 0, 0))
        return True

    async def _process_write(self, packet: SSHPacket) -> int:
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed  # never tried again: an APPEND would write twice
        handle, offset, data = packet.get_string(), packet.get_uint64(), packet.get_string()
        file = self._file_handles.get(handle)
        if not file:
            raise asyncssh.SFTPFailure("Invalid file handle")
        result: Any = self._server.write(file, offset, data)
        return cast(int, await result if faults.is_awaited(result) else result)

    async def _answered(self, pktid: int, packet: SSHPacket) -> bool:
        """Answer a READ without a copy of its bytes; what is odd about it, the long way finds once more and says."""
        try:
            data, _ = await self._process_read(SSHPacket(packet.get_remaining_payload()))
        except Exception:  # noqa: BLE001 - as above
            return False
        self.send_packet(FXP_DATA, pktid, READ_ANSWER.pack(pktid, len(data)), data)
        return True


QUICK = {FXP_WRITE: FastHandler._written, FXP_READ: FastHandler._answered}  # noqa: SLF001 - its own
"""What tries to answer a request in the short way."""
