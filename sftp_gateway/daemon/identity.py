"""By what brands know this gateway: its host keys. Loaded only where a role needs them, as they bring asyncssh."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sftp_gateway.errors import ConfigError
from sftp_gateway.settings import Settings
from sftp_gateway.sftp import hostkeys


@dataclass(frozen=True, slots=True)
class Identity:
    """The keys to sign with, and what README.txt tells of them."""

    keys: Sequence[Any] = ()
    fingerprints: tuple[str, ...] = ()


def load(settings: Settings, *, needed: bool) -> Identity:
    """Load the host keys; ConfigError if they are needed here and cannot be had."""
    sftp, folder = settings.sftp, settings.storage.root / "keys"
    try:
        keys = hostkeys.load(sftp.host_keys, folder, sftp.algorithms)
    except ConfigError:
        if needed:
            raise
        return Identity()  # a worker elsewhere may not read them; README.txt then names no fingerprint
    return Identity(keys, tuple(hostkeys.fingerprints(keys)))
