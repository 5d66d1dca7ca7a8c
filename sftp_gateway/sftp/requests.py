"""The SFTP conversation on one channel: what the server offers, and how requests are taken and answered.

Private hooks into asyncssh as in seams.py and fastpath.py, held by the same tests. Mended here: a CLOSE packet is told from
a dropped connection; handles and READs are bounded; who does not read waits; no links, no copy-data; clients of an SFTP
version before ours are told so (asyncssh speaks 1 and 2 as if they were later ones, and every request of them is a fault).
Made faster: a request that came in one piece is taken where the session put it, where asyncssh reads its length and then the
rest through three layers and a lock; an OPEN is not spelt out for a log that is off; what a file's bytes are answered with
is not joined; answers to what was asked together go out together.
"""

import struct
from typing import Any, cast

import asyncssh
from asyncssh import constants
from asyncssh.constants import FX_OK, FXP_DATA, FXP_READ, FXP_STATUS, FXP_WRITE
from asyncssh.packet import SSHPacket
from asyncssh.sftp import SFTPAttrs, SFTPLimits, SFTPServerHandler
from asyncssh.stream import SSHReader, SSHWriter

from sftp_gateway import logs
from sftp_gateway.sftp import faults, seams
from sftp_gateway.sftp.fastpath import Silent

log = logs.get(__name__)

VERSION = 3
"""Of SFTP; the only one that is spoken here."""
KIB = 1024
READ_BYTES = 256 * KIB
LARGEST_OFFSET = 2**63 - 1 - READ_BYTES
"""Beyond it the kernel takes no offset, and Python no number for one."""
EXTENSIONS = (
    b"posix-rename@openssh.com",
    b"fsync@openssh.com",
    b"lsetstat@openssh.com",
    b"limits@openssh.com",
    b"statvfs@openssh.com",
    b"fstatvfs@openssh.com",
)
LINKS = (constants.FXP_READLINK, constants.FXP_SYMLINK, constants.FXP_LINK, b"hardlink@openssh.com")
NOT_OFFERED = (constants.FXP_BLOCK, constants.FXP_UNBLOCK, b"copy-data", b"ranges@asyncssh.com")

ANSWER = struct.Struct(">IB")
"""Head of an SFTP packet: length, kind."""
READ_ANSWER = struct.Struct(">II")
"""Head of FXP_DATA after that: request, length of the bytes."""
WRITE = struct.Struct(">I4sQI")
"""A WRITE over a handle of ours: lengths of the handle and of the data that follows, with the offset between them."""
WRITTEN = struct.Struct(">IIII")
"""The status of a request, without words."""


def _answers(own: dict[int | bytes, faults.Process]) -> Any:
    """Give the table of requests: asyncssh's with ours put over it, without what is not offered."""
    theirs = cast(dict[int | bytes, faults.Process], SFTPServerHandler._packet_handlers)  # noqa: SLF001 - this is the seam
    return {kind: faults.guarded(process) for kind, process in (theirs | own).items() if kind not in NOT_OFFERED}


class Handler(Silent, SFTPServerHandler):
    """The SFTP conversation on one channel; `serve()` runs it to its end.

    Before files are closed because the client went away, `server.dropping` is set to True, so that
    the home can tell this from a CLOSE packet. `open` and `close` of the server are awaited, `read` is not.
    """

    _extensions = [pair for pair in SFTPServerHandler._extensions if pair[0] in EXTENSIONS]  # noqa: RUF012, SLF001 - shape of the base class

    def __init__(
        self,
        server: asyncssh.SFTPServer,
        reader: SSHReader[bytes],
        writer: SSHWriter[bytes],
        *,
        most_handles: int,
        session_id: str,
    ) -> None:
        super().__init__(server, reader, writer, sftp_version=VERSION)
        self.session_id = session_id
        self.sent_bytes = 0
        self.dropped = False
        self._ended = False
        self._most_handles = most_handles
        self._channel = cast(seams.Channel, writer.channel)
        self._connection = cast(seams.Connection, writer.channel.get_connection())
        self._failed: Exception | None = None
        """Why the WRITE in hand failed."""

    @property
    def open_files(self) -> int:
        """How many files the client has open now."""
        return len(self._file_handles)

    async def serve(self) -> None:
        """Answer until the client is gone; every open file is then closed, whatever went wrong."""
        try:
            await self.run()
        finally:
            if not self._ended:
                await self._cleanup(None)

    async def _cleanup(self, exc: Exception | None) -> None:
        if self._ended:
            return
        self._ended = True
        self.dropped = exc is not None or bool(self._file_handles)
        self._server.dropping = True  # type: ignore[attr-defined] # ours, see the class
        # OpenSSH's scp takes a session without an exit status for a failure.
        self._channel.exit(1 if exc else 0)
        files, self._file_handles = self._file_handles, {}
        await faults.close_all(self._server, files.values(), self.session_id)
        await super()._cleanup(exc)

    async def recv_packets(self) -> None:
        """Answer one request after the other, unless the client asked for a version before ours."""
        if self._version < VERSION:
            reason = (
                f"This gateway speaks version {VERSION} of SFTP, your client asks for {self._version}: use a newer one"
            )
            log.info("session.refused", reason=reason)
            self._channel.write_stderr(f"{reason}\n".encode())
            await self._cleanup(asyncssh.SFTPBadMessage(reason))
            return
        await super().recv_packets()

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

    def send_packet(self, pkttype: int, pktid: int | None, *args: bytes) -> None:  # noqa: ARG002 - the signature of asyncssh
        """Send an answer, counting its bytes."""
        if self._version < VERSION:
            return  # not even what we speak: `recv_packets` tells it in words
        size = sum(map(len, args))
        self.sent_bytes += size
        if self._reader is None:
            raise asyncssh.SFTPNoConnection("Connection not open")
        if not self._channel.is_closing():
            self._channel.write_parts((ANSWER.pack(1 + size, pkttype), *args))
            if not self._reader._session._recv_buf_len:  # noqa: SLF001 - this is the hook
                self._connection.send_sealed()

    async def _process_packet(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        # One who asks and never reads would grow our buffers without end; so its next request waits.
        if not self._connection.writable.is_set():
            await self._connection.writable.wait()
        if self._channel.get_write_buffer_size() > seams.CHANNEL_BUFFER_BYTES and self._writer is not None:
            try:
                await self._writer.drain()
            except (asyncssh.Error, OSError):
                return
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
        result: Any = self._server.write(self._file(handle), offset, data)
        return cast(int, await result if faults.is_awaited(result) else result)

    async def _answered(self, pktid: int, packet: SSHPacket) -> bool:
        """Answer a READ without a copy of its bytes; what is odd about it, the long way finds once more and says."""
        try:
            data, _ = await self._process_read(SSHPacket(packet.get_remaining_payload()))
        except Exception:  # noqa: BLE001 - as above
            return False
        self.send_packet(FXP_DATA, pktid, READ_ANSWER.pack(pktid, len(data)), data)
        return True

    async def _process_read(self, packet: SSHPacket) -> tuple[bytes, bool]:
        handle, offset, length = packet.get_string(), packet.get_uint64(), packet.get_uint32()
        file = self._file(handle)
        if offset > LARGEST_OFFSET:
            raise asyncssh.SFTPEOFError
        # A shorter answer than was asked for is allowed (draft-ietf-secsh-filexfer-02 §6.4).
        data = cast(bytes, self._server.read(file, offset, min(length, READ_BYTES)))
        if not data:
            raise asyncssh.SFTPEOFError
        return data, False

    def _file(self, handle: bytes) -> object:
        file = self._file_handles.get(handle)
        if not file:
            raise asyncssh.SFTPFailure("Invalid file handle")
        return file

    def _room_for_a_handle(self) -> None:
        if len(self._file_handles) + len(self._dir_handles) >= self._most_handles:
            raise asyncssh.SFTPFailure(f"Too many open files (at most {self._most_handles}); close some first")

    async def _process_open(self, packet: SSHPacket) -> bytes:
        self._room_for_a_handle()
        path, flags = packet.get_string(), packet.get_uint32()
        attrs = SFTPAttrs.decode(packet, VERSION)
        packet.check_end()
        opened: Any = self._server.open(path, flags, attrs)
        file = await opened
        handle = self._get_next_handle()
        self._file_handles[handle] = file
        return handle

    async def _process_opendir(self, packet: SSHPacket) -> bytes:
        self._room_for_a_handle()
        return await super()._process_opendir(packet)

    async def _process_close(self, packet: SSHPacket) -> None:
        handle = packet.get_string()
        packet.check_end()
        file = self._file_handles.pop(handle, None)
        if file:
            closed: Any = self._server.close(file)
            await closed
        elif self._dir_handles.pop(handle, None) is None:
            raise asyncssh.SFTPInvalidHandle("Invalid file handle")

    async def _process_limits(self, packet: SSHPacket) -> SFTPLimits:
        packet.check_end()
        # What OpenSSH's own server announces: its clients then write 255 KiB at a time.
        return SFTPLimits(256 * KIB, 255 * KIB, 255 * KIB, self._most_handles)

    async def _process_link(self, packet: SSHPacket) -> None:  # noqa: ARG002 - one answer to all
        raise asyncssh.SFTPOpUnsupported("Links are not supported here")

    _packet_handlers = _answers(
        {
            constants.FXP_OPEN: _process_open,
            constants.FXP_CLOSE: _process_close,
            constants.FXP_OPENDIR: _process_opendir,
            constants.FXP_READ: _process_read,
            constants.FXP_WRITE: _process_write,
            b"limits@openssh.com": _process_limits,
            **dict.fromkeys(LINKS, _process_link),
        }
    )


QUICK = {FXP_WRITE: Handler._written, FXP_READ: Handler._answered}  # noqa: SLF001 - its own
"""What tries to answer a request in the short way."""
