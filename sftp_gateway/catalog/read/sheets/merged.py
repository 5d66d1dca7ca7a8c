"""Cells of a sheet that are merged with those below them: the file has their text once, a person sees it beside every row.

Across columns nothing is filled in: what is merged stands in the first of them. Titles between products look so.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog.read.sheets.grid import Filled
from sftp_gateway.catalog.read.source import Numbers, Rows

Range = tuple[tuple[int, int], tuple[int, int]]
"""First and last cell, each (row, column), from 0."""


def filled_down(
    columns: Sequence[pa.Array], numbers: Numbers, ranges: Iterable[Range], begins: tuple[int, int], rows: Filled
) -> tuple[list[pa.Array], Numbers]:
    """Give columns, and which of their cells are numbers, with each merged cell in all its rows, if those hold anything else (`rows`).

    `begins`: the first row that may have one, and the column of the ranges that is the first of `columns`.
    """
    found, marks, (first, column) = list(columns), list(numbers), begins
    by_place: dict[int, list[tuple[int, int]]] = {}
    for (top, left), (bottom, right) in ranges:
        if first <= top < bottom and left <= right and 0 <= left - column < len(columns):
            by_place.setdefault(left - column, []).append((top, min(bottom, len(rows) - 1)))
    for place, spans in by_place.items():
        source, mark = _sources(columns[place], spans, rows), marks[place]
        found[place] = found[place].take(pa.array(source))
        marks[place] = None if mark is None else mark[source]
    return found, tuple(marks)


def _sources(column: pa.Array, spans: list[tuple[int, int]], rows: Filled) -> Rows:
    source = np.arange(len(column))
    behind = 0
    for top, bottom in sorted(spans):
        if top >= behind:  # none overlap another, but a stranger's might, all of them
            source[top + 1 : bottom + 1] = top
            behind = bottom + 1
    blank = np.asarray(pc.equal(column, ""))
    return np.where(blank & rows, source, np.arange(len(column)))
