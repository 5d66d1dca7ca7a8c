"""What all visitors of a listener share: its rules, who is inside, what was counted."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sftp_gateway import settings
from sftp_gateway.sftp import auth, conversation, limits

Guest = TypeVar("Guest")


@dataclass(slots=True)
class Counts:
    """What the listener counted since it began; the metrics are made from it."""

    logins: int = 0
    failed_logins: int = 0
    sessions: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0
    refused: int = 0
    """Connections turned away before login, or let go for others."""
    ended: Counter[str] = field(default_factory=Counter)
    """Connections that the gateway ended after login, by reason: idle, stalled, drained, revoked, full."""


@dataclass(slots=True)
class Door(Generic[Guest]):
    """The door of a listener; its guests are `visitor.Visitor`s."""

    rules: settings.Sftp
    clock: Callable[[], float]
    authenticator: auth.Authenticator
    home: conversation.Home
    penalties: limits.Penalties
    lobby: limits.Lobby[Guest]
    seats: limits.Seats
    exempt: tuple[limits.Network, ...]
    counts: Counts = field(default_factory=Counts)
    inside: set[Guest] = field(default_factory=set)
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
