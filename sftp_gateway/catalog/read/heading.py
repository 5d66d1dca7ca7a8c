"""Which record of a file names its columns: below titles, over several records, of the larger of two tables, or nowhere.

Judged on the cells of the first records. A record is taken for more header only if it cannot be a
product: it has no digit, and where the rows have numbers, dates or links it has words.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sftp_gateway.brand import BY_POSITION
from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.folding import fold
from sftp_gateway.catalog.read import bounds, joined, naming, sampling, subheads
from sftp_gateway.catalog.read.naming import Cells, Rows
from sftp_gateway.catalog.read.source import Hints

_CLEARED = rb"\N"
"""What a row of a partial file says of a value that is to go (spec §7)."""
_SEPARATOR_LINE = re.compile(rb'"?sep=[^\w\s]?\t?"?', re.IGNORECASE)
"""What spreadsheets write above a table to say how it is separated: of one column, too, where nothing else tells."""
_BODY_ROWS = 60
_MORE_ROWS = 4
"""How many records a header may have beside its first."""


@dataclass(frozen=True, slots=True)
class Heading:
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
    base, _ = find_header(rows[:200], _usual_width(rows), hints)
    if not rows:
        return Heading(0, 0, (), 0)
    first = _largest(rows, base, hints, whole=whole)
    above = _texts(rows[base]) if first != base else ()
    width = _width_below(rows, first)
    if _is_absent(rows, first, hints):
        return Heading(first, first - 1, tuple(f"#{number + 1}" for number in range(width)), 0, above)
    top, last = first, first
    named = not any(map(naming.is_value, rows[first]))
    for more in range(_MORE_ROWS, 0, -1):
        if named and all(
            _goes_on(rows, place, first + more + 1, len(rows[first]), hints, enough=_is_enough(rows[first], hints))
            for place in range(first + 1, first + more + 1)
        ):
            last = first + more
            break
    if (
        last == top
        and top + 1 < len(rows)
        and len(rows[top + 1]) == len(rows[top])
        and subheads.is_ruled(rows[top + 1])
    ):
        last += 1
    names = _names(rows, top, last, hints)
    while top > 0 and last - top < _MORE_ROWS and _names_groups(rows[top - 1], names):
        top -= 1
        names = _names(rows, top, last, hints)
    return Heading(top, last, names, sum(is_known(name, hints) for name in names if name.strip()), above)


def find_header(rows: Rows, width: int, hints: Hints) -> tuple[int, int]:
    """Which of the first records is the header, and how many of its names we know; `width`: the usual number of cells."""
    first = [number for number, cells in enumerate(rows) if _filled(cells)]
    if len(first) > 1 and _SEPARATOR_LINE.fullmatch(b"".join(rows[first[0]])):
        first = first[1:]
    first = _behind_comments(rows, first[: bounds.PREAMBLE_RECORDS + 1])
    if not first:
        return 0, 0
    scores = {number: known_names(rows[number], hints) for number in first}
    best = max(first, key=lambda number: scores[number])
    if scores[best] >= 2 or (scores[best] == 1 and len(rows[best]) == 1):
        return best, scores[best]
    used = _used_width(rows, width)
    for number in first:
        if len(rows[number]) > 1 and _filled(rows[number]) * 2 > used:
            return number, scores[number]
    return first[0], scores[first[0]]


def _used_width(rows: Rows, width: int) -> int:
    """How many columns are left without the last ones that are blank in (nearly) all rows of this width."""
    reach = sorted(_reach(cells) for cells in rows if len(cells) == width)
    return max(2, reach[-1 - len(reach) // 20]) if reach else width


def _reach(cells: Cells) -> int:
    """Up to which cell a record is filled."""
    return next((place for place in range(len(cells), 0, -1) if cells[place - 1].strip()), 0)


def _behind_comments(rows: Rows, first: list[int]) -> list[int]:
    """Leave out the lines of a comment above a header; one over values may be the header itself."""
    count = 0
    while count < len(first) and sampling.is_comment(rows[first[count]]):
        count += 1
    if not count or count == len(first) or not naming.begins_table(rows[first[count]]):
        return first
    mark = rows[first[0]][0].strip()
    alike = count == 1 and len(rows[first[0]]) == len(rows[first[1]]) and mark not in (b"#", b"//", b"--")
    return first if alike else first[count:]


def known_names(cells: Cells, hints: Hints) -> int:
    """How many of the cells are names of columns."""
    count = 0
    for cell in cells:
        if len(cell) < 256 and cell.strip():
            count += is_known(cell.decode(errors="replace"), hints)
    return count


def is_known(header: str, hints: Hints) -> bool:
    """Whether a header is one that a catalog column goes by; `variation:Width` is, if `variation` is."""
    name = fold(header)
    return name in hints.known_headers or (":" in name and name.partition(":")[0] in hints.known_headers)


def _filled(cells: Cells) -> int:
    return sum(bool(cell.strip()) for cell in cells)


def _texts(cells: Cells) -> tuple[str, ...]:
    return tuple(cell.decode(errors="replace").strip("\ufeff") for cell in cells)


def _usual_width(rows: Rows) -> int:
    widths = Counter(len(cells) for cells in rows if _filled(cells))
    return max(widths, key=lambda columns: (widths[columns] * (columns > 1), columns)) if widths else 1


def _width_below(rows: Rows, first: int) -> int:
    return _usual_width(rows[first : first + 1000])


def _body(rows: Rows, start: int, width: int) -> Rows:
    return [cells for cells in rows[start : start + _BODY_ROWS] if len(cells) == width and _filled(cells)]


def _largest(rows: Rows, base: int, hints: Hints, *, whole: bool) -> int:
    """Which record is the first of the largest table whose header we know; of the largest if we know none."""
    starts = [base, *_starts(rows, base, hints)]
    if len(starts) == 1:
        return base
    sizes = {}
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        same = sum(_fits(cells, rows[start]) for cells in rows[start + 1 : end])
        sizes[start] = float("inf") if end == len(rows) and not whole and same else same
    matching = [start for start in starts if known_names(rows[start], hints) >= 2] or starts
    return max(matching, key=lambda start: (sizes[start], -start))


def _starts(rows: Rows, base: int, hints: Hints) -> list[int]:
    """Where further tables begin."""
    found = []
    header = rows[base]
    for place in range(base + 2, len(rows) - 1):
        cells = rows[place]
        if len(cells) < 2 or cells == header or not (naming.begins_table(cells) or _names_loosely(rows, place)):
            continue
        known = known_names(cells, hints)
        if (known >= 2 and known * 2 >= len(cells)) or _begins_apart(rows, place, len(header)):
            found.append(place)
    return found


def _names_loosely(rows: Rows, place: int) -> bool:
    """Whether a record after a blank line has one name with a digit, `rate (1-5)`, and words over columns of values."""
    cells = rows[place]
    if _filled(rows[place - 1]):
        return False  # most rows, at once
    phrases = [at for at, cell in enumerate(cells) if naming.has_digit([cell])]
    if len(phrases) != 1 or not naming.is_phrase(cells[phrases[0]]):
        return False
    named = [b"phrase" if at in phrases else cell for at, cell in enumerate(cells)]
    body = _body(rows, place + 1, len(cells)) or _odd_body(rows, place)
    return len(body) > 1 and naming.begins_table(named) and naming.contrasts(named, body, least=2)


def _odd_body(rows: Rows, place: int) -> Rows:
    """Give the rows below a header as wide as it is, where a delimiter ends all of them and not it, or it only."""
    width, below = len(rows[place]), rows[place + 1 : place + 1 + _BODY_ROWS]
    if not rows[place][-1].strip():
        return [(*cells, b"") for cells in below if len(cells) == width - 1 and _filled(cells)]
    return [cells[:-1] for cells in below if len(cells) == width + 1 and _filled(cells) and not cells[-1].strip()]


def _fits(cells: Cells, header: Cells) -> bool:
    """Whether a record has the columns of a header, which a delimiter may end that ends no row."""
    return len(cells) == len(header) or (len(cells) == len(header) - 1 > 1 and not header[-1].strip())


def _begins_apart(rows: Rows, place: int, width: int) -> bool:
    return _stands_apart(rows, place, width) or _changes_width(rows, place, width)


def _stands_apart(rows: Rows, place: int, width: int) -> bool:
    """Whether a header stands after a blank line (and a title) with rows of its own width below it."""
    before = rows[place - 1]
    if len(before) == 1 and before[0].strip() and place > 1:
        before = rows[place - 2]
    below = next((cells for cells in rows[place + 1 :] if _filled(cells)), ())
    if _filled(before) or not _fits(below, rows[place]):
        return False
    body = _body(rows, place + 1, len(below))
    more = next((number for number, cells in enumerate(body) if naming.has_digit(cells)), 0)
    body = body[min(more, _MORE_ROWS) :]  # the header may take several rows
    return len(rows[place]) != width or naming.contrasts(rows[place][: len(below)], body, codes=True)


def _changes_width(rows: Rows, place: int, width: int) -> bool:
    """Whether rows of another width begin with a record, all those before it having the width of their header."""
    here, below = len(rows[place]), rows[place + 1 : place + 1 + _BODY_ROWS]
    return (
        here != width
        and len(below) > 1
        and all(len(cells) == here for cells in below[:_MORE_ROWS])
        and all(len(cells) == width or not _filled(cells) for cells in rows[max(0, place - _MORE_ROWS) : place])
    )


def _is_absent(rows: Rows, first: int, hints: Hints) -> bool:
    """Whether the first record is a product already: only believed where the brand maps by position, or of `inspect`."""
    cells = rows[first]
    if known_names(cells, hints) > 1:
        return False
    body = _body(rows, first + 1, len(cells)) or _odd_body(rows, first)
    if any(BY_POSITION.fullmatch(name) for name in hints.known_headers):
        return not naming.contrasts(cells, body) or not naming.begins_table(cells)
    return hints.lenient and (naming.looks_like_row(cells, body) if body else naming.holds_values(cells))


def _is_enough(header: Cells, hints: Hints) -> bool:
    """Whether a record names each column for itself, several of them by names that we know."""
    names = {cell.strip().lower() for cell in header}
    return len(names) == len(header) and b"" not in names and known_names(header, hints) > 1


def _goes_on(rows: Rows, place: int, start: int, width: int, hints: Hints, *, enough: bool) -> bool:  # noqa: PLR0913 - what stands around it
    """Whether a record under the header is more of it, by the rows from `start` on: a product so would have no value.

    `enough`: the header does not need it. Then it must name columns, too, or say of what kind they are: words alone may
    be a product whose price is `TBD`, which would be lost.
    """
    cells = rows[place] if start < len(rows) else ()
    if len(cells) != width or not _filled(cells) or naming.has_digit(cells) or _CLEARED in cells:
        return False
    body = _body(rows, start, width)
    if not cells[0].strip() and _filled(cells) * 2 <= width and len(body) > 1:
        return all(row[0].strip() for row in body)  # each row has a first cell but this one
    if subheads.is_ruled(cells) or subheads.are_units(cells):
        return True
    if not enough and _filled(cells) > 1 and len(body) > 1 and subheads.in_brackets(cells):
        return not any(map(subheads.in_brackets, body))
    if enough and not (known_names(cells, hints) or subheads.says_kinds(cells)):
        return False
    return naming.contrasts(cells, body, least=1 if not cells[0].strip() else 2)


def _names(rows: Rows, top: int, last: int, hints: Hints) -> tuple[str, ...]:
    texts = [_texts([joined.named(cell) for cell in rows[place]]) for place in range(top, last + 1)]
    return joined.names(texts, lambda name: is_known(name, hints))


def _names_groups(above: Cells, header: Sequence[str]) -> bool:
    """Whether a record over the header names groups of columns, and the header needs them to be told apart."""
    if len(above) != len(header) or _filled(above) < 2 or naming.has_digit(above):
        return False
    names = [name.strip().lower() for name in header]
    needs = [place for place, name in enumerate(names) if not name or names.count(name) > 1]
    return any(above[place].strip() for place in needs)
