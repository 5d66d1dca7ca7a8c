"""How many columns a delimited file has: its header's, unless a delimiter too many ends either most rows or the header."""

import itertools
from collections import Counter
from collections.abc import Sequence

from sftp_gateway import errors
from sftp_gateway.catalog.read.csv.dialect import NAMES, Dialect
from sftp_gateway.catalog.read.csv.profile import ODD
from sftp_gateway.catalog.read.csv.sampling import Record
from sftp_gateway.catalog.read.csv.sniff import Layout
from sftp_gateway.catalog.read.header import footer
from sftp_gateway.catalog.read.header.ournames import is_known
from sftp_gateway.catalog.read.source import Hints

_LEAST_COUNTED, _MANY = 2, 10
"""Rows that may be numbered by chance; and from how many on some of their numbers may be missing."""


def settle(found: Layout, hints: Hints, *, whole: bool) -> tuple[str, ...]:
    """Give the header, of the rows' width; Refused FILE_HEADER_COLUMNS where no row has it. `whole`: the sample is the file.

    Columns that only the rows have are named '' if they are empty, or count the rows; a few damaged rows may happen to
    be as wide as the header. A correction file is never refused for its width: each of its rows is told what it lacks.
    """
    names = found.heading.names
    rows = _rows(found, hints, whole=whole)
    if rows and not rows[0].strict and not whole and all(len(row.cells) < len(names) for row in rows):
        return names  # a quote opens whose cell goes on beyond the sample
    widths = Counter(len(row.cells) for row in rows)
    own = widths[len(names)]
    if not rows or own * 2 >= len(rows) or any(name.strip() == "_correction_of" for name in names):
        return names
    columns, count = widths.most_common(1)[0]
    if (fitting := _fitting(names, columns, rows)) is not None and (not own or count * 2 > len(rows)):
        return fitting
    filled = tuple(name for name in names if name.strip())
    if hints.lenient and not own and len(filled) == max(widths):
        return filled  # several delimiters stand between names so that a person sees columns
    # A single row is as likely damaged itself, as it would be among others.
    if own or ((hints.lenient or not whole) and count < 0.9 * len(rows)) or (hints.lenient and count == 1):
        return names
    if hints.lenient:
        return (*names, *[""] * (columns - len(names)))[:columns]
    raise errors.Refused(
        "FILE_HEADER_COLUMNS",
        f"The header has {len(names)} columns, but the rows have {columns}.{_place(names, columns, found.dialect, hints, rows[0])}",
        "Mend the header row so that it has one name for each column, and send the file again.",
    )


def _fitting(names: tuple[str, ...], columns: int, rows: Sequence[Record]) -> tuple[str, ...] | None:
    """Give the header in the width of most rows, None if it cannot be told which names are theirs."""
    usual = [row for row in rows if len(row.cells) == columns]
    if len(names) < columns:
        filled = sum(any(cell.strip() for cell in row.cells[len(names) :]) for row in usual)
        if filled <= len(usual) * ODD:
            return (*names, *[""] * (columns - len(names)))
    if len(names) + 1 == columns and _are_counted(rows, columns):
        return ("", *names)
    if len(names) > columns and not any(name.strip() for name in names[columns:]):
        return names[:columns]
    return None


def _are_counted(rows: Sequence[Record], columns: int) -> bool:
    """Whether rows begin with their number, which some programs (R) give no name in the header.

    Numbers may be left out where damaged rows stand; where there are many, also those of rows that were not exported.
    """
    told = [(place, row.cells[0].strip()) for place, row in enumerate(rows) if len(row.cells) == columns]
    if len(told) <= _LEAST_COUNTED or not all(cell.isdigit() and cell == b"%d" % int(cell[:9]) for _, cell in told):
        return False
    numbers = [int(cell) for _, cell in told]
    if (
        numbers[0] - told[0][0] in (0, 1)
        and len({number - place for number, (place, _) in zip(numbers, told, strict=True)}) == 1
    ):
        return True
    rising = all(one < other for one, other in itertools.pairwise(numbers))
    return rising and len(numbers) >= _MANY and numbers[-1] <= 2 * len(numbers)


def _rows(found: Layout, hints: Hints, *, whole: bool) -> list[Record]:
    """Give the sample's rows of products."""
    width = len(found.heading.names)
    rows = [record for record in found.records[found.heading.last + 1 :] if not record.blank]
    if rows and whole and not hints.complete and rows[-1].end == rows[-1].stop and len(rows[-1].cells) < width:
        rows.pop()  # cut off: the reader says so
    return [row for row in rows if not footer.is_footer(_texts(row), width, ragged=len(row.cells) != width)]


def _texts(row: Record) -> list[str]:
    return [cell.decode(errors="replace") for cell in row.cells]


def _place(headers: Sequence[str], columns: int, dialect: Dialect, hints: Hints, row: Record) -> str:
    if columns == 1:
        others = (name for mark, name in NAMES.items() if row.cells[0].count(mark.encode()) == len(headers) - 1)
        return "".join(f" They are separated by {name}, it seems." for name in itertools.islice(others, 1))
    if len(headers) > columns:
        empty = [str(number) for number, header in enumerate(headers, 1) if not header.strip()]
        return f" Column {', '.join(empty)} of the header has no name." if empty else ""
    for number, header in enumerate(headers, 1):
        parts = _two_headers(header, hints)
        if parts:
            name = NAMES.get(dialect.delimiter, "delimiter")
            return (
                f" Column {number}, `{header}`, looks like two headers: is the {name} missing "
                f"between `{parts[0]}` and `{parts[1]}`?"
            )
    return ""


def _two_headers(header: str, hints: Hints) -> tuple[str, str] | None:
    words = header.split()
    if is_known(header, hints):
        return None
    for cut in range(1, len(words)):
        one, two = " ".join(words[:cut]), " ".join(words[cut:])
        if is_known(one, hints) and is_known(two, hints):
            return one, two
    return None
