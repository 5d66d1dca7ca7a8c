"""What a client says first, and asyncssh would answer oddly: an SFTP version before ours, a password no server may read.

asyncssh speaks versions 1 and 2 as if they were later ones, and every request of them is a fault; it ends a connection
without a word in the log for a password with control characters. Serves seams.py.
"""

import secrets

import asyncssh
from asyncssh.constants import FXP_INIT
from asyncssh.packet import Boolean, PacketDecodeError, SSHPacket, String
from asyncssh.saslprep import SASLPrepError, saslprep

from sftp_gateway import logs
from sftp_gateway.sftp import fastpath, requests

log = logs.get(__name__)

VERSION = 3


class GreetedHandler(requests.FastHandler):
    """A handler that speaks to no client of an SFTP version that it does not speak."""

    async def run(self) -> None:
        """Answer until the client is gone."""
        self.recv_packet = self._first_packet  # type: ignore[method-assign] # the first packet alone: the others are many
        await super().run()

    async def _first_packet(self) -> SSHPacket:
        del self.recv_packet
        packet = await self.recv_packet()
        rest = packet.get_remaining_payload()
        if rest[:1] == bytes([FXP_INIT]) and len(rest) >= 5 and (asked := int.from_bytes(rest[1:5])) < VERSION:
            reason = f"This gateway speaks version {VERSION} of SFTP, your client asks for {asked}: use a newer one"
            log.info("session.refused", reason=reason)
            assert self._writer is not None
            self._writer.channel.write_stderr(f"{reason}\n".encode())  # type: ignore[attr-defined] # a server's channel
            raise asyncssh.SFTPBadMessage(reason)
        return SSHPacket(rest)


class GreetedConnection(fastpath.Fast):
    """A connection for which a password that cannot be one is a wrong one, counted and told like any."""

    async def _finish_userauth(self, begin_auth: bool, method: bytes, packet: SSHPacket) -> None:
        await super()._finish_userauth(begin_auth, method, _legible(packet) if method == b"password" else packet)


def _legible(packet: SSHPacket) -> SSHPacket:
    """Give a request with a password (RFC 4252 §8); in place of one that is no text (RFC 4013) one that nobody has."""
    rest = packet.get_remaining_payload()
    asked = SSHPacket(rest)
    try:
        changes, given = asked.get_boolean(), [asked.get_string()]
        given += [asked.get_string()] if changes else []
        for text in given:
            saslprep(text.decode())
    except (UnicodeDecodeError, SASLPrepError):
        return SSHPacket(Boolean(False) + String(secrets.token_hex(32)))
    except PacketDecodeError:
        pass  # asyncssh says so
    return SSHPacket(rest)
