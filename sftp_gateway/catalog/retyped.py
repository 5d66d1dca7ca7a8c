"""Values of a column under another type: the rules gave it one, or a kept column became one of theirs.

A value is taken over where it says the same in the other type; else it becomes null there. Numbers go by
their amount, dates and times by their moment, all else by what it prints as (`cells.text`).
"""

from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog import cells
from sftp_gateway.catalog.types import measure
from sftp_gateway.catalog.types.cells import Cells, matches, once_each
from sftp_gateway.catalog.types.typing import Dialect

_WIDE = pa.decimal128(38, 10)
"""Holds every number of every type."""
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_WHOLE = "-?[1-9][0-9]*|0"


def cast(values: Any, kind: pa.DataType) -> pa.Array:
    """Give a column under another type, null where that cannot hold its value."""
    old = values.type
    if pa.types.is_string(kind):
        return cells.text(values)
    if is_number(old) and is_number(kind):
        return _number(pc.cast(values, _WIDE), kind)
    if pa.types.is_date(old) and pa.types.is_timestamp(kind):
        return _whole(pc.cast(values, kind))
    if pa.types.is_timestamp(old) and pa.types.is_date(kind):
        return _midnights(values, kind)
    return _parsed(cells.text(values), kind)


def holding(schema: pa.Schema, base: pa.Schema, stay: Callable[[list[str]], Iterable[pa.Table]]) -> pa.Schema:
    """Make text (of numbers, wide ones) of the columns of `schema` that cannot hold what products of `base` have that stay.

    `stay` gives these products, in the columns asked for; it is asked only where a type differs.
    """
    shared = [field for field in schema if field.name in base.names and not field.name.startswith("_")]
    other = [field for field in shared if field.type not in (pa.string(), base.field(field.name).type)]
    if not other:
        return schema
    lost: set[str] = set()
    for table in stay([field.name for field in other]):
        here = [field for field in other if field.name in table.column_names and field.name not in lost]
        lost |= {field.name for field in here if _loses(table[field.name], field.type)}
    fields = [_roomy(field, base.field(field.name).type) if field.name in lost else field for field in schema]
    return pa.schema(fields, schema.metadata)


def _roomy(field: pa.Field, old: pa.DataType) -> pa.Field:
    return field.with_type(_WIDE if is_number(field.type) and is_number(old) else pa.string())


def _loses(values: Any, kind: pa.DataType) -> bool:
    return bool(cast(values, kind).null_count > values.null_count)


def in_base_units(values: Any) -> Any:
    """Give the amounts in base units of a column that became a measure, null where its text is none."""
    return measure.read(Cells(pc.fill_null(cells.text(values), "")), Dialect("."), "").base


def is_number(kind: pa.DataType) -> bool:
    """Whether values of a type are compared by their amount."""
    return bool(pa.types.is_integer(kind) or pa.types.is_decimal(kind))


def _whole(values: Any) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _number(values: Any, kind: pa.DataType) -> pa.Array:
    try:
        return _whole(pc.cast(values, kind))
    except pa.ArrowInvalid:
        return _parsed(cells.text(values), kind)


def _midnights(values: Any, kind: pa.DataType) -> pa.Array:
    days = pc.cast(values, kind)
    return _whole(pc.if_else(pc.equal(pc.cast(days, values.type), values), days, pa.scalar(None, kind)))


def _parsed(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """Read texts as values of a type are written; those that are written otherwise (`007`, `1e3`, `yes`) are none."""
    if pa.types.is_timestamp(kind):
        texts = pc.replace_substring_regex(texts, f"^({_DATE})$", r"\1T00:00:00Z")
    likely = pc.if_else(pa.array(matches(texts, f"^(?:{_written(kind)})$")), texts, pa.scalar(None, pa.string()))
    try:
        return pc.cast(likely, kind)
    except pa.ArrowInvalid:  # a 30th of February
        return once_each(likely, lambda text: _cast_one(text, kind), kind)


def _written(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return rf"(?:{_WHOLE}|-0)(?:\.[0-9]+)?"
    if pa.types.is_integer(kind):
        return _WHOLE
    if pa.types.is_boolean(kind):
        return "true|false"
    return _DATE if pa.types.is_date(kind) else rf"{_DATE}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]{{1,6}})?Z"


def _cast_one(text: str, kind: pa.DataType) -> Any:
    try:
        return pc.cast(pa.scalar(text, pa.string()), kind).as_py()
    except pa.ArrowInvalid:
        return None
