"""The readable key of a product, and what can be read of it in a record that is no row."""

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog import cells
from sftp_gateway.catalog.checking.terms import Terms
from sftp_gateway.catalog.read.rejects import Rejects
from sftp_gateway.catalog.rules.column import Column
from sftp_gateway.catalog.types import reading
from sftp_gateway.catalog.types.cells import Cells
from sftp_gateway.catalog.types.typing import Undecided

SEPARATOR = " | "
"""Stands between the parts of a key; the bars of a part that matches `LIKE_SEPARATOR` are doubled, so that no two keys have one text."""
LIKE_SEPARATOR = r"(?:^| )\|+(?: |$)"
_LIKE_SEPARATOR = re.compile(LIKE_SEPARATOR)


def texts(table: pa.Table, key: Sequence[str]) -> pa.Array:
    """Give the key of each row as text, the parts of a composite one joined by ` | `."""
    return joined([cells.text(table[name]) for name in key])


def joined(parts: Sequence[Any]) -> pa.Array:
    """Join the parts of keys, a column each, as `diff.key_text` does it in the database."""
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*map(_apart, parts), SEPARATOR)


def _apart(part: Any) -> Any:
    """Double the bars of a part that look like the separator: `x | y` and `z` are not `x` and `y | z`."""
    if not Cells(part).has(b"|"):
        return part
    alike = pc.match_substring_regex(part, LIKE_SEPARATOR)
    return pc.if_else(alike, pc.replace_substring(part, "|", "||"), part)


def text(parts: Sequence[str]) -> str:
    """Join the parts of one key."""
    if len(parts) == 1:
        return parts[0]
    apart = (part.replace("|", "||") if _LIKE_SEPARATOR.search(part) else part for part in parts)
    return SEPARATOR.join(apart)


def of_broken(terms: Terms, rejects: Rejects) -> list[str]:
    """Give the readable key of each broken record, or '' where a part of it is missing or cannot be typed.

    It is looked for among the cells that could be told apart, and read as that of a row is.
    """
    if not len(rejects):
        return []
    parts = [_read(terms, terms.schema.column(name), rejects) for name in terms.schema.key]
    found: list[str] = pc.fill_null(joined(parts), "").to_pylist()
    return found


def _read(terms: Terms, column: Column, rejects: Rejects) -> pa.Array:
    sent = pa.array([""] * len(rejects), pa.string())
    for place in terms.mapping.columns.get(column.name, ()):  # the first filled one counts
        sent = pc.if_else(pc.equal(sent, ""), Cells(rejects.column(place)).trimmed.array, sent)
    try:
        found = reading.read(Cells(sent), column, terms.dialect(column), key=True)
    except Undecided:
        return pa.nulls(len(sent), pa.string())
    return cells.text(found.values)
