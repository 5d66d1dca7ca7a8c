"""What one connection tried to prove who it is: keys offered, keys signed with, passwords; and when it was one too many."""

import secrets
from typing import Any

import asyncssh

from sftp_gateway import errors, logs
from sftp_gateway.sftp import auth, limits
from sftp_gateway.sftp.door import Door

log = logs.get(__name__)

OFFERS_PER_CONNECTION = 20
NAME_LENGTH = 64
VERSION_LENGTH = 255
RULES_SECONDS = 1.0
"""An offered key and the signed try of it right after share a look into the store; what is withdrawn meanwhile
is noticed as for every session."""


class Login(asyncssh.SSHServer):
    """The login of a connection: `brand` is whom it named last, `proof` what let it in."""

    def __init__(self, door: Door[Any], address: str) -> None:
        self.id = secrets.token_hex(5)
        self.brand = ""
        self.proof: auth.Proof | None = None
        self.tries = 0
        self.address, self.source = address, limits.source_of(address)
        self.exempt = limits.is_in(address, door.exempt)
        self._door = door
        self._connection: asyncssh.SSHServerConnection | None = None
        self._rules: tuple[str, float, auth.Rules] | None = None
        self._elsewhere = False
        self._offers = self._passwords = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Note the connection."""
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        """Demand a proof from everybody, known or not."""
        self.brand = username
        return True

    def public_key_auth_supported(self) -> bool:
        """Offer keys to everybody: the list of methods must not tell who exists."""
        return True

    def password_auth_supported(self) -> bool:
        """Offer passwords to everybody, as above."""
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Whether the brand has this key, and may come from here; whether the client has, asyncssh checks by the signature."""
        rules = await self._rules_of(username)
        good, welcome = rules.have(key), rules.welcome(self.address)
        if good and not welcome and not self._elsewhere:
            # Nothing will be signed, so nothing else would tell of it; once a connection is enough.
            self._elsewhere = True
            self._refused(username, "publickey", key.get_fingerprint(), reason="source_not_allowed", seconds=0.0)
        return good and welcome

    def key_checked(self, username: str, fingerprint: str, *, signed: bool, good: bool) -> None:
        """Count an offer or a try of a key; send the client away when it was one too many."""
        if signed and good:
            self.brand, self.proof = username, auth.Proof("publickey", fingerprint=fingerprint)
        elif signed:
            self._failed(username, "publickey", fingerprint)
        else:
            self._offers += 1
            if self._offers > OFFERS_PER_CONNECTION:
                self._refused(username, "publickey", fingerprint, reason="too_many_keys_offered", seconds=0.0)
                raise _no_more(f"More than {OFFERS_PER_CONNECTION} keys offered; name the right one")

    async def validate_password(self, username: str, password: str) -> bool:
        """Whether it is the brand's password."""
        self._passwords += 1
        if self._passwords > self._door.rules.login_tries:
            # A new request cancels the one before: without this count each would cost a hash and no try.
            raise _no_more("Too many failed logins")
        rules = await self._rules_of(username)
        proof = await self._door.authenticator.check_password(rules, password, self.source, self.address)
        if proof is None:
            welcome = rules.welcome(self.address)
            self._failed(username, "password", None, reason="not_accepted" if welcome else "source_not_allowed")
            return False
        self.brand, self.proof = username, proof
        return True

    def auth_completed(self) -> None:
        """Keep nothing of the store: what is withdrawn later is looked up by then."""
        self._rules = None

    def client_version(self) -> str:
        """Tell what the client says it is; text from outside."""
        version = self._connection.get_extra_info("client_version", "") if self._connection else ""
        return str(version)[:VERSION_LENGTH]

    async def _rules_of(self, username: str) -> auth.Rules:
        now = self._door.clock()
        if self._rules is None or self._rules[0] != username or now - self._rules[1] > RULES_SECONDS:
            try:
                self._rules = (username, now, await self._door.authenticator.rules(username))
            except errors.Unavailable as exc:  # nobody can log in, and nobody is to blame
                log.error("login.unavailable", reason=str(exc))  # noqa: TRY400 - the world's fault, not ours
                raise asyncssh.DisconnectError(
                    asyncssh.DISC_SERVICE_NOT_AVAILABLE, "The gateway cannot check logins right now; try again later"
                ) from exc
        return self._rules[2]

    def _failed(self, username: str, method: str, fingerprint: str | None, reason: str = "not_accepted") -> None:
        self.tries += 1
        self._door.failed_logins += 1
        seconds = 0.0 if self.exempt else self._door.penalties.offend(self.source, username[:NAME_LENGTH])
        self._refused(username, method, fingerprint, reason=reason, seconds=seconds)
        if self.tries >= self._door.rules.login_tries:
            raise _no_more("Too many failed logins")

    def _refused(self, username: str, method: str, fingerprint: str | None, *, reason: str, seconds: float) -> None:
        log.info(
            "login.refused",
            brand=username[:NAME_LENGTH],
            source=self.address,
            method=method,
            fingerprint=fingerprint,
            client=self.client_version(),
            connection=self.id,
            reason=reason,
            tries=self.tries,
            penalty_seconds=seconds,
        )


def _no_more(text: str) -> asyncssh.DisconnectError:
    return asyncssh.DisconnectError(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, text)
