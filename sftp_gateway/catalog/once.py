"""Whether a value comes twice, told while values stream by: 64-bit hashes, sorted part by part and merged at the end.

Equal values have equal hashes, so that hashes which all differ prove that the values do. Equal hashes prove
nothing: the database looks then. So it need not group all of them in the usual case, that none comes twice.
"""

import functools

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog.types.cells import Cells

MOST_VALUES = 20_000_000
"""8 bytes each, twice while they are sorted; more than that is left to the database."""
_WORD = 8
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], np.uint64)
"""Odd numbers whose bits look random (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators)."""
_KEPT = np.array([(1 << 8 * count) - 1 for count in range(_WORD)] + [(1 << 64) - 1], np.uint64)

Hashes = npt.NDArray[np.uint64]


class Once:
    """Values of one column, or of several joined to a text; nulls do not count."""

    def __init__(self) -> None:
        self._held: list[Hashes] = []
        self._count = 0

    def add(self, texts: pa.Array) -> None:
        """Take note of more values."""
        self._count += len(texts)
        if self._count > MOST_VALUES:
            self._held = []
        else:
            self._held.append(np.sort(hashes(Cells(pc.drop_null(texts)))))

    @functools.cached_property
    def may_repeat(self) -> bool:
        """Whether two values may be equal; asked when no more come."""
        if self._count > MOST_VALUES:
            return True
        together = np.concatenate([np.zeros(0, np.uint64), *self._held])
        together.sort(kind="stable")  # which only merges what is sorted in parts
        return bool((together[1:] == together[:-1]).any())


def hashes(cells: Cells) -> Hashes:
    """Hash the texts of a column, eight bytes of all of them at a time."""
    begins, lengths = cells.offsets[:-1].astype(np.int64), cells.lengths.astype(np.int64)
    data = np.concatenate([cells.data, np.zeros(_WORD, np.uint8)])
    words = np.ndarray(len(data) - _WORD + 1, np.dtype("<u8"), data, strides=(1,))
    found = _mixed(lengths.astype(np.uint64))
    rows = np.flatnonzero(lengths)
    at = 0
    while rows.size:
        left = np.minimum(lengths[rows] - at, _WORD)
        found[rows] = _mixed(found[rows] ^ (words[begins[rows] + at] & _KEPT[left]))
        at += _WORD
        rows = rows[lengths[rows] > at]
    return found


def _mixed(state: Hashes) -> Hashes:
    """Let each bit depend on all (SplitMix64's last step)."""
    state = state + _FACTORS[0]
    state = (state ^ (state >> np.uint64(30))) * _FACTORS[1]
    state = (state ^ (state >> np.uint64(27))) * _FACTORS[2]
    return np.asarray(state ^ (state >> np.uint64(31)), np.uint64)
