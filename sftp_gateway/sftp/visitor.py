"""One connection, from its arrival to its end: who it says it is, what it tried, what it may open."""

import secrets
from typing import cast

import asyncssh

from sftp_gateway import logs
from sftp_gateway.sftp import auth, conversation, limits, login, seams, session
from sftp_gateway.sftp.door import Door

log = logs.get(__name__)

DRAINED = "The gateway is being restarted; connect again"


class Visitor(asyncssh.SSHServer):
    """A connection's owner; asyncssh calls it at each step, `seams.Connection` for keys."""

    def __init__(self, door: "Door[Visitor]", address: str) -> None:
        self.address = address
        self.source = limits.source_of(address)
        self.exempt = limits.is_in(address, door.exempt)
        self.id = secrets.token_hex(5)
        self.reason = ""
        self.last_moved_at = door.clock()
        self._door = door
        self._login = login.Login(door, address, self.id, self._client_version)
        self._connection: seams.Connection | None = None
        self.conversations: list[conversation.Conversation] = []
        """The channels that are open."""
        self._channels = self._moved_bytes = self._left_bytes = 0

    @property
    def brand(self) -> str:
        """Who it says it is."""
        return self._login.brand

    @property
    def proof(self) -> auth.Proof | None:
        """What let it in; None before that."""
        return self._login.proof

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Note the connection."""
        self._connection = cast(seams.Connection, conn)

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
        if self._connection is None:
            return
        if self in self._door.inside:
            self._door.counts.ended[reason] += 1
        self.reason = self.reason or reason
        self._connection.disconnect(asyncssh.DISC_BY_APPLICATION, text)

    def abort(self) -> None:
        """End the connection without a word."""
        if self._connection is not None:
            self._connection.abort()

    def begin_auth(self, username: str) -> bool:
        """Demand a proof from everybody, known or not."""
        self._login.brand = username
        return True

    def public_key_auth_supported(self) -> bool:
        """Offer keys to everybody: the list of methods must not tell who exists."""
        return True

    def password_auth_supported(self) -> bool:
        """Offer passwords to everybody, as above."""
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Whether the brand has this key; whether the client has, asyncssh checks by the signature."""
        return await self._login.is_key(username, key)

    def key_checked(self, username: str, fingerprint: str, *, signed: bool, good: bool) -> None:
        """Count an offer or a try of a key; send the client away when it was one too many."""
        self._login.key_checked(username, fingerprint, signed=signed, good=good)

    async def validate_password(self, username: str, password: str) -> bool:
        """Whether it is the brand's password."""
        return await self._login.is_password(username, password)

    def auth_completed(self) -> None:
        """Take a seat, if there is one."""
        assert self.proof is not None
        self._door.lobby.leave(self)
        self._door.penalties.forgive(self.source)
        full = self._door.seats.take(self.brand)
        if not full:
            self._door.inside.add(self)
            self.last_moved_at = self._door.clock()
        self._door.counts.logins += 1
        self._login.completed()
        log.info(
            "login.accepted",
            brand=self.brand,
            source=self.address,
            method=self.proof.method,
            fingerprint=self.proof.fingerprint,
            client=self._client_version(),
            connection=self.id,
            tries=self._login.tries,
        )
        if full:
            self._door.counts.ended["full"] += 1
            log.warning("login.full", brand=self.brand, source=self.address, connection=self.id, reason=full)
            self.send_away("full", full)

    def session_requested(self) -> tuple[seams.Channel, seams.Stream]:
        """Open a channel, if the client has not too many; while the listener is drained, its first one only."""
        if self._door.draining and (self._channels or self.conversations):
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, DRAINED)
        most = self._door.rules.channels_per_connection
        if len(self.conversations) >= most:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, f"At most {most} channels per connection")
        assert self._connection is not None
        talk = conversation.Conversation(self, self._door.home, self._door.rules.handles_per_session)
        self.conversations.append(talk)
        return seams.Channel(self._connection), talk

    def talk_began(self, talk: conversation.Conversation) -> session.Session:
        """Say who talks on this channel."""
        assert self.proof is not None
        self._channels += 1
        self._door.talking.add(talk)
        self._door.counts.sessions += 1
        return session.Session(
            brand=self.brand,
            method=self.proof.method,
            key_fingerprint=self.proof.fingerprint,
            source_ip=self.address,
            client_version=self._client_version(),
            connection=self.id,
            channel=self._channels,
        )

    def talk_ended(self, talk: conversation.Conversation) -> None:
        """Note that the home is gone."""
        self._door.talking.discard(talk)
        self._door.changed.set()

    def channel_closed(self, talk: conversation.Conversation) -> None:
        """Free the place of a channel."""
        self.conversations.remove(talk)
        self._left_bytes += talk.moved_bytes
        self._door.counts.received_bytes += talk.received_bytes
        self._door.counts.sent_bytes += talk.sent_bytes

    def _client_version(self) -> str:
        version = self._connection.get_extra_info("client_version", "") if self._connection else ""
        return str(version)[:255]

    @property
    def open_files(self) -> int:
        """How many files are open on all channels."""
        return sum(talk.open_files for talk in self.conversations)

    def quiet_seconds(self) -> float:
        """For how long no byte has come and none has left; keepalives do not count."""
        waiting = self._connection.buffered_bytes if self._connection else 0
        moved = self._left_bytes + sum(talk.moved_bytes for talk in self.conversations) - waiting
        now = self._door.clock()
        if moved != self._moved_bytes:
            self._moved_bytes, self.last_moved_at = moved, now
        return now - self.last_moved_at
