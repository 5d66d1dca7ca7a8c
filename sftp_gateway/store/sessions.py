"""Sessions: a signed text stands for a token for 12 hours, and ends with it. Nothing is stored."""

import base64
import hashlib
import hmac
import json
from datetime import datetime

from sftp_gateway.store import tokens
from sftp_gateway.store.database import Store
from sftp_gateway.store.tokens import Token

LONGEST_SECONDS = 12 * 3600


class Sessions:
    """Makes and reads sessions. `key`: the same in every process that shares them, and kept over restarts."""

    def __init__(self, store: Store, key: bytes) -> None:
        self._store, self._key = store, key

    def begin(self, token: Token) -> str:
        """Give the text of a new session of `token`."""
        until = _stamp(self._store.now()) + LONGEST_SECONDS * 1000
        claim = json.dumps([token.name, _stamp(token.created_at), until])
        text = base64.urlsafe_b64encode(claim.encode()).decode()
        return f"{text}.{self.sign(text)}"

    def token(self, session: str) -> Token | None:
        """Give the token of a session, if it is signed by us, in time, and its token still stands."""
        text, _, signature = session.partition(".")
        if not self.signed(text, signature):
            return None
        name, created, until = json.loads(base64.urlsafe_b64decode(text))
        now = self._store.now()
        for token in tokens.listing(self._store):
            if token.name == name and _stamp(token.created_at) == created and _stamp(now) <= until:
                return None if token.expires_at and token.expires_at <= now else token
        return None

    def sign(self, text: str) -> str:
        """Sign any text that must come back unchanged."""
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    def signed(self, text: str, signature: str) -> bool:
        """Whether we signed this text; takes the same time for every wrong signature."""
        return hmac.compare_digest(self.sign(text).encode(), signature.encode())


def _stamp(at: datetime) -> int:
    return int(at.timestamp() * 1000)
