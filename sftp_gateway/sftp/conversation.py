"""What a client does on one channel: SFTP, and nothing else. Anything else gets a line and a status."""

from collections.abc import Callable
from typing import Any, Protocol

import asyncssh
import structlog
from asyncssh.stream import SSHReader, SSHWriter

from sftp_gateway import errors, logs
from sftp_gateway.sftp import requests, seams, session

log = logs.get(__name__)

Home = Callable[[Any, session.Session], asyncssh.SFTPServer]
"""Makes the home of a brand for a channel: `home(channel, session)`."""

COMMAND_LENGTH = 200
ONLY_SFTP = "This gateway takes files by SFTP only: no shell, no commands, no `scp -O`. Use sftp, or scp without -O.\n"


class Host(Protocol):
    """What a conversation needs of the visitor it belongs to."""

    @property
    def reason(self) -> str:
        """Why the gateway ended the connection; empty if it did not."""

    def talk_began(self, talk: "Conversation") -> session.Session:
        """Give the session for a channel that asked for SFTP."""

    def talk_ended(self, talk: "Conversation") -> None:
        """Hear that the last file is closed and the home has gone."""

    def channel_closed(self, talk: "Conversation") -> None:
        """Hear that the channel is gone; what is open on it may still be being closed."""


class Conversation(seams.Stream):
    """One channel of a visitor, from its opening to its end; `most_handles` may be open on it at once."""

    def __init__(self, host: Host, home: Home, most_handles: int) -> None:
        super().__init__()
        self._host, self._home, self._most_handles = host, home, most_handles
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
        self._host.channel_closed(self)

    async def started(self) -> None:
        """Speak SFTP to the end, or refuse."""
        if self.channel.get_subsystem() != "sftp":
            log.info("request.refused", command=(self.channel.get_command() or "shell")[:COMMAND_LENGTH])
            self._refuse(ONLY_SFTP)
            return
        who = self._host.talk_began(self)
        try:
            with structlog.contextvars.bound_contextvars(session=who.id, brand=who.brand):
                await self._speak(who)
        finally:
            self._host.talk_ended(self)

    async def _speak(self, who: session.Session) -> None:
        try:
            server = self._home(self.channel, who)
        except errors.GatewayError as exc:
            log.warning("session.refused", reason=str(exc))
            self._refuse(f"{exc}\n")
            return
        reader, writer = SSHReader[bytes](self, self.channel), SSHWriter[bytes](self, self.channel)
        self.sftp = requests.Handler(server, reader, writer, most_handles=self._most_handles, session_id=who.id)
        log.info("session.opened", **_described(who))
        try:
            await self.sftp.serve()
        finally:
            log.info(
                "session.closed",
                **_described(who),
                reason=self._host.reason or ("dropped" if self.sftp.dropped else "client"),
                received_bytes=self.received_bytes,
                sent_bytes=self.sftp.sent_bytes,
            )

    def _refuse(self, text: str) -> None:
        if not self.is_open:
            return
        self.channel.write_stderr(text.encode())
        self.channel.exit(1)


def _described(who: session.Session) -> dict[str, Any]:
    return {**who.facts(), "connection": who.connection, "channel": who.channel}
