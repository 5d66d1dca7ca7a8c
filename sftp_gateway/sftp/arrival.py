"""A socket that was just accepted: whose it is, and whether it may speak SSH at all.

Those who may not are told why by a DISCONNECT, which clients show to their user and which needs no key exchange
(RFC 4253 §11.1), and cost nothing else. From a balancer that is listed, the first bytes are a PROXY protocol v2
header that names the real client.
"""

import asyncio
from collections.abc import Callable
from typing import cast

import asyncssh
from asyncssh.constants import MSG_DISCONNECT
from asyncssh.packet import Byte, String, UInt32

from sftp_gateway import logs
from sftp_gateway.sftp import limits, proxy, seams, visitor
from sftp_gateway.sftp.door import Door

log = logs.get(__name__)

HEADER_SECONDS = 5.0
LOG_SECONDS = 60.0
MOST_SOURCES = 10_000
LINGER_SECONDS = 2.0
"""So long a socket stays half open for a client to read why: a full close, met by its first packet, would wipe that out."""
MOST_LINGERING = 256
VERSION_LINE = b"SSH-2.0-SftpGateway\r\n"
REASONS = {"penalised": asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "source_full": asyncssh.DISC_TOO_MANY_CONNECTIONS}
BLOCK_BYTES = 8
LEAST_PADDING = 4


def farewell(reason: str, text: str) -> bytes:
    """Give what a client that may not speak is sent: our version and an unencrypted DISCONNECT (RFC 4253 §6, §11.1)."""
    payload = Byte(MSG_DISCONNECT) + UInt32(REASONS[reason]) + String(text) + String("en")
    padding = LEAST_PADDING + -(5 + len(payload) + LEAST_PADDING) % BLOCK_BYTES
    return VERSION_LINE + UInt32(1 + len(payload) + padding) + Byte(padding) + payload + bytes(padding)


class Refusals:
    """Turns connections away: logs one line per source, reason and minute."""

    def __init__(self, door: Door[visitor.Visitor]) -> None:
        self._door = door
        self._logged_at: dict[tuple[str, str], float] = {}
        self._lingering = 0

    def refuse(self, transport: asyncio.Transport, address: str, reason: str, text: str) -> None:
        """Say why and hang up."""
        self._door.refused += 1
        now, key = self._door.clock(), (limits.source_of(address), reason)
        if now - self._logged_at.get(key, -LOG_SECONDS) >= LOG_SECONDS:
            if len(self._logged_at) >= MOST_SOURCES:
                self._logged_at.clear()
            self._logged_at[key] = now
            log.info("connection.refused", source=address, reason=reason)
        transport.write(farewell(reason, text))
        if self._lingering >= MOST_LINGERING or transport.is_closing():
            transport.close()
            return
        self._lingering += 1
        transport.write_eof()
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self._hang_up, transport)

    def _hang_up(self, transport: asyncio.Transport) -> None:
        self._lingering -= 1
        transport.abort()


class Arrival(asyncio.Protocol):
    """The protocol of a new socket until a `Connection` takes over."""

    def __init__(
        self,
        door: Door[visitor.Visitor],
        refusals: Refusals,
        balancers: tuple[limits.Network, ...],
        connect: Callable[[visitor.Visitor], seams.Connection],
    ) -> None:
        self._door, self._refusals, self._balancers, self._connect = door, refusals, balancers, connect
        self._transport: asyncio.Transport | None = None
        self._peer = ""
        self._header = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Look at the peer; wait for a header if it is a balancer."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if peer else ""
        if limits.is_in(self._peer, self._balancers):
            self._timer = asyncio.get_running_loop().call_later(HEADER_SECONDS, self._transport.abort)
        else:
            self._admit(self._peer, b"")

    def data_received(self, data: bytes) -> None:
        """Collect the header of a balancer."""
        if self._timer is None or self._transport is None:
            return
        self._header += data
        try:
            header = proxy.parse(self._header)
        except ValueError as exc:
            self._stop_timer()
            log.warning("connection.refused", source=self._peer, reason="bad_proxy_header", text=str(exc))
            self._door.refused += 1
            self._transport.abort()
            return
        if header is not None:
            self._stop_timer()
            self._admit(header.address or self._peer, self._header[header.length :])

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature of asyncio
        """Forget the timer."""
        self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _admit(self, address: str, first: bytes) -> None:
        assert self._transport is not None
        guest = visitor.Visitor(self._door, address)
        refusal = self._refusal(guest)
        if refusal:
            self._refusals.refuse(self._transport, address, *refusal)
            return
        connection = self._connect(guest)
        self._transport.set_protocol(connection)
        connection.connection_made(self._transport)
        if first:
            connection.data_received(first)

    def _refusal(self, guest: visitor.Visitor) -> tuple[str, str] | None:
        seconds = 0.0 if guest.exempt else self._door.penalties.remaining(guest.source)
        if seconds:
            return "penalised", f"Not allowed at this time: too many failed logins. Try again in {seconds:.0f} s"
        if self._door.lobby.is_full(guest.source) and not guest.exempt:
            return "source_full", "Too many connections from your address are not logged in yet; try again"
        if (evicted := self._door.lobby.enter(guest, guest.source)) is not None:
            self._door.refused += 1
            evicted.abort()
        return None
