"""The keys by which clients recognise the gateway: made once, loaded, shown as fingerprints."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import asyncssh

from sftp_gateway import blobs, errors
from sftp_gateway.sftp import algorithms

NAME = "ssh_host_ed25519_key"


def ensure(folder: Path) -> Path:
    """Give the gateway's own ed25519 key in `folder`; make it there, whole and 0600, if there is none.

    Of several processes that start at once the first one's key wins: it is linked into place, which
    never replaces. Raise `ConfigError` if the folder cannot be written.
    """
    path = folder / NAME
    try:
        if not path.exists():
            blobs.place_secret(
                path, asyncssh.generate_private_key("ssh-ed25519", comment="sftp-gateway").export_private_key()
            )
    except (OSError, errors.Unavailable) as exc:
        raise errors.ConfigError(f"Cannot make the SFTP host key {path}: {exc}") from None
    return path


def load(paths: Sequence[Path], folder: Path, algorithms_name: str = "default") -> list[asyncssh.SSHKeyPair]:
    """Load the keys of `[sftp] host_keys`, or the gateway's own from `folder` when none are named.

    All are announced to clients (hostkeys-00@openssh.com); of one type the first is used, so a new
    key goes second during the overlap. Raise `ConfigError` for a key that is unreadable, too weak,
    open to others, or that signs with nothing the profile allows.
    """
    allowed = algorithms.profile(algorithms_name)
    pairs = []
    for path in paths or [ensure(folder)]:
        try:
            if path.stat().st_mode & 0o077:
                raise errors.ConfigError(f"{path}: a private host key must not be open to others; chmod 600 it")
            key = asyncssh.read_private_key(path)
        except (OSError, asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as exc:
            raise errors.ConfigError(f"Cannot read the SFTP host key {path}: {exc}") from None
        pairs.append(_limited(key, path, allowed))
    return pairs


def _limited(key: asyncssh.SSHKey, path: Path, allowed: algorithms.Profile) -> asyncssh.SSHKeyPair:
    """Leave a key pair only the signatures of the profile: an RSA key would sign with SHA-1, too."""
    if key.get_algorithm() == "ssh-rsa" and rsa_bits(key) < allowed.least_rsa_bits:
        raise errors.ConfigError(f"{path}: an RSA host key needs at least {allowed.least_rsa_bits} bits")
    [pair] = asyncssh.load_keypairs([key])
    # In the profile's order: the first is what a proof of ownership (hostkeys-prove-00) is signed with.
    names = [name.encode() for name in allowed.host_keys if name.encode() in pair.sig_algorithms]
    if not names:
        raise errors.ConfigError(f"{path}: {key.get_algorithm()} is no host key type of this algorithms profile")
    pair.sig_algorithms = pair.host_key_algorithms = names
    pair.set_sig_algorithm(names[0])
    return pair


def rsa_bits(key: asyncssh.SSHKey) -> int:
    """Give the length of an RSA key's modulus."""
    pyca = key.pyca_key
    return int(getattr(pyca, "key_size", 0))


def fingerprints(pairs: Iterable[asyncssh.SSHKeyPair]) -> list[str]:
    """Give `SHA256:…` of each key: what `brand add` and README.txt tell brands to compare."""
    return [fingerprint(pair.public_data) for pair in pairs]


def fingerprint(public_data: bytes) -> str:
    """Give `SHA256:…` of a public key as it is sent (RFC 4716 §4 names them so, OpenSSH with this hash)."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(public_data).digest()).decode().rstrip("=")
