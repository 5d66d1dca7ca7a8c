"""Values of Parquet columns, of nested ones too (lists, structs and maps in each other): exact, and texts or bytes."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

Change = Callable[[pa.DataType], pa.DataType]


def values(column: pa.Array) -> list[Any]:
    """Give the values of a column of any type; texts of it that are no UTF-8 are bytes, and then so are all of its texts."""
    spelled = _changed(column.type, _spelled)
    if spelled != column.type:  # as a double a float would have digits that nobody wrote: 0.10000000149011612
        column = pc.cast(pc.cast(column, spelled), _changed(column.type, _doubled))
    return _read(column)


def _read(column: pa.Array) -> list[Any]:
    try:
        found: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        found = _read(pc.cast(column, _changed(column.type, _raw)))
    except pa.ArrowInvalid:  # a zone by a name that we do not know (`GMT+1`): the moment is known without it
        there = _changed(column.type, _in_greenwich)
        if there == column.type:
            raise
        found = _read(pc.cast(column, there))
    except OverflowError:  # outside the years 1 to 9999, perhaps in its own zone alone: each such value by itself
        if (half := len(column) // 2) > 0:
            return _read(column.slice(0, half)) + _read(column.slice(half))
        there = _changed(column.type, _in_greenwich)
        found = _read(pc.cast(column, _changed(column.type, _counted) if there == column.type else there))
    return found


def _in_greenwich(kind: pa.DataType) -> pa.DataType:
    return pa.timestamp(kind.unit, "UTC") if pa.types.is_timestamp(kind) and kind.tz else kind


def _counted(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_date32(kind):
        return pa.int32()
    return pa.int64() if pa.types.is_temporal(kind) else kind


def _spelled(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_float32(kind) else kind


def _doubled(kind: pa.DataType) -> pa.DataType:
    return pa.float64() if pa.types.is_float32(kind) else kind


def _raw(kind: pa.DataType) -> pa.DataType:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return pa.binary() if is_text else kind


def _changed(kind: pa.DataType, change: Change) -> pa.DataType:
    """Give a type with the plain types in it changed."""
    if pa.types.is_list(kind):
        return pa.list_(_changed(kind.value_type, change))
    if pa.types.is_large_list(kind):
        return pa.large_list(_changed(kind.value_type, change))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_changed(kind.value_type, change), kind.list_size)
    if pa.types.is_map(kind):
        return pa.map_(_changed(kind.key_type, change), _changed(kind.item_type, change))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _changed(field.type, change)) for field in kind])
    return change(kind)
