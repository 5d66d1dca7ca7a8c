"""Keys that are set up once: what they give is what asyncssh's give."""

import random

import pytest
from asyncssh import mac

from sftp_gateway.sftp import kept


@pytest.mark.parametrize("bits", [64, 128])
def test_the_tags_of_a_kept_umac_are_those_of_the_one_it_replaces_however_packets_are_numbered(bits):
    chance = random.Random(bits)
    plain = mac.get_mac(f"umac-{bits}@openssh.com".encode(), chance.randbytes(16))
    ours = kept.KeptUmac(plain)
    numbers = [0, 1, 2, 2, 7, 8, 6, 5, 2**32 - 2, 2**32 - 1, 0, 1, *range(1000, 1040), 3]
    for number in numbers:
        packet = chance.randbytes(chance.choice([1, 15, 16, 60, 1024, 1025, 10_300, 35_000]))
        assert ours.sign(number, packet) == plain.sign(number, packet)


def test_two_keys_do_not_share_what_they_count():
    one, other = (mac.get_mac(b"umac-128@openssh.com", bytes([number]) * 16) for number in (1, 2))
    ours = [kept.KeptUmac(plain) for plain in (one, other)]
    for number in range(5):
        for mine, plain in zip(ours, (one, other), strict=True):
            assert mine.verify(number, b"packet", plain.sign(number, b"packet"))
            assert not mine.verify(number + 1, b"packet", plain.sign(number, b"packet"))
