"""How far the cells of a sheet reach where all say so in the usual way, ` r="B12"`: told of all at once.

A pattern takes five times as long, and a large workbook has millions of cells.
"""

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint8]
_ROOM = 13
"""Bytes behind ` r` that are looked at: `="`, three letters, seven digits and `"`."""
_R, _C, _IS, _QUOTE, _BEGIN, _COLON, _SPACE = b'rc="<: '


def reach(text: bytes) -> tuple[int, int] | None:
    """Give the last row and column of a sheet's stretch; None if a row or cell does not say where it stands, or says so oddly."""
    codes = np.frombuffer(text + b"\0" * _ROOM, np.uint8)
    places = _places(codes)
    if len(places) != _begun(codes) or (codes[places + 1] != _IS).any() or (codes[places + 2] != _QUOTE).any():
        return None
    if not len(places):
        return 0, 0
    return _last(codes, places + 3)


def _places(codes: Codes) -> npt.NDArray[np.int64]:
    """Where an attribute `r` may be: in another spelling than ours, too."""
    before, behind = codes[:-2], codes[2:]
    found = np.flatnonzero((codes[1:-1] == _R) & (before <= _SPACE)) + 1
    chosen: npt.NDArray[np.int64] = found[(behind[found - 1] == _IS) | (behind[found - 1] <= _SPACE)]
    return chosen


def _begun(codes: Codes) -> int:
    """How many rows and cells begin, at most."""
    first = np.flatnonzero((codes[:-1] == _BEGIN) | (codes[:-1] == _COLON)) + 1
    cells = int((codes[first] == _C).sum())
    rows = first[(codes[first] == _R)]
    return cells + int(((codes[rows + 1] == ord("o")) & (codes[rows + 2] == ord("w"))).sum())


def _last(codes: Codes, at: npt.NDArray[np.int64]) -> tuple[int, int] | None:
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
    return (int(row.max()), int(column.max())) if (codes[at] == _QUOTE).all() else None
