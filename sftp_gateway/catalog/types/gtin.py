"""GTIN-8, -12, -13, -14 and ISBN-10 by their check digits, as whole numbers of a whole column; kept as 14 digits.

Source: GS1 General Specifications 7.9 (weights 3 and 1 from the right) and 1.4 (restricted prefixes); ISO 2108.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog.types import numbers
from sftp_gateway.catalog.types.cells import Cells, Mask, Rows, flags, matches, replaced, table, with_nulls
from sftp_gateway.catalog.types.typing import Fault, Reading

Numbers = npt.NDArray[np.int64]
"""Of a column: 0 where there is none."""
_DIGITS = table(b"0123456789")
_WIDTHS = flags([8, 12, 13, 14], 16)
_PADDED = flags([7, 9, 10, 11], 16)
"""So many digits are left where a spreadsheet took the leading zeros."""
_FOUR = np.arange(10_000)
_WEIGHED = (3 * (_FOUR // 1000 + _FOUR // 10 % 10) + _FOUR // 100 % 10 + _FOUR % 10) % 10
"""Of four digits: their weighted sum modulo 10. Fours are counted from the right, so that each is weighed alike."""
_SCIENTIFIC = r"^[0-9](?:[.,][0-9]+)?[eE]\+?[0-9]{1,3}$"
_ISBN = r"^[0-9]{9}[0-9Xx]$"


def read(cells: Cells) -> Reading:
    """Type a column as text of 14 digits."""
    cells = cells.trimmed
    known = _plain(cells, _WIDTHS)
    found = _numbers(cells, known)
    values = _filled_up(cells.array)
    faults: list[Fault] = []
    rest = np.flatnonzero(cells.filled & ~known)
    if rest.size:
        faults, mended, others = _careful(cells, rest)
        known[mended], found[mended] = True, others
        values = replaced(values, mended, _text(others))
    wrong = known & (_remainder(found) != 0)
    if wrong.any():
        faults.append(_wrong(np.flatnonzero(wrong), found[wrong]))
    good = known & ~wrong
    faults += _restricted(good, found)
    return Reading(with_nulls(values, good), faults)


def _plain(cells: Cells, widths: Mask) -> Mask:
    """Tell the cells that are digits and nothing else, as many as one of these widths."""
    fits: Mask = widths[np.minimum(cells.lengths, 15)]
    return fits & ~cells.holding_other(_DIGITS)


def _numbers(cells: Cells, rows: Mask) -> Numbers:
    """Give the numbers of some cells."""
    return np.asarray(pc.fill_null(pc.cast(with_nulls(cells.array, rows), pa.int64()), 0)).copy()


def _remainder(found: Numbers) -> Numbers:
    """Give the weighted sum modulo 10: 0 where the check digit is right."""
    upper = found // 10**8
    total = np.zeros(len(found), np.int64)
    for half in (upper, found - upper * 10**8):
        fours = half.astype(np.uint32)  # which are divided in half the time
        first = fours // 10**4
        total += _WEIGHED[first] + _WEIGHED[fours - first * 10**4]
    return total % 10


def _text(found: Numbers) -> Any:
    """Give numbers as text of 14 digits."""
    return _filled_up(pc.cast(pa.array(found), pa.string()))


def _filled_up(texts: Any) -> Any:
    return pc.ascii_lpad(texts, 14, "0")


def _careful(cells: Cells, rows: Rows) -> tuple[list[Fault], Rows, Numbers]:
    """Read cells that are no plain GTIN: separators, ISBN-10, lost zeros; say what the others are. Gives which it could."""
    texts = cells.array.take(pa.array(rows))
    scientific = matches(texts, _SCIENTIFIC)
    plain = Cells(pc.replace_substring_regex(texts, r"^'|[\s-]|\.0+$", ""))
    known = _plain(plain, _WIDTHS) & ~scientific
    short = _plain(plain, _PADDED) & ~scientific
    found = _numbers(plain, known | short)
    isbn = _isbn(plain, found) & ~known & ~scientific
    padded = short & ~isbn & (_remainder(found) == 0)
    faults = []
    if padded.any():
        message = "is too short for a GTIN; its leading zeros were put back"
        hint = pc.binary_join_element_wise("write ", _text(found[padded]), "")
        faults.append(Fault("FIELD_GTIN_PADDED", rows[padded], message, hint))
    if scientific.any():
        faults.append(numbers.scientific_fault(rows[scientific], "GTIN"))
    mended = known | isbn | padded
    bad = ~mended & ~scientific
    if bad.any():
        message = "is not a GTIN: that is 8, 12, 13 or 14 digits, or an ISBN"
        faults.append(Fault("FIELD_GTIN", rows[bad], message, "write the digits under the barcode, or leave it blank"))
    return faults, rows[mended], found[mended]


def _isbn(cells: Cells, found: Numbers) -> Mask:
    """Take in ISBN-10 with a right check sign, as 978 and a new check digit (ISO 2108)."""
    rows = np.flatnonzero(matches(cells.array, _ISBN))
    if not rows.size:
        return flags([], len(cells))
    signs = cells.data[cells.offsets[:-1][rows][:, None] + np.arange(10, dtype=np.int32)].astype(np.int64) - 0x30
    signs[signs > 9] = 10
    right = (signs * np.arange(10, 0, -1)).sum(axis=1) % 11 == 0
    rows, signs = rows[right], signs[right]
    bare = 978 * 10**10 + signs[:, :9] @ 10 ** np.arange(9, 0, -1)
    found[rows] = bare + _check_digit(bare)
    return flags(rows, len(cells))


def _check_digit(found: Numbers) -> Numbers:
    """Give the check digit of numbers, whatever their last digit is."""
    return (10 - _remainder(found - found % 10)) % 10


def _wrong(rows: Rows, found: Numbers) -> Fault:
    """Say which check digit would fit; which digit is mistyped cannot be known."""
    expected, last = (pa.array(digit).cast(pa.string()) for digit in (_check_digit(found), found % 10))
    message = "has a wrong check digit: one of its digits is mistyped"
    hint = pc.binary_join_element_wise("if the other digits are right, the last one is ", expected, ", not ", last, "")
    return Fault("FIELD_GTIN", rows, message, hint)


_COMPANY = flags([2, 4, 5, *range(20, 30), 98, 99], 100)
"""First two digits of a GTIN-13: 02, 04 and 2x for use inside a company; 05, 98 and 99 coupons and refunds."""


def _restricted(good: Mask, found: Numbers) -> list[Fault]:
    """Warn of numbers that mean something only inside one company, of coupons, and of all zeros."""
    restricted = _COMPANY[found // 10**11 % 100]
    short = found < 10**8
    if (short & good).any():
        # a GTIN-8 begins with 0 or 2 where it is for one company only; what stands before it is padding
        first = found // 10**7
        restricted = np.where(short, (first == 0) | (first == 2), restricted)
    restricted &= good
    if not restricted.any():
        return []
    message = "has a prefix that is only for use inside a company or for coupons; shops will not find the product by it"
    hint = "use the number that GS1 gave you for this product, or leave it blank"
    return [Fault("FIELD_GTIN_RESTRICTED", np.flatnonzero(restricted), message, hint)]
