"""Sessions: a signed text stands for a token for 12 hours, and ends with it. Only those that end before are stored."""

import base64
import hashlib
import hmac
import json
import secrets
from datetime import UTC, datetime

import sqlalchemy as sa

from sftp_gateway.store import tables, tokens, upsert
from sftp_gateway.store.database import Store
from sftp_gateway.store.tokens import Token

LONGEST_SECONDS = 12 * 3600
_ended = tables.signed_out


class Sessions:
    """Makes and reads sessions. `key`: the same in every process that shares them, and kept over restarts."""

    def __init__(self, store: Store, key: bytes) -> None:
        self._store, self._key = store, key

    def begin(self, token: Token) -> str:
        """Give the text of a new session of `token`."""
        # Less than a second, by parts of a millisecond: no two that begin at the same moment are alike, as one may be
        # ended, and an older process reads them, too.
        early = secrets.randbelow(4_000_000) / 4096
        until = _stamp(self._store.now()) + LONGEST_SECONDS * 1000 - early
        claim = json.dumps([token.name, _stamp(token.created_at), until])
        text = base64.urlsafe_b64encode(claim.encode()).decode()
        return f"{text}.{self.sign(text)}"

    def token(self, session: str) -> Token | None:
        """Give the token of a session, if it is signed by us, in time, and its token still stands."""
        text, _, signature = session.partition(".")
        if not self.signed(text, signature):
            return None
        name, created, until = _claimed(text)
        if self._is_ended(text):
            return None
        now = self._store.now()
        for token in tokens.listing(self._store):
            if token.name == name and _stamp(token.created_at) == created and _stamp(now) <= until:
                return None if token.expires_at and token.expires_at <= now else token
        return None

    def end(self, session: str) -> None:
        """End a session for everybody who has a copy of it, on every host; nothing happens if it is none."""
        text, _, signature = session.partition(".")
        if not self.signed(text, signature):
            return
        until = datetime.fromtimestamp(_claimed(text)[2] / 1000, UTC)
        with self._store.write() as tx:
            tx.conn.execute(sa.delete(_ended).where(_ended.c.until < tx.now))
            made = upsert.into(_ended, tx.conn.dialect.name)
            tx.conn.execute(made.on_conflict_do_nothing(), {"mark": _mark(text), "until": until})

    def _is_ended(self, text: str) -> bool:
        return self._store.first(sa.select(_ended.c.mark).where(_ended.c.mark == _mark(text))) is not None

    def sign(self, text: str) -> str:
        """Sign any text that must come back unchanged."""
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    def signed(self, text: str, signature: str) -> bool:
        """Whether we signed this text; takes the same time for every wrong signature."""
        return hmac.compare_digest(self.sign(text).encode(), signature.encode())


def _claimed(text: str) -> tuple[str, int, float]:
    """Read a text that we signed: the token's name and when it was made, and when the session ends."""
    name, created, until = json.loads(base64.urlsafe_b64decode(text))
    return name, created, until


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _stamp(at: datetime) -> int:
    return int(at.timestamp() * 1000)
