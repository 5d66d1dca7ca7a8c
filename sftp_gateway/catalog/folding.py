"""How headers are told to be equal: without case, byte order mark, spaces and `_ - / ( )` (spec §4)."""

import functools
import unicodedata

_DROPPED = dict.fromkeys(map(ord, "_-/()\ufeff\u200b\u200e\u200f\u00ad"))


@functools.lru_cache(maxsize=4096)  # the same few names are asked for again and again
def fold(header: str) -> str:
    """Give the form under which two headers are the same; `Body (HTML)` and `body_html` are."""
    if header.isascii():
        return "".join(header.lower().translate(_DROPPED).split())
    plain = unicodedata.normalize("NFC", header).casefold()
    return "".join(plain.translate(_DROPPED).split())
