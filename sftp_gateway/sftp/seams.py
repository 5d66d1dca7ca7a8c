"""The few private hooks into asyncssh, all of them; docs/decisions say why each is needed.

Written against asyncssh 2.24: `check_version` refuses another line, and tests/unit/test_seams.py is
the canary that fails when a release moves what is overridden here. What each class mends was
measured with real clients.

* `Handler`: tells a CLOSE packet from a dropped connection, bounds handles and READs, waits for a client that
  does not read, offers no links and no copy-data. That it takes rclone's padded WRITE is in requests.py.
* `Channel`: grants no window while data waits, takes no environment.
* `Stream`: a session channel that speaks bytes, for conversation.py.
* `Connection`: counts offers and tries of keys, ends one that never reads.
"""

import asyncio
from typing import Any, cast

import asyncssh
from asyncssh import constants
from asyncssh.connection import SSHServerConnectionOptions
from asyncssh.packet import SSHPacket
from asyncssh.sftp import SFTPLimits, SFTPServerHandler
from asyncssh.stream import SSHReader, SSHServerStreamSession, SSHWriter

from sftp_gateway import errors
from sftp_gateway.sftp import fastpath, faults, greeting, hostkeys, offer, requests

MIB = 1024**2

VERSION = "2.24"
LARGEST_OFFSET = 2**63 - 1 - offer.READ_BYTES
"""Beyond it the kernel takes no offset, and Python no number for one."""
CHANNEL_BUFFER_BYTES = 1 * MIB
SOCKET_BUFFER_BYTES = 4 * MIB
HOPELESS_BUFFER_BYTES = 16 * MIB
FAILURES_PER_CONNECTION = 64


def check_version(version: str = asyncssh.__version__) -> None:
    """Raise `ConfigError` if the installed asyncssh is not the line these hooks were written for."""
    if version.split(".")[:2] != VERSION.split("."):
        raise errors.ConfigError(f"asyncssh {version} is installed; the front door is made for {VERSION}.*")


def _answers(own: dict[int | bytes, faults.Process]) -> Any:
    """Give the table of requests: asyncssh's with ours put over it, without what is not offered."""
    theirs = cast(dict[int | bytes, faults.Process], SFTPServerHandler._packet_handlers)  # noqa: SLF001 - this is the seam
    return {kind: faults.guarded(process) for kind, process in (theirs | own).items() if kind not in offer.NOT_OFFERED}


class Handler(greeting.GreetedHandler):
    """The SFTP conversation on one channel; `serve()` runs it to its end.

    Before files are closed because the client went away, `server.dropping` is set to True, so that
    the home can tell this from a CLOSE packet.
    """

    _extensions = [pair for pair in SFTPServerHandler._extensions if pair[0] in offer.EXTENSIONS]  # noqa: RUF012, SLF001 - shape of the base class

    def __init__(
        self,
        server: asyncssh.SFTPServer,
        reader: SSHReader[bytes],
        writer: SSHWriter[bytes],
        *,
        most_handles: int,
        session_id: str,
    ) -> None:
        super().__init__(server, reader, writer, sftp_version=3)
        self.session_id = session_id
        self.sent_bytes = 0
        self.dropped = False
        self._ended = False
        self._most_handles = most_handles
        self._channel = writer.channel
        self._out = writer

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
        self._channel.exit(1 if exc else 0)  # type: ignore[attr-defined] # ours is a server's channel
        files, self._file_handles = self._file_handles, {}
        await faults.close_all(self._server, files.values(), self.session_id)
        await super()._cleanup(exc)

    async def _process_packet(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        # One who asks and never reads would grow our buffers without end; so its next request waits.
        connection = cast(Connection, self._channel.get_connection())
        if not connection.writable.is_set():
            await connection.writable.wait()
        if self._channel.get_write_buffer_size() > CHANNEL_BUFFER_BYTES:
            try:
                await self._out.drain()
            except (asyncssh.Error, OSError):
                return
        await super()._process_packet(pkttype, pktid, packet)

    def send_packet(self, pkttype: int, pktid: int | None, *args: bytes) -> None:
        """Send an answer, counting its bytes."""
        self.sent_bytes += sum(map(len, args))
        super().send_packet(pkttype, pktid, *args)

    def _room_for_a_handle(self) -> None:
        if len(self._file_handles) + len(self._dir_handles) >= self._most_handles:
            raise asyncssh.SFTPFailure(f"Too many open files (at most {self._most_handles}); close some first")

    async def _process_open(self, packet: SSHPacket) -> bytes:
        self._room_for_a_handle()
        return await super()._process_open(packet)

    async def _process_opendir(self, packet: SSHPacket) -> bytes:
        self._room_for_a_handle()
        return await super()._process_opendir(packet)

    async def _process_read(self, packet: SSHPacket) -> tuple[bytes, bool]:
        handle, offset, length = packet.get_string(), packet.get_uint64(), packet.get_uint32()
        file = self._file_handles.get(handle)
        if not file:
            raise asyncssh.SFTPFailure("Invalid file handle")
        if offset > LARGEST_OFFSET:
            raise asyncssh.SFTPEOFError
        # A shorter answer than was asked for is allowed (draft-ietf-secsh-filexfer-02 §6.4).
        result: Any = self._server.read(file, offset, min(length, offer.READ_BYTES))
        data: bytes = await result if faults.is_awaited(result) else result
        if not data:
            raise asyncssh.SFTPEOFError
        return data, False

    async def _process_limits(self, packet: SSHPacket) -> SFTPLimits:
        packet.check_end()
        return offer.limits(self._most_handles)

    _packet_handlers = _answers(
        {
            constants.FXP_OPEN: _process_open,
            constants.FXP_CLOSE: requests.FastHandler._process_close,  # noqa: SLF001 - the seam
            constants.FXP_OPENDIR: _process_opendir,
            constants.FXP_READ: _process_read,
            constants.FXP_WRITE: requests.FastHandler._process_write,  # noqa: SLF001 - as above
            b"limits@openssh.com": _process_limits,
            **dict.fromkeys(offer.LINKS, offer.no_links),
        }
    )


class Channel(fastpath.FastChannel):
    """A session channel."""

    def __init__(self, connection: "Connection") -> None:
        super().__init__(
            connection,
            connection._loop,  # noqa: SLF001 - as the base class makes it
            allow_pty=False,
            line_editor=False,
            line_echo=False,
            line_history=0,
            max_line_length=0,
            encoding=None,
            errors="strict",
            window=connection._window,  # noqa: SLF001 - as above
            max_pktsize=connection._max_pktsize,  # noqa: SLF001 - as above
        )
        connection._update_recv_pktlen(connection._max_pktsize)  # noqa: SLF001 - as above
        self.set_write_buffer_limits(high=CHANNEL_BUFFER_BYTES)

    def _deliver_data(self, data: bytes, datatype: int | None) -> None:
        # Every piece handed on would grant a new window although others wait: the buffer would grow
        # by 1.8 MB for each slow write. So no window is granted while something waits.
        if not self._recv_buf:
            super()._deliver_data(data, datatype)
        elif self._session is not None:
            self._session.data_received(data, datatype)

    def _process_env_request(self, packet: SSHPacket) -> bool:
        _ = packet.get_string(), packet.get_string()
        packet.check_end()
        return False


class Stream(SSHServerStreamSession[bytes]):
    """What happens on a session channel; `started` is called when the client said what it wants."""

    def __init__(self) -> None:
        super().__init__(None)

    @property
    def channel(self) -> Channel:
        """The channel, once it is open."""
        return cast(Channel, self._chan)

    def session_started(self) -> None:
        """Hand over to `started`, as a task of the connection."""
        assert self._conn is not None
        assert self._chan is not None
        self._conn.create_task(self.started(), self._chan.logger)

    async def started(self) -> None:
        """Do what the channel is for."""
        raise NotImplementedError


class Connection(greeting.GreetedConnection):
    """One SSH connection from an accepted socket."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, options: SSHServerConnectionOptions, owner: asyncssh.SSHServer
    ) -> None:
        super().__init__(loop, options)
        self._protocol_factory = lambda: owner
        self.writable = asyncio.Event()
        self.writable.set()
        self._failures = 0

    @property
    def buffered_bytes(self) -> int:
        """Bytes that wait for the socket."""
        return self._transport.get_write_buffer_size() if self._transport else 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over the socket."""
        cast(asyncio.Transport, transport).set_write_buffer_limits(high=SOCKET_BUFFER_BYTES)
        super().connection_made(transport)

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        """Take bytes, unless this client has us answer for ever and never reads."""
        if self.buffered_bytes > HOPELESS_BUFFER_BYTES:
            self.abort()
            return
        super().data_received(data, datatype)

    def pause_writing(self) -> None:
        """Let requests wait: the socket takes no more."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self.writable.set()

    def _cleanup(self, exc: Exception | None) -> None:
        self.writable.set()
        super()._cleanup(exc)

    async def reload_config(self) -> None:
        """Do nothing: there are no OpenSSH configuration files to look at again for each user."""

    async def validate_public_key(self, username: str, key_data: bytes, msg: bytes, signature: bytes) -> bool:
        """Check a key, and tell the visitor whether it was an offer or a try."""
        good = await super().validate_public_key(username, key_data, msg, signature)
        owner: Any = getattr(self, "_owner", None)  # the visitor; its `key_checked` may raise `DisconnectError`
        if owner is None:
            return False
        owner.key_checked(username, hostkeys.fingerprint(key_data), signed=bool(msg), good=good)
        return good

    def send_userauth_failure(self, partial_success: bool) -> None:
        """Answer no; a client that asks on and on (`none`, unknown methods) is sent away."""
        self._failures += 1
        if self._failures > FAILURES_PER_CONNECTION:
            raise asyncssh.DisconnectError(
                asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "Too many authentication requests"
            )
        self._next_service = b"ssh-userauth"  # paramiko asks for it anew before each try; asyncssh would send it away
        super().send_userauth_failure(partial_success)
