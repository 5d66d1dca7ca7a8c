"""The readable key of a product, and what can be read of it in a record that is no row."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog import cells, diff
from sftp_gateway.catalog.headers import Mapping
from sftp_gateway.catalog.read.rejects import Rejects
from sftp_gateway.catalog.types.cells import Cells

_LIKE_SEPARATOR = re.compile(diff.LIKE_SEPARATOR)


def texts(table: pa.Table, key: Sequence[str]) -> pa.Array:
    """Give the key of each row as text, the parts of a composite one joined by ` | `."""
    return joined([cells.text(table[name]) for name in key])


def joined(parts: Sequence[Any]) -> pa.Array:
    """Join the parts of keys, a column each, as `diff.key_text` does it in the database."""
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*map(_apart, parts), diff.KEY_SEPARATOR)


def _apart(part: Any) -> Any:
    """Double the bars of a part that look like the separator: `x | y` and `z` are not `x` and `y | z`."""
    if not Cells(part).has(b"|"):
        return part
    alike = pc.match_substring_regex(part, diff.LIKE_SEPARATOR)
    return pc.if_else(alike, pc.replace_substring(part, "|", "||"), part)


def text(parts: Sequence[str]) -> str:
    """Join the parts of one key."""
    if len(parts) == 1:
        return parts[0]
    apart = (part.replace("|", "||") if _LIKE_SEPARATOR.search(part) else part for part in parts)
    return diff.KEY_SEPARATOR.join(apart)


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
        return [text(key) if all(key) else "" for key in zip(*parts, strict=True)]

    @staticmethod
    def _first_filled(cells_of_row: Sequence[str]) -> str:
        for sent in cells_of_row:
            if cell := sent.strip():
                return cell if cell.isascii() else unicodedata.normalize("NFC", cell)
        return ""
