"""How far the cells of a sheet reach where all say so in the usual way, ` r="B12"`: told of all at once.

A pattern takes five times as long, and a large workbook has millions of cells.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
_ROOM = 13
"""Bytes behind ` r` that are looked at: `="`, three letters, seven digits and `"`."""
_R, _C, _IS, _QUOTE, _BEGIN, _COLON, _SPACE = b'rc="<: '
_END, _SLASH, _APOSTROPHE = b">/'"


class Reach(NamedTuple):
    """The last row and column that anything is said of, and the last of them that have a cell with something in it."""

    rows: int
    columns: int
    filled_rows: int
    filled_columns: int


def reach(text: bytes) -> Reach | None:
    """Give how far a sheet's stretch reaches; None if a row or cell does not say where it stands, or says so oddly."""
    codes = np.frombuffer(text + b"\0" * _ROOM, np.uint8)
    places = _places(codes)
    if len(places) != _begun(codes) or (codes[places + 1] != _IS).any() or (codes[places + 2] != _QUOTE).any():
        return None
    if not len(places):
        return Reach(0, 0, 0, 0)
    stands = _stands(codes, places + 3)
    if stands is None:
        return None
    row, column = stands
    filled = column > 0
    if b"/>" in text:
        filled &= ~_closed(codes, places)
    return Reach(_last(row), _last(column), _last(row[filled]), _last(column[filled]))


def _places(codes: Codes) -> Places:
    """Where an attribute `r` may be: in another spelling than ours, too."""
    before, behind = codes[:-2], codes[2:]
    found = np.flatnonzero((codes[1:-1] == _R) & (before <= _SPACE)) + 1
    chosen: Places = found[(behind[found - 1] == _IS) | (behind[found - 1] <= _SPACE)]
    return chosen


def _begun(codes: Codes) -> int:
    """How many rows and cells begin, at most."""
    first = np.flatnonzero((codes[:-1] == _BEGIN) | (codes[:-1] == _COLON)) + 1
    cells = int((codes[first] == _C).sum())
    rows = first[(codes[first] == _R)]
    return cells + int(((codes[rows + 1] == ord("o")) & (codes[rows + 2] == ord("w"))).sum())


def _closed(codes: Codes, places: Places) -> npt.NDArray[np.bool_]:
    """Which tags end at once: cells that have a format and nothing else. A `>` within quotes ends no tag."""
    ends = _next(codes, _END, places)
    quotes = _passed(codes, _QUOTE, places, ends)
    apostrophes = _passed(codes, _APOSTROPHE, places, ends)
    closed: npt.NDArray[np.bool_] = (codes[ends - 1] == _SLASH) & (quotes % 2 == 0) & (apostrophes == 0)
    return closed


def _next(codes: Codes, sign: int, places: Places) -> Places:
    """Where the sign stands next; at the end of the text if it does not."""
    found = np.append(np.flatnonzero(codes == sign), len(codes) - 1)
    following: Places = found[np.searchsorted(found, places)]
    return following


def _passed(codes: Codes, sign: int, places: Places, ends: Places) -> Places:
    """How often the sign stands between."""
    found = np.flatnonzero(codes == sign)
    return np.searchsorted(found, ends) - np.searchsorted(found, places)


def _last(places: npt.NDArray[np.int32]) -> int:
    return int(places.max(initial=0))


def _stands(codes: Codes, at: Places) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]] | None:
    """Read rows and columns; of a row's tag the column is 0."""
    column, row = np.zeros(len(at), np.int32), np.zeros(len(at), np.int32)
    for _ in range(3):
        letter = codes[at] - np.uint8(65)
        named = letter < 26
        column = np.where(named, column * 26 + letter + 1, column)
        at = at + named
    for _ in range(7):
        digit = codes[at] - np.uint8(48)
        counted = digit < 10
        row = np.where(counted, row * 10 + digit, row)
        at = at + counted
    return (row, column) if (codes[at] == _QUOTE).all() else None
