"""Keys of asyncssh's ciphers that are set up once and not for each packet, and packets that are opened already. Serves fastpath.py."""

from typing import Any, cast

from asyncssh.encryption import BasicEncryption, Encryption, GCMEncryption
from asyncssh.mac import _UMAC, MAC
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TAG_BYTES = 16


class KeptGcm:
    """AES-GCM as RFC 5647 uses it, with one key object for the life of the key."""

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._aead = AESGCM(key)
        self._fixed, self._invocation = iv[:4], int.from_bytes(iv[4:], "big")

    def _next_iv(self) -> bytes:
        iv = self._fixed + self._invocation.to_bytes(8, "big")
        self._invocation = (self._invocation + 1) & 0xFFFFFFFFFFFFFFFF
        return iv

    def seal(self, header: bytes, data: bytes) -> bytes:
        """Give ciphertext and tag, which follow the header."""
        return self._aead.encrypt(self._next_iv(), data, header)

    def open(self, header: bytes, sealed: bytes) -> bytes | None:
        """Give the plaintext of ciphertext and tag, or None if the tag is wrong."""
        try:
            return self._aead.decrypt(self._next_iv(), sealed, header)
        except InvalidTag:
            return None

    def encrypt_and_sign(self, header: bytes, data: bytes) -> tuple[bytes, bytes]:
        """Give header and ciphertext, and the tag."""
        sealed = self.seal(header, data)
        return header + sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]

    def verify_and_decrypt(self, header: bytes, data: bytes, mac: bytes) -> bytes | None:
        """Give the plaintext, or None if the tag is wrong."""
        return self.open(header, data + mac)


class KeptUmac(_UMAC):
    """UMAC (RFC 4418) with one key schedule for the life of the key; each message has its own nonce."""

    def __init__(self, plain: _UMAC) -> None:
        super().__init__(plain._key, plain._hash_size, plain._umac_alg)  # noqa: SLF001 - this is the hook
        self._kept: Any = self._umac_alg(self._key)

    def sign(self, seq: int, packet: bytes) -> bytes:
        """Give the tag of a packet."""
        self._kept.set_nonce(seq.to_bytes(8, "big"))
        self._kept.update(packet)
        return cast(bytes, self._kept.digest())


class Opened(Encryption):
    """Stands for the encryption of a packet that is opened already: None if its tag was wrong."""

    def __init__(self, packet: bytes | None) -> None:
        self._packet = packet

    def decrypt_packet(self, seq: int, first: bytes, rest: bytes, header_len: int, mac: bytes) -> bytes | None:  # noqa: ARG002 - the signature of asyncssh
        """Give the packet."""
        return self._packet


def keep_key(encryption: Encryption | None) -> None:
    """Put the kept key under an AES-GCM encryption or an UMAC; others stay as they are."""
    if isinstance(encryption, GCMEncryption):
        cipher: Any = encryption._cipher  # noqa: SLF001 - this is the hook
        if not isinstance(cipher, KeptGcm):
            encryption._cipher = KeptGcm(cipher._key, cipher._iv)  # type: ignore[assignment] # noqa: SLF001 - as above
    elif isinstance(encryption, BasicEncryption):
        mac: MAC = encryption._mac  # noqa: SLF001 - as above
        if isinstance(mac, _UMAC) and not isinstance(mac, KeptUmac):
            encryption._mac = KeptUmac(mac)  # noqa: SLF001 - as above
