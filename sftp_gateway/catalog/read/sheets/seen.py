"""Cells of a sheet in which a person sees something else than the library that opens workbooks gives."""

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field

from sftp_gateway.catalog.read.sheets.grid import Grid


class Seen(Struct):
    """By column: rows, both from 0, and what is seen there: a text, or a number with at least so many digits."""

    _cells: defaultdict[int, dict[int, str | int]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, row: int, column: int, what: str | int) -> None:
        """Note a cell; what is noted last counts."""
        self._cells[column][row] = what

    def put_into(self, sheet: Grid, left: int) -> Grid:
        """Give the sheet as it is seen; its first column is that of number `left`."""
        columns = list(sheet.columns)
        for column, cells in self._cells.items():
            if 0 <= column - left < len(columns):
                columns[column - left] = _seen(columns[column - left], cells)
        return Grid.of(columns, sheet.numbers) if self._cells else sheet


def _seen(column: pa.Array, cells: dict[int, str | int]) -> pa.Array:
    rows = sorted(row for row in cells if row < len(column))
    mask = np.zeros(len(column), np.bool_)
    mask[rows] = True
    shown = [
        _shown(text or "", cells[row])
        for row, text in zip(rows, column.filter(pa.array(mask)).to_pylist(), strict=True)
    ]
    return pc.replace_with_mask(column, pa.array(mask), pa.array(shown, pa.string()))


def _shown(text: str, how: str | int) -> str:
    if isinstance(how, str):
        return how
    return text.zfill(how) if text.isdecimal() else text
