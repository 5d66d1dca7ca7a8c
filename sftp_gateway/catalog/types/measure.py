"""Measures: a number and a unit (`30 in`), kept as written, compared in metres, kilograms or litres."""

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog.types import numbers, suggestions, units
from sftp_gateway.catalog.types.cells import Cells, Mask, decimal_text, mask, with_nulls
from sftp_gateway.catalog.types.typing import Dialect, Fault, Reading, told

_AFFIXED = rf"^(?P<number>[+-]?[0-9.,](?:[0-9.,{numbers.GAPS}]*[0-9.,])?)[ \x{{a0}}\x{{202f}}]*(?P<unit>[^0-9.,].*)?$"
_FACTOR = pa.decimal128(22, 14)


def read(cells: Cells, dialect: Dialect, dimension: str) -> Reading:
    """Type a column as text `NUMBER UNIT`, with `base` as `NUMBER m|kg|l`; zero or more.

    A bare number keeps no unit unless its header names one; a unit of another dimension is a fault.
    """
    cells = cells.trimmed
    number, spelled = split(cells)
    found, names, factors, bases = _units(spelled, dialect, dimension)
    wrong = cells.filled & ~found
    reading = numbers.read(Cells(pc.fill_null(number, "")), dialect, 10)
    negative = mask(pc.less(reading.values, pa.scalar(0, reading.values.type)))
    values = with_nulls(reading.values, ~wrong & ~negative)
    written = pc.if_else(pc.equal(spelled, ""), "", names)
    faults = [_in_units(fault.without(wrong), written, dimension) for fault in reading.faults]
    faults += _unit_faults(wrong, dimension)
    faults += told("FIELD_RANGE", negative, "is below zero", "write a measure of 0 or more")
    text = _joined(plain_text(values), names)
    base = _joined(_in_base(values, factors), bases)
    return Reading(text, faults, base=base)


def number_part(cells: Cells) -> Any:
    """Give the cells without their units: where a survey looks for marks."""
    return split(cells.trimmed)[0]


def split(cells: Cells) -> tuple[Any, Any]:
    """Part numbers from units; what is no number with a unit stays whole, as a number with no unit."""
    values = cells.nulled
    parts = pc.extract_regex(values, _AFFIXED)
    number = pc.coalesce(pc.struct_field(parts, "number"), values)
    return number, pc.fill_null(pc.struct_field(parts, "unit"), "")


def _units(spelled: Any, dialect: Dialect, dimension: str) -> tuple[Mask, Any, Any, Any]:
    """Look up the few different units of a block: known?, canonical name, factor, base unit."""
    for rows, own in dialect.unit_rows:
        spelled = pc.if_else(pa.array(rows & mask(pc.equal(spelled, ""))), own, spelled)
    coded = pc.dictionary_encode(spelled)
    texts = coded.dictionary.to_pylist()
    found = [unit if unit and dimension in ("", unit.dimension) else None for unit in map(units.find, texts)]
    columns = (
        pa.array([unit is not None or not text for unit, text in zip(found, texts, strict=True)], pa.bool_()),
        pa.array([unit.name if unit else "" for unit in found], pa.string()),
        pa.array([unit.factor if unit else Decimal(1) for unit in found], _FACTOR),
        pa.array([units.BASE[unit.dimension] if unit else "" for unit in found], pa.string()),
    )
    known, names, factors, bases = (column.take(coded.indices) for column in columns)
    return mask(known), names, factors, bases


def _in_base(values: Any, factors: Any) -> Any:
    """Multiply exactly; text without trailing zeros."""
    wide = pc.cast(values, pa.decimal256(38, 10))
    return plain_text(pc.multiply(wide, pc.cast(factors, pa.decimal256(22, 14))))


def plain_text(values: Any) -> Any:
    """Give decimals as text without trailing zeros."""
    return pc.replace_substring_regex(decimal_text(values), r"\.?0+$", "")


def _joined(number: Any, unit: Any) -> Any:
    bare = pc.equal(unit, "")
    return pc.if_else(bare, number, pc.binary_join_element_wise(number, unit, " "))


def _in_units(fault: Fault, units_written: Any, dimension: str) -> Fault:
    return suggestions.instead(suggestions.naming(fault, units_written), _way_out(dimension))


def _way_out(dimension: str) -> str:
    examples = {"length": "30 in, 76.2 cm", "weight": "11.02 lb, 5 kg", "volume": "0.7 l, 24 fl oz"}
    return f"write a number and a unit, like {examples.get(dimension, '30 in, 5 kg')}"


def _unit_faults(wrong: Mask, dimension: str) -> list[Fault]:
    kind = {"length": "a length", "weight": "a weight", "volume": "a volume"}.get(dimension, "a measure")
    return told("FIELD_TYPE", wrong, f"is not {kind}: the unit is not one", _way_out(dimension))
