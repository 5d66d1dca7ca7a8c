"""The limits of a column over its typed values: required, least and greatest, lengths, pattern, allowed values."""

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog.rules import arithmetic
from sftp_gateway.catalog.rules.column import Column, whole
from sftp_gateway.catalog.types import suggestions, words
from sftp_gateway.catalog.types.cells import Mask, mask
from sftp_gateway.catalog.types.typing import Fault, told


def broken(column: Column, values: Any) -> list[Fault]:
    """Tell what the values of a column break, but for `required`; blank ones break nothing."""
    faults: list[Fault] = []
    if column.min is not None or column.exclusive_min is not None or column.max is not None:
        faults += _range(column, values)
    if column.min_length is not None or column.max_length is not None:
        faults += _length(column, values)
    if column.pattern is not None:
        faults += _pattern(column, values)
    if column.values:
        faults += words.outside(values, column.values)
    return [suggestions.filled(fault) for fault in faults] if column.required else faults


def absent(column: Column, rows: Mask, *, cleared: Mask | None, created: Mask | None) -> list[Fault]:
    r"""Say that a required cell is blank, and why it has to be filled.

    `cleared`: rows that say `\N`; `created`: rows of a partial file whose product is new, None: a row is the whole
    product.
    """
    faults: list[Fault] = []
    name = column.name
    if cleared is not None:
        hint = f"write a value, or leave the cell blank to keep the {name} of now"
        faults += told("FIELD_REQUIRED", rows & cleared, f"\\N would clear {name}, but every product needs it", hint)
        rows = rows & ~cleared
    if created is not None:
        faults += told("FIELD_REQUIRED", rows & created, f"{name} is blank; a new product needs it", f"fill in {name}")
        rows = rows & ~created
    return faults + told("FIELD_REQUIRED", rows, f"{name} is blank; every product needs it", f"fill in {name}")


def _range(column: Column, values: Any) -> list[Fault]:
    faults = []
    for limit, sign, text, hint in (
        (column.min, "<", "is below {}, the least allowed", "write {} or more"),
        (column.exclusive_min, "<=", "is not above {}", "write more than {}, or leave it blank"),
        (column.max, ">", "is above {}, the most allowed", "write {} or less"),
    ):
        if limit is None:
            continue
        rows = mask(arithmetic.compare(sign, values, pa.scalar(Decimal(limit))))
        shown = "zero" if Decimal(limit) == 0 and sign == "<=" else limit
        faults += told("FIELD_RANGE", rows, text.format(shown), hint.format(limit))
    return faults


def _length(column: Column, values: Any) -> list[Fault]:
    least, most = column.min_length or 0, column.max_length
    sizes = pc.binary_length(values)
    extent = pc.min_max(sizes)
    # no value has more characters than bytes, nor fewer than a quarter of them
    shortest, longest = extent["min"].as_py(), extent["max"].as_py()
    if shortest is None or ((most is None or longest <= most) and shortest >= 4 * least - 3):
        return []
    lengths = pc.utf8_length(values)
    faults = []
    if most is not None and (long := mask(pc.greater(lengths, most))).any():
        index = np.flatnonzero(long)
        has = pc.cast(lengths.take(pa.array(index)), pa.string())
        message = pc.binary_join_element_wise("has ", has, f" characters; {column.name} may have {most}", "")
        faults.append(Fault("FIELD_LENGTH", index, message, f"shorten it to {most} characters"))
    if least:
        short, hint = mask(pc.less(lengths, least)), f"write at least {least} characters"
        faults += told("FIELD_LENGTH", short, f"has fewer than {least} characters", hint)
    return faults


def _pattern(column: Column, values: Any) -> list[Fault]:
    fits = pc.match_substring_regex(values, whole(column.pattern or ""))
    message = f"does not have the form that {column.name} must have"
    return told("FIELD_PATTERN", mask(pc.invert(fits)), message, f"it must match {column.pattern}")
