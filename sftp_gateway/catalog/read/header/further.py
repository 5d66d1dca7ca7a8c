"""Further tables below the first one of a file: where they begin, and which is the largest."""

import itertools

from sftp_gateway.catalog.read.header import bodies, naming, ournames
from sftp_gateway.catalog.read.header.naming import Cells, Rows
from sftp_gateway.catalog.read.source import Hints

_PARTED_ROWS = 2
"""Where blank records stand behind every second one, none parts tables."""
_MORE_ROWS = 4
"""How many records a header may have beside its first."""


def largest(rows: Rows, base: int, hints: Hints, *, whole: bool) -> int:
    """Which record is the first of the largest table whose header we know; of the largest if we know none.

    Who only looks at a file may look at any: a header is known there if it names the key, too.
    """
    starts = [base, *_starts(rows, base, hints)]
    if len(starts) == 1:
        return base
    sizes = {}
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        same = sum(_fits(cells, rows[start]) for cells in rows[start + 1 : end])
        sizes[start] = float("inf") if end == len(rows) and not whole and same else same
    known = [start for start in starts if ournames.known_names(rows[start], hints) >= 2]
    if hints.lenient:
        known = [start for start in known if ournames.has_key(rows[start], hints)]
    return max(known or starts, key=lambda start: (sizes[start], -start))


def _starts(rows: Rows, base: int, hints: Hints) -> list[int]:
    found = []
    header = rows[base]
    filled = list(map(bodies.is_filled, rows))
    parted = sum(above and not below for above, below in itertools.pairwise(filled))
    apart = parted * _PARTED_ROWS < sum(filled)  # else blank lines part rows, not tables
    for place in range(base + 2, len(rows) - 1):
        cells = rows[place]
        if len(cells) < 2 or cells == header or naming.is_comment(cells):
            continue
        if apart and len(cells) != len(header) and _parts(rows, place, len(header)):
            found.append(place)
        if found[-1:] == [place] or not (naming.begins_table(cells) or _names_loosely(rows, place)):
            continue
        if ournames.are_same(cells, header, hints):
            continue
        known = ournames.known_names(cells, hints)
        named = known >= 2 and known * 2 >= len(cells) and not bodies.is_among_rows(rows, place)
        if named or (apart and (_stands_apart(rows, place, len(header)) or _changes_width(rows, place, len(header)))):
            found.append(place)
    return found


def _parts(rows: Rows, place: int, width: int) -> bool:
    """Whether a record after a blank line (and a title) has few values and only rows of its own width below, only ones of the header's above.

    So its names need not be words: `Q1`, `B365H`, a blank one, columns that are counted.
    """
    above = place - (len(rows[place - 1]) == 1 and bodies.is_filled(rows[place - 1]))
    cells, body = rows[place], bodies.body(rows, place + 1, len(rows[place])) or bodies.odd_body(rows, place)
    if bodies.is_filled(rows[above - 1]) or len(body) < _MORE_ROWS or bodies.filled(cells) * 2 <= len(cells):
        return False
    before = [row for row in rows[max(0, above - 2 * _MORE_ROWS) : above] if bodies.is_filled(row)]
    below = [row for row in rows[place + 1 : place + 1 + _MORE_ROWS] if len(row) > 1]
    alike = all(len(row) == width for row in before) and all(_fits(row, cells) for row in below)
    return alike and not naming.holds_values(cells) and not naming.looks_like_row(cells, body)


def _names_loosely(rows: Rows, place: int) -> bool:
    """Whether a record after a blank line, or one of another width, has one name with a digit, `rate (1-5)`, and words over values."""
    cells = rows[place]
    if bodies.is_filled(rows[place - 1]) and len(rows[place - 1]) == len(cells):
        return False  # most rows, at once
    phrases = [at for at, cell in enumerate(cells) if naming.has_digit([cell])]
    if len(phrases) != 1 or not naming.is_phrase(cells[phrases[0]]):
        return False
    named = [b"phrase" if at in phrases else cell for at, cell in enumerate(cells)]
    body = bodies.body(rows, place + 1, len(cells)) or bodies.odd_body(rows, place)
    return len(body) > 1 and naming.begins_table(named) and naming.contrasts(named, body, least=2)


def _fits(cells: Cells, header: Cells) -> bool:
    """Whether a record has the columns of a header, or a delimiter ends one of them only."""
    more = len(cells) - len(header)
    return (
        more == 0 or (more == -1 and len(cells) > 1 and not header[-1].strip()) or (more == 1 and not cells[-1].strip())
    )


def _stands_apart(rows: Rows, place: int, width: int) -> bool:
    """Whether a header stands after a blank line (and a title) with rows of its own width below it."""
    before = rows[place - 1]
    if len(before) == 1 and before[0].strip() and place > 1:
        before = rows[place - 2]
    below = next((cells for cells in rows[place + 1 :] if bodies.is_filled(cells)), ())
    if bodies.is_filled(before) or not _fits(below, rows[place]):
        return False
    body = bodies.body(rows, place + 1, len(below))
    more = next((number for number, cells in enumerate(body) if naming.has_digit(cells)), 0)
    body = body[min(more, _MORE_ROWS) :]  # the header may take several rows
    return len(rows[place]) != width or naming.contrasts(rows[place][: len(below)], body, codes=True)


def _changes_width(rows: Rows, place: int, width: int) -> bool:
    """Whether rows of another width begin with a record, all those before it, but for a title, having the width of their header."""
    here, below = len(rows[place]), rows[place + 1 : place + 1 + bodies.BODY_ROWS]
    above = place - (len(rows[place - 1]) == 1)
    return (
        here != width
        and len(below) > 1
        and all(len(cells) == here for cells in below[:_MORE_ROWS])
        and all(
            len(cells) == width or not bodies.is_filled(cells) for cells in rows[max(0, above - _MORE_ROWS) : above]
        )
    )
