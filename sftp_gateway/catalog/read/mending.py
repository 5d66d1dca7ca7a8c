"""A row with the wrong number of cells, where one reading only gives the header's columns: read so, and said."""

import functools
from collections.abc import Sequence

from sftp_gateway.catalog.read.dialect import DELIMITERS, Dialect

_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_LEAST_COLUMNS = 3
"""In narrower files a text with one comma too many would pass for a row."""


def mend(record: bytes, dialect: Dialect, width: int, spare: int) -> tuple[tuple[bytes, ...], str] | None:
    """Give the cells of a row and what was done to it, None if it cannot be told.

    `spare`: how many of the header's last columns have no name, so that a row may lack them.
    """
    cells = dialect.cells(record)
    if cells is None:
        return _otherwise(record, dialect, width)
    if (inner := unwrapped(cells, dialect, width)) is not None:
        return inner, "The row stands in quotes as a whole; they were taken away."
    if (
        spare == 1
        and not cells[-1].strip()
        and (len(cells) < width or any(cell.strip() for cell in cells[width - spare :]))
    ):
        return None  # a delimiter ends every row: the cell too many or few may stand before it
    if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
        return tuple(cells[:width]), f"The row ends with {_delimiters(len(cells) - width)} too many; left out."
    if width - spare <= len(cells) < width:
        added = width - len(cells)
        return (*cells, *[b""] * added), f"The row ends {_delimiters(added)} early, in columns without a name."
    return _otherwise(record, dialect, width)


def unwrapped(cells: Sequence[bytes], dialect: Dialect, width: int) -> tuple[bytes, ...] | None:
    """Give the cells of a record that stands in quotes as a whole, None if it does not."""
    if len(cells) != 1 or width < _LEAST_COLUMNS:
        return None
    inner = dialect.cells(cells[0]) or ()
    return tuple(inner) if len(inner) == width else None


@functools.cache
def _dialect(delimiter: str, quote: str) -> Dialect:
    """Give the same one each time: it keeps its patterns."""
    return Dialect(delimiter, quote)


def _delimiters(count: int) -> str:
    return f"{count} delimiter{'s' * (count > 1)}"


def _otherwise(record: bytes, dialect: Dialect, width: int) -> tuple[tuple[bytes, ...], str] | None:
    """Read a row that is separated by another delimiter: the only one that gives all columns."""
    if width < _LEAST_COLUMNS:
        return None
    found = []
    for delimiter in DELIMITERS:
        if delimiter != dialect.delimiter and record.count(delimiter.encode()) >= width - 1:
            cells = _dialect(delimiter, dialect.quote).cells(record)
            if cells is not None and len(cells) == width:
                found.append((tuple(cells), delimiter))
    if len(found) != 1:
        return None
    reading, delimiter = found[0]
    return (
        reading,
        f"The row is separated by {_NAMES[delimiter]}, the file by {_NAMES.get(dialect.delimiter, 'another')}.",
    )
