"""What all visitors of a listener share: its rules, who is inside, what was counted."""

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import asyncssh
from msgspec import Struct, field

from sftp_gateway import settings
from sftp_gateway.sftp import auth, limits, session

Guest = TypeVar("Guest")
Home = Callable[[Any, session.Session], asyncssh.SFTPServer]
"""Makes the home of a brand for a channel: `home(channel, session)`."""


class Door(Struct, Generic[Guest]):
    """The door of a listener; its guests are `visitor.Visitor`s."""

    rules: settings.Sftp
    clock: Callable[[], float]
    authenticator: auth.Authenticator
    home: Home
    penalties: limits.Penalties
    lobby: limits.Lobby[Guest]
    seats: limits.Seats
    exempt: tuple[limits.Network, ...]
    failed_logins: int = 0
    refused: int = 0
    """Connections turned away before login, or let go for others."""
    inside: set[Guest] = field(default_factory=set)
    """Visitors that are logged in."""
    talking: set[object] = field(default_factory=set)
    """Channels whose files are open or being closed, also after their connection is gone."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever somebody leaves."""
    draining: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nobody is here any more and every file is closed."""
        return not (self.inside or self.talking or len(self.lobby))
