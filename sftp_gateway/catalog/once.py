"""Whether a value comes twice, told while values stream by: 64-bit hashes, sorted part by part and merged at the end.

Equal values have equal hashes, so that hashes which all differ prove that the values do. Equal hashes prove
nothing: the database looks then. So it need not group all of them in the usual case, that none comes twice.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog.types.cells import Cells

MOST_VALUES = 12_000_000
"""8 bytes each, and half as much again while they are sorted; more than that is left to the database."""
_GROWTH = 4
_WORD = 8
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], np.uint64)
"""Odd numbers whose bits look random (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators)."""
_KEPT = np.array([(1 << 8 * count) - 1 for count in range(_WORD)] + [(1 << 64) - 1], np.uint64)

Hashes = npt.NDArray[np.uint64]


class Once:
    """Values of one column, or of several joined to a text; nulls do not count."""

    def __init__(self) -> None:
        self._values = np.empty(0, np.uint64)
        self._count = 0
        self._repeats: bool | None = None

    def add(self, texts: pa.Array) -> None:
        """Take note of more values."""
        texts = pc.drop_null(texts)
        start, self._count = self._count, self._count + len(texts)
        if self._count > MOST_VALUES:
            self._values = np.empty(0, np.uint64)
            return
        if self._count > len(self._values):
            room = min(_GROWTH * self._count, MOST_VALUES)
            grown = np.empty(room, np.uint64)  # what is not written to takes no memory
            grown[:start] = self._values[:start]
            self._values = grown
        self._values[start : self._count] = np.sort(hashes(Cells(texts)))

    @property
    def may_repeat(self) -> bool:
        """Whether two values may be equal; asked when no more come."""
        self.settle()
        return bool(self._repeats)

    def settle(self) -> None:
        """Find it out; takes a thread 30 ms a million values, so that several are best settled side by side."""
        if self._repeats is not None:
            return
        if self._count > MOST_VALUES:
            self._repeats = True
            return
        values = self._values[: self._count]
        values.sort(kind="stable")  # which only merges what is sorted in parts
        self._repeats = bool((values[1:] == values[:-1]).any())
        self._values = np.empty(0, np.uint64)  # the comparison that follows has a use for the memory


def hashes(cells: Cells) -> Hashes:
    """Hash the texts of a column, eight bytes of all of them at a time."""
    begins, lengths = cells.offsets[:-1].astype(np.int64), cells.lengths.astype(np.int64)
    data = np.concatenate([cells.data, np.zeros(_WORD, np.uint8)])
    words = np.ndarray(len(data) - _WORD + 1, np.dtype("<u8"), data, strides=(1,))
    found = _mixed(lengths.astype(np.uint64))
    shortest, longest = (int(lengths.min()), int(lengths.max())) if len(lengths) else (0, 0)
    for at in range(0, longest, _WORD):
        # All rows as they are, where all are so long: picking them costs more than hashing them.
        rows: slice | npt.NDArray[np.int64] = slice(None) if shortest > at else np.flatnonzero(lengths > at)
        word = words[begins[rows] + at]
        if shortest < at + _WORD:
            word &= _KEPT[np.minimum(lengths[rows] - at, _WORD)]
        found[rows] = _mixed(found[rows] ^ word)
    return found


def _mixed(state: Hashes) -> Hashes:
    """Let each bit depend on all (SplitMix64's last step)."""
    state = state + _FACTORS[0]
    state = (state ^ (state >> np.uint64(30))) * _FACTORS[1]
    state = (state ^ (state >> np.uint64(27))) * _FACTORS[2]
    return np.asarray(state ^ (state >> np.uint64(31)), np.uint64)
