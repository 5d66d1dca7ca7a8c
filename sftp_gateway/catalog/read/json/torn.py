"""Where the elements of a JSON array begin and end if one of them has a quote too many, or too few: quotes tell nothing behind it.

A whole element ends where its own text does. A torn one is believed to end at the bracket that closes its first one, quotes
or not, if the array goes on behind it as it does behind others, and no whole one ends there; where it does not, nothing is told.
"""

import json
import re

import numpy as np

from sftp_gateway.catalog.read.json.elements import Elements

_WHOLE = json.JSONDecoder()
_BRACKET = re.compile(r"[{}\[\]]")
_BEHIND = re.compile(r"\s*+(?:,\s*+(?=\{)|,?\s*+(?P<closed>\]))")
_BETWEEN = re.compile(r"\}\s*+,\s*+(?=\{)")
_REACH = 65536
"""An element that does not end so far is torn, unless more of it is to come."""
_MOST_INSIDE = 100
"""Of what is in a torn element so many objects, the last ones, are looked at."""
STRETCH_BYTES = 256 * 1024
"""Looked at once: what is said of a torn element counts lines from the beginning."""
_VALUE_ENDS = frozenset('"}]el0123456789')
"""With the last letter of `true`, `false` and `null`."""


def find(text: bytes, *, final: bool) -> Elements:
    """Find the objects of a stretch as `elements.find` does; up to the first that cannot be told from what follows."""
    letters = text.decode("latin-1")  # a place of it is one of the bytes
    spans: list[tuple[int, int]] = []
    place, closed = letters.find("{"), -1
    while place >= 0:
        end = _whole(letters, place)
        if end is None and (final or len(letters) - place > _REACH):
            end = _torn(letters, place)
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


def _torn(letters: str, place: int) -> int | None:
    """Give where brackets say that the object ends, if another one follows, or the end of the array behind a value."""
    depth = 0
    for bracket in _BRACKET.finditer(letters, place):
        depth += 1 if bracket[0] in "{[" else -1
        if depth == 0:
            behind = _BEHIND.match(letters, bracket.end())
            # A text that was cut off may end so by chance.
            may_end = (
                bracket[0] == "}"
                and behind is not None
                and (not behind["closed"] or _ends_value(letters, bracket.start()))
            )
            return bracket.end() if may_end and not _ends_another(letters, place, bracket.end()) else None
    return None


def _ends_value(letters: str, place: int) -> bool:
    return letters[max(place - 1024, 0) : place].rstrip()[-1:] in _VALUE_ENDS


def _ends_another(letters: str, place: int, end: int) -> bool:
    """Whether a whole object behind a comma ends there, too: a bracket in a text took it in, and maybe others."""
    inside = [between.end() for between in _BETWEEN.finditer(letters, place, end)]
    return any(_whole(letters, each) == end for each in inside[-_MOST_INSIDE:])
