"""A row with the wrong number of cells, where one reading only gives the header's columns: read so, and said."""

import functools
from collections.abc import Sequence

from sftp_gateway.catalog.read.csv.dialect import DELIMITERS, NAMES, Dialect
from sftp_gateway.catalog.read.csv.profile import Profile, completes, kind
from sftp_gateway.catalog.read.header import titles

_STAND_IN = b"\x1f"
_OF_TEXT = frozenset(",;:")
"""Delimiters that stand in texts, too."""
_LEAST_COLUMNS = 3
"""In narrower files a text with one comma too many would pass for a row."""


def mend(  # noqa: PLR0913, PLR0917 - the row, and what it must look like
    record: bytes, cells: list[bytes] | None, dialect: Dialect, width: int, spare: int, profile: Profile
) -> tuple[tuple[bytes, ...], str] | None:
    """Give the cells of a row and what was done to it, None if it cannot be told.

    `cells`: those of the record as it stands, None if it is damaged. `spare`: how many of the header's last columns have no name, so that a row may lack them. `profile`: what the
    row must look like.
    """
    found = _reading(record, cells, dialect, width, spare, profile)
    return found if found and profile.fits(found[0]) else None


def _reading(  # noqa: PLR0913, PLR0917 - as `mend`
    record: bytes, cells: list[bytes] | None, dialect: Dialect, width: int, spare: int, profile: Profile
) -> tuple[tuple[bytes, ...], str] | None:
    if cells is None:
        return _otherwise(record, dialect, width)
    if (inner := unwrapped(cells, dialect, width)) is not None:
        return inner, "The row stands in quotes as a whole; they were taken away."
    if len(cells) > width and (escaped := _escaped(record, dialect, width)) is not None:
        return (
            escaped,
            "Delimiters with a backslash before them are read as text; only so the row has the header's columns.",
        )
    if len(cells) < width - spare or (len(cells) >= width and any(cell.strip() for cell in cells[width:])):
        return _otherwise(record, dialect, width)
    return _of_blanks(cells, width, spare, profile)


def _of_blanks(
    cells: Sequence[bytes], width: int, spare: int, profile: Profile
) -> tuple[tuple[bytes, ...], str] | None:
    """Give the cells of a row with blank cells too many, or unnamed ones too few, at its end."""
    if spare == 1 and not cells[-1].strip() and (len(cells) < width or cells[width - 1].strip()):
        return None  # a delimiter ends every row: the cell too many or few may stand before it
    if len(cells) > width:
        if _may_be_shifted(cells, width, profile):
            return None
        return tuple(cells[:width]), f"The row ends with {_delimiters(len(cells) - width)} too many; left out."
    if not all(map(profile.is_blank, range(len(cells), width))):
        return None
    added = width - len(cells)
    return (*cells, *[b""] * added), f"The row ends {_delimiters(added)} early, in columns without a name."


def spaced(record: bytes, dialect: Dialect, width: int) -> tuple[bytes, ...] | None:
    """Give the cells of a row that has a space behind each delimiter, as the others have not, None if it has not."""
    mark = dialect.mark + b" "
    if width < _LEAST_COLUMNS or record.count(mark) < width - 1 or _STAND_IN in record:
        return None
    cells = _dialect(_STAND_IN.decode(), dialect.quote).cells(record.replace(mark, _STAND_IN)) or []
    return tuple(cell.replace(_STAND_IN, mark) for cell in cells) if len(cells) == width else None


def requoted(record: bytes, dialect: Dialect) -> list[bytes] | None:
    """Give the cells of a row of which all stand in the quotes that the file does not use, None if they do not."""
    cells = _dialect(dialect.delimiter, _other(dialect)).cells(record) or []
    strict = _dialect(dialect.delimiter, "").cells(record) or []
    if len(cells) < 2 or not other_quote(
        dialect.cells(record) or (strict if len(strict) == len(cells) else ()), dialect
    ):
        return None
    return cells


def other_quote(cells: Sequence[bytes], dialect: Dialect) -> bool:
    """Whether each cell stands in the quotes that the file does not use."""
    mark = _other(dialect).encode()
    return bool(cells) and all(len(cell) > 1 and cell.startswith(mark) and cell.endswith(mark) for cell in cells)


def _other(dialect: Dialect) -> str:
    return "'" if dialect.quote == '"' else '"'


def may_be_otherwise(record: bytes, dialect: Dialect, width: int) -> bool:
    """Whether another delimiter gives a record whose quotes are damaged all columns, too."""
    return _otherwise(record, dialect, width) is not None and dialect.cells(record) is None


def lost_opening(cells: Sequence[bytes], dialect: Dialect, profile: Profile) -> bool:
    """Whether a cell ends with an odd quote that is no inch mark: not behind a digit, or the column has none such."""
    if dialect.literal or not dialect.quote:
        return False
    quote = dialect.sign
    for place, cell in enumerate(cells):
        if len(cell) > 1 and cell.endswith(quote) and cell.count(quote) % 2 and not cell.startswith(quote):
            bare = cell[:-1]
            if not bare.decode(errors="replace").rstrip()[-1:].isnumeric():
                return True
            if kind(bare) != "text" and completes(cell, bare, profile.others(place, cell)):
                return True
    return False


def quote_in_value(cells: Sequence[bytes], dialect: Dialect, profile: Profile) -> bool:
    """Whether a cell looks like those of its column only without the quote in it: `9"50`."""
    quoted = ((place, cell) for place, cell in enumerate(cells) if dialect.quote and dialect.sign in cell)
    return any(
        not profile.holds(place, cell) and profile.holds(place, cell.replace(dialect.sign, b""))
        for place, cell in quoted
    )


def _escaped(record: bytes, dialect: Dialect, width: int) -> tuple[bytes, ...] | None:
    """Give the cells of a row without quotes in which a backslash before a delimiter makes it text, None if it is none."""
    mark = dialect.mark
    quote = dialect.sign
    escapes = record.count(b"\\" + mark)
    # A backslash elsewhere is text (a path): so may be the one at the end of a cell.
    if not escapes or record.count(b"\\") != escapes or _STAND_IN in record or (quote and quote in record):
        return None
    cells = record.replace(b"\\" + mark, _STAND_IN).split(mark)
    return tuple(cell.replace(_STAND_IN, mark) for cell in cells) if len(cells) == width else None


def _may_be_shifted(cells: Sequence[bytes], width: int, profile: Profile) -> bool:
    """Whether a cell too many may as well stand before the last one: the row without it would fit, too."""
    kept = list(cells[:width])
    others = ([*cells[:place], *cells[place + 1 : width + 1]] for place in range(width))
    return any(other != kept and profile.fits(other) for other in others)


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
    if len(found) != 1 or (
        dialect.mark in record and (dialect.delimiter not in _OF_TEXT or titles.is_prose(found[0][0]))
    ):
        return None  # what the file's own delimiter separates is no row of another
    reading, delimiter = found[0]
    return (
        reading,
        f"The row is separated by {NAMES[delimiter]}, the file by {NAMES.get(dialect.delimiter, 'another')}.",
    )
