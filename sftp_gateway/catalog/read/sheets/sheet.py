"""XLSX, XLS and ODS as a `Source`, through calamine: every cell as the text that a person sees, nothing guessed."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import python_calamine
from msgspec.structs import replace

from sftp_gateway import errors
from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.read import escaping, table, texts
from sftp_gateway.catalog.read.csv import returned
from sftp_gateway.catalog.read.packing import unpack
from sftp_gateway.catalog.read.sheets import biff, biffcells, grid, mending, merged, partnames, rounded, workbook
from sftp_gateway.catalog.read.sheets.grid import Filled, Grid
from sftp_gateway.catalog.read.sheets.seen import Seen
from sftp_gateway.catalog.read.source import Block, Format, Hints, Numbers, Source, Tally, chosen

_BLOCK_ROWS = 16384
_OTHER_SHEETS = 5
_READ_ROWS = 4096
"""Turned into columns at a time, while their cells are still in the processor's cache."""
_UNREADABLE: tuple[type[Exception], ...] = (
    *unpack.DAMAGED,
    python_calamine.CalamineError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
)


class SheetSource(Source, kw_only=True):
    """One sheet of a workbook, held in memory; `first` is the row number of the first row after the header."""

    columns: Sequence[pa.Array]
    """The sender's columns, from the sheet's first row on."""
    numbers: Numbers
    first: int
    header: list[tuple[str, ...]]
    around: Tally
    """What stands above the header, and behind `end`."""
    other: Filled
    """Which rows belong to other tables."""
    end: int
    """Behind the last row that does not."""
    late: tuple[Finding, ...] = ()

    def blocks(self) -> Iterator[Block]:
        """Read the rows under the header."""
        self.tally = replace(self.around, late=list(self.late))
        end, layout = self.end, returned.Layout(self.headers)
        for start in range(self.first - 1, end, _BLOCK_ROWS):
            rows = slice(start, min(start + _BLOCK_ROWS, end))
            columns = [column[rows] for column in self.columns]
            final = rows.stop == end
            other, numbers = self.other[rows], chosen(self.numbers, rows)
            block = table.block(columns, start + 1, self.tally, self.header, final=final, other=other, numbers=numbers)
            yield returned.block(escaping.unescaped(block), layout, self.tally) if self.correction_of else block
        if self.tally.readable + self.tally.rejected == 0:
            text = f"The sheet {self.format.sheet!r} has a header but no rows."
            raise errors.Refused("FILE_EMPTY", text, "Send a file with products, or name their sheet.")


def open_sheet(path: Path, kind: str, hints: Hints) -> SheetSource:
    """Open a workbook (`kind` xlsx, xls or ods): its first visible sheet that is not empty, or the one the brand names."""
    with _damage_told(kind):
        doubtful, spans = workbook.check(path, kind, hints)
        copy = partnames.usual(path, hints) if kind == "xlsx" else None
        if copy:
            doubtful, spans = workbook.check(copy.path, kind, hints)
        found, whole, others = _read(copy.path if copy else path, kind, hints, doubtful)
        begins = (found.start or (0, 0))[1]
        if kind == "xls" and doubtful:
            whole = biffcells.find(biff.workbook(path, hints), found.name).put_into(whole, begins)
        merges = found.merged_cell_ranges or spans.get(found.name, [])
    every = grid.bands(whole, hints)
    band = max(every, key=grid.Band.rank)
    head = band.head
    other, below = grid.others_below(band.grid, head)
    left, right, names = band.columns(other)
    headers = escaping.own_headers(escaping.our_names(names))
    filled = np.any(band.grid.filled, axis=1)
    titles = int(filled[: max(head.first, 0)].sum())
    end = _end(other, filled)
    said = f"{titles} row{'s were' if titles > 1 else ' was'} skipped above the header." if titles else ""
    ours = np.any(band.grid.filled[:, left:right], axis=1) & ~other
    columns, numbers = merged.filled_down(
        band.grid.columns[left:right],
        band.grid.numbers[left:right],
        merges,
        (head.last + 1, begins + band.left + left),
        ours,
    )
    return SheetSource(
        format=Format(kind, sheet=found.name),
        headers=headers,
        findings=(
            *head.said(said),
            *(_beside(one) for one in every if one is not band),
            *_elsewhere(others, found.name),
        ),
        tally=Tally(total_bytes=path.stat().st_size),
        columns=columns,
        numbers=numbers,
        first=head.last + 2,
        header=[tuple(band.grid.cells(place, left, right)) for place in range(head.first, head.last + 1)],
        around=_around(filled, head.first, end, path.stat().st_size),
        other=other,
        end=end,
        late=tuple(Finding("FILE_FOOTER", _below(row, names)) for row, names in below),
    )


def _around(filled: Filled, first: int, end: int, size: int) -> Tally:
    """Count the rows above the header, which is row `first`, and from `end` on: titles, other tables and blank ones."""
    rows = np.concatenate([filled[: max(first, 0)], filled[end:]])
    skipped = int(rows.sum())
    return Tally(total_bytes=size, readable_bytes=size, skipped=skipped, blank=len(rows) - skipped)


@contextlib.contextmanager
def _damage_told(kind: str) -> Iterator[None]:
    """Refuse what the library cannot read, however it says so."""
    try:
        yield
    except _UNREADABLE as error:
        raise unpack.damaged(kind.upper(), error) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of no module that could be imported; no Exception, either
            raise
        raise unpack.damaged(kind.upper(), ValueError(str(error))) from error


def _read(path: Path, kind: str, hints: Hints, doubtful: bool) -> tuple[python_calamine.CalamineSheet, Grid, list[str]]:
    """Read the sheet with the products, mended where it is doubtful or the library gives up; gives the names of the others, too."""
    if kind == "xls":
        return _read_known(path, hints)
    with contextlib.suppress(python_calamine.CalamineError):
        return _read_known(mending.copy(path, kind, unread=False) if doubtful else path, hints)
    return _read_known(mending.copy(path, kind, unread=True), hints)


def _read_known(file: Path | BinaryIO, hints: Hints) -> tuple[python_calamine.CalamineSheet, Grid, list[str]]:
    with python_calamine.load_workbook(file) as book:
        found, whole = _sheet(book, hints)
        return found, whole, _unread(book, found.name)


def _below(row: int, names: str) -> str:
    return f"Another table, from row {row + 1} on ({names[:80]}), was skipped."


def _beside(band: grid.Band) -> Finding:
    names = ", ".join(name for name in band.head.names if name.strip())
    return Finding("FILE_PREAMBLE", f"Another table, beside the one that was read ({names[:80]}), was skipped.")


def _unread(book: python_calamine.CalamineWorkbook, name: str) -> list[str]:
    """Name the other sheets that a person sees something on; of many, only the first are opened to find that out."""
    others = [sheet for sheet in _seen_first(book, hidden=False) if sheet != name]
    return [sheet for sheet in others[:_OTHER_SHEETS] if _is_filled(book, sheet)] + others[_OTHER_SHEETS:]


def _is_filled(book: python_calamine.CalamineWorkbook, name: str) -> bool:
    try:
        return book.get_sheet_by_name(name).height > 0
    except _UNREADABLE:
        return False  # a chart, or something nobody asked for


def _elsewhere(others: list[str], name: str) -> list[Finding]:
    if not others:
        return []
    named = ", ".join(repr(other[:40]) for other in others[:5]) + " …" * (len(others) > 5)
    text = f"Only the sheet {name!r} was read; {named} {'was' if len(others) == 1 else 'were'} not."
    return [Finding("FILE_PREAMBLE", text, "Put all products on one sheet, or name the sheet that is to be read.")]


def _end(other: Filled, filled: Filled) -> int:
    """Where the rows end behind which there are only other tables."""
    ours = np.flatnonzero(filled & ~other)
    return int(ours[-1]) + 1 if other.any() and len(ours) else len(other)


def _sheet(book: python_calamine.CalamineWorkbook, hints: Hints) -> tuple[python_calamine.CalamineSheet, Grid]:
    names = _seen_first(book)
    if hints.sheet and hints.sheet not in names:
        raise errors.Refused(
            "FILE_FORMAT",
            f"The workbook has no sheet {hints.sheet!r}; it has {', '.join(names[:10])}.",
            "Name the sheet so, or change the setting `sheet` of this brand.",
        )
    for name in [hints.sheet] if hints.sheet else names:
        found = book.get_sheet_by_name(name)
        whole = _texts(found)
        if whole.filled.any():
            return found, whole
    raise errors.Refused("FILE_EMPTY", "No sheet of the workbook has a filled cell.", "Send a sheet with products.")


def _seen_first(book: python_calamine.CalamineWorkbook, *, hidden: bool = True) -> list[str]:
    """Name the sheets in their order, hidden ones last or not at all: who sends a workbook means what is seen of it."""
    visible = python_calamine.SheetVisibleEnum.Visible
    found = sorted(book.sheets_metadata, key=lambda sheet: sheet.visible != visible)
    return [sheet.name for sheet in found if hidden or sheet.visible == visible]


def _texts(sheet: python_calamine.CalamineSheet) -> Grid:
    rows, count = iter(sheet.iter_rows()), 0
    columns: list[_Column] = []
    while chunk := list(itertools.islice(rows, _READ_ROWS)):
        columns = columns or [_Column() for _ in chunk[0]]
        for column, values in zip(columns, zip(*chunk, strict=True), strict=True):
            column.add(count, values)
        count += len(chunk)
    seen = Seen()
    for place, column in enumerate(columns):
        for row, text in rounded.shown(column.large).items():
            seen.add(row, place, text)
    numbers = tuple(column.numbers() for column in columns)
    return seen.put_into(Grid.of([pa.concat_arrays(column.parts) for column in columns], numbers), 0)


class _Column:
    """The texts of a column so far, its large numbers by row, and which cells are numbers with a fraction."""

    def __init__(self) -> None:
        self.parts: list[pa.Array] = []
        self.large: dict[int, float] = {}
        self.fractions: list[Filled] = []

    def add(self, first: int, values: Sequence[Any]) -> None:
        """Add the values of more rows, the first of which is that of number `first`."""
        try:
            found = pa.array(values, pa.string())  # most columns are texts only
            self.fractions.append(np.zeros(len(values), np.bool_))
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            found = pa.array(map(texts.in_sheet, values), pa.string(), size=len(values))
            if pc.max(pc.binary_length(found)).as_py() > rounded.DIGITS:
                self.large |= {row: value for row, value in enumerate(values, first) if rounded.is_large(value)}
            self.fractions.append(np.fromiter(map(_is_fraction, values), np.bool_, len(values)))
        self.parts.append(found)

    def numbers(self) -> Filled | None:
        """Tell which cells are numbers with a fraction; None: none is."""
        found = np.concatenate(self.fractions)
        return found if found.any() else None


def _is_fraction(value: Any) -> bool:
    return isinstance(value, float) and value % 1 != 0
