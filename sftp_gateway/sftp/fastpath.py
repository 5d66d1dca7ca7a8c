"""Makes asyncssh receive and answer faster; everything stays correct without it (class `Plain`).

Three private hooks, version-checked with seams.py and held by tests/integration/sftp/test_fastpath.py:
the receive buffer is walked by an offset where asyncssh cuts off its head twice for each packet; an
AES-GCM key is set up once and not for each packet; the empty IGNORE packet before every answer
(a defence of CBC ciphers) is left out. Measured figures: docs/benchmarks.md.
"""

from typing import Any

import asyncssh
from asyncssh.connection import SSHServerConnection
from asyncssh.constants import MSG_IGNORE
from asyncssh.encryption import Encryption, GCMEncryption
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

    def encrypt_and_sign(self, header: bytes, data: bytes) -> tuple[bytes, bytes]:
        """Give header and ciphertext, and the tag."""
        sealed = self._aead.encrypt(self._next_iv(), data, header)
        return header + sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]

    def verify_and_decrypt(self, header: bytes, data: bytes, mac: bytes) -> bytes | None:
        """Give the plaintext, or None if the tag is wrong."""
        try:
            return self._aead.decrypt(self._next_iv(), data + mac, header)
        except InvalidTag:
            return None


def keep_key(encryption: Encryption | None) -> None:
    """Put the kept key under an AES-GCM encryption; others stay as they are."""
    if isinstance(encryption, GCMEncryption):
        cipher: Any = encryption._cipher  # noqa: SLF001 - this is the hook
        if not isinstance(cipher, KeptGcm):
            encryption._cipher = KeptGcm(cipher._key, cipher._iv)  # type: ignore[assignment] # noqa: SLF001 - as above


Plain = SSHServerConnection
"""What to derive `seams.Connection` from to do without all this."""


class Fast(SSHServerConnection):
    """A server connection with the three hooks."""

    def send_newkeys(self, k: bytes, h: bytes) -> None:
        """Take new keys into use."""
        super().send_newkeys(k, h)
        keep_key(self._send_encryption)
        keep_key(self._next_recv_encryption)

    def send_packet(self, pkttype: int, *args: bytes, handler: Any = None) -> None:
        """Send a packet, without the empty one before it unless the cipher is CBC."""
        if pkttype == MSG_IGNORE and not self._enc_alg_sc.endswith(b"-cbc"):
            return
        super().send_packet(pkttype, *args, handler=handler)

    def _recv_data(self) -> None:
        self._reset_keepalive_timer()
        try:
            while self._inpbuf and self._take():
                pass
        except asyncssh.DisconnectError as exc:
            self._send_disconnect(exc.code, exc.reason, exc.lang)
            self._force_close(exc)
        except Exception:  # noqa: BLE001 - as asyncssh does: a fault here ends the connection
            self.internal_error()

    def _take(self) -> bool:
        """Handle what is in the buffer; give whether something is left that can go on at once."""
        if self._recv_encryption is None:
            return self._recv_handler()
        data, at, end = self._inpbuf, 0, len(self._inpbuf)
        try:
            while True:
                if self._recv_handler == self._recv_pkthdr:
                    need = self._recv_blocksize
                elif self._recv_handler == self._recv_packet:
                    # Below zero only for a forged length; its MAC fails then.
                    need = max(0, 4 + self._pktlen + self._recv_macsize - self._recv_blocksize)
                else:
                    # A request is answered by a task, which calls for the rest when it is done.
                    return False
                if end - at < need:
                    return False
                self._inpbuf = data[at : at + need]
                at += need
                self._recv_handler()
        finally:
            self._inpbuf = data[at:]
