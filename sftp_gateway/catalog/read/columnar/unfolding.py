"""Columns of Parquet that hold columns of their own: of a STRUCT its fields, of a MAP the keys that the file has."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog.read import bounds

Unfolded = tuple[tuple[str, tuple[str, ...] | None], ...]
"""Columns with the names of those inside; None: it is a plain one."""
_BATCH_ROWS = 16384
_BATCH_BYTES = 16 * 1024**2
_FEW_ROWS = 64
_DELTA = {"DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"}
_BYTES = "BYTE_ARRAY"
"""What Parquet calls the type of texts."""


def of(file: Any) -> Unfolded:
    """Name the columns of a file; goes through those that are maps, for their keys. ArrowException where it is damaged."""
    return tuple((field.name, _inside(file, field)) for field in file.schema_arrow)


def batches(file: Any, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Give the rows of a file, or some of their columns."""
    nested = any(pa.types.is_nested(field.type) for field in file.schema_arrow)
    size = _FEW_ROWS if deltas(file.metadata) else _BATCH_ROWS
    # One batch with rows of two groups cannot have a column that holds others: Arrow has not implemented it.
    groups = [[number] for number in range(file.num_row_groups)] if nested else [None]
    found = (
        batch
        for group in groups
        for batch in file.iter_batches(batch_size=size, row_groups=group, columns=columns, use_threads=False)
    )
    yield from _joined(found) if size == _FEW_ROWS or len(groups) > 1 else found


def look_at(file: Any) -> None:
    """Read the first row of each group: ArrowException where its columns are ill described, of which `deltas` would end the process."""
    for number in range(file.num_row_groups):
        next(file.iter_batches(batch_size=1, row_groups=[number], use_threads=False), None)


def deltas(metadata: Any) -> set[int]:
    """Give the columns of texts that are stored as what is new in each (parquet-format, Encodings, §Delta): by their number.

    Arrow cannot read those as dictionaries; and of a few bytes more can unfold in a batch than memory holds.
    """
    texts = [number for number in range(metadata.num_columns) if metadata.schema.column(number).physical_type == _BYTES]
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    return {number for group in groups for number in texts if not _DELTA.isdisjoint(group.column(number).encodings)}


def _joined(small: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Join small batches, up to a size: what comes behind has a price for each."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in small:
        held.append(batch)
        rows, size = rows + len(batch), size + batch.nbytes
        if rows >= _BATCH_ROWS or size > _BATCH_BYTES:
            yield pa.concat_batches(held)
            held, rows, size = [], 0, 0
    if held:
        yield pa.concat_batches(held)


def headers(columns: Unfolded) -> list[str]:
    """Name every column as JSON names it: those inside `column:name`."""
    return [
        full for name, inside in columns for full in ([name] if inside is None else [f"{name}:{sub}" for sub in inside])
    ]


def parts(column: pa.Array, inside: tuple[str, ...] | None) -> list[pa.Array]:
    """Give the columns inside a column, or the column; null where a map has no such key."""
    if inside is None:
        return [column]
    if pa.types.is_struct(column.type):
        return [pc.struct_field(column, [number]) for number in range(len(inside))]
    return _values(column, inside)


def _inside(file: Any, field: pa.Field) -> tuple[str, ...] | None:
    if pa.types.is_struct(field.type):
        return tuple(field.type.field(number).name for number in range(field.type.num_fields))
    if not pa.types.is_map(field.type):
        return None
    found: dict[str, None] = {}
    for batch in batches(file, [field.name]):
        found.update(dict.fromkeys(pc.unique(_keys(batch.column(0))).to_pylist()))
        if len(found) > bounds.MAX_COLUMNS:
            return None  # no names of columns, but values
    return tuple(found)


def _span(column: pa.MapArray) -> slice:
    """Where the entries of the rows stand: the array itself may be a part of a longer one."""
    return slice(column.offsets[0].as_py(), column.offsets[-1].as_py())


def _keys(column: pa.MapArray) -> pa.Array:
    keys = column.keys[_span(column)]
    return pc.cast(keys.dictionary_decode() if pa.types.is_dictionary(keys.type) else keys, pa.string())


def items(column: pa.MapArray) -> pa.Array:
    """Give the values of all rows of a map."""
    return column.items[_span(column)]


def _values(column: pa.MapArray, names: tuple[str, ...]) -> list[pa.Array]:
    values, lengths = items(column), np.diff(np.asarray(column.offsets))
    row = np.repeat(np.arange(len(column)), lengths)
    which = np.asarray(pc.index_in(_keys(column), value_set=pa.array(names, pa.string())))
    order = np.argsort(which, kind="stable")
    bounds_of = np.searchsorted(which[order], np.arange(len(names) + 1))
    found = []
    for first, last in zip(bounds_of[:-1].tolist(), bounds_of[1:].tolist(), strict=True):
        at = np.full(len(column), -1)
        at[row[order[first:last]]] = order[first:last]  # of a key that comes twice in a row the last counts
        found.append(values.take(pa.array(at, mask=at < 0)))
    return found
