"""Cells of a sheet that are merged with those below them: the file has their text once, a person sees it beside every row.

Across columns nothing is filled in: what is merged stands in the first of them. Titles between products look so.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog.read.sheets.grid import Filled
from sftp_gateway.catalog.read.source import Rows

Range = tuple[tuple[int, int], tuple[int, int]]
"""First and last cell, each (row, column), from 0."""


def filled_down(columns: Sequence[pa.Array], ranges: Iterable[Range], first: int, rows: Filled) -> list[pa.Array]:
    """Give columns with the text of each merged cell in all its rows from `first` on, if those hold anything else (`rows`)."""
    found = list(columns)
    for place, source in sources(columns, ranges, first, rows).items():
        found[place] = found[place].take(pa.array(source))
    return found


def sources(columns: Sequence[pa.Array], ranges: Iterable[Range], first: int, rows: Filled) -> dict[int, Rows]:
    """Give the row from which each row's cell comes, by the place of a column with merged cells."""
    by_column: dict[int, list[tuple[int, int]]] = {}
    for (top, left), (bottom, right) in ranges:
        if first <= top < bottom and 0 <= left <= right and left < len(columns):
            by_column.setdefault(left, []).append((top, min(bottom, len(rows) - 1)))
    return {place: _sources(columns[place], spans, rows) for place, spans in by_column.items()}


def moved(ranges: Iterable[Range], left: int) -> Iterator[Range]:
    """Give ranges with their columns counted from column `left` on."""
    for (top, first), (bottom, last) in ranges:
        yield (top, first - left), (bottom, last - left)


def _sources(column: pa.Array, spans: list[tuple[int, int]], rows: Filled) -> Rows:
    source = np.arange(len(column))
    behind = 0
    for top, bottom in sorted(spans):
        if top >= behind:  # none overlap another, but a stranger's might, all of them
            source[top + 1 : bottom + 1] = top
            behind = bottom + 1
    blank = np.asarray(pc.equal(column, ""))
    return np.where(blank & rows, source, np.arange(len(column)))
