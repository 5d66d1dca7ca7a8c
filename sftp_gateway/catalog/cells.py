"""Typed columns as text, and text columns as CSV or JSON bytes, whole columns at a time.

Serves every file we make: changes, error file, withheld list, `current.csv`. Never reads files.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog.types.cells import Cells, Rows, decimal_text, replaced, table

BOM: Final = b"\xef\xbb\xbf"
CUT_CHARACTERS: Final = 256

_NEEDS_QUOTES: Final = '[",\\r\\n]'
_BEGINS: Final = table(b"'=+-@\t\r")
_EXECUTES: Final = "^'*[=+\\-@\\t\\r]"
_PLAIN_NUMBER: Final = "^[+\\-]?(?:[0-9]+[.,]?[0-9]*|[.,][0-9]+)$"


def text(values: Any) -> pa.Array:
    """Give a typed column as the text `current.csv` shows; null stays null (spec §9 `catalog`).

    Decimals lose trailing zeros, money (decimal of scale 4) keeps two places; times are UTC with Z.
    """
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if isinstance(array, pa.ChunkedArray):  # combine_chunks gives one where the text exceeds 2 GiB
        array = pa.concat_arrays(array.chunks)
    kind = array.type
    if pa.types.is_string(kind):
        return array
    if pa.types.is_decimal(kind):
        return _decimal_text(array)
    if pa.types.is_boolean(kind):
        return pc.if_else(array, pa.scalar("true"), pa.scalar("false"))
    if pa.types.is_timestamp(kind):
        return _time_text(array)
    return pc.cast(array, pa.string())


def _decimal_text(array: pa.Array) -> pa.Array:
    plain = decimal_text(array)
    if array.type.scale == 0:
        return plain
    if array.type.scale == 4:
        return pc.replace_substring_regex(plain, r"(\.\d\d\d*?)0+$", r"\1")
    return pc.replace_substring_regex(plain, r"\.?0+$", "")


def _time_text(array: pa.Array) -> pa.Array:
    naive = pc.cast(array, pa.timestamp("us"))
    shown = pc.strftime(naive, format="%Y-%m-%dT%H:%M:%S")  # Arrow prints the fraction of its unit
    return pc.binary_join_element_wise(pc.replace_substring_regex(shown, r"\.?0+$", ""), "Z", "")


def cut(values: pa.Array) -> pa.Array:
    """Cut texts at 256 characters with `…` (spec §8); cutting twice changes nothing."""
    if (pc.max(pc.binary_length(values)).as_py() or 0) <= CUT_CHARACTERS:
        return values
    long = pc.greater(pc.utf8_length(values), CUT_CHARACTERS)
    short = pc.binary_join_element_wise(pc.utf8_slice_codeunits(values, 0, CUT_CHARACTERS), "…", "")
    return pc.if_else(long, short, values)


def safe(values: pa.Array) -> pa.Array:
    """Put one `'` before what a spreadsheet would execute (spec §8; OWASP CSV injection)."""
    found = risky(Cells(values))
    if not found.size:
        return values
    some = values.take(pa.array(found))
    return replaced(values, found, pc.binary_join_element_wise("'", some, ""))


def risky(sent: Cells, among: Rows | None = None) -> Rows:
    """Tell the cells that a spreadsheet would execute (of `among`); patterns look only at those that begin as one."""
    filled = np.flatnonzero(sent.lengths) if among is None else among[sent.lengths[among] > 0]
    found = filled[_BEGINS[sent.data[sent.offsets[filled]]]]
    if not found.size:
        return found
    some = sent.array.take(pa.array(found))
    executes = pc.and_not(pc.match_substring_regex(some, _EXECUTES), pc.match_substring_regex(some, _PLAIN_NUMBER))
    return np.asarray(found[np.asarray(executes)], np.int64)


def csv(columns: Sequence[pa.Array], *, escape: bool) -> pa.Buffer:
    """Give rows of text columns as RFC 4180 lines with CRLF; null is an empty cell."""
    return _joined([csv_cells(column, escape=escape) for column in columns], ",", "\r\n")


def csv_cells(column: pa.Array, *, escape: bool = True) -> pa.Array:
    """Give texts as they stand in a CSV line; null is an empty cell."""
    filled = pc.fill_null(column, "")
    return _quoted(safe(filled) if escape else filled)


def csv_around(before: str, values: pa.Array, after: str) -> pa.Buffer:
    """Give a line for each text, escaped, between two that need neither quotes nor escaping."""
    return text_of(pc.binary_join_element_wise(before, csv_cells(values), after + "\r\n", ""))


def csv_header(names: Sequence[str], *, escape: bool) -> bytes:
    """Give a header line as `csv` would write it."""
    return bytes(csv([pa.array([name], pa.string()) for name in names], escape=escape).to_pybytes())


def _quoted(column: pa.Array) -> pa.Array:
    if not Cells(column).has(b'"', b",", b"\r", b"\n"):
        return column
    special = pc.match_substring_regex(column, _NEEDS_QUOTES)
    if not pc.any(special).as_py():
        return column
    doubled = pc.replace_substring(column, '"', '""')
    return pc.if_else(special, pc.binary_join_element_wise('"', doubled, '"', ""), column)


def json_lines(names: Sequence[str], columns: Sequence[pa.Array]) -> pa.Buffer:
    """Give rows as JSON objects, one a line; the columns are JSON texts, null where there is nothing."""
    parts: list[Any] = []
    for position, (name, column) in enumerate(zip(names, columns, strict=True)):
        parts.append(("{" if position == 0 else ",") + json.dumps(name, ensure_ascii=False) + ":")
        parts.append(pc.fill_null(column, "null"))
    return _joined([pc.binary_join_element_wise(*parts, "")], "", "}\n")


def json_text(column: pa.Array) -> pa.Array:
    """Give texts as JSON strings; null stays null."""
    return pc.binary_join_element_wise('"', json_inner(column), '"', "")


def json_inner(column: pa.Array) -> pa.Array:
    """Give texts as they stand between the quotes of JSON; null stays null."""
    sent = Cells(column)
    if sent.lowest >= 0x20 and not sent.has(b'"', b"\\"):
        return column
    special = pc.fill_null(pc.match_substring_regex(column, '["\\\\\\x00-\\x1f]'), False)
    quoted = [json.dumps(value, ensure_ascii=False)[1:-1] for value in column.filter(special).to_pylist()]
    return pc.replace_with_mask(column, special, pa.array(quoted, pa.string()))


def _joined(cells: list[pa.Array], separator: str, end: str) -> pa.Buffer:
    if not cells or len(cells[0]) == 0:
        return pa.py_buffer(b"")
    ended = pc.binary_join_element_wise(cells[-1], end, "")
    return text_of(pc.binary_join_element_wise(*cells[:-1], ended, separator) if len(cells) > 1 else ended)


def text_of(lines: pa.Array) -> pa.Buffer:
    """Give the values of a text array one after the other."""
    offsets, values = lines.buffers()[1:]
    width = 8 if pa.types.is_large_string(lines.type) else 4
    first, last = (
        int.from_bytes(offsets[position * width : (position + 1) * width].to_pybytes(), "little")
        for position in (lines.offset, lines.offset + len(lines))
    )
    return values.slice(first, last - first)
