"""Which record of a file names its columns: below titles, over several records, of the larger of two tables, or nowhere.

Judged on the cells of the first records.
"""

import re

from msgspec import Struct

from sftp_gateway.brand import BY_POSITION
from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.header import bodies, further, headrows, joined, naming, ournames, titles
from sftp_gateway.catalog.read.header.naming import Cells, Rows
from sftp_gateway.catalog.read.source import Hints

_SEPARATOR_LINE = re.compile(rb'"?sep=[^\w\s]?\t?"?', re.IGNORECASE)
"""What spreadsheets write above a table to say how it is separated: of one column, too, where nothing else tells."""

_MARKS = (b"#", b"//", b"--")
"""A comment that says nothing."""


class Heading(Struct, frozen=True):
    """Records `first` to `last` are the header; rows begin behind `last`. Without a header `last` is `first - 1`."""

    first: int
    last: int
    names: tuple[str, ...]
    known: int
    """How many of the names we know."""
    above: tuple[str, ...] = ()
    """The header of a smaller table above, which is skipped."""

    @property
    def absent(self) -> bool:
        """Whether the file has no header, so that `names` are `#1`, `#2` and so on."""
        return self.last < self.first

    def said(self, titles: str) -> tuple[Finding, ...]:
        """Say what was made of the first records; `titles` tells of those above the header, if there are any."""
        told = [titles] if titles else []
        if self.last > self.first:
            told.append(f"The header takes {self.last - self.first + 1} rows; read as {', '.join(self.names)[:160]}.")
        if self.absent:
            told.append(f"The file has no header; its columns are mapped as #1 to #{len(self.names)}.")
        return tuple(Finding("FILE_PREAMBLE", text) for text in told)


def find(rows: Rows, hints: Hints, *, whole: bool) -> Heading:
    """Find the header of the table to read; `whole`: the rows are the whole file, else the last table goes on."""
    told = [cells for cells in rows if not naming.is_comment(cells)]
    base, _ = find_header(rows[:200], bodies.usual_width(told or rows), hints)
    if not rows:
        return Heading(0, 0, (), 0)
    first = further.largest(rows, base, hints, whole=whole)
    above = _texts(rows[base]) if first != base else ()
    if _is_absent(rows, first, hints):
        width = bodies.usual_width(rows[first : first + 1000])
        first = _first_row(rows, first)
        return Heading(first, first - 1, tuple(f"#{number + 1}" for number in range(width)), 0, above)
    top, last = first, headrows.last(rows, first, hints)
    names = _names(rows, top, last, hints)
    while last - top < headrows.MOST and top > 0 and headrows.names_groups(rows[top - 1], names):
        top -= 1
        names = _names(rows, top, last, hints)
    return Heading(top, last, names, sum(ournames.is_known(name, hints) for name in names if name.strip()), above)


def find_header(rows: Rows, width: int, hints: Hints) -> tuple[int, int]:
    """Which of the first records is the header, and how many of its names we know; `width`: the usual number of cells."""
    first = [number for number, cells in enumerate(rows) if bodies.is_filled(cells)]
    if len(first) > 1 and _SEPARATOR_LINE.fullmatch(b"".join(rows[first[0]])):
        first = first[1:]
    most = bounds.LOOKED_RECORDS if hints.lenient else bounds.PREAMBLE_RECORDS
    first = _behind_comments(rows, first[: most + 1])
    if not first:
        return 0, 0
    scores = {number: _known(rows, number, hints) for number in first}
    best = max(first[: bounds.PREAMBLE_RECORDS + 1], key=lambda number: scores[number])
    if scores[best] >= 2 or (scores[best] == len(rows[best]) == width == 1):
        best = next((number for number in first if number < best and _heads_rows(rows, number, best, scores)), best)
        return best, scores[best]
    used = _used_width(rows, width)
    for number in first:
        if width == 1 and naming.is_comment(rows[number]):
            continue
        if len(rows[number]) > 1 and (bodies.filled(rows[number]) * 2 > used or _names_second(rows, number, width)):
            number = titles.behind(rows, number, first, width, lenient=hints.lenient)  # noqa: PLW2901 - returned at once
            return number, scores[number]
    usual = [number for number in first if len(rows[number]) == width]
    begin = usual[0] if any(bodies.filled(rows[number]) > 1 for number in usual) else first[0]
    return begin, scores[begin]


def _heads_rows(rows: Rows, number: int, stop: int, scores: dict[int, int]) -> bool:
    """Whether half the cells of a record are names that we know, with rows below it up to a header of more names: it heads a table, too."""
    cells = rows[number]
    known = scores[number] >= max(2, len(cells) / 2)
    return known and naming.contrasts(cells, bodies.body(rows[:stop], number + 1, len(cells)))


def _names_second(rows: Rows, number: int, width: int) -> bool:
    """Whether a record names the second of two columns only, and below it each row has a first cell: it counts the rows."""
    cells = rows[number]
    if width != 2 or len(cells) != width or cells[0].strip() or naming.is_value(cells[1]):
        return False
    body = bodies.body(rows, number + 1, width)
    return len(body) > 1 and all(naming.is_value(row[0]) for row in body)


def _known(rows: Rows, number: int, hints: Hints) -> int:
    """How many names we know a record has; none where it stands among rows: words that are names may be values, too."""
    known = ournames.known_names(rows[number], hints)
    return 0 if known and bodies.is_among_rows(rows, number) else known


def _used_width(rows: Rows, width: int) -> int:
    """How many columns are left without the last ones that are blank in (nearly) all rows of this width."""
    usual = (cells for cells in rows if len(cells) == width)
    reach = sorted(max((place for place, cell in enumerate(cells, 1) if cell.strip()), default=0) for cells in usual)
    return max(2, reach[-1 - len(reach) // 20]) if reach else width


def _behind_comments(rows: Rows, first: list[int]) -> list[int]:
    """Leave out the lines of a comment above a header; one over values may be the header itself."""
    count = 0
    while count < len(first) and (
        naming.is_comment(rows[first[count]]) or (count and b"".join(rows[first[count]]).strip() in _MARKS)
    ):
        count += 1
    if (
        not count
        or count == len(first)
        or not (naming.begins_table(rows[first[count]]) or len(rows[first[count]]) == 1)
    ):
        return first
    mark = rows[first[0]][0].strip()
    alike = count == 1 and len(rows[first[0]]) == len(rows[first[1]]) and mark not in _MARKS
    return first if alike else first[count:]


def _texts(cells: Cells) -> tuple[str, ...]:
    return tuple(cell.decode(errors="replace").strip("\ufeff") for cell in cells)


def _first_row(rows: Rows, first: int) -> int:
    """Give the first row of a table without a header: those above the one found may have fewer cells filled."""
    while first > 0 and len(rows[first - 1]) == len(rows[first]) > 1:
        if bodies.filled(rows[first - 1]) < 2 and not any(map(naming.is_value, rows[first - 1])):
            break  # a text alone is a title
        body = bodies.body(rows, first, len(rows[first]))
        if titles.is_prose(rows[first - 1]) or not naming.looks_like_row(rows[first - 1], body):
            break
        first -= 1
    return first


def _is_absent(rows: Rows, first: int, hints: Hints) -> bool:
    """Whether the first record is a product already: only believed where the brand maps by position, or of `inspect`."""
    cells = rows[first]
    if ournames.known_names(cells, hints) > 1:
        return False
    body = bodies.body(rows, first + 1, len(cells)) or bodies.odd_body(rows, first)
    body = [row for row in body if row != cells]  # the header may stand between the rows once more
    if any(BY_POSITION.fullmatch(name) for name in hints.known_headers):
        return not naming.contrasts(cells, body) or not naming.begins_table(cells)
    if not hints.lenient:
        return False
    return naming.looks_like_row(cells, body) or naming.recurs(cells, body) if body else naming.holds_values(cells)


def _names(rows: Rows, top: int, last: int, hints: Hints) -> tuple[str, ...]:
    texts = [_texts([joined.named(cell) for cell in rows[place]]) for place in range(top, last + 1)]
    return joined.names(texts, lambda name: ournames.is_known(name, hints))
