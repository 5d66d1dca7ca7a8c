"""GTIN-8, -12, -13, -14 and ISBN-10 by their check digits, over the bytes of a whole column; kept as 14 digits.

Source: GS1 General Specifications 7.9 (weights 3 and 1 from the right) and 1.4 (restricted prefixes); ISO 2108.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from sftp_gateway.catalog.types import numbers
from sftp_gateway.catalog.types.cells import Cells, Mask, Rows, matches
from sftp_gateway.catalog.types.typing import Fault, Reading, told

Digits = npt.NDArray[np.uint8]
# one product of matrices gives, for each row: the check sum, the digits before a GTIN-8, the GS1 prefix;
# exact, since nothing reaches 2^24
_SUMS = np.zeros((14, 3), dtype=np.float32)
_SUMS[:, 0] = [3, 1] * 7
_SUMS[:6, 1] = 1
_SUMS[1:3, 2] = [10, 1]
_LENGTHS = (8, 12, 13, 14)
_SCIENTIFIC = r"^[0-9](?:[.,][0-9]+)?[eE]\+?[0-9]{1,3}$"
_ISBN = r"^[0-9]{9}[0-9Xx]$"
_SHORTEST_PADDED = 7


def read(cells: Cells) -> Reading:
    """Type a column as text of 14 digits."""
    cells = cells.trimmed
    digits = np.zeros((len(cells), 14), dtype=np.uint8)
    read_rows = _read_lengths(cells, digits)
    done = read_rows | ~cells.filled
    faults: list[Fault] = []
    if not done.all():
        rest = np.flatnonzero(~done)
        faults, mended = _careful(cells, rest, digits)
        read_rows = read_rows.copy()
        read_rows[mended] = True
    sums = digits.astype(np.float32) @ _SUMS
    wrong = read_rows & (sums[:, 0] % 10 != 0)
    if wrong.any():
        faults.append(_wrong(np.flatnonzero(wrong), digits))
    good = read_rows & ~wrong
    faults += _restricted(good, digits, sums)
    return Reading(_text(digits, good), faults)


def _read_lengths(cells: Cells, digits: Digits) -> Mask:
    """Take in the cells that are 8, 12, 13 or 14 digits and nothing else; tell which."""
    done = np.zeros(len(cells), dtype=np.bool_)
    for length in _LENGTHS:
        rows, matrix = _digits_alone(cells, np.flatnonzero(cells.lengths == length), length)
        digits[rows, 14 - length :] = matrix
        done[rows] = True
    return done


def _digits_alone(cells: Cells, rows: Rows, length: int) -> tuple[Rows, Digits]:
    """Give those of the cells of one length that are digits and nothing else."""
    matrix = _matrix(cells, rows, length)
    if not rows.size or matrix.max() <= 9:
        return rows, matrix
    fine = (matrix <= 9).all(axis=1)
    return rows[fine], matrix[fine]


def _matrix(cells: Cells, rows: Rows, length: int) -> Digits:
    """Give cells of one length as a matrix of digits (other signs come out above 9)."""
    if len(rows) == len(cells):
        raw = cells.octets.reshape(-1, length)
    else:
        raw = cells.data[cells.offsets[:-1][rows][:, None] + np.arange(length, dtype=np.int32)]
    return raw - np.uint8(0x30)


def _remainder(digits: Digits) -> npt.NDArray[np.int64]:
    """Give the weighted sum modulo 10: 0 where the check digit is right."""
    found: npt.NDArray[np.int64] = (digits.astype(np.float32) @ _SUMS[:, 0]).astype(np.int64) % 10
    return found


def _careful(cells: Cells, rows: Rows, digits: Digits) -> tuple[list[Fault], Rows]:
    """Read cells that are no plain GTIN: separators, ISBN-10, lost zeros; say what the others are."""
    texts = cells.array.take(pa.array(rows))
    scientific = matches(texts, _SCIENTIFIC)
    plain = Cells(pc.replace_substring_regex(texts, r"^'|[\s-]|\.0+$", ""))
    inner = np.zeros((len(rows), 14), dtype=np.uint8)
    known = _read_lengths(plain, inner) & ~scientific
    isbn = _isbn(plain, inner) & ~known & ~scientific
    padded = _padded(plain, inner, ~known & ~isbn & ~scientific)
    mended = known | isbn | padded
    digits[rows[mended]] = inner[mended]
    faults = []
    if padded.any():
        message = "is too short for a GTIN; its leading zeros were put back"
        hint = pc.binary_join_element_wise("write ", _text(inner[padded], np.ones(int(padded.sum()), np.bool_)), "")
        faults.append(Fault("FIELD_GTIN_PADDED", np.flatnonzero(padded), message, hint))
    message = "is not a GTIN: that is 8, 12, 13 or 14 digits, or an ISBN"
    faults += numbers.scientific_faults(scientific, "GTIN")
    faults += told(
        "FIELD_GTIN", ~mended & ~scientific, message, "write the digits under the barcode, or leave it blank"
    )
    return [replace(fault, rows=rows[fault.rows]) for fault in faults], rows[mended]


def _isbn(cells: Cells, digits: Digits) -> Mask:
    """Take in ISBN-10 with a right check sign, as 978 and a new check digit (ISO 2108)."""
    done = matches(cells.array, _ISBN)
    rows = np.flatnonzero(done)
    if not rows.size:
        return done
    matrix = _matrix(cells, rows, 10).astype(np.int32)
    matrix[matrix > 9] = 10
    right = (matrix * np.arange(10, 0, -1)).sum(axis=1) % 11 == 0
    done[rows[~right]] = False
    rows, matrix = rows[right], matrix[right]
    digits[rows, 1:4] = (9, 7, 8)
    digits[rows, 4:13] = matrix[:, :9]
    digits[rows, 13] = 0
    digits[rows, 13] = (10 - _remainder(digits[rows])) % 10
    return done


def _padded(cells: Cells, digits: Digits, open_: Mask) -> Mask:
    """Take in short digits, among the open rows, whose check digit is right once zeros are put before them."""
    done = np.zeros(len(cells), dtype=np.bool_)
    for length in range(_SHORTEST_PADDED, 12):
        if length in _LENGTHS:
            continue
        rows, matrix = _digits_alone(cells, np.flatnonzero(open_ & (cells.lengths == length)), length)
        full = np.zeros((len(rows), 14), dtype=np.uint8)
        full[:, 14 - length :] = matrix
        right = _remainder(full) == 0
        digits[rows[right]] = full[right]
        done[rows[right]] = True
    return done


def _wrong(rows: Rows, digits: Digits) -> Fault:
    """Say which check digit would fit; which digit is mistyped cannot be known."""
    right = digits[rows].copy()
    last = right[:, 13].copy()
    right[:, 13] = 0
    right[:, 13] = (10 - _remainder(right)) % 10
    expected = pa.array(right[:, 13]).cast(pa.string())
    found = pa.array(last).cast(pa.string())
    message = "has a wrong check digit: one of its digits is mistyped"
    hint = pc.binary_join_element_wise("if the other digits are right, the last one is ", expected, ", not ", found, "")
    return Fault("FIELD_GTIN", rows, message, hint)


_COMPANY = np.zeros(100, dtype=np.bool_)
_COMPANY[[2, 4, 5, *range(20, 30), 98, 99]] = True
"""First two digits of a GTIN-13: 02, 04 and 2x for use inside a company; 05, 98 and 99 coupons and refunds."""


def _restricted(good: Mask, digits: Digits, sums: Any) -> list[Fault]:
    """Warn of numbers that mean something only inside one company, of coupons, and of all zeros."""
    restricted = _COMPANY[sums[:, 2].astype(np.int64)]
    short = sums[:, 1] == 0
    if short.any():
        # a GTIN-8 begins with 0 or 2 where it is for one company only; what stands before it is padding
        restricted = np.where(short, (digits[:, 6] == 0) | (digits[:, 6] == 2), restricted)
    message = "has a prefix that is only for use inside a company or for coupons; shops will not find the product by it"
    hint = "use the number that GS1 gave you for this product, or leave it blank"
    return told("FIELD_GTIN_RESTRICTED", restricted & good, message, hint)


def _text(digits: Digits, good: Mask) -> Any:
    """Give the rows as text of 14 digits, null where not good."""
    packed = (digits if good.all() else digits[good]) + np.uint8(0x30)
    offsets = np.zeros(len(good) + 1, dtype=np.int32)
    np.cumsum(good * np.int32(14), out=offsets[1:])
    validity = None if good.all() else pa.py_buffer(np.packbits(good, bitorder="little").tobytes())
    buffers = [validity, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(packed))]
    return pa.Array.from_buffers(pa.string(), len(good), buffers)
