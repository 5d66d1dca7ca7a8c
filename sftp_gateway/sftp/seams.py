"""The few private hooks into asyncssh, all of them; docs/decisions say why each is needed.

Written against asyncssh 2.24: `check_version` refuses another line, and tests/unit/test_seams.py is
the canary that fails when a release moves what is overridden here. What each class mends was
measured with real clients.

* `Channel`: grants window early, none while data waits; takes no environment.
* `Stream`: a session channel that speaks bytes, for visitor.py.
* `Connection`: counts offers and tries of keys, ends one that never reads; a password that no server may read is a wrong one.

What is done with requests of SFTP is in requests.py.
"""

import asyncio
import secrets
from typing import Any, cast

import asyncssh
from asyncssh.connection import SSHServerConnectionOptions
from asyncssh.packet import Boolean, PacketDecodeError, SSHPacket, String
from asyncssh.saslprep import SASLPrepError, saslprep
from asyncssh.stream import SSHServerStreamSession

from sftp_gateway import errors
from sftp_gateway.sftp import fastpath, hostkeys

MIB = 1024**2

VERSION = "2.24"
CHANNEL_BUFFER_BYTES = 1 * MIB
GRANT_BYTES = MIB // 4
FAR_BYTES_A_SECOND = 80 * MIB
MOST_WINDOW_BYTES = 8 * MIB
SOCKET_BUFFER_BYTES = 4 * MIB
HOPELESS_BUFFER_BYTES = 16 * MIB
FAILURES_PER_CONNECTION = 64


def check_version(version: str = asyncssh.__version__) -> None:
    """Raise `ConfigError` if the installed asyncssh is not the line these hooks were written for."""
    if version.split(".")[:2] != VERSION.split("."):
        raise errors.ConfigError(f"asyncssh {version} is installed; the front door is made for {VERSION}.*")


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
            window=connection.next_window(),
            max_pktsize=connection._max_pktsize,  # noqa: SLF001 - as above
        )
        connection._update_recv_pktlen(connection._max_pktsize)  # noqa: SLF001 - as above
        self.set_write_buffer_limits(high=CHANNEL_BUFFER_BYTES)

    def _deliver_data(self, data: bytes, datatype: int | None) -> None:
        # asyncssh would grant a new window with every piece handed on although others wait: the buffer would grow
        # by 1.8 MB for each slow write. So no window is granted while something waits. And it would wait until half
        # of it is used up: over a line of 50 ms there and back a client stood still for two fifths of the time.
        used = self._init_recv_window - self._recv_window
        if used >= GRANT_BYTES and not self._recv_buf and self._send_chan is not None:
            cast(Connection, self._conn).grant(self._send_chan, used)
            self._recv_window = self._init_recv_window
        if self._session is not None:
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


class Connection(fastpath.Fast):
    """One SSH connection from an accepted socket."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, options: SSHServerConnectionOptions, owner: asyncssh.SSHServer
    ) -> None:
        super().__init__(loop, options)
        self._protocol_factory = lambda: owner
        self.writable = asyncio.Event()
        self.writable.set()
        self._failures = 0
        self._told_at = self._away_seconds = 0.0

    def next_window(self) -> int:
        """Give how many bytes the next channel may have on their way.

        From far away those of asyncssh's 2 MiB are sent long before word comes that more may be, as with OpenSSH's server: the
        first channel gets what goes through at FAR_BYTES_A_SECOND. From nearby more would only wait here (0.8 of the speed).
        """
        away, self._away_seconds = self._away_seconds, 0.0
        return max(self._window, min(int(away * FAR_BYTES_A_SECOND), MOST_WINDOW_BYTES))

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
        if self._told_at:
            took, self._told_at = self._loop.time() - self._told_at, 0.0
            self._away_seconds = min(took, self._away_seconds or took)
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
        self._told_at = self._loop.time()
        super().send_userauth_failure(partial_success)

    async def send_userauth_success(self) -> None:
        """Let the client in; how soon it goes on tells how far away it is."""
        self._told_at = self._loop.time()
        await super().send_userauth_success()

    async def _finish_userauth(self, begin_auth: bool, method: bytes, packet: SSHPacket) -> None:
        await super()._finish_userauth(begin_auth, method, _legible(packet) if method == b"password" else packet)


def _legible(packet: SSHPacket) -> SSHPacket:
    """Give a request with a password (RFC 4252 §8); in place of one that is no text (RFC 4013) one that nobody has."""
    rest = packet.get_remaining_payload()
    asked = SSHPacket(rest)
    try:
        changes, given = asked.get_boolean(), [asked.get_string()]
        given += [asked.get_string()] if changes else []
        for text in given:
            saslprep(text.decode())
    except (UnicodeDecodeError, SASLPrepError):
        return SSHPacket(Boolean(False) + String(secrets.token_hex(32)))
    except PacketDecodeError:
        pass  # asyncssh says so
    return SSHPacket(rest)
