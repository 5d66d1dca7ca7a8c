"""Which SSH algorithms the front door speaks: `default`, `strict` or `legacy` (`[sftp] algorithms`).

`default` is the hardened list that ssh-audit finds no fault with: no SHA-1, no NIST or group-exchange key
exchange, no CBC; chacha20 is left out because it costs twice the CPU of AES-GCM. Plain
hmac-sha2-256/512 stand last: curl on Debian 12 (libssh2 < 1.11) and old SSH.NET know no other.
`strict` has nothing that ssh-audit warns about. `legacy` adds what old EDI boxes need.
"""

from typing import Any

from asyncssh.encryption import get_encryption_algs
from asyncssh.kex import get_kex_algs
from asyncssh.mac import get_mac_algs
from asyncssh.public_key import get_public_key_algs
from msgspec import Struct
from msgspec.structs import replace

from sftp_gateway import errors


class Profile(Struct, frozen=True):
    """Names in order of preference. `host_keys` and `client_keys` are signature algorithms."""

    kex: tuple[str, ...]
    encryption: tuple[str, ...]
    mac: tuple[str, ...]
    host_keys: tuple[str, ...]
    client_keys: tuple[str, ...]
    least_rsa_bits: int


CLIENT_KEYS = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
)

STRICT = Profile(
    kex=("mlkem768x25519-sha256",),
    encryption=("aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr", "aes192-ctr", "aes128-ctr"),
    mac=("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "umac-128-etm@openssh.com"),
    host_keys=("ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256"),
    client_keys=CLIENT_KEYS,
    least_rsa_bits=3072,
)

DEFAULT = Profile(
    kex=(
        *STRICT.kex,
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        "diffie-hellman-group16-sha512",
        "diffie-hellman-group18-sha512",
    ),
    encryption=STRICT.encryption,
    mac=(*STRICT.mac, "hmac-sha2-256", "hmac-sha2-512"),
    host_keys=STRICT.host_keys,
    client_keys=CLIENT_KEYS,
    least_rsa_bits=2048,
)

LEGACY = Profile(
    kex=(
        *DEFAULT.kex,
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
        "diffie-hellman-group14-sha256",
        "diffie-hellman-group14-sha1",
    ),
    encryption=(*DEFAULT.encryption, "aes256-cbc", "aes192-cbc", "aes128-cbc"),
    mac=(*DEFAULT.mac, "hmac-sha1-etm@openssh.com", "hmac-sha1"),
    host_keys=(*DEFAULT.host_keys, "ssh-rsa"),
    client_keys=(*CLIENT_KEYS, "ssh-rsa"),
    least_rsa_bits=2048,
)

PROFILES = {"default": DEFAULT, "strict": STRICT, "legacy": LEGACY}


def profile(name: str) -> Profile:
    """Give a profile, without the names this machine's libraries no longer have.

    `cryptography` is giving up finite-field DH: a missing group16 must not keep the door shut.
    Raise `ConfigError` for an unknown profile or one of which nothing is left.
    """
    wanted = PROFILES.get(name)
    if wanted is None:
        raise errors.ConfigError(f"sftp.algorithms: {name!r} is none of {', '.join(PROFILES)}")
    keys = get_public_key_algs()
    available = {"kex": get_kex_algs(), "encryption": get_encryption_algs(), "mac": get_mac_algs()}
    available |= {"host_keys": keys, "client_keys": keys}
    left: dict[str, Any] = {}
    for part, here in available.items():
        left[part] = tuple(one for one in getattr(wanted, part) if one.encode() in here)
        if not left[part]:
            raise errors.ConfigError(f"sftp.algorithms: no {part} algorithm of {name!r} is available on this machine")
    return replace(wanted, **left)
