"""Where the elements of a JSON array begin and end if one of them has a quote too many, or too few: quotes tell nothing behind it.

A whole element ends where its own text does. A torn one is believed to end at the bracket that closes its first one, quotes
or not, if the array goes on behind it as it does behind others, and no whole one ends there; where it does not, nothing is told.
"""

import json
import re

import numpy as np
import numpy.typing as npt

from sftp_gateway.catalog.read.json.elements import Elements

_WHOLE = json.JSONDecoder()
_BEHIND = re.compile(r"\s*+(?:,\s*+(?=\{)|,?\s*+(?P<closed>\]))")
_BETWEEN = re.compile(r"\}\s*+,\s*+(?=\{)")
_REACH = 65536
"""An element that does not end so far is torn, unless more of it is to come."""
_MOST_TIMES = 8
"""Objects in a torn element are looked at, the last one first, until that took so many times its length."""
STRETCH_BYTES = 256 * 1024
"""Looked at once: what is said of a torn element counts lines from the beginning."""
_VALUE_ENDS = frozenset('"}]el0123456789')
"""With the last letter of `true`, `false` and `null`."""


def find(text: bytes, *, final: bool) -> Elements:
    """Find the objects of a stretch as `elements.find` does; up to the first that cannot be told from what follows."""
    letters = text.decode("latin-1")  # a place of it is one of the bytes
    codes = np.frombuffer(text, np.uint8)
    spans: list[tuple[int, int]] = []
    place, closed = letters.find("{"), -1
    while place >= 0:
        end = _whole(letters, place)
        if end is None and (final or len(letters) - place > _REACH):
            end = _torn(letters, codes, place)
        if end is None:
            break
        spans.append((place, end))
        behind = _BEHIND.match(letters, end)
        if behind is None or behind["closed"]:
            closed = behind.end() if behind else -1
            break
        place = behind.end()
    start, stop = np.array(spans, np.int64).reshape(-1, 2).T
    return Elements(start, stop, closed)


def _whole(letters: str, place: int) -> int | None:
    """Give where the object that begins here ends; None if it is none, or goes on."""
    try:
        return _WHOLE.raw_decode(letters, place)[1]
    except (ValueError, RecursionError):
        return None


def _torn(letters: str, codes: npt.NDArray[np.uint8], place: int) -> int | None:
    """Give where brackets say that the object ends, if another one follows, or the end of the array behind a value."""
    end = _closing(codes, place)
    if end is None or letters[end - 1] != "}":
        return None
    behind = _BEHIND.match(letters, end)
    # A text that was cut off may end so by chance.
    may_end = behind is not None and (not behind["closed"] or _ends_value(letters, end - 1))
    return end if may_end and not _ends_another(letters, place, end) else None


def _closing(codes: npt.NDArray[np.uint8], place: int) -> int | None:
    """Give the place behind the bracket that closes the one at a place, whatever the quotes say."""
    depth, size = 0, 1024
    while place < len(codes):
        folded = codes[place : place + size] | 0x20  # as `elements.find` has it
        open_behind = depth + np.cumsum((folded == 0x7B).astype(np.int32) - (folded == 0x7D))
        if len(closed := np.flatnonzero(open_behind == 0)):
            return place + int(closed[0]) + 1
        depth, place, size = int(open_behind[-1]), place + size, min(2 * size, 1024**2)
    return None


def _ends_value(letters: str, place: int) -> bool:
    return letters[max(place - 1024, 0) : place].rstrip()[-1:] in _VALUE_ENDS


def _ends_another(letters: str, place: int, end: int) -> bool:
    """Whether a whole object behind a comma ends there, too: a bracket in a text took it in, and maybe others."""
    left = _MOST_TIMES * (end - place)
    for each in [between.end() for between in _BETWEEN.finditer(letters, place, end)][::-1]:
        size = end - each
        found = _whole(letters[each:end], 0)
        if found == size:
            return True
        left -= found or size
        if left < 0:
            break
    return False
