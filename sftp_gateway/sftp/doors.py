"""What opens homes: made once by the daemon, called for each channel of a brand."""

from typing import Any

from sftp_gateway.sftp import home
from sftp_gateway.sftp.homes import Homes
from sftp_gateway.sftp.session import Session


class Doors:
    """Makes the home of a brand for each channel; what the daemon gives to the listener.

    Hand `learn` to the intake, and await `aclose()` after the listener is gone.
    """

    def __init__(self, homes: Homes) -> None:
        self.homes = homes
        self.learn = homes.learn
        self.snapshot = homes.snapshot
        self.aclose = homes.aclose

    def __call__(self, channel: Any, session: Session) -> home.Home:
        """Open a brand's home for a session."""
        return home.Home(channel, session, self.homes)
