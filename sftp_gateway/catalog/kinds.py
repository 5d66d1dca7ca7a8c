"""Many rows of which few differ, as findings do: what is made of them is made once for each kind. Serves report, sift, corrections."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Places = npt.NDArray[np.int64]


class Kinds:
    """The different rows of some columns of text (no nulls): `columns` holds each once, in the order of their first.

    `firsts`: where the first row of each kind stands.
    """

    def __init__(self, columns: Sequence[Any]) -> None:
        which = pc.dictionary_encode(columns[0]).indices
        for column in columns[1:]:
            other = pc.dictionary_encode(column)
            if len(other.dictionary) > 1:
                pairs = np.asarray(which, dtype=np.int64) * len(other.dictionary) + np.asarray(other.indices)
                which = pc.dictionary_encode(pa.array(pairs)).indices
        self._which = which
        self.firsts = self._first_places()
        self.columns: list[Any] = [column.take(pa.array(self.firsts)) for column in columns]

    def _first_places(self) -> Places:
        which = np.asarray(self._which)
        firsts = np.empty(int(which.max()) + 1 if which.size else 0, dtype=np.int64)
        firsts[which[::-1]] = np.arange(len(which) - 1, -1, -1)  # of equal ones the last counts
        return firsts

    def counts(self) -> Places:
        """Give how many rows are of each kind."""
        return np.bincount(np.asarray(self._which), minlength=len(self.firsts))

    def each(self, values: Any, rows: Places | None = None) -> Any:
        """Give the value of its kind for each row, or for each of these."""
        return values.take(self._which if rows is None else self._which.take(pa.array(rows)))
