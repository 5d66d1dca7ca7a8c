"""Encodings that tell themselves by their bytes, without a mark and without a doubt about letters. Serves encoding.

Unicode in units of several bytes by its NULs: a text has them in the same byte of its units only, and decodes strictly.
Japanese in seven bits by its escapes (RFC 1468): they are no text in any other encoding.
"""

import codecs
import re

_LIKELY, _LEAST = 0.3, 0.02
"""Which share of the units of UTF-16 are ASCII: nearly always; in a text of Asia, its delimiters and line ends alone."""
_FEWEST = 8
"""A row of delimiters and a line end has so many."""
_OTHER = 0.05
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_ESCAPES = re.compile(rb"\x1b(?:\$[@B]|\$\(D|\([IJ])")
_SEVEN_BITS = ("iso2022_jp", "iso2022_jp_ext")


def unicode(head: bytes) -> str:
    """Name the UTF-32 or UTF-16 that a text begins in; '' if it is none."""
    if b"\0" not in head:
        return ""
    for name in ("utf-32-le", "utf-32-be"):
        if _is_plain(head, name):
            return name
    inner = head.rstrip(b"\0")  # zeros that fill a file up say nothing
    even, odd = inner[0::2].count(0), inner[1::2].count(0)
    share = max(even, odd) / max(1, len(head) // 2)
    name = "utf-16-le" if odd > even else "utf-16-be"
    if share > _LIKELY and min(even, odd) < _OTHER * len(head) / 2:
        return name
    return name if share >= _LEAST and max(even, odd) >= _FEWEST and _is_plain(head, name) else ""


def _is_plain(head: bytes, name: str) -> bool:
    """Whether a text has lines, and nothing that cannot be printed, in an encoding."""
    text = _decoded(head, name) or ""
    return ("\n" in text or "\r" in text) and not _CONTROLS.search(text)


def _decoded(head: bytes, name: str) -> str | None:
    """Decode the beginning of a text, which may end within a character; None if it is not in that encoding."""
    try:
        return codecs.getincrementaldecoder(name)().decode(head)
    except UnicodeDecodeError:
        return None


def seven_bits(head: bytes) -> str:
    """Name the encoding of a text that begins with Japanese escapes in it; '' if it has none."""
    names = _SEVEN_BITS if _ESCAPES.search(head) else ()
    return next((name for name in names if _decoded(head, name) is not None), "")


def is_stateful(name: str) -> bool:
    """Whether bytes mean something else behind an escape; at the beginning of a line none is in force."""
    return name.startswith("iso2022")
