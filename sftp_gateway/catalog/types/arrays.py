"""Cells of a list column that are JSON arrays of texts: the array says where each item ends."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from sftp_gateway.catalog.types import text
from sftp_gateway.catalog.types.cells import Cells, Rows, matches
from sftp_gateway.catalog.types.typing import Fault

_ARRAY = r"(?s)^\[.*\]$"
_SCALARS = (str, bool, type(None))


class Arrays(Struct, frozen=True):
    """The rows whose cells are arrays, and all items that are not blank, each with the place of its row in `rows`."""

    rows: Rows
    items: Any
    parents: Rows
    faults: list[Fault]


def find(cells: Cells) -> Arrays | None:
    """Take the arrays of a column apart; None if it has none. Items lose control characters, and white space around them."""
    if not cells.has(b"["):
        return None
    sent = cells.trimmed.array
    likely = np.flatnonzero(matches(sent, _ARRAY))
    read = [(row, items) for row in likely.tolist() if (items := _items(sent[row].as_py())) is not None]
    if not read:
        return None
    rows = np.array([row for row, _ in read], np.int64)
    parents = np.repeat(np.arange(len(read)), [len(items) for _, items in read])
    words = Cells(pa.array([item for _, items in read for item in items], pa.string())).trimmed
    values, told = text.without_controls(words, words.array)
    filled = np.asarray(pc.fill_null(pc.not_equal(values, ""), False))
    faults = [Fault(f.code, np.unique(rows[parents[f.rows]]), f.message, f.suggestion, f.severity) for f in told]
    return Arrays(rows, values.filter(pa.array(filled)), parents[filled], faults)


def _items(cell: str) -> list[str] | None:
    try:
        items = json.loads(cell, parse_int=str, parse_float=str)
        if not isinstance(items, list) or not all(isinstance(item, _SCALARS) for item in items):
            return None
        written = [_written(item) for item in items]
        "".join(written).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError):
        return None
    return written


def _written(item: str | bool | None) -> str:
    return "" if item is None else str(item).lower() if isinstance(item, bool) else item
