"""The rows of the current version as a new file meets them: in their order, a few row groups at a time."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sftp_gateway.catalog import spool, versionfile
from sftp_gateway.catalog.read.source import Marks, Rows
from sftp_gateway.catalog.types.cells import taken

RAW = "_raw"
"""The hidden column with the hash of the bytes a row was made from, null where it must be checked again."""
REACH = 8_192
"""Rows before and behind the expected place in which a row is looked for."""
WORTH = 4
"""Where fewer than one row in so many is met, as in a file in another order, none is: to fetch them costs more than to check them."""


class Current:
    """The rows of the current version, met in their order.

    `find` is for the thread that reads, the rest for the one that writes, which comes after it.
    """

    def __init__(self, path: Path, scratch: Path) -> None:
        self._file = pq.ParquetFile(path)
        self.schema = self._file.schema_arrow.remove_metadata()
        marks = self._file.read(columns=[RAW], use_threads=False)[RAW]
        self._marks = pc.fill_null(marks, 0).combine_chunks()
        self._next = 0
        groups = [self._file.metadata.row_group(number).num_rows for number in range(self._file.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(groups)])
        self._columns = [name for name, filled in versionfile.filled(path).items() if filled]
        self._group = 0
        self._window = self.schema.empty_table()
        self._window_start = 0
        self._met = np.zeros(len(self._marks), np.bool_)
        self._left = spool.Spool(scratch / "left.arrow", self.schema.append(pa.field("_pos", pa.int64())))
        self.tells_apart = True
        """Whether what is left of the version is kept for the comparison."""

    def find(self, marks: Marks) -> Rows:
        """Give the place of each mark near where the last ones were found, -1 where it is not there, or hardly any is."""
        first = max(self._next - REACH, 0)
        near = self._marks.slice(first, REACH + len(marks) + REACH)
        found = pc.fill_null(pc.index_in(pa.array(marks), value_set=near), -1).to_numpy(zero_copy_only=False)
        places = np.where((found >= 0) & (marks != 0), found.astype(np.int64) + first, -1)
        met = places[places >= 0]
        if len(met):
            # Never back: `rows` lets go of what lies more than twice REACH before.
            self._next = max(self._next, int(np.median(met)) + len(marks) // 2)
        return places if len(met) * WORTH >= len(marks) else np.full(len(marks), -1, np.int64)

    def rows(self, places: Rows) -> pa.Table:
        """Give the rows at places that `find` gave, as a table whose first row is at `places.min()`."""
        first, last = int(places.min()), int(places.max())
        self._drop(first - 2 * REACH)
        while self._window_start + self._window.num_rows <= last:
            self._window = pa.concat_tables([self._window, self._read(self._group)])
            self._group += 1
            self._drop(first - 2 * REACH)
        self._met[places] = True
        return self._window.slice(first - self._window_start, last - first + 1)

    def _read(self, group: int) -> pa.Table:
        table = self._file.read_row_group(group, columns=self._columns, use_threads=False)
        return versionfile.shaped(table, self.schema)  # blank columns are much of a wide schema's cost

    def _drop(self, upto: int) -> None:
        """Let go of whole row groups before a place; what was not met of them is left."""
        first = int(np.searchsorted(self._starts, self._window_start, "right")) - 1
        while first < self._group and (end := int(self._starts[first + 1])) <= upto:
            size = end - self._window_start
            self._leave(self._window.slice(0, size), self._window_start)
            self._window, self._window_start = self._window.slice(size), end
            first += 1

    def _leave(self, table: pa.Table, start: int) -> None:
        left = np.flatnonzero(~self._met[start : start + table.num_rows])
        if self.tells_apart and len(left):
            self._left.add(taken(table, left).append_column("_pos", pa.array(left + start)))

    @property
    def met_rows(self) -> int:
        """How many of its rows were met, however often."""
        return int(np.count_nonzero(self._met))

    def left(self) -> spool.Spool:
        """Give the rows that were not met, with their place as `_pos`; no more can be met afterwards."""
        self._leave(self._window, self._window_start)
        self._window = self.schema.empty_table()
        for group in range(self._group, self._file.num_row_groups):
            if self.tells_apart:
                self._leave(self._read(group), int(self._starts[group]))
        self._group = self._file.num_row_groups
        self._marks = self._marks.slice(0, 0)  # 8 bytes a row that the comparison can use
        return self._left

    def close(self) -> None:
        """Close the file and delete what is on disk."""
        self._file.close()
        self._left.remove()
