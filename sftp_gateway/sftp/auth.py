"""Whose key or password is it? Public keys and argon2 passwords of brands, checked off the event loop.

An unknown or disabled brand costs as much time and gets the same answer as a known one with a
wrong password. Looking up and hashing have two threads each, so a flood of passwords neither
fills the machine nor keeps a client with a key waiting.
"""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from weakref import WeakValueDictionary

import argon2
import asyncssh
from msgspec import Struct

from sftp_gateway import brand as brands
from sftp_gateway import errors
from sftp_gateway.sftp import algorithms, hostkeys, limits

# OWASP's second choice (19 MiB, 2 passes): the first of RFC 9106 would take 64 MiB a try, and two run at once.
HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

# The hash of a password nobody has, with the parameters above: what unknown brands are compared with. It takes as long to
# find that out as with another; all bits are zero, since to make a real one would cost the start of each process that long.
DUMMY = f"$argon2id$v=19$m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}${'A' * 22}${'A' * 43}"

KEY_TYPES = {name for profile in algorithms.PROFILES.values() for name in profile.client_keys}
COMMENT = re.compile(r"[\x00-\x1f\x7f]")


Lookup = Callable[[str], brands.Login | None]
"""How the listener asks the store, in a thread: all about a brand's logins, None for an unknown brand."""


class Rules(Struct, frozen=True):
    """Who may log in as a brand at the moment `at`, as the store had it then; `login` None: nobody."""

    login: brands.Login | None
    at: datetime

    @property
    def is_open(self) -> bool:
        """Whether the brand exists and is enabled."""
        return self.login is not None and self.login.enabled

    @property
    def keys(self) -> list[brands.Key]:
        """The keys that let somebody in."""
        return [] if self.login is None else self.login.valid_keys(self.at)

    @property
    def password_hash(self) -> str | None:
        """The hash that lets somebody in; none of a brand that is disabled."""
        return self.login.password_hash if self.login is not None and self.is_open else None

    def have(self, key: asyncssh.SSHKey) -> bool:
        """Whether this key lets somebody in."""
        line = line_of(key)
        return any(known.line == line for known in self.keys)

    def welcome(self, address: str) -> bool:
        """Whether the brand's allow-list, if it has one, has this address; true for unknown brands."""
        texts = [text for text in self.login.allow_from.split(",") if text] if self.login is not None else []
        return not texts or limits.is_in(address, limits.networks(texts, "allow_from"))

    def still_accept(self, proof: "Proof", address: str) -> bool:
        """Whether a proof that let a client in would let it in now, from this address."""
        if not self.is_open or not self.welcome(address):
            return False
        if proof.method == "publickey":
            return any(known.fingerprint == proof.fingerprint for known in self.keys)
        return self.password_hash == proof.password_hash


class Proof(Struct, frozen=True):
    """By what a client proved who it is: enough to notice when that stops being valid."""

    method: str
    fingerprint: str | None = None
    password_hash: str | None = None


def hash_password(password: str) -> str:
    """Hash a password for storage (argon2id, parameters in the text)."""
    return HASHER.hash(password)


def parse_public_key(text: str, *, label: str = "", now: datetime | None = None) -> brands.Key:
    """Read one public key: OpenSSH, RFC 4716 (`---- BEGIN SSH2`) or PEM text.

    The comment becomes the label unless one is given. Raise `Refused` with what is wrong: several
    keys, a private key, a type or length that the front door does not take.
    """
    if "PRIVATE KEY" in text or text.startswith("PuTTY-User-Key-File"):
        raise errors.Refused("KEY", "This is a private key: keep it secret and send the public one (*.pub)")
    if sum(1 for line in text.splitlines() if line.startswith(("ssh-", "ecdsa-", "sk-"))) > 1:
        raise errors.Refused("KEY", "The file has several keys; add them one by one")
    try:
        key = asyncssh.import_public_key(text.strip())
    except (asyncssh.KeyImportError, UnicodeError) as exc:
        raise errors.Refused("KEY", f"This is not a public SSH key: {exc}", "Send the *.pub file") from None
    if key.get_algorithm() not in KEY_TYPES:
        raise errors.Refused("KEY", f"{key.get_algorithm()} keys are not accepted", "Use ssh-keygen -t ed25519")
    if key.get_algorithm() == "ssh-rsa" and hostkeys.rsa_bits(key) < algorithms.DEFAULT.least_rsa_bits:
        raise errors.Refused("KEY", "RSA keys need at least 2048 bits", "Use ssh-keygen -t ed25519")
    comment = COMMENT.sub(" ", key.get_comment(errors="replace") or "")[:100]
    return brands.Key(
        fingerprint=key.get_fingerprint(),
        line=line_of(key),
        label=label or comment,
        added_at=now or datetime.now(UTC),
        expires_at=None,
    )


def line_of(key: asyncssh.SSHKey) -> str:
    """Give the key as type and base64, without a comment: equal keys have equal lines."""
    return " ".join(key.export_public_key().decode("ascii").split()[:2])


class Authenticator:
    """Checks proofs for the listener; its threads end by `close`."""

    def __init__(self, lookup: Lookup, *, now: Callable[[], datetime]) -> None:
        self._lookup, self._now = lookup, now
        self._hashing = ThreadPoolExecutor(2, thread_name_prefix="sftp-password")
        self._looking = ThreadPoolExecutor(2, thread_name_prefix="sftp-lookup")
        # Weak fairness: a source has one password in the queue, whatever it sends on many connections.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def close(self) -> None:
        """End the threads; a hash that is being made is not waited for."""
        self._hashing.shutdown(wait=False, cancel_futures=True)
        self._looking.shutdown(wait=False, cancel_futures=True)

    async def rules(self, brand: str) -> Rules:
        """Ask the store who may log in as a brand."""
        login = None
        if brands.NAME.fullmatch(brand):
            login = await asyncio.get_running_loop().run_in_executor(self._looking, self._lookup, brand)
        return Rules(login, self._now())

    async def check_password(self, rules: Rules, password: str, source: str, address: str) -> Proof | None:
        """Give the proof if the brand is enabled and this is its password, else None after the same time.

        One that may not come from its address gets None whatever the password: its hash is not even looked at.
        """
        known = rules.password_hash if rules.welcome(address) else None
        async with self._turns.setdefault(source, asyncio.Lock()):
            matches = await asyncio.get_running_loop().run_in_executor(self._hashing, _verify, known or DUMMY, password)
        return Proof("password", password_hash=known) if matches and known else None


def _verify(known: str, password: str) -> bool:
    try:
        return HASHER.verify(known, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
