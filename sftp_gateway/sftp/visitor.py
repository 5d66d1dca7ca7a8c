"""One connection, from its arrival to its end, and what its client does on each channel: SFTP, and nothing else."""

from typing import Any, cast

import asyncssh
import structlog
from asyncssh.stream import SSHReader, SSHWriter

from sftp_gateway import errors, logs
from sftp_gateway.sftp import login, requests, seams, session
from sftp_gateway.sftp.door import Door

log = logs.get(__name__)

DRAINED = "The gateway is being restarted; connect again"
COMMAND_LENGTH = 200
ONLY_SFTP = "This gateway takes files by SFTP only: no shell, no commands, no `scp -O`. Use sftp, or scp without -O.\n"


class Visitor(login.Login):
    """A connection's owner; asyncssh calls it at each step, `seams.Connection` for keys.

    `reason`: why the gateway ended the connection; empty if it did not.
    """

    def __init__(self, door: "Door[Visitor]", address: str) -> None:
        super().__init__(door, address)
        self.reason = ""
        self.last_moved_at = door.clock()
        self.conversations: list[Conversation] = []
        """The channels that are open."""
        self._channels = self._moved_bytes = self._left_bytes = 0

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature of asyncssh
        """Free the place that was held."""
        self._door.lobby.leave(self)
        if self in self._door.inside:
            self._door.inside.discard(self)
            self._door.seats.give_back(self.brand)
        self._connection = None
        self._door.changed.set()

    def send_away(self, reason: str, text: str) -> None:
        """End the connection, telling the client why."""
        if self._connection is not None:
            self.reason = self.reason or reason
            self._connection.disconnect(asyncssh.DISC_BY_APPLICATION, text)

    def abort(self) -> None:
        """End the connection without a word."""
        if self._connection is not None:
            self._connection.abort()

    def auth_completed(self) -> None:
        """Take a seat, if there is one."""
        assert self.proof is not None
        super().auth_completed()
        self._door.lobby.leave(self)
        self._door.penalties.forgive(self.source)
        full = self._door.seats.take(self.brand)
        if not full:
            self._door.inside.add(self)
            self.last_moved_at = self._door.clock()
        log.info(
            "login.accepted",
            brand=self.brand,
            source=self.address,
            method=self.proof.method,
            fingerprint=self.proof.fingerprint,
            client=self.client_version(),
            connection=self.id,
            tries=self.tries,
        )
        if full:
            log.warning("login.full", brand=self.brand, source=self.address, connection=self.id, reason=full)
            self.send_away("full", full)

    def session_requested(self) -> "tuple[seams.Channel, Conversation]":
        """Open a channel, if the client has not too many; while the listener is drained, its first one only."""
        if self._door.draining and (self._channels or self.conversations):
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, DRAINED)
        most = self._door.rules.channels_per_connection
        if len(self.conversations) >= most:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, f"At most {most} channels per connection")
        talk = Conversation(self, self._door)
        self.conversations.append(talk)
        return seams.Channel(cast(seams.Connection, self._connection)), talk

    def begin_session(self) -> session.Session:
        """Say who talks on a channel that asked for SFTP."""
        assert self.proof is not None
        self._channels += 1
        return session.Session(
            brand=self.brand,
            method=self.proof.method,
            key_fingerprint=self.proof.fingerprint,
            source_ip=self.address,
            client_version=self.client_version(),
            connection=self.id,
            channel=self._channels,
        )

    def channel_closed(self, talk: "Conversation") -> None:
        """Free the place of a channel; what is open on it may still be being closed."""
        self.conversations.remove(talk)
        self._left_bytes += talk.moved_bytes

    @property
    def open_files(self) -> int:
        """How many files are open on all channels."""
        return sum(talk.open_files for talk in self.conversations)

    def quiet_seconds(self) -> float:
        """For how long no byte has come and none has left; keepalives do not count."""
        waiting = cast(seams.Connection, self._connection).buffered_bytes if self._connection else 0
        moved = self._left_bytes + sum(talk.moved_bytes for talk in self.conversations) - waiting
        now = self._door.clock()
        if moved != self._moved_bytes:
            self._moved_bytes, self.last_moved_at = moved, now
        return now - self.last_moved_at


class Conversation(seams.Stream):
    """One channel of a visitor, from its opening to its end. Anything but SFTP gets a line and a status."""

    def __init__(self, visitor: Visitor, door: Door[Visitor]) -> None:
        super().__init__()
        self._visitor, self._door = visitor, door
        self.received_bytes = 0
        self.sftp: requests.Handler | None = None
        self.is_open = True

    @property
    def moved_bytes(self) -> int:
        """Bytes that came, and answers that left our buffer: stands still only when nothing moves."""
        waiting = self.channel.get_write_buffer_size() if self.is_open and self._chan else 0
        return self.received_bytes + self.sent_bytes - waiting

    @property
    def sent_bytes(self) -> int:
        """Bytes of answers so far."""
        return self.sftp.sent_bytes if self.sftp else 0

    @property
    def open_files(self) -> int:
        """How many files the client has open on this channel."""
        return self.sftp.open_files if self.sftp else 0

    def shell_requested(self) -> bool:
        """Accept, so that `started` can refuse in words."""
        return True

    def exec_requested(self, command: str) -> bool:  # noqa: ARG002 - the signature of asyncssh
        """Accept, so that `started` can refuse in words."""
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        """Only SFTP."""
        return subsystem == "sftp"

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Count, then buffer."""
        self.received_bytes += len(data)
        super().data_received(data, datatype)

    def connection_lost(self, exc: Exception | None) -> None:
        """Hear that the channel is gone; what the client had open is closed by the handler's own end."""
        self.is_open = False
        super().connection_lost(exc)
        self._visitor.channel_closed(self)

    async def started(self) -> None:
        """Speak SFTP to the end, or refuse."""
        if self.channel.get_subsystem() != "sftp":
            log.info("request.refused", command=(self.channel.get_command() or "shell")[:COMMAND_LENGTH])
            self._refuse(ONLY_SFTP)
            return
        who = self._visitor.begin_session()
        self._door.talking.add(self)
        try:
            with structlog.contextvars.bound_contextvars(session=who.id, brand=who.brand):
                await self._speak(who)
        finally:
            self._door.talking.discard(self)
            self._door.changed.set()

    async def _speak(self, who: session.Session) -> None:
        try:
            server = self._door.home(self.channel, who)
        except errors.GatewayError as exc:
            log.warning("session.refused", reason=str(exc))
            self._refuse(f"{exc}\n")
            return
        reader, writer = SSHReader[bytes](self, self.channel), SSHWriter[bytes](self, self.channel)
        most = self._door.rules.handles_per_session
        self.sftp = requests.Handler(server, reader, writer, most_handles=most, session_id=who.id)
        described: dict[str, Any] = {**who.facts(), "connection": who.connection, "channel": who.channel}
        log.info("session.opened", **described)
        try:
            await self.sftp.serve()
        finally:
            log.info(
                "session.closed",
                **described,
                reason=self._visitor.reason or ("dropped" if self.sftp.dropped else "client"),
                received_bytes=self.received_bytes,
                sent_bytes=self.sftp.sent_bytes,
            )

    def _refuse(self, text: str) -> None:
        if self.is_open:
            self.channel.write_stderr(text.encode())
            self.channel.exit(1)
