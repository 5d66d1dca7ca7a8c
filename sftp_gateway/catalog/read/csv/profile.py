"""What the cells of each column look like, by the first rows: a row that was mended must look like them.

A row with a cell too many or few has many readings of the right width, and most of them are shifted: a date
where prices are, a word where nothing ever was. Looked at only where a row is damaged.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property, lru_cache

from sftp_gateway.catalog.read.csv.sampling import Record
from sftp_gateway.catalog.read.header import naming, shapes, titles

_KINDS = re.compile(
    rb"\s*+(?:(?P<number>%b(?:%%|\xe2\x82\xac|[$])?)|(?P<date>%b)|(?P<time>%b)|(?P<link>%b)|(?P<code>(?=\S*\d)\S++))\s*+"
    % (shapes.NUMBER, shapes.DATE, shapes.TIME, shapes.LINK)
)
_NAMES = ("", "text", *_KINDS.groupindex)
_MOST_ROWS = 200
_ENOUGH = 3
"""From so many rows on a column that was never blank, or always, is to stay so."""
ODD = 0.05
"""So many rows may hold something in a column that is blank but for damage."""
_MANY_SHORT = 5
_MOST_BYTES = 1024
_LETTERS, _DIGITS = re.compile(rb"(?:[A-Za-z]|[\x80-\xff])+"), re.compile(rb"\d+")
_FEW_SHAPES, _ONE_IN, _LEAST = 3, 4, 2


def kind(cell: bytes) -> str:
    """Say what a cell looks like: `number`, `date`, `time`, `link`, `code` (a word with a digit), `text`, '' if blank."""
    if not cell.strip():
        return ""
    found = _KINDS.fullmatch(cell) if len(cell) < _MOST_BYTES else None
    return str(found.lastgroup) if found else "text"


class Profile:
    """The kinds of cells that each column of the first rows has; worked out when it is first asked for."""

    def __init__(self, records: Sequence[Record] = (), width: int = 0) -> None:
        self._records, self._width = records[: 2 * _MOST_ROWS], width

    @cached_property
    def _rows(self) -> list[tuple[bytes, ...]]:
        """The rows, but for those that may be comments, or notes under them."""
        least = min(2, max(1, self._width - 1))
        rows = [record.cells for record in self._records if record.strict and len(record.cells) == self._width]
        rows = [cells for cells in rows if not naming.is_comment(cells)]
        return [cells for cells in rows if sum(bool(cell.strip()) for cell in cells) >= least][:_MOST_ROWS]

    @cached_property
    def _kinds(self) -> list[set[str]]:
        return [set(map(kind, column)) for column in zip(*self._rows, strict=True)]

    def others(self, column: int, cell: bytes) -> tuple[bytes, ...]:
        """Give the filled cells of a column, without this one."""
        found = self._filled[column] if self._rows else ()
        place = found.index(cell) if cell in found else len(found)
        return (*found[:place], *found[place + 1 :])

    @cached_property
    def _filled(self) -> list[tuple[bytes, ...]]:
        return [tuple(cell for cell in column if cell.strip()) for column in zip(*self._rows, strict=True)]

    def kinds(self, column: int) -> set[str]:
        """Say what kinds of cells a column has."""
        return self._kinds[column] if self._rows else set()

    def is_blank(self, column: int) -> bool:
        """Whether a column is blank in all rows."""
        return bool(self._rows) and self._kinds[column] == {""}

    def is_mostly_blank(self, column: int) -> bool:
        """Whether a column is blank in nearly all rows."""
        filled = sum(bool(cells[column].strip()) for cells in self._rows)
        return bool(self._rows) and filled <= len(self._rows) * ODD

    @cached_property
    def often_short(self) -> bool:
        """Whether many of the first rows leave their last cells off: the sender means blank ones."""
        short = [len(cells) < self._width for cells in self._of_any_width]
        while short[-2:] == [True, True]:
            short.pop()  # what stands together at the end may be another table
        return sum(short) >= _MANY_SHORT and sum(short) * 3 >= len(short)

    @cached_property
    def _of_any_width(self) -> list[tuple[bytes, ...]]:
        return [record.cells for record in self._records if record.strict and 1 < len(record.cells) <= self._width]

    @cached_property
    def _usual_kinds(self) -> list[set[str]]:
        """The kinds of cells that each column has more often than by damage, in rows that are too short, too."""
        rows = self._of_any_width
        counts = [Counter(kind(cells[place]) for cells in rows if place < len(cells)) for place in range(self._width)]
        return [{name for name, count in seen.items() if count > max(1, len(rows) * ODD)} for seen in counts]

    def begins_like(self, cells: Sequence[bytes]) -> bool:
        """Whether the cells of a row that is too short look like those of its columns."""
        return all(kind(cell) in seen for cell, seen in zip(cells, self._usual_kinds, strict=False))

    @cached_property
    def lone(self) -> int:
        """How many rows hold one text only, in their first column, and are not among the last ones."""
        rows = [record.cells for record in self._records if record.strict and len(record.cells) == self._width > 1]
        alone = [bool(cells[0].strip()) and not b"".join(cells[1:]).strip() for cells in rows if any(cells)]
        while alone and alone[-1]:
            alone.pop()
        return sum(alone)

    def knows_prose(self, cells: Sequence[bytes]) -> bool:
        """Whether a space stands behind each delimiter of any row but this one."""
        return any(titles.is_prose(row) for row in self._rows if list(row) != list(cells))

    @property
    def knows_none_alone(self) -> bool:
        """Whether a text alone in a row is none of this table: among several rows no other is so."""
        return self._width > 1 and self.lone == 0 and len(self._rows) > _ENOUGH

    @property
    def always_filled(self) -> int:
        """How many columns are filled in all rows."""
        return sum("" not in seen for seen in self._kinds) if len(self._rows) >= _ENOUGH else 0

    def holds(self, column: int, cell: bytes) -> bool:
        """Whether a column has cells of the kind of this one; of none known, all may be."""
        return self.holds_kind(column, kind(cell))

    def holds_kind(self, column: int, here: str) -> bool:
        """Whether a column has cells of a kind."""
        return not self._rows or (column < len(self._held) and here in self._held[column])

    @cached_property
    def _held(self) -> list[set[str]]:
        """The kinds of cells that each column may have."""
        return [{name for name in _NAMES if self._agrees(name, seen)} for seen in self._kinds]

    def fits(self, cells: Sequence[bytes]) -> bool:
        """Whether each cell looks like one of its column."""
        if not self._rows or len(cells) != len(self._kinds):
            return not self._rows
        return all(kind(cell) in held for cell, held in zip(cells, self._held, strict=True))

    def _agrees(self, here: str, seen: set[str]) -> bool:
        if here in seen or (not here and len(self._rows) < _ENOUGH):
            return True
        # Of text anything may be a part, if it was seen with something else.
        return bool(here) and seen - {""} != set() and "text" in seen and (len(seen - {""}) > 1 or here == "code")


def completes(half: bytes, whole: bytes, others: tuple[bytes, ...]) -> bool:
    """Whether `whole` has what all other cells have in common, and `half` has not."""
    if len(others) < _LEAST:
        return False
    shapes, known, sizes, capital = _common(others)
    if len(shapes) <= _FEW_SHAPES and _shape(half) not in shapes:
        return _shape(whole) in shapes
    if len(known) * _ONE_IN <= len(others) and half not in known:
        return whole in known
    if len(sizes) == 1 and len(half) not in sizes:
        return len(whole) in sizes
    return capital and not _is_capital(half) and _is_capital(whole)


def may_be_one(first: bytes, rest: bytes, others: tuple[bytes, ...]) -> bool:
    """Whether two parts make a text as the other cells are, as far as these are alike."""
    if len(others) < _LEAST:
        return True
    shapes, _, sizes, _ = _common(others)
    both = first + rest
    return (len(shapes) > _FEW_SHAPES or _shape(both) in shapes) and (len(sizes) > 1 or len(both) in sizes)


@lru_cache(maxsize=256)
def _common(cells: tuple[bytes, ...]) -> tuple[set[bytes], set[bytes], set[int], bool]:
    """Give the shapes, values and lengths of cells, and whether all begin with a capital; asked for each damaged row."""
    return set(map(_shape, cells)), set(cells), set(map(len, cells)), all(map(_is_capital, cells))


def _shape(cell: bytes) -> bytes:
    return _LETTERS.sub(b"a", _DIGITS.sub(b"9", cell[:64]))


def _is_capital(cell: bytes) -> bool:
    return cell.decode(errors="replace")[:1].isupper()
