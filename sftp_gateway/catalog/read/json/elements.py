"""Where each element of a JSON array begins and ends: numpy over quotes and brackets, nothing is parsed here."""

import numpy as np
import numpy.typing as npt
from msgspec import Struct

Positions = npt.NDArray[np.int64]
_QUOTE, _BACKSLASH = ord('"'), ord("\\")


class Elements(Struct, frozen=True):
    """Elements [start, end) at the top of the array; `closed`: position behind its `]`, -1 if it goes on."""

    start: Positions
    end: Positions
    closed: int


def find(text: bytes) -> Elements:
    """Find the objects and arrays of a stretch that begins between two elements of the array."""
    codes = np.frombuffer(text, np.uint8)
    quotes = _plain_quotes(text, codes)
    # `{` 7B and `[` 5B, `}` 7D and `]` 5D differ in one bit only.
    folded = codes | 0x20
    opening, closing = folded == 0x7B, folded == 0x7D
    places = np.flatnonzero(opening | closing)
    outside = (np.searchsorted(quotes, places) & 1) == 0
    places = places[outside]
    steps = np.where(opening[places], 1, -1).astype(np.int8)
    depth = np.cumsum(steps, dtype=np.int32)
    below = np.flatnonzero(depth < 0)
    if len(below):
        last = int(below[0])
        closed = int(places[last]) + 1
        places, steps, depth = places[:last], steps[:last], depth[:last]
    else:
        closed = -1
    end = places[depth == 0] + 1
    start = places[(depth == 1) & (steps == 1)][: len(end)]
    return Elements(start, end, closed)


def _plain_quotes(text: bytes, codes: npt.NDArray[np.uint8]) -> Positions:
    """Quotes that are not escaped: an even number of backslashes stands before each."""
    quotes = np.flatnonzero(codes == _QUOTE)
    if b"\\" not in text or not len(quotes):
        return quotes
    slashes = np.flatnonzero(codes == _BACKSLASH)
    first = np.ones(len(slashes), np.bool_)
    first[1:] = slashes[1:] != slashes[:-1] + 1
    run_start = slashes[np.maximum.accumulate(np.where(first, np.arange(len(slashes)), 0))]
    before = np.searchsorted(slashes, quotes) - 1
    adjacent = (before >= 0) & (slashes[before] == quotes - 1)
    length = np.where(adjacent, quotes - run_start[before], 0)
    plain: Positions = quotes[length % 2 == 0]
    return plain


def depth_of(text: bytes) -> int:
    """How deep a JSON text is nested."""
    return int(_brackets(text)[1].max(initial=0))


def open_at(text: bytes, places: Positions) -> tuple[Positions, Positions]:
    """How many brackets are open at each of these places of a text, and how many of them are those of arrays."""
    brackets, steps, square = _brackets(text)
    behind = np.searchsorted(brackets, places)
    return np.append(0, steps)[behind], np.append(0, square)[behind]


def _brackets(text: bytes) -> tuple[Positions, Positions, Positions]:
    """Where brackets stand; how many are open behind each, and how many of those are of arrays."""
    codes = np.frombuffer(text, np.uint8)
    folded = codes | 0x20
    places = np.flatnonzero((folded == 0x7B) | (folded == 0x7D))
    places = places[(np.searchsorted(_plain_quotes(text, codes), places) & 1) == 0]
    steps = np.where(folded[places] == 0x7B, 1, -1)
    return places, np.cumsum(steps, dtype=np.int64), np.cumsum(steps * (codes[places] < 0x60), dtype=np.int64)
