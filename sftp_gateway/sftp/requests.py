"""The SFTP conversation on one channel: what the server offers, and how requests are taken and answered.

Private hooks into asyncssh as in seams.py and fastpath.py, held by the same tests. Mended here: a CLOSE packet is told from
a dropped connection; handles and READs are bounded; who does not read waits; no links, no copy-data; clients of an SFTP
version before ours are told so (asyncssh speaks 1 and 2 as if they were later ones, and every request of them is a fault).
Made faster: what quick.py can answer it does; what a file's bytes are answered with is not joined; answers to what was asked
together go out together.
"""

import struct
from typing import Any, cast

import asyncssh
from asyncssh import constants
from asyncssh.packet import SSHPacket
from asyncssh.sftp import SFTPAttrs, SFTPLimits, SFTPServerHandler
from asyncssh.stream import SSHReader, SSHWriter

from sftp_gateway import logs
from sftp_gateway.sftp import faults, quick, seams
from sftp_gateway.sftp.quick import Quick

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


def _answers(own: dict[int | bytes, faults.Process]) -> Any:
    """Give the table of requests: asyncssh's with ours put over it, without what is not offered."""
    theirs = cast(dict[int | bytes, faults.Process], SFTPServerHandler._packet_handlers)  # noqa: SLF001 - this is the seam
    return {
        kind: faults.guarded(quick.resumed(process))
        for kind, process in (theirs | own).items()
        if kind not in NOT_OFFERED
    }


class Handler(Quick):
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
        self._is_quick = True
        await super().recv_packets()

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

    async def _is_read(self) -> bool:
        """Wait until the client takes its answers, for one who asks and never reads would grow our buffers; False: it is gone."""
        if not self._connection.writable.is_set():
            await self._connection.writable.wait()
        if self._channel.get_write_buffer_size() > seams.CHANNEL_BUFFER_BYTES and self._writer is not None:
            try:
                await self._writer.drain()
            except (asyncssh.Error, OSError):
                return False
        return True

    async def _process_packet(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        if await self._is_read():
            await super()._process_packet(pkttype, pktid, packet)

    async def _process_write(self, packet: SSHPacket) -> int:
        handle, offset, data = packet.get_string(), packet.get_uint64(), packet.get_string()
        result: Any = self._server.write(self._file(handle), offset, data)
        return cast(int, await result if faults.is_awaited(result) else result)

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
        path, flags = packet.get_string(), packet.get_uint32()
        attrs = SFTPAttrs.decode(packet, VERSION)
        packet.check_end()
        return await self._opening(path, flags, attrs)

    async def _opening(self, path: bytes, flags: int, attrs: SFTPAttrs) -> bytes:
        self._room_for_a_handle()
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
