"""A sheet as a rectangle of texts, and where tables stand in it: side by side, one below the other, with room around them.

A column that is taken from a table, or a row, is lost to its sender. So what stands beside a blank column is
another table only if its names are there already, its header is in another row, or one of the two plainly goes
on where the other has ended; and what stands below a blank row only if it begins with a header of its own. Our own names in another order,
or with others among them, are such a header wherever they stand: what is below them would go live under the wrong names.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from sftp_gateway.catalog.folding import fold
from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.csv import profile
from sftp_gateway.catalog.read.header import footer, heading, naming, ournames
from sftp_gateway.catalog.read.header.heading import Heading
from sftp_gateway.catalog.read.header.naming import Cells, Rows
from sftp_gateway.catalog.read.packing import unpack
from sftp_gateway.catalog.read.source import Hints, Numbers

Filled = npt.NDArray[np.bool_]
_BODY_ROWS = 20


class Grid(Struct, frozen=True, dict=True):
    """Whole columns of a sheet, each of as many texts."""

    columns: Sequence[pa.Array]
    filled: Filled
    """Row by column: whether a cell holds more than spaces."""
    numbers: Numbers = ()

    @classmethod
    def of(cls, columns: Sequence[pa.Array], numbers: Numbers = ()) -> "Grid":
        """Look which cells are filled."""
        marks = [pc.and_not(pc.greater(pc.binary_length(column), 0), pc.utf8_is_space(column)) for column in columns]
        count = len(columns[0]) if columns else 0
        filled = np.stack([np.asarray(mark) for mark in marks], axis=1) if marks else np.zeros((count, 0), bool)
        return cls(columns, filled, numbers)

    def part(self, left: int, right: int) -> "Grid":
        """Give the columns from `left` up to `right`."""
        return Grid(self.columns[left:right], self.filled[:, left:right], self.numbers[left:right])

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.filled)

    @cached_property
    def blocks(self) -> list[tuple[int, int]]:
        """Rows between blank ones: (first, behind the last)."""
        return _runs(np.any(self.filled, axis=1))

    @cached_property
    def sample(self) -> Rows:
        """The first rows, each as wide as the block it stands in; all rows of a small sheet."""
        count = self.rows if self.rows <= bounds.WHOLE_RECORDS else bounds.SAMPLE_RECORDS
        lists = [column.slice(0, count).to_pylist() for column in self.columns]
        cells = [[text[: bounds.RECORD_BYTES].encode() for text in row] for row in zip(*lists, strict=True)]
        found: list[Cells] = [() for _ in range(count)]
        for start, stop in self.blocks:
            if start >= count:
                break
            left, right = self.extent(start, stop)
            found[start:stop] = [row[left:right] for row in cells[start:stop]]
        return found

    def extent(self, start: int, stop: int) -> tuple[int, int]:
        """Which columns are filled in some rows: (first, behind the last)."""
        used = np.flatnonzero(self.filled[start:stop].any(axis=0))
        return (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)

    def block_of(self, row: int) -> tuple[int, int]:
        """Which columns are filled in the block of a row."""
        return self.extent(*next(((start, stop) for start, stop in self.blocks if start <= row < stop), (0, 0)))

    def heading(self, hints: Hints) -> Heading:
        """Find the header of the table to read."""
        return heading.find(self.sample, hints, whole=len(self.sample) == self.rows)

    def cells(self, row: int, left: int, right: int) -> list[str]:
        """Give some cells of a row."""
        return [column[row].as_py() for column in self.columns[left:right]]


def _runs(marks: Filled) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marks, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


class Band(Struct, frozen=True, dict=True):
    """Columns of a sheet in which one table stands, or several below one another."""

    left: int
    right: int
    grid: Grid
    hints: Hints

    @cached_property
    def head(self) -> Heading:
        """The header of its table; looked for only where it matters, for it takes long."""
        return self.grid.heading(self.hints)

    @property
    def last(self) -> int:
        """The last filled row."""
        return self.grid.blocks[-1][1] - 1 if self.grid.blocks else -1

    @property
    def body(self) -> Filled:
        """Which cells under the header are filled."""
        return self.grid.filled[self.head.last + 1 : self.last + 1]

    def columns(self, other: Filled) -> tuple[int, int, tuple[str, ...]]:
        """Give the columns of the table, (first, behind the last), and their names; `other`: rows of other tables.

        Those without a name are left out beyond what a file may have; FILE_FORMAT where one has a name.
        """
        row = max(self.head.first, 0)
        used = np.flatnonzero((self.grid.filled[row:] & ~other[row:, None]).any(axis=0))
        left, right = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
        limit = min(right, left + bounds.MAX_COLUMNS)
        if self.head.absent:
            return left, limit, tuple(f"#{number + 1}" for number in range(limit - left))
        begins, _ = self.grid.block_of(row)
        names = (*[""] * begins, *self.head.names, *[""] * right)
        if any(map(str.strip, names[limit:right])) and not self.hints.lenient:
            raise unpack.too_wide()
        return left, limit, names[left:limit]

    def rank(self) -> tuple[bool, int]:
        """Tables whose header is known come first, then larger ones."""
        return self.head.known > 1, int(self.body.any(axis=1).sum()) * (self.right - self.left > 1)


def bands(grid: Grid, hints: Hints) -> list[Band]:
    """Part a sheet into the tables that stand beside one another; most sheets have one."""
    runs = _runs(np.any(grid.filled, axis=0))
    parts = [_band(grid, left, right, hints) for left, right in runs] if len(runs) < 50 else []
    if len(parts) < 2:
        return [_band(grid, 0, len(grid.columns), hints)]
    found = parts[:1]
    for part in parts[1:]:
        if _apart(found[-1], part):
            found.append(part)
        else:
            found[-1] = _band(grid, found[-1].left, part.right, hints)
    return found


def _band(grid: Grid, left: int, right: int, hints: Hints) -> Band:
    return Band(left, right, grid.part(left, right), hints)


def _apart(one: Band, two: Band) -> bool:
    """Whether two parts of a sheet are tables of their own."""
    if min(one.right - one.left, two.right - two.left) < 2 or not (_is_table(one) and _is_table(two)):
        return False
    names, others = ({fold(name) for name in band.head.names if name.strip()} for band in (one, two))
    if names & others:
        return True
    if one.head.last != two.head.last:
        return True
    if one.head.known and two.head.known:
        return False
    if not (one.head.known or two.head.known) and _has_key(one) and _has_key(two):
        return True
    longer, shorter = (one, two) if one.last > two.last else (two, one)
    return bool(shorter.body.mean() >= 0.9) and _goes_on(longer, shorter.last + 1)


def _has_key(band: Band) -> bool:
    """Whether the first column of a part has a word in each row, all different, as a table of its own has."""
    texts = [band.grid.cells(row, 0, 1)[0] for row in range(band.head.last + 1, band.last + 1)]
    words = [text.strip() for text in texts if text.strip() and not naming.is_value(text.encode())]
    return len(texts) > 1 and len(set(words)) == len(texts)


def _is_table(band: Band) -> bool:
    """Whether a part has a header of words, and rows under it."""
    return len(band.body) > 0 and naming.begins_table([name.encode() for name in band.head.names])


def _goes_on(band: Band, row: int) -> bool:
    """Whether a part has products, no footers alone, from a row on."""
    width = band.right - band.left
    return any(
        not footer.is_footer(band.grid.cells(place, 0, width), width, ragged=True)
        for place in range(row, min(band.last + 1, row + bounds.FOOTER_RECORDS))
        if band.grid.filled[place].sum() * 2 > width
    )


def others_below(grid: Grid, head: Heading) -> tuple[Filled, list[tuple[int, str]]]:
    """Say which rows under a header belong to other tables, and where those begin: (row, its names)."""
    found, told = _shuffled(grid, head)
    blocks = [(max(start, head.last + 1), stop) for start, stop in grid.blocks if stop > head.last + 1]
    if len(blocks) < 2:
        return found, told
    ours = grid.filled[slice(*blocks[0])]
    always = np.flatnonzero(ours.mean(axis=0) >= 0.9) if len(ours) > 1 else np.zeros(0, np.int64)
    inside = titled = False
    for place, (start, stop) in enumerate(blocks[1:], 1):
        after = blocks[place + 1] if place + 1 < len(blocks) else (0, 0)
        top = _table_begins(grid, head, (start, stop), always)
        titled = top is None and stop - start == 1 and _is_title(grid, start)
        if titled and _table_begins(grid, head, after, always) is not None:
            found[start:stop] = True  # the title of the one that follows
        elif top is not None:
            inside, found[start:stop] = True, True
            told.append((top, ", ".join(grid.cells(top, *grid.extent(start, stop)))))
        else:
            inside = inside and not _fills(grid, (start, stop), always)
            found[start:stop] |= inside
    return found, told


def _shuffled(grid: Grid, head: Heading) -> tuple[Filled, list[tuple[int, str]]]:
    """Say which rows stand under names in another order, or with others among them, up to the header itself or the end, and where those begin."""
    found = np.zeros(grid.rows, np.bool_)
    told: list[tuple[int, str]] = []
    names = list(head.names)
    if head.absent or not naming.begins_table([name.encode() for name in names]):
        return found, told
    left, right = grid.block_of(max(head.first, 0))
    starts = np.asarray(pc.is_in(grid.columns[left], pa.array(names)))
    starts[: head.last + 1] = False
    inside, since, one_row = False, 0, head.first == head.last
    for row in np.flatnonzero(starts).tolist():
        cells = grid.cells(row, left, right)
        if (
            not inside
            and cells != names
            and (sorted(cells) == sorted(names) or (one_row and ournames.renames(cells, names)))
        ):
            inside, since = True, row
            told.append((row, ", ".join(cells)))
        elif inside and cells == names:
            inside, found[since:row] = False, True
    if inside:
        found[since:] = True
    return found, told


def _is_title(grid: Grid, row: int) -> bool:
    return int(grid.filled[row].sum()) == 1


def _fills(grid: Grid, block: tuple[int, int], always: npt.NDArray[np.int64]) -> bool:
    """Whether the rows of a block fill the columns that every product does."""
    return bool(grid.filled[slice(*block)][:, always].any(axis=0).all()) if len(always) else True


def _table_begins(grid: Grid, head: Heading, block: tuple[int, int], always: npt.NDArray[np.int64]) -> int | None:
    """Give the row with which another table begins in a block, be there a title over it; None if none does."""
    start, stop = block
    for top in (start, start + 1):
        if stop - top < 2 or (top > start and not _is_title(grid, start)):
            return None
        left, right = grid.extent(top, stop)
        names = [text.encode() for text in grid.cells(top, left, right)]
        if not naming.begins_table(names) or [name.decode() for name in names] == list(head.names):
            continue
        rows = [
            [text.encode() for text in grid.cells(row, left, right)]
            for row in range(top + 1, min(stop, top + _BODY_ROWS))
        ]
        if naming.contrasts(names, rows, least=2) or not _fills(grid, (top, stop), always):
            return top
        if naming.contrasts(names, rows) and not _fit(grid, head, (top + 1, stop)):
            return top
    return None


def _fit(grid: Grid, head: Heading, block: tuple[int, int]) -> bool:
    """Whether rows look like those right under the header: then one without a number over them is a product, too."""
    begins, ends = grid.block_of(max(head.last, 0))
    first = next((max(start, head.last + 1) for start, stop in grid.blocks if stop > head.last + 1), 0)
    ours, theirs = (
        [
            [text.encode() for text in grid.cells(row, begins, ends)]
            for row in range(start, min(stop, start + _BODY_ROWS))
        ]
        for start, stop in ((first, _stop(grid, first)), block)
    )
    kinds = [set(map(profile.kind, column)) - {""} for column in zip(*ours, strict=True)]
    return all(
        not cell.strip() or profile.kind(cell) in seen for row in theirs for cell, seen in zip(row, kinds, strict=True)
    )


def _stop(grid: Grid, row: int) -> int:
    return next((stop for start, stop in grid.blocks if start <= row < stop), row)
