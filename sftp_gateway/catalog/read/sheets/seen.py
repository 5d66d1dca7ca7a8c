"""Cells of a sheet in which a person sees something else than the library that opens workbooks gives."""

from array import array
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.sheets.grid import Grid
from sftp_gateway.catalog.read.sheets.merged import Range


@dataclass(slots=True)
class Seen:
    """By column: rows, both from 0, and what is seen there: a text, or a number with at least so many digits."""

    spans: list[Range] = field(default_factory=list)
    """Merged cells, of a format in which the library does not know of them."""
    left: int = 2 * bounds.SHEET_CELLS
    """So many more may be noted; pieces of a sheet that overlap note some cells twice."""
    _rows: defaultdict[int, "array[int]"] = field(default_factory=lambda: defaultdict(lambda: array("q")))
    _what: defaultdict[int, list[str | int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, row: int, column: int, what: str | int) -> None:
        """Note a cell; what is noted last counts. ValueError where there are far too many of them."""
        self.left -= 1
        if self.left < 0:
            raise ValueError("its cells come again and again")
        self._rows[column].append(row)
        self._what[column].append(what)

    def put_into(self, sheet: Grid, left: int) -> Grid:
        """Give the sheet as it is seen; its first column is that of number `left`."""
        columns = list(sheet.columns)
        for column, rows in self._rows.items():
            place = column - left
            if 0 <= place < len(columns):
                columns[place] = self._column(columns[place], np.frombuffer(rows, np.int64), self._what[column])
        return Grid.of(columns, sheet.numbers) if self._rows else sheet

    @staticmethod
    def _column(column: pa.Array, rows: np.ndarray[tuple[int], np.dtype[np.int64]], what: list[str | int]) -> pa.Array:
        found, last = np.unique(rows[::-1], return_index=True)
        found, last = found[found < len(column)], last[found < len(column)]
        shown = [what[-1 - index] for index in last.tolist()]
        texts = column.take(pa.array(found)).to_pylist()
        mask = np.zeros(len(column), np.bool_)
        mask[found] = True
        new = [_shown(text or "", how) for text, how in zip(texts, shown, strict=True)]
        return pc.replace_with_mask(column, pa.array(mask), pa.array(new, pa.string()))


def _shown(text: str, how: str | int) -> str:
    if isinstance(how, str):
        return how
    return text.zfill(how) if text.isdecimal() else text
