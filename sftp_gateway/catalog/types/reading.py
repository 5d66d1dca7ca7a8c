"""Which module types which column."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from msgspec.structs import replace

from sftp_gateway.catalog.rules.column import SCALES, Column
from sftp_gateway.catalog.types import dates, formula, gtin, links, measure, money, numbers, suggestions, text, words
from sftp_gateway.catalog.types.cells import Cells
from sftp_gateway.catalog.types.typing import Dialect, Reading

ARROW: dict[str, Any] = {
    **dict.fromkeys(("text", "enum", "currency", "country", "url", "gtin", "measure", "list", "map"), pa.string()),
    "integer": pa.int64(),
    "decimal": pa.decimal128(38, 10),
    "money": pa.decimal128(18, 4),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us", "UTC"),
}
"""The Arrow type of each column type (but for maps, all read here)."""

_READERS: dict[str, Callable[[Cells, Column, Dialect, bool], Reading]] = {
    "text": lambda cells, column, _, key: text.read(cells, key=key, identifier=column.identifier),
    "enum": lambda cells, *_: text.read(cells, key=True),
    "integer": lambda cells, _, dialect, __: numbers.read_integer(cells, dialect),
    "decimal": lambda cells, column, dialect, _: numbers.read(cells, dialect, _scale(column)),
    "money": lambda cells, column, dialect, _: money.read(cells, dialect, _scale(column)),
    "measure": lambda cells, column, dialect, _: measure.read(cells, dialect, column.dimension),
    "boolean": lambda cells, *_: words.read_boolean(cells),
    "date": lambda cells, _, dialect, __: dates.read_date(cells, dialect),
    "datetime": lambda cells, _, dialect, __: dates.read_moment(cells, dialect),
    "gtin": lambda cells, *_: gtin.read(cells),
    "currency": lambda cells, *_: words.read_currency(cells),
    "country": lambda cells, *_: words.read_country(cells),
    "url": lambda cells, *_: links.read_url(cells),
    "list": lambda cells, column, *_: links.read_links(cells) if column.items == "url" else links.read_words(cells),
}


def _scale(column: Column) -> int:
    return SCALES[column.type] if column.scale is None else column.scale


def read(cells: Cells, column: Column, dialect: Dialect, *, key: bool = False) -> Reading:
    """Type a column (not a map); may raise typing.Undecided."""
    told = formula.faults(cells)
    found = _READERS[column.type](formula.without(cells, told) if told else cells, column, dialect, key)
    if not told and not found.faults:
        return found
    faults = [*told, *found.faults]
    return replace(found, faults=[suggestions.filled(fault) for fault in faults] if column.required else faults)
