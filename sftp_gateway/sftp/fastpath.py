"""Makes asyncssh receive and answer faster; what seams.py derives from it is as correct.

Private hooks, version-checked with seams.py and held by tests/integration/sftp/test_fastpath.py:
the receive buffer is walked by an offset where asyncssh cuts off its head twice for each packet; data of a channel
goes straight to it; the keepalive's timer is not set anew for each packet; an
AES-GCM or UMAC key is set up once and not for each packet; the empty IGNORE packet before every answer
(a defence of CBC ciphers) is left out; what a file's bytes are answered with is joined once where asyncssh
copies it eleven times; answers to requests that came together go out together; nothing is made ready for lines of a
log, or a log of packets, that is not on. What requests are taken and answered with is in requests.py.
Measured figures: docs/benchmarks.md.
"""

import asyncio
import contextlib
import os
import struct
import time
from collections.abc import Sequence
from typing import Any, cast

import asyncssh
from asyncssh.channel import SSHServerChannel
from asyncssh.connection import SSHServerConnection, SSHServerConnectionOptions
from asyncssh.constants import MSG_CHANNEL_DATA, MSG_CHANNEL_EXTENDED_DATA, MSG_CHANNEL_WINDOW_ADJUST, MSG_IGNORE
from asyncssh.logging import SSHLogger

from sftp_gateway.sftp.kept import KeptGcm, Opened, keep_key

TOGETHER_BYTES = 4096
"""Answers up to that size wait for one another while requests lie in the buffer: to wake a client costs more than to
answer a WRITE, a third of the loop's time with 200 senders."""
DATA = struct.Struct(">BII")
"""Head of CHANNEL_DATA (RFC 4254 §5.2): kind, channel, length. All of CHANNEL_WINDOW_ADJUST."""
PACKET = struct.Struct(">BBII")
"""Head of a packet that carries it (RFC 4253 §6), without its length: that of the padding, and the above."""
MOST_TOGETHER = 64
"""Pieces (an answer has two) that are gathered at most: who asks for ever shall not fill the memory before the socket says stop."""
Part = bytes | bytearray | memoryview


class QuietLogger(SSHLogger):
    """A logger that makes nothing ready for a line that nobody wants: there are 40 of them in a login, 5 in a small file."""

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        """Write a line of a level that is on."""
        if self.isEnabledFor(level):
            super().log(level, msg, *args, **kwargs)


class Silent:
    """A party of asyncssh that prepares no lines for its log of packets: of debug level 3, which is never set here."""

    def log_sent_packet(self, pkttype: int, pktid: int | None, packet: Any, note: str = "") -> None:
        """Say nothing."""

    def log_received_packet(self, pkttype: int, pktid: int | None, packet: Any, note: str = "") -> None:
        """Say nothing."""


class Fast(Silent, SSHServerConnection):
    """A server connection with the hooks."""

    def __init__(self, loop: asyncio.AbstractEventLoop, options: SSHServerConnectionOptions) -> None:
        super().__init__(loop, options)
        # Its channels and handlers derive theirs from this one.
        self._logger = QuietLogger(self._logger._logger, context=self._logger._context)  # noqa: SLF001 - this is the hook
        self._sealed: list[bytes] = []
        self._heard_at = 0.0

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

    def send_data(self, channel: int, parts: Sequence[Part], size: int) -> None:
        """Send CHANNEL_DATA of `size` bytes that lie in parts: joined once, sealed once, no copy after that."""
        self._send_parts(DATA.pack(MSG_CHANNEL_DATA, channel, size), parts, size)

    def grant(self, channel: int, more: int) -> None:
        """Let the client send so many bytes more (RFC 4254 §5.2); it is told with the next answers."""
        self._send_parts(DATA.pack(MSG_CHANNEL_WINDOW_ADJUST, channel, more), (), 0)

    def _send_parts(self, head: bytes, parts: Sequence[Part], size: int) -> None:
        encryption, transport = self._send_encryption, self._transport
        # What is due while keys are exchanged, or starts that, is the business of asyncssh.
        full = self._rekey_bytes_sent >= self._rekey_bytes or time.monotonic() >= self._rekey_time
        if full or not self._kex_complete or self._compressor or transport is None or encryption is None:
            self.send_packet(head[0], head[1:], *cast(Sequence[bytes], parts))
            return
        padding = 4 + -(self._send_enchdrlen + DATA.size + size + 4) % self._send_blocksize
        packet = b"".join((padding.to_bytes(1, "big"), head, *parts, os.urandom(padding)))
        length = len(packet).to_bytes(4, "big")
        cipher: Any = getattr(encryption, "_cipher", None)
        if isinstance(cipher, KeptGcm):
            sealed: tuple[bytes, bytes] = (length, cipher.seal(length, packet))
        else:
            sealed = encryption.encrypt_packet(self._send_seq, length, packet)
        self._send_seq = (self._send_seq + 1) & 0xFFFFFFFF
        self._rekey_bytes_sent += len(packet)
        self._sealed += sealed
        if size > TOGETHER_BYTES or len(self._sealed) >= MOST_TOGETHER:
            self.send_sealed()
        elif len(self._sealed) == len(sealed):
            self._loop.call_soon(self.send_sealed)  # at the latest, whoever waits for what

    def send_sealed(self) -> None:
        """Send the answers that were sealed so far, in one go."""
        sealed, self._sealed = self._sealed, []
        if sealed and self._transport is not None:
            with contextlib.suppress(ConnectionError):
                self._transport.writelines(sealed)

    def _send(self, data: bytes) -> None:
        self.send_sealed()  # what was numbered first goes first
        super()._send(data)

    def _force_close(self, exc: Exception | None) -> None:
        self.send_sealed()
        super()._force_close(exc)

    def _keepalive_timer_callback(self) -> None:
        # The timer is not set anew for every packet: who was heard since it was set is asked that much later.
        left = self._heard_at + self._keepalive_interval - self._loop.time()
        if left > 0:
            self._keepalive_timer = self._loop.call_later(left, self._keepalive_timer_callback)
        else:
            super()._keepalive_timer_callback()

    def _recv_data(self) -> None:
        self._heard_at = self._loop.time()
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
                if self._recv_handler == self._recv_packet:
                    self._open()
                else:
                    self._recv_handler()
        finally:
            self._inpbuf = data[at:]

    def _open(self) -> None:
        """Open the packet whose rest is in the buffer; what is not simply data of a channel, asyncssh handles."""
        encryption, first, rest = self._recv_encryption, self._packet, self._inpbuf
        assert encryption is not None
        cipher: Any = getattr(encryption, "_cipher", None)
        if isinstance(cipher, KeptGcm):
            packet = cipher.open(first[:4], first[4:] + rest)
        else:
            tag = len(rest) - self._recv_macsize
            packet = encryption.decrypt_packet(self._recv_seq, first, rest[:tag], 4, rest[tag:])
        if packet is None or not self._is_delivered(packet):
            self._recv_encryption = opened = Opened(packet)
            self._recv_packet()
            if self._recv_encryption is opened:  # else there are new keys
                self._recv_encryption = encryption

    def _is_delivered(self, packet: bytes) -> bool:
        """Hand data to its channel, and say so; what is odd about a packet, the long way finds and says."""
        if len(packet) < PACKET.size or not self._auth_final or self._decompressor or self._transport is None:
            return False
        padding, kind, number, size = PACKET.unpack_from(packet)
        if kind != MSG_CHANNEL_DATA or not padding or len(packet) != PACKET.size + size + padding:
            return False
        channel: Any = self._channels.get(number)
        if not isinstance(channel, FastChannel) or not channel.takes(size):
            return False
        self._packet, self._recv_handler = b"", self._recv_pkthdr
        self._recv_seq = (self._recv_seq + 1) & 0xFFFFFFFF
        channel.take(packet[PACKET.size : PACKET.size + size])
        return True


class FastChannel(Silent, SSHServerChannel[bytes]):
    """A channel that keeps what waits for the client's window in the parts in which it came."""

    def takes(self, size: int) -> bool:
        """Whether so many bytes may go to the session at once, and nothing is odd about them."""
        is_open = self._recv_state == "open" and self._send_state not in {"close_pending", "closed"}
        return is_open and not self._recv_paused and 0 < size <= self._recv_window

    def take(self, data: bytes) -> None:
        """Give what it `takes` to the session."""
        self._recv_window -= len(data)
        self._deliver_data(data, None)

    def write_parts(self, parts: Sequence[Part]) -> None:
        """Send parts one after the other, as `write` would send them joined; they may be changed no more."""
        if self._send_state != "open":
            raise BrokenPipeError("Channel not open for sending")
        size = sum(map(len, parts))
        if (
            not self._send_buf
            and 0 < size <= min(self._send_window, self._send_pktsize)
            and self._send_chan is not None
        ):
            self._send_window -= size
            cast(Fast, self._conn).send_data(self._send_chan, parts, size)
            return
        self._send_buf += [(cast(bytearray, part), None) for part in parts if part]
        self._send_buf_len += size
        self._flush_send_buf()

    def _flush_send_buf(self) -> None:
        while self._send_buf and self._send_window and self._send_chan is not None:
            parts, size, kind = self._cut(min(self._send_window, self._send_pktsize))
            self._send_buf_len -= size
            self._send_window -= size
            if kind is None:
                cast(Fast, self._conn).send_data(self._send_chan, parts, size)
            else:
                numbers = struct.pack(">II", kind, size)
                self.send_packet(MSG_CHANNEL_EXTENDED_DATA, numbers, *cast(list[bytes], parts))
        # Nothing is left that the window lets through: this pauses, resumes, says EOF or CLOSE.
        super()._flush_send_buf()

    def _cut(self, most: int) -> tuple[list[Part], int, int | None]:
        """Take up to so many bytes of one kind off the head of what waits."""
        waiting, parts, size = cast(list[tuple[Part, int | None]], self._send_buf), list[Part](), 0
        kind = waiting[0][1]
        taken = 0
        for part, own in waiting:
            if own != kind or size == most:
                break
            if len(part) > most - size:
                view = memoryview(part)
                parts.append(view[: most - size])
                waiting[taken] = (view[most - size :], kind)
                size = most
                break
            parts.append(part)
            size += len(part)
            taken += 1
        del waiting[:taken]
        return parts, size, kind
