"""The rows below a header: those by which a record is told to name columns."""

from collections import Counter

from sftp_gateway.catalog.read.header import naming
from sftp_gateway.catalog.read.header.naming import Cells, Rows

BODY_ROWS = 60
_ROWS = 3
"""So many records above one are rows: no header has more lines that are full."""


def filled(cells: Cells) -> int:
    """How many cells hold something."""
    return sum(map(bool, map(bytes.strip, cells)))


def is_filled(cells: Cells) -> bool:
    """Whether any cell holds something: asked of all rows of a sample, of which most tell by their first cell."""
    return any(map(bytes.strip, cells))


def usual_width(rows: Rows) -> int:
    """How many cells most records have, of those with more than one if there are any."""
    widths = Counter(len(cells) for cells in rows if is_filled(cells))
    return max(widths, key=lambda columns: (widths[columns] * (columns > 1), columns)) if widths else 1


def body(rows: Rows, start: int, width: int) -> Rows:
    """Give the first rows of this width from `start` on."""
    return [cells for cells in rows[start : start + BODY_ROWS] if len(cells) == width and is_filled(cells)]


def odd_body(rows: Rows, place: int) -> Rows:
    """Give the rows below a header as wide as it is, where a delimiter ends all of them and not it, or it only."""
    width, below = len(rows[place]), rows[place + 1 : place + 1 + BODY_ROWS]
    if not rows[place][-1].strip():
        return [(*cells, b"") for cells in below if len(cells) == width - 1 and is_filled(cells)]
    return [cells[:-1] for cells in below if len(cells) == width + 1 and is_filled(cells) and not cells[-1].strip()]


def is_among_rows(rows: Rows, place: int) -> bool:
    """Whether a record stands right below others as full as it is, and has no words where the rows below it have values."""
    cells = rows[place]
    above = [row for row in rows[max(0, place - _ROWS) : place] if len(row) == len(cells)]
    alike = sum(filled(row) * 2 > filled(cells) for row in above)
    return alike == _ROWS and not naming.contrasts(cells, body(rows, place + 1, len(cells)))
