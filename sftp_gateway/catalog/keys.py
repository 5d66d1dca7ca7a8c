"""The readable key of a product, and what can be read of it in a record that is no row."""

import unicodedata
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog import cells, diff
from sftp_gateway.catalog.headers import Mapping


def texts(table: pa.Table, key: Sequence[str]) -> pa.Array:
    """Give the key of each row as text, the parts of a composite one joined by ` | `."""
    columns: list[Any] = [cells.text(table[name]) for name in key]
    return columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, diff.KEY_SEPARATOR)


class Reader:
    """Finds the key among the cells that could be told apart in a broken record."""

    def __init__(self, mapping: Mapping, key: Sequence[str]) -> None:
        self._positions = [mapping.columns.get(name, ()) for name in key]

    def of(self, cells_of_row: Sequence[str]) -> str:
        """Give the readable key, or '' if a part of it is missing."""
        parts = [self._first_filled(cells_of_row, positions) for positions in self._positions]
        return diff.KEY_SEPARATOR.join(parts) if all(parts) else ""

    @staticmethod
    def _first_filled(cells_of_row: Sequence[str], positions: Sequence[int]) -> str:
        for position in positions:
            if position < len(cells_of_row) and (cell := cells_of_row[position].strip()):
                return cell if cell.isascii() else unicodedata.normalize("NFC", cell)
        return ""
