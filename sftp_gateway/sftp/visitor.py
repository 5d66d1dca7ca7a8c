"""One connection, from its arrival to its end: who it says it is, what it tried, what it may open."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import asyncssh

from sftp_gateway import errors, logs, settings
from sftp_gateway.sftp import auth, conversation, limits, seams, session

log = logs.get(__name__)

OFFERS_PER_CONNECTION = 20
NAME_LENGTH = 64
RULES_SECONDS = 1.0
"""An offered key and the signed try of it right after share a look into the store; what is withdrawn meanwhile
is noticed as for every session."""


@dataclass(slots=True)
class Counts:
    """What the listener counted since it began; the metrics are made from it."""

    connections: int = 0
    logins: int = 0
    failed_logins: int = 0
    sessions: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Connections turned away before login, by reason: penalised, source_full, evicted."""
    ended: Counter[str] = field(default_factory=Counter)
    """Connections that the gateway ended after login, by reason: idle, stalled, drained, revoked, full."""


@dataclass(slots=True)
class Door:
    """What all visitors of a listener share."""

    rules: settings.Sftp
    clock: Callable[[], float]
    authenticator: auth.Authenticator
    home: conversation.Home
    penalties: limits.Penalties
    lobby: "limits.Lobby[Visitor]"
    seats: limits.Seats
    exempt: tuple[limits.Network, ...]
    counts: Counts = field(default_factory=Counts)
    inside: "set[Visitor]" = field(default_factory=set)
    """Visitors that are logged in."""
    talking: set[conversation.Conversation] = field(default_factory=set)
    """Channels whose files are open or being closed, also after their connection is gone."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever somebody leaves."""
    draining: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nobody is here any more and every file is closed."""
        return not (self.inside or self.talking or len(self.lobby))


class Visitor(asyncssh.SSHServer):
    """A connection's owner; asyncssh calls it at each step, `seams.Connection` for keys."""

    def __init__(self, door: Door, address: str) -> None:
        self.address = address
        self.source = limits.source_of(address)
        self.exempt = limits.is_in(address, door.exempt)
        self.id = secrets.token_hex(5)
        self.brand = ""
        self.proof: auth.Proof | None = None
        self.reason = ""
        self.last_moved_at = door.clock()
        self._door = door
        self._connection: seams.Connection | None = None
        self._conversations: list[conversation.Conversation] = []
        self._rules: tuple[str, float, auth.Rules] | None = None
        self._elsewhere = False
        self._channels = self._offers = self._tries = self._passwords = 0
        self._moved_bytes = self._left_bytes = 0

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
        self.brand = username
        return True

    def public_key_auth_supported(self) -> bool:
        """Offer keys to everybody: the list of methods must not tell who exists."""
        return True

    def password_auth_supported(self) -> bool:
        """Offer passwords to everybody, as above."""
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Whether the brand has this key; whether the client has, asyncssh checks by the signature."""
        rules = await self._rules_of(username)
        good, welcome = rules.have(key), rules.welcome(self.address)
        if good and not welcome and not self._elsewhere:
            # Nothing will be signed, so nothing else would tell of it; once a connection is enough.
            self._elsewhere = True
            self._refused(username, "publickey", key.get_fingerprint(), reason="source_not_allowed", seconds=0.0)
        return good and welcome

    def key_checked(self, username: str, fingerprint: str, *, signed: bool, good: bool) -> None:
        """Count an offer or a try of a key; send the client away when it was one too many."""
        if signed and good:
            self.brand, self.proof = username, auth.Proof("publickey", fingerprint=fingerprint)
        elif signed:
            self._failed(username, "publickey", fingerprint)
        else:
            self._offers += 1
            if self._offers > OFFERS_PER_CONNECTION:
                self._refused(username, "publickey", fingerprint, reason="too_many_keys_offered", seconds=0.0)
                raise _no_more(f"More than {OFFERS_PER_CONNECTION} keys offered; name the right one")

    async def validate_password(self, username: str, password: str) -> bool:
        """Whether it is the brand's password."""
        self._passwords += 1
        if self._passwords > self._door.rules.login_tries:
            # A new request cancels the one before: without this count each would cost a hash and no try.
            raise _no_more("Too many failed logins")
        rules = await self._rules_of(username)
        proof = await self._door.authenticator.check_password(rules, password, self.source, self.address)
        if proof is None:
            welcome = rules.welcome(self.address)
            self._failed(username, "password", None, reason="not_accepted" if welcome else "source_not_allowed")
            return False
        self.brand, self.proof = username, proof
        return True

    async def _rules_of(self, username: str) -> auth.Rules:
        now = self._door.clock()
        if self._rules is None or self._rules[0] != username or now - self._rules[1] > RULES_SECONDS:
            with _store_needed():
                self._rules = (username, now, await self._door.authenticator.rules(username))
        return self._rules[2]

    def _failed(self, username: str, method: str, fingerprint: str | None, reason: str = "not_accepted") -> None:
        self._tries += 1
        self._door.counts.failed_logins += 1
        seconds = 0.0 if self.exempt else self._door.penalties.offend(self.source, username[:NAME_LENGTH])
        self._refused(username, method, fingerprint, reason=reason, seconds=seconds)
        if self._tries >= self._door.rules.login_tries:
            raise _no_more("Too many failed logins")

    def _refused(self, username: str, method: str, fingerprint: str | None, *, reason: str, seconds: float) -> None:
        log.info(
            "login.refused",
            brand=username[:NAME_LENGTH],
            source=self.address,
            method=method,
            fingerprint=fingerprint,
            client=self._client_version(),
            connection=self.id,
            reason=reason,
            tries=self._tries,
            penalty_seconds=seconds,
        )

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
        self._rules = None
        log.info(
            "login.accepted",
            brand=self.brand,
            source=self.address,
            method=self.proof.method,
            fingerprint=self.proof.fingerprint,
            client=self._client_version(),
            connection=self.id,
            tries=self._tries,
        )
        if full:
            self._door.counts.ended["full"] += 1
            log.warning("login.full", brand=self.brand, source=self.address, connection=self.id, reason=full)
            self.send_away("full", full)

    def session_requested(self) -> tuple[seams.Channel, seams.Stream]:
        """Open a channel, if the client has not too many."""
        most = self._door.rules.channels_per_connection
        if len(self._conversations) >= most:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, f"At most {most} channels per connection")
        assert self._connection is not None
        talk = conversation.Conversation(self)
        self._conversations.append(talk)
        return seams.Channel(self._connection), talk

    @property
    def home(self) -> conversation.Home:
        """Makes the home for a channel."""
        return self._door.home

    @property
    def most_handles(self) -> int:
        """How many files and directories a session may have open."""
        return self._door.rules.handles_per_session

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
        self._conversations.remove(talk)
        self._left_bytes += talk.moved_bytes
        self._door.counts.received_bytes += talk.received_bytes
        self._door.counts.sent_bytes += talk.sent_bytes

    def _client_version(self) -> str:
        version = self._connection.get_extra_info("client_version", "") if self._connection else ""
        return str(version)[:255]

    @property
    def conversations(self) -> tuple[conversation.Conversation, ...]:
        """The channels that are open."""
        return tuple(self._conversations)

    @property
    def open_files(self) -> int:
        """How many files are open on all channels."""
        return sum(talk.open_files for talk in self._conversations)

    def quiet_seconds(self) -> float:
        """For how long no byte has come and none has left; keepalives do not count."""
        waiting = self._connection.buffered_bytes if self._connection else 0
        moved = self._left_bytes + sum(talk.moved_bytes for talk in self._conversations) - waiting
        now = self._door.clock()
        if moved != self._moved_bytes:
            self._moved_bytes, self.last_moved_at = moved, now
        return now - self.last_moved_at


class _store_needed:  # noqa: N801 - reads as a statement: with _store_needed(): …
    """While the store does not answer nobody can log in, and nobody is to blame."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, exc: BaseException | None, _trace: object) -> None:
        if isinstance(exc, errors.Unavailable):
            log.error("login.unavailable", reason=str(exc))
            raise asyncssh.DisconnectError(
                asyncssh.DISC_SERVICE_NOT_AVAILABLE, "The gateway cannot check logins right now; try again later"
            ) from exc


def _no_more(text: str) -> asyncssh.DisconnectError:
    return asyncssh.DisconnectError(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, text)
