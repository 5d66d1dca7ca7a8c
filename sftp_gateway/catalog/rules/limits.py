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
from sftp_gateway.catalog.types.typing import Fault


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
    faults = []
    name = column.name
    if cleared is not None and (wiped := rows & cleared).any():
        hint = f"write a value, or leave the cell blank to keep the {name} of now"
        message = f"\\N would clear {name}, but every product needs it"
        faults.append(Fault("FIELD_REQUIRED", np.flatnonzero(wiped), message, hint))
        rows = rows & ~cleared
    if created is not None and (new := rows & created).any():
        message = f"{name} is blank; a new product needs it"
        faults.append(Fault("FIELD_REQUIRED", np.flatnonzero(new), message, f"fill in {name}"))
        rows = rows & ~created
    if rows.any():
        message = f"{name} is blank; every product needs it"
        faults.append(Fault("FIELD_REQUIRED", np.flatnonzero(rows), message, f"fill in {name}"))
    return faults


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
        if rows.any():
            shown = "zero" if Decimal(limit) == 0 and sign == "<=" else limit
            faults.append(Fault("FIELD_RANGE", np.flatnonzero(rows), text.format(shown), hint.format(limit)))
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
    if least and (short := mask(pc.less(lengths, least))).any():
        message = f"has fewer than {least} characters"
        faults.append(Fault("FIELD_LENGTH", np.flatnonzero(short), message, f"write at least {least} characters"))
    return faults


def _pattern(column: Column, values: Any) -> list[Fault]:
    fits = pc.match_substring_regex(values, whole(column.pattern or ""))
    rows = mask(pc.invert(fits))
    if not rows.any():
        return []
    message = f"does not have the form that {column.name} must have"
    return [Fault("FIELD_PATTERN", np.flatnonzero(rows), message, f"it must match {column.pattern}")]
