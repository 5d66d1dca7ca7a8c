"""Money: an exact number of at most four places, which may carry its currency (`15.00 USD`, `€15`)."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog.types import isocodes, numbers, suggestions
from sftp_gateway.catalog.types.cells import Cells, Mask, flags, mask, matches, once_each, replaced, table, with_nulls
from sftp_gateway.catalog.types.typing import Dialect, Fault, Reading, Undecided, told

_BARE = table(b"0123456789.,+-")
_NUMERIC = table(b"0123456789.,")
"""One of these stands in every cell that `_AFFIXED` matches."""
_AFFIXED = rf"^(?P<before>(?:[^0-9.,]*\pL\.)?[^0-9.,]*)(?P<number>[0-9.,](?:[0-9.,{numbers.GAPS}]*[0-9.,])?)(?P<after>[^0-9.,]?[^0-9]*)$"
"""The dot of an abbreviation belongs to it: `Fr. 12`, not `.12`."""
_NO_CENTS = r"^([^0-9]*[0-9][^-]*[.,])[-\x{2012}-\x{2015}\x{2212}]{1,2}([^0-9]*)$"
"""`12,- €`: where the cents would be, a dash says that there are none; it is no minus."""


def read(cells: Cells, dialect: Dialect, scale: int = 4) -> Reading:
    """Type a column as decimal128(18, 4); `currencies` holds what the cells say of it, None if none does.

    Raises Undecided as numbers do, and for thousands with a dot (`1.299`) that no other amount shows to be units.
    """
    cells = cells.trimmed
    parts = split(cells)
    texts = cells.nulled if parts is None else parts[0]
    if not dialect.decimal and cells.has(b".") and numbers.open_thousands(texts):
        raise Undecided
    if parts is None:
        return numbers.read(cells, dialect, scale, 18)
    texts, currencies, unknown = parts
    reading = numbers.read(Cells(pc.fill_null(texts, "")), dialect, scale, 18)
    faults = [suggestions.naming(fault, currencies) for fault in reading.faults]
    faults += _unknown_faults(cells, unknown)
    return Reading(with_nulls(reading.values, ~unknown), faults, currencies=currencies)


def number_part(cells: Cells) -> Any:
    """Give the cells without their currencies: where a survey looks for marks."""
    parts = split(cells.trimmed)
    return cells.trimmed.nulled if parts is None else parts[0]


def split(cells: Cells) -> tuple[Any, Any, Mask] | None:
    """Part numbers from currencies: (texts, codes or signs, cells whose affix is no currency); None: no number has one.

    A cell that is no number with an affix stays whole among the texts, for `numbers` to complain about.
    """
    values = cells.nulled
    if cells.lowest >= 0x2B and cells.highest < 0x3A and not cells.has(b"/"):  # only digits and + , - .
        return None
    rows = np.flatnonzero(cells.filled & cells.holding_other(_BARE))
    if not Cells(values.take(pa.array(rows))).holds(_NUMERIC):
        return None  # mere words, as of most bad cells: to compile the patterns takes longer than all else
    rows = rows[~matches(values.take(pa.array(rows)), rf"^[0-9{numbers.GAPS}.,+\x{{2013}}\x{{2014}}-]*$")]
    if not rows.size:
        return None
    parts = pc.extract_regex(pc.replace_substring_regex(values.take(pa.array(rows)), _NO_CENTS, r"\1\2"), _AFFIXED)
    found = mask(pc.is_valid(parts))
    if not found.any():
        return None
    before, after = (_affixes(pc.struct_field(parts, name)) for name in ("before", "after"))
    signs = pc.binary_join_element_wise(before[1], after[1], "")
    number = pc.binary_join_element_wise(before[0], after[0], pc.struct_field(parts, "number"), "")
    known = found & mask(pc.is_in(signs, value_set=_KNOWN))
    both = mask(pc.not_equal(before[1], "")) & mask(pc.not_equal(after[1], ""))
    known &= ~both
    texts = replaced(values, rows[known], number.filter(pa.array(known)))
    codes = once_each(signs.filter(pa.array(known)), _normal, pa.string())
    unknown = flags(rows[found & ~known], len(cells))
    return with_nulls(texts, ~unknown), replaced(pa.nulls(len(cells), pa.string()), rows[known], codes), unknown


_KNOWN = pa.array(sorted({*isocodes.CURRENCIES, *isocodes.SIGNS, ""}))
_AROUND = str.maketrans({"\xa0": " ", "\u202f": " ", "-": None, "−": None, "+": None})
"""What may stand beside a currency and is no part of it."""


def _affixes(affix: Any) -> tuple[Any, Any]:
    """Part affixes into minus signs and currencies; there are few different ones in a block."""
    texts = affix.fill_null("")
    minus = once_each(texts, lambda text: "-" if "-" in text or "−" in text else "", pa.string())
    return minus, once_each(texts, _currency, pa.string())


def _currency(affix: str) -> str:
    return affix.translate(_AROUND).strip().upper()


def _normal(sign: str) -> str | None:
    """Give a sign that stands for one currency as its code, and no sign as none."""
    meant = isocodes.SIGNS.get(sign, frozenset())
    return next(iter(meant)) if len(meant) == 1 else sign or None


def _unknown_faults(cells: Cells, rows: Mask) -> list[Fault]:
    message = "is not an amount of money: what stands beside the number is no currency"
    example = "write the amount and the code of its currency, like 12.50 USD"
    faults = told("FIELD_TYPE", rows, message, suggestions.number, cells.array)
    return [suggestions.instead(fault, example) for fault in faults]


def may_be(sign: str) -> frozenset[str]:
    """Give the currencies a code or sign of `currencies` may stand for."""
    return isocodes.SIGNS.get(sign) or frozenset({sign})
