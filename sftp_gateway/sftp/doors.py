"""What opens homes: made once by the daemon, called for each channel of a brand."""

from collections.abc import Callable
from typing import Any

from sftp_gateway import settings
from sftp_gateway.blobs import Files
from sftp_gateway.sftp import home
from sftp_gateway.sftp.homes import Homes
from sftp_gateway.sftp.session import Session
from sftp_gateway.store.database import Store


class Doors:
    """Makes the home of a brand for each channel; what the daemon gives to the listener."""

    def __init__(self, homes: Homes) -> None:
        self.homes = homes
        self.learn = homes.learn
        self.snapshot = homes.snapshot
        self.aclose = homes.aclose

    def __call__(self, channel: Any, session: Session) -> home.Home:
        """Open a brand's home for a session."""
        return home.Home(channel, session, self.homes)


def factory(  # noqa: PLR0913 - the values the home needs, none of them a whole Settings
    store: Store,
    files: Files,
    *,
    intake: settings.Intake,
    limits: settings.Limits,
    retention: settings.Retention,
    wake: Callable[[], None],
) -> Doors:
    """Make what opens homes: `doors(channel, session)`.

    `wake` is called when a draft may be due for settling. Hand `doors.learn` to the intake and await
    `doors.aclose()` after the listener is gone. Call it on the event loop.
    """
    return Doors(Homes(store, files, intake=intake, limits=limits, retention=retention, wake=wake))
