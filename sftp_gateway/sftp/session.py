"""Who talks: one SFTP channel of one brand. What is delivered over it is a draft (draft.py), not this.

A connection may carry several channels; each is a session with its own id. The value goes to the
home of the brand and into every log event of the session.
"""

import secrets
from typing import Any

from msgspec import Struct, field


class Session(Struct, frozen=True):
    """One open SFTP channel.

    `method` is `publickey` or `password`; `key_fingerprint` (`SHA256:…`) is None for a password.
    `source_ip` is the peer, or the client that a listed balancer named. `client_version` is the
    client's SSH identification (`SSH-2.0-OpenSSH_9.2p1`), text from outside. `channel` counts the
    SFTP channels of the connection from 1; `connection` is shared by all of them.
    """

    brand: str
    method: str
    key_fingerprint: str | None
    source_ip: str
    client_version: str
    id: str = field(default_factory=lambda: secrets.token_hex(5))
    """Unique enough to search a day's log for."""
    connection: str = ""
    channel: int = 1

    def facts(self) -> dict[str, Any]:
        """Give what a history row keeps of the client (`upload.client`) and the audit line names."""
        return {
            "session": self.id,
            "method": self.method,
            "fingerprint": self.key_fingerprint,
            "source": self.source_ip,
            "client": self.client_version,
        }
