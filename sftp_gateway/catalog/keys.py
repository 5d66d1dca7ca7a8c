"""The readable key of a product, and what can be read of it in a record that is no row."""

import unicodedata
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog import cells, diff
from sftp_gateway.catalog.headers import Mapping
from sftp_gateway.catalog.read.rejects import Rejects


def texts(table: pa.Table, key: Sequence[str]) -> pa.Array:
    """Give the key of each row as text, the parts of a composite one joined by ` | `."""
    columns: list[Any] = [cells.text(table[name]) for name in key]
    return columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, diff.KEY_SEPARATOR)


class Reader:
    """Finds the key among the cells that could be told apart in a broken record."""

    def __init__(self, mapping: Mapping, key: Sequence[str]) -> None:
        self._positions = [mapping.columns.get(name, ()) for name in key]

    def of_all(self, rejects: Rejects) -> list[str]:
        """Give the readable key of each, or '' where a part of it is missing."""
        rows = [
            list(zip(*(rejects.column(place).to_pylist() for place in positions), strict=True)) or [()] * len(rejects)
            for positions in self._positions
        ]
        parts = ([self._first_filled(cells) for cells in part] for part in rows)
        return [diff.KEY_SEPARATOR.join(key) if all(key) else "" for key in zip(*parts, strict=True)]

    @staticmethod
    def _first_filled(cells_of_row: Sequence[str]) -> str:
        for sent in cells_of_row:
            if cell := sent.strip():
                return cell if cell.isascii() else unicodedata.normalize("NFC", cell)
        return ""
