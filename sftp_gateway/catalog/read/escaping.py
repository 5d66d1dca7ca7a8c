"""The one `'` before a cell that a spreadsheet would execute: put in CSV we make, taken away in corrections sent back (spec §8)."""

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from sftp_gateway.catalog.folding import fold
from sftp_gateway.catalog.read.source import Block

OURS = ("_row", "_codes", "_errors", "_suggestions", "_correction_of")
"""The columns a correction file has beside the sender's, in this order, last."""

MARKER = OURS[-1]
"""A file that has it is a correction."""

_BY_FOLD = {fold(name): name for name in OURS}
_SOME = 3
"""So many of our names are no chance, even without the line before them."""
_FIRST = frozenset("'=+-@\t\r")
"""Few cells begin so: the rest needs no pattern."""
_DANGEROUS = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+\-]?(?:\d++[.,]?\d*+|[.,]\d++)")
_ESCAPED = r"^'+[=+\-@\t\r]"


def our_names(headers: Sequence[str]) -> tuple[str, ...]:
    """Give headers in which ours are written as we write them: spreadsheets and people change case and spaces."""
    found = [_BY_FOLD.get(fold(header)) for header in headers]
    sure = len({name for name in found if name}) >= _SOME
    return tuple(
        name if name and (sure or header.strip("\ufeff ").startswith("_")) else header
        for name, header in zip(found, headers, strict=True)
    )


def own_headers(headers: tuple[str, ...]) -> tuple[str, ...]:
    """Give the headers of a correction file as its sender wrote them; those of another file as they are."""
    if MARKER not in headers:
        return headers
    return tuple(name[1:] if re.match(_ESCAPED, name) else name for name in headers)


def is_dangerous(cell: str) -> bool:
    """Whether a spreadsheet would execute a cell, or take our escape for its own: no plain number is."""
    return cell[:1] in _FIRST and _DANGEROUS.match(cell) is not None and _NUMBER.fullmatch(cell) is None


def escape(cell: str) -> str:
    """Put one `'` before a dangerous cell."""
    return "'" + cell if is_dangerous(cell) else cell


def escape_plain(cell: str) -> str:
    """Escape a cell that will lose its quotes: a space in front keeps it harmless."""
    return " " + cell if is_dangerous(cell) else cell


def escape_raw(record: bytes, delimiter: str, quote: str) -> bytes:
    """Put a `'` wherever a cell of a damaged record seems to begin with a sign: it cannot be told where cells are."""
    mark, sign = re.escape(delimiter.encode()), re.escape(quote.encode())
    begins = rb"((?:^|[\r\n]|%b)%b?)" % (mark, sign)
    executes = rb"('*(?:[=@\t]|[+\-](?![\d.,]+(?:%b|$))))" % mark
    pattern = begins + executes
    return re.sub(pattern, rb"\1'\2", record)


def unescaped(block: Block) -> Block:
    """Give a block of a correction file with the sender's own cells."""
    cells = tuple(unescaped_cells(column) for column in block.cells)
    told = block.rejects.cells
    told = pa.ListArray.from_arrays(told.offsets, unescaped_cells(told.values))
    return replace(block, cells=cells, rejects=replace(block.rejects, cells=told))


def unescaped_cells(column: pa.Array) -> pa.Array:
    """Take one `'` from each cell that has one before a sign; undoes `escape`."""
    escaped = pc.match_substring_regex(column, _ESCAPED)
    if not pc.any(escaped).as_py():
        return column
    return pc.if_else(escaped, pc.utf8_slice_codeunits(column, 1), column)
