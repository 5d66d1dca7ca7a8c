"""Bearer tokens of operators and brand admins: shown once, stored as a hash."""

import hashlib
import hmac
import secrets
from datetime import datetime

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import asdict

from sftp_gateway import errors
from sftp_gateway.store import columns, tables
from sftp_gateway.store.database import Store

PREFIX = "sg_"

_tokens = tables.token


class Token(Struct, frozen=True):
    """Who may ask: `brand` None is an operator, who sees all brands."""

    name: str
    brand: str | None
    read_only: bool
    created_at: datetime
    expires_at: datetime | None


def add(  # noqa: PLR0913 - what a token is, and who makes it
    store: Store,
    name: str,
    *,
    brand: str | None = None,
    read_only: bool = False,
    expires_at: datetime | None = None,
    by: str = "gateway",
) -> tuple[Token, str]:
    """Make a token and its secret (256 random bits), which nobody can read again.

    Raises WrongState for a name that is taken, NotFound for an unknown brand.
    """
    secret = PREFIX + secrets.token_urlsafe(32)
    with store.write() as tx:
        if tx.conn.execute(sa.select(_tokens.c.name).where(_tokens.c.name == name)).first():
            raise errors.WrongState(f"a token named {name!r} exists already")
        known = sa.select(tables.brand.c.name).where(tables.brand.c.name == brand)
        if brand is not None and tx.conn.execute(known).first() is None:
            raise errors.NotFound(f"no brand {brand!r}")
        token = Token(name, brand, read_only, tx.now, expires_at)
        tx.conn.execute(sa.insert(_tokens).values(**asdict(token), hash=_hash(secret)))
        tx.emit("token.added", name=name, brand=brand, read_only=read_only, by=by)
    return token, secret


def verify(store: Store, secret: str) -> Token | None:
    """Give the token of a secret; None if there is none, or it expired. Compares hashes in constant time."""
    if not secret.startswith(PREFIX):
        return None
    wanted = _hash(secret)
    row = store.first(sa.select(_tokens).where(_tokens.c.hash == wanted))
    if row is None or not hmac.compare_digest(row.hash, wanted):
        return None
    if row.expires_at is not None and row.expires_at <= store.now():
        return None
    return columns.value(row, Token)


def listing(store: Store) -> list[Token]:
    """List all tokens by name, expired ones too."""
    return store.all(sa.select(_tokens).order_by(_tokens.c.name), Token)


def remove(store: Store, name: str, by: str = "gateway") -> None:
    """Revoke a token at once; NotFound."""
    with store.write() as tx:
        if not tx.conn.execute(sa.delete(_tokens).where(_tokens.c.name == name)).rowcount:
            raise errors.NotFound(f"no token named {name!r}")
        tx.emit("token.removed", name=name, by=by)


def _hash(secret: str) -> str:
    """Hash a secret; it is random and long, so a slow hash would protect nothing more."""
    return hashlib.sha256(secret.encode()).hexdigest()
