"""Turns good bytes into bad ones: flips, cuts, grows, and puts numbers where they hurt."""

import random
import struct

HURTFUL = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
WORDS = (b"..", b"/", b"\0", b"\r\n", b"\xff\xfe", b"a" * 300, "\u202e".encode(), b"../bolt/inbox/x", b"%s%n", b"")


def mutate(good: bytes, dice: random.Random) -> bytes:
    """Give a variant, one to four changes away."""
    bad = bytearray(good)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(bad) + 1)
        match dice.randrange(6):
            case 0 if at < len(bad):
                bad[at] ^= 1 << dice.randrange(8)
            case 1:
                bad[at : at + 4] = struct.pack(">I", dice.choice(HURTFUL))
            case 2:
                del bad[at : at + dice.randint(1, 16)]
            case 3:
                word = dice.choice(WORDS)
                bad[at:at] = struct.pack(">I", len(word)) + word
            case 4:
                bad[at:at] = dice.randbytes(dice.randint(1, 64))
            case _:
                bad[at : at + 8] = struct.pack(">Q", dice.choice(HURTFUL) << dice.randrange(33))
    return bytes(bad)
