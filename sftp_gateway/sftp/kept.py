"""Keys of asyncssh's ciphers that are set up once and not for each packet, and packets that are opened already. Serves fastpath.py."""

import ctypes
import functools
from typing import Any, cast

from asyncssh.crypto import umac
from asyncssh.encryption import BasicEncryption, Encryption, GCMEncryption
from asyncssh.mac import _UMAC, MAC
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TAG_BYTES = 16
NONCE_BYTES = 8


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
    """UMAC (RFC 4418) with one key schedule for the life of the key; each message has its own nonce.

    Nettle counts the nonce up by itself, as packets are numbered, so it is told only where they are not. It is called
    without letting go of the interpreter: a packet's tag takes some 3 µs, to get the interpreter back from another thread
    takes longer, and of a small file six packets have their tags from here.
    """

    def __init__(self, plain: _UMAC) -> None:
        super().__init__(plain._key, plain._hash_size, plain._umac_alg)  # noqa: SLF001 - this is the hook
        kept: Any = self._umac_alg(self._key)
        self._context: ctypes.Array[ctypes.c_char] = kept._ctx  # noqa: SLF001 - as above
        self._set_nonce, self._update, self._digest = _nettle(kept.name)
        self._size: int = kept.digest_size
        self._tag = ctypes.create_string_buffer(self._size)
        self._next: int | None = None

    def sign(self, seq: int, packet: bytes) -> bytes:
        """Give the tag of a packet."""
        if seq != self._next:
            self._set_nonce(self._context, NONCE_BYTES, seq.to_bytes(NONCE_BYTES, "big"))
        self._update(self._context, len(packet), packet)
        self._digest(self._context, self._size, self._tag)
        self._next = seq + 1
        return self._tag.raw


@functools.cache
def _nettle(name: str) -> tuple[Any, Any, Any]:
    """Give what sets a nonce, takes bytes and gives the tag: of a handle of our own, whose types are declared."""
    library = ctypes.PyDLL(umac._nettle._name)  # noqa: SLF001 - as above
    functions = tuple(getattr(library, f"nettle_{name}_{what}") for what in ("set_nonce", "update", "digest"))
    for one, last in zip(functions, (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p), strict=True):
        one.argtypes, one.restype = (ctypes.c_void_p, ctypes.c_size_t, last), None
    return cast(tuple[Any, Any, Any], functions)


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
