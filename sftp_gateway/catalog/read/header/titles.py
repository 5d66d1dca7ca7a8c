"""Titles above a header that have delimiters in them: sentences with a comma, of another width than the rows by chance."""

from collections.abc import Sequence

from sftp_gateway.catalog.read.header import bodies, naming
from sftp_gateway.catalog.read.header.naming import Cells, Rows


def is_prose(cells: Cells) -> bool:
    """Whether a space stands behind each delimiter of a record, as in a sentence, and around none of its cells."""
    more = [cell for cell in cells[1:] if cell.strip()]
    padded = any(cell[:1] == b" " for cell in cells[:1]) or any(cell[-1:] == b" " for cell in more)
    return bool(more) and not padded and all(cell[:1] == b" " for cell in more)


def behind(rows: Rows, start: int, places: Sequence[int], width: int, *, lenient: bool) -> int:
    """Give the record of `places` that names the columns of the rows, where the one at `start` is a title; else `start`.

    `width`: the usual number of cells. A header may lack a column or have one too many, so that words alone, with no
    column of values below them, name columns only where the record at `start` is a sentence and somebody only looks.
    """
    prose, columns = is_prose(rows[start]), len(rows[start])
    if columns == width and not prose:
        return start
    for place in places:
        cells = rows[place]
        if place <= start or len(cells) != width or is_prose(cells) or bodies.filled(cells) * 2 <= width:
            continue
        parted = not bodies.is_filled(rows[place - 1])
        least = 1 if prose or parted or abs(columns - width) > 1 else 2
        return place if names(rows, place, least=least, words=prose and lenient) else start
    return start


def names(rows: Rows, place: int, *, least: int, words: bool) -> bool:
    """Whether a record names the columns of the rows below it; `words`: of those without values, too."""
    body = bodies.body(rows, place + 1, len(rows[place]))
    if not body or is_prose(rows[place]) or not naming.begins_table(rows[place]) or any(map(is_prose, body)):
        return False
    return naming.contrasts(rows[place], body, least=least, years=True) or (
        words and not naming.looks_like_row(rows[place], body)
    )
