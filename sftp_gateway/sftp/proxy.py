"""The PROXY protocol, version 2: the header by which a balancer names the client it speaks for.

https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt §2.2. Only the binary form; TLVs are
skipped. No I/O.
"""

import ipaddress
import struct

from msgspec import Struct

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
FIXED_BYTES = 16
LONGEST_BYTES = 4096
ADDRESS_BYTES = {0x11: 4, 0x21: 16}
"""TCP over IPv4 and over IPv6: length of one address."""


class Header(Struct, frozen=True):
    """`length` bytes to take off the stream; `address` is None for a probe of the balancer itself."""

    length: int
    address: str | None


def parse(data: bytes) -> Header | None:
    """Read a header; None while bytes are missing. Raise `ValueError` for anything else."""
    if data[: len(SIGNATURE)] != SIGNATURE[: len(data)]:
        raise ValueError("no PROXY protocol v2 signature")
    if len(data) < FIXED_BYTES:
        return None
    kind, family, length = struct.unpack_from("!BBH", data, len(SIGNATURE))
    if kind not in {0x20, 0x21}:
        raise ValueError("not version 2 with LOCAL or PROXY")
    if length > LONGEST_BYTES:
        raise ValueError("header too long")
    if len(data) < FIXED_BYTES + length:
        return None
    size = ADDRESS_BYTES.get(family)
    if kind == 0x20 or size is None:
        return Header(FIXED_BYTES + length, None)
    if length < 2 * size + 4:
        raise ValueError("header too short for its addresses")
    return Header(FIXED_BYTES + length, str(ipaddress.ip_address(data[FIXED_BYTES : FIXED_BYTES + size])))
