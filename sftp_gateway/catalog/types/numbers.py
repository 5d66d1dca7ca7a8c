"""Numbers as exact decimals: marks decided by the column, never by the cell; nothing becomes a float.

A plain `1234.5` needs no decision. `1,234` may be 1234 or 1.234: the mark that the brand set, or that the
column's other values prove, decides; without either it is FIELD_AMBIGUOUS. All of it on whole columns.
"""

import contextlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import structs

from sftp_gateway.catalog.types import suggestions
from sftp_gateway.catalog.types.cells import Cells, Mask, Rows, mask, matches, replaced, table, with_nulls
from sftp_gateway.catalog.types.typing import Dialect, Fault, Reading, Undecided, told

_DOT_BYTES, _COMMA_BYTES, _DIGIT_BYTES = table(b"0123456789.+-"), table(b"0123456789,+-"), table(b"0123456789-")
_DIGITS = table(b"0123456789")
GAPS = r"'’ \x{a0}\x{202f}\x{2009}"
"""Signs that only ever group digits."""
NO_NUMBER, EXAMPLE = "is not a number", suggestions.EXAMPLE
_NUMBER = rf"^[+-]?[0-9{GAPS}.,]*[0-9][0-9{GAPS}.,]*$"
_AMBIGUOUS_COMMA = r"^[+-]?[1-9][0-9]{0,2},[0-9]{3}$"
_AMBIGUOUS_DOT = r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$"
_SCIENTIFIC = r"^[+-]?[0-9](?:[.,][0-9]+)?[eE][+-]?[0-9]{1,3}$"
_MINUS = "−"
_HEAD = 100
"""Cells that prove the mark of most columns."""


def _plain(mark: str) -> str:
    return rf"^[+-]?(?:[0-9]+(?:\{mark}[0-9]*)?|\{mark}[0-9]+)$"


def _grouped(mark: str) -> str:
    """Digits in groups of three (with commas also Indian: twos before a last three), with decimals or without.

    Nobody groups after a lone zero: `0,125` is an eighth, whatever the mark.
    """
    other = r"\." if mark == "," else ","
    signs = rf"[{GAPS}]"
    rest = rf"(?:\{mark}[0-9]*)?$"
    threes = rf"^[+-]?[1-9][0-9]{{0,2}}(?:(?:{other}[0-9]{{3}})+|(?:{signs}[0-9]{{3}})+){rest}"
    if mark == ",":
        return threes
    return threes + rf"|^[+-]?[1-9][0-9]?(?:,[0-9]{{2}})+,[0-9]{{3}}{rest}"


def proves(array: Any, mark: str) -> bool:
    """Whether any value only makes sense with this decimal mark.

    The pattern of most comes first: to compile one takes longer than to look at a few values.
    """
    other = "," if mark == "." else r"\."
    decimals = rf"^[+-]?(?:[0-9]*\{mark}(?:[0-9]{{1,2}}|[0-9]{{4,}})|(?:0[0-9]*|[0-9]{{4,}}|)\{mark}[0-9]{{3}})$"
    least = 2 if mark == "." else 3  # Indian groups are written with commas
    both = rf"^[+-]?[1-9][0-9]{{0,2}}(?:[{other}{GAPS}][0-9]{{{least},3}})*[{other}{GAPS}][0-9]{{3}}\{mark}[0-9]*$"
    several = rf"^[+-]?[1-9][0-9]{{0,2}}(?:{other}[0-9]{{{least},3}})+{other}[0-9]{{3}}$"
    return any(matches(array, pattern).any() for pattern in (decimals, both, several))


def open_thousands(values: Any) -> bool:
    """Whether values like `1.299` occur and none proves that a dot is their decimal mark: they may be thousands.

    Asked of amounts and whole numbers alone: of measures and shares, three places are common.
    """
    if proves(values.slice(0, _HEAD), "."):
        return False
    return bool(matches(values, _AMBIGUOUS_DOT).any()) and not proves(values, ".")


def read(cells: Cells, dialect: Dialect, scale: int, precision: int = 38) -> Reading:
    """Type a column as decimal128(precision, 10 for 38 else 4), refusing values with more than `scale` places.

    Raises Undecided where a value reads two ways and no evidence has been asked for yet.
    """
    target = pa.decimal128(precision, 4 if precision == 18 else 10)
    cells = cells.trimmed
    values = cells.nulled
    if cells.highest >= 0x80 and cells.has(_MINUS.encode()):
        values = pc.replace_substring(values, _MINUS, "-")
    certain, results = _sure(cells, values, dialect.decimal, scale, target)
    rest = np.flatnonzero(cells.filled & ~certain)
    if not rest.size:
        return Reading(results)
    odd = values.take(pa.array(rest))
    return _among(results, rest, _careful(odd, dialect.decimal, scale, target))


def _among(values: Any, rows: Rows, found: Reading) -> Reading:
    """Put what was found in some rows among the values of the others."""
    faults = [structs.replace(fault, rows=rows[fault.rows]) for fault in found.faults]
    return Reading(replaced(values, rows, found.values), faults)


def _sure(cells: Cells, values: Any, mark: str, scale: int, target: Any) -> tuple[Mask, Any]:
    """Type the cells that need no second look, and tell which these are: a few bad ones do not slow the others."""
    if mark != "?" and _short(cells):
        certain = cells.filled & ~cells.holding_other(_COMMA_BYTES if mark == "," else _DOT_BYTES)
        with contextlib.suppress(pa.ArrowInvalid):
            results = _typed(values, certain, mark, target)
            if scale >= target.scale or _fits(results, scale):
                return certain, results
    certain = cells.filled & matches(values, _certain(mark, scale, target))
    return certain, _typed(values, certain, mark, target)


def _typed(values: Any, rows: Mask, mark: str, target: Any) -> Any:
    texts = with_nulls(values, rows)
    return pc.cast(pc.replace_substring(texts, ",", ".") if mark == "," else texts, target)


def _certain(mark: str, scale: int, target: Any) -> str:
    """Give the pattern of numbers that need no second look: one mark, no more digits than fit, one reading."""
    digits = target.precision - target.scale
    places = rf"[0-9]{{0,{scale}}}" if mark != "?" else "[0-9]{0,2}" if scale >= 2 else rf"[0-9]{{0,{scale}}}"
    return rf"^[+-]?[0-9]{{1,{digits}}}(?:\{mark if mark == ',' else '.'}{places})?$"


def _short(cells: Cells) -> bool:
    """Whether Arrow can cast them: it takes longer texts for other numbers, without a word."""
    return not len(cells) or int(cells.lengths.max()) <= 28


def _fits(values: Any, scale: int) -> bool:
    """Whether no value has more decimal places."""
    cut = pc.round(values, ndigits=scale, round_mode="towards_zero")
    return pc.all(pc.equal(cut, values)).as_py() is not False


def _careful(values: Any, mark: str, scale: int, target: Any) -> Reading:
    """Sort filled cells by how they are written, type those that can be, and say what is wrong with the rest."""
    if not Cells(values).holds(_DIGITS) or not matches(values, _NUMBER).any():
        return Reading(pa.nulls(len(values), target), _not_numbers(values, np.ones(len(values), np.bool_)))
    ambiguous = _ambiguous(values, mark)
    if mark == "" and (ambiguous.any() or proves(values, ",")):
        raise Undecided
    # the other mark is read too where the cell can mean nothing else: `12,50` in a column of dots
    marks = (",", ".") if mark == "," else (".", ",")
    open_ = ~ambiguous
    texts = pa.nulls(len(values), pa.string())
    for one in marks:
        plain = open_ & matches(values, _plain(one))
        grouped = open_ & ~plain & matches(values, _grouped(one))
        open_ &= ~(plain | grouped)
        texts = pc.coalesce(texts, _normal(values, plain, grouped, one))
    written = ~ambiguous & ~open_
    results, long, big = _cast(texts, written, scale, target)
    faults = [*_ambiguous_faults(values, ambiguous), *_too_long(texts, long, scale, mark), *_too_big(big, target)]
    faults += _not_numbers(values, open_)
    return Reading(results, faults)


def _ambiguous(values: Any, mark: str) -> Mask:
    if mark in (".", ","):
        return np.zeros(len(values), dtype=np.bool_)
    found = matches(values, _AMBIGUOUS_COMMA)
    return found | matches(values, _AMBIGUOUS_DOT) if mark == "?" else found


def _normal(values: Any, plain: Mask, grouped: Mask, mark: str) -> Any:
    texts = with_nulls(values, plain | grouped)
    if grouped.any():
        signs = rf"[{GAPS}]" if mark == "" else rf"[{GAPS}{',' if mark == '.' else '.'}]"
        texts = pc.if_else(pa.array(grouped), pc.replace_substring_regex(texts, signs, ""), texts)
    return pc.replace_substring(texts, ",", ".") if mark == "," else texts


def _cast(texts: Any, written: Mask, scale: int, target: Any) -> tuple[Any, Mask, Mask]:
    """Cast what fits; also tell the values with too many decimal places, and those with too many digits."""
    digits = target.precision - target.scale
    long = written & matches(texts, rf"\.[0-9]{{{scale}}}[0-9]*[1-9][0-9]*$")
    big = written & ~long & matches(texts, rf"^[+-]?0*[1-9][0-9]{{{digits},}}")
    texts = (
        pc.replace_substring_regex(texts, r"(\.[0-9]*?)0+$", r"\1") if matches(texts, r"\.[0-9]{11,}").any() else texts
    )
    return pc.cast(with_nulls(texts, written & ~long & ~big), target), long, big


def _ambiguous_faults(values: Any, rows: Mask) -> list[Fault]:
    message = "can be read as two different numbers, and the other values of this column do not tell which"
    return told("FIELD_AMBIGUOUS", rows, message, suggestions.both, values)


def _too_long(texts: Any, rows: Mask, scale: int, mark: str) -> list[Fault]:
    places = "a decimal place" if scale == 0 else f"more than {scale} decimal places"
    return told("FIELD_TYPE", rows, f"has {places}", lambda long: suggestions.rounded(long, scale, mark), texts)


def _too_big(rows: Mask, target: Any) -> list[Fault]:
    text = f"is too large: a number here has at most {target.precision - target.scale} digits before the decimal mark"
    return told("FIELD_RANGE", rows, text, "check the value")


def _not_numbers(values: Any, rows: Mask) -> list[Fault]:
    if not rows.any():
        return []
    # words have no digit, as most bad cells
    scientific = rows & (Cells(values).holds(_DIGITS) and matches(values, _SCIENTIFIC))
    others = told("FIELD_TYPE", rows & ~scientific, NO_NUMBER, suggestions.number, values)
    return [*scientific_faults(scientific), *others]


def scientific_faults(rows: Mask, what: str = "number") -> list[Fault]:
    """Say that a spreadsheet has rounded values; the digits it dropped cannot be brought back."""
    return told(
        "FIELD_EXCEL_SCIENTIFIC",
        rows,
        f"a spreadsheet has rounded this {what}; its digits are lost",
        "format the column as text in the spreadsheet, enter the value again and export again",
    )


def whole(reading: Reading) -> Reading:
    """Turn decimals into int64; `42.0` is 42, `42.5` and what does not fit are faults."""
    values = reading.values
    try:
        return Reading(pc.cast(values, pa.int64()), reading.faults)
    except pa.ArrowInvalid:
        pass
    floor = pc.round(values, ndigits=0, round_mode="towards_zero")
    broken = mask(pc.not_equal(floor, values))
    limit = pa.scalar(2**63 - 1, pa.int64()).cast(pa.decimal128(38, 10))
    big = mask(pc.greater(pc.abs(values), limit))
    faults = [*reading.faults, *told("FIELD_TYPE", broken, "is not a whole number", _like, floor)]
    faults += told("FIELD_RANGE", big & ~broken, "is too large for a whole number", "check the value")
    good = mask(pc.is_valid(values)) & ~broken & ~big
    return Reading(pc.cast(with_nulls(values, good), pa.int64()), faults)


def _like(floor: Any) -> Any:
    """Offer the whole numbers below."""
    near = pc.replace_substring_regex(pc.cast(floor, pa.string()), r"\..*$|E.*$", "")
    return pc.binary_join_element_wise("write a whole number, like ", near, "")


def read_integer(cells: Cells, dialect: Dialect) -> Reading:
    """Type a column as int64; grouped digits and `.0` are understood."""
    cells = cells.trimmed
    plain = cells.filled & ~cells.holding_other(_DIGIT_BYTES)
    try:
        values = pc.cast(with_nulls(cells.nulled, plain), pa.int64())
    except pa.ArrowInvalid:
        plain = cells.filled & matches(cells.nulled, "^-?[0-9]{1,18}$")
        values = pc.cast(with_nulls(cells.nulled, plain), pa.int64())
    rest = np.flatnonzero(cells.filled & ~plain)
    if not rest.size:
        return Reading(values)
    odd = cells.take(rest)
    if not dialect.decimal and odd.has(b".") and open_thousands(odd.array):
        raise Undecided
    found = whole(read(odd, dialect, 10))
    return _among(values, rest, Reading(found.values, list(map(_of_whole, found.faults))))


def _of_whole(fault: Fault) -> Fault:
    if fault.code == "FIELD_AMBIGUOUS":  # the other reading is no whole number
        only = pc.replace_substring_regex(fault.suggestion, r" or -?[0-9.]+, or", " if that is meant, or")
        return structs.replace(fault, suggestion=only)
    if fault.message != NO_NUMBER:
        return fault
    like = pc.replace_substring(fault.suggestion, EXAMPLE, "like 12")
    return structs.replace(fault, message="is not a whole number", suggestion=like)
