"""Up to where a damaged row can be believed: what stands at its left, before anything is in doubt.

A key behind that is not told: it would be another product's, or nobody's.
"""

from collections.abc import Sequence

from sftp_gateway.catalog.read.csv.dialect import Dialect
from sftp_gateway.catalog.read.csv.profile import Profile, kind

_LOOKED_AT = 65536
"""Bytes of a record: a key stands among the first."""
_MOST_PARTS = 32
"""A cell cut into more is text, whatever they are."""
_TEXT = b"some text"
_ALIKE = ("number", "code")
"""Kinds of which one may be written as the other."""


def before_damage(record: bytes, dialect: Dialect, profile: Profile) -> list[bytes]:
    """Give the cells of a record before the first that does not obey the rules; all if none is damaged."""
    first = record[:_LOOKED_AT]
    cells: list[bytes] = []
    position = 0
    while (found := dialect.cell.match(first, position)) is not None:
        if found.end() == len(first) < len(record):
            return cells  # it may go on
        quoted, plain = found.groups()
        cells.append(plain if quoted is None else quoted.replace(dialect.sign * 2, dialect.sign))
        position = found.end() + 1
        if first[found.end() : position] != dialect.mark:
            return cells
    return cells[: max(1, _alike(cells, profile))] if _lacks_opening(first[position:], dialect) else cells


def before_shift(cells: Sequence[bytes], width: int, delimiter: bytes, profile: Profile) -> int:
    """Say how many cells of a row of another width stand under their own headers.

    The first always does. The row is shifted at the first place that leaves all others cells that look like
    those of their columns; if none does, where a cell looks like none of its column.
    """
    ending = 0
    while ending < min(width, len(cells)) and profile.holds(width - 1 - ending, cells[-1 - ending]):
        ending += 1
    more = len(cells) - width
    first = max(0, (width - 1 if more > 0 else len(cells)) - ending)
    last = next((place for place, cell in enumerate(cells[:width]) if not _may_hold(profile, place, cell)), width)
    for place in range(first, min(last, len(cells), width - 1) + 1):
        if more < 0 or _is_whole(cells[place : place + more + 1], place, delimiter, profile):
            return max(1, place)
    return max(1, _alike(cells, profile))


def _alike(cells: Sequence[bytes], profile: Profile) -> int:
    """How many cells, from the left, look like those of their columns."""
    return next((place for place, cell in enumerate(cells) if not profile.holds(place, cell)), len(cells))


def _may_hold(profile: Profile, column: int, cell: bytes) -> bool:
    """Whether a cell looks like those of its column, but that a number may be written otherwise: `4006381-333900`."""
    here = kind(cell)
    likes = _ALIKE if here in _ALIKE else ()
    return profile.holds_kind(column, here) or any(profile.holds_kind(column, other) for other in likes)


def _lacks_opening(rest: bytes, dialect: Dialect) -> bool:
    """Whether the next cell only ends with a quote: the one that opens it may stand before an earlier cell."""
    cell = rest.partition(dialect.mark)[0].strip(b" ")
    return dialect.quote != "" and cell.endswith(dialect.sign) and not cell.startswith(dialect.sign)


def _is_whole(parts: Sequence[bytes], column: int, delimiter: bytes, profile: Profile) -> bool:
    """Whether parts may be one cell of a column that the delimiters in it have cut."""
    cell = delimiter.join(parts[:_MOST_PARTS])
    text = len(parts) > _MOST_PARTS or kind(cell) == "code"  # no code has a delimiter in it
    return profile.holds(column, _TEXT if text else cell)
