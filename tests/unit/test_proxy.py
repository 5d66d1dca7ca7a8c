"""PROXY protocol v2 headers, whole, in pieces and wrong."""

import pytest

from sftp_gateway.sftp import proxy

V4 = bytes.fromhex("0d0a0d0a000d0a515549540a 21 11 000c cb007107 c0000201 1234 0016")
V6 = bytes.fromhex("0d0a0d0a000d0a515549540a 21 21 0024") + bytes(15) + b"\x01" + bytes(16) + bytes(4)
LOCAL = bytes.fromhex("0d0a0d0a000d0a515549540a 20 00 0000")
TLV = bytes.fromhex("0d0a0d0a000d0a515549540a 21 11 0010 cb007107 c0000201 1234 0016 04000100")


@pytest.mark.parametrize(("data", "address"), [(V4, "203.0.113.7"), (V6, "::1"), (LOCAL, None), (TLV, "203.0.113.7")])
def test_a_header_is_read_once_it_is_whole(data, address):
    for cut in range(len(data)):
        assert proxy.parse(data[:cut]) is None
    assert proxy.parse(data + b"SSH-2.0-x\r\n") == proxy.Header(len(data), address)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"SSH-2.0-x\r\n", "signature"),
        (b"PROXY TCP4 203.0.113.7 192.0.2.1 4660 22\r\n", "signature"),
        (proxy.SIGNATURE + bytes.fromhex("11 11 000c"), "version 2"),
        (proxy.SIGNATURE + bytes.fromhex("21 11 ffff"), "too long"),
        (proxy.SIGNATURE + bytes.fromhex("21 11 0004 cb007107"), "too short"),
    ],
)
def test_anything_else_is_named(data, words):
    with pytest.raises(ValueError, match=words):
        proxy.parse(data)
