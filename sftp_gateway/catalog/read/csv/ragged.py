"""Rows of the wrong width where there are many: those without quotes are told at once, by counting their delimiters.

Just what `Stretch.judge_width` would say of each; whatever it might repair or take for blank is left to it.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.csv import returned
from sftp_gateway.catalog.read.csv.dialect import DELIMITERS
from sftp_gateway.catalog.read.csv.records import Positions
from sftp_gateway.catalog.read.csv.stretch import REJECT, Stretch
from sftp_gateway.catalog.read.rejects import NONE, Rejects

_MOST_BYTES = 65536
"""Of a longer record not all cells are shown wherever it is looked at."""
_MOST_DOUBTED = 2000
"""Of more records in a block all cells are taken to be under their headers: it is looked at one by one."""
_SPACES = b" \t\n\r\x0b\x0c"


def judge(stretch: Stretch, clean: Positions) -> None:
    """Reject those of the clean records whose width is wrong and that can be read in no other way."""
    if stretch.layout is not None or stretch.fills:
        return  # whether ours stand in the row of a correction, or blanks may be put behind it, is looked at one by one
    text = stretch.text
    codes = np.frombuffer(text.data, np.uint8)
    start, end = stretch.records.start[clean], stretch.records.end[clean]
    columns = _count(codes, text.dialect.delimiter_byte, start, end) + 1
    chosen = (columns != text.width) & (columns <= bounds.MAX_COLUMNS) & (end > start) & (end - start <= _MOST_BYTES)
    for byte in (text.dialect.quote_byte, *b"\r\n"):
        chosen &= _count(codes, byte, start, end) == 0
    blank = np.zeros(256, np.bool_)
    blank[list(_SPACES)] = True
    chosen &= ~blank[codes[np.minimum(start, len(codes) - 1)]]
    chosen &= (columns < text.width - stretch.spare) | (columns > text.width)
    blank[text.dialect.delimiter_byte] = True
    chosen &= (columns < text.width) | ~blank[codes[end - 1]]  # the cells too many may all be blank
    places = np.flatnonzero(chosen & blank[codes[np.minimum(start, len(codes) - 1)]])
    chosen[places] = _filled(stretch, start[places], end[places])
    if b"\\" in text.data:
        chosen &= _count(codes, ord("\\"), start, end) == 0  # a delimiter may be text by it
    for delimiter in DELIMITERS:
        if delimiter != text.dialect.delimiter:
            chosen &= _count(codes, ord(delimiter), start, end) != text.width - 1
    stretch.kinds[clean[chosen]] = REJECT


def _filled(stretch: Stretch, start: Positions, end: Positions) -> list[bool]:
    """Tell of records whether a cell holds anything."""
    data, nothing = stretch.text.data, _SPACES + stretch.text.dialect.mark
    return [bool(data[one:other].strip(nothing)) for one, other in zip(start.tolist(), end.tolist(), strict=True)]


def _count(codes: npt.NDArray[np.uint8], byte: int, start: Positions, end: Positions) -> Positions:
    """How often a byte stands in each record."""
    places = np.flatnonzero(codes == byte) if byte >= 0 else np.zeros(0, np.int64)
    counts: Positions = np.searchsorted(places, end) - np.searchsorted(places, start)
    return counts


def rejects(stretch: Stretch, line: Positions, offset: Positions, end: Positions) -> Rejects:
    """Give all rejected records of a stretch."""
    index = np.flatnonzero(stretch.kinds == REJECT)
    told = np.isin(index, np.fromiter(stretch.told, np.int64, len(stretch.told)))

    def placed(said: Rejects, index: Positions) -> Rejects:
        begins = offset[index] - stretch.place.offset
        ends = np.minimum(end[index] - stretch.place.offset, begins + bounds.RECORD_BYTES)
        row, data = index + stretch.place.row + 1, stretch.recoded.raw
        return replace(said, row=row, line=line[index], byte_offset=offset[index], data=data, start=begins, end=ends)

    found = placed(Rejects.of([stretch.told[i] for i in index[told].tolist()]), index[told])
    if told.all():
        return found
    return found.joined(placed(_said_at_once(stretch, index[~told]), index[~told]))


def _said_at_once(stretch: Stretch, index: Positions) -> Rejects:
    """Say what is wrong with ragged records, and take them apart."""
    starts, ends = stretch.records.start[index], stretch.records.end[index]
    cells = pc.split_pattern(_texts(stretch.text.data, starts, ends), stretch.text.dialect.delimiter)
    widths, which = np.unique(np.diff(np.asarray(cells.offsets)), return_inverse=True)
    said = [returned.say_width(int(columns), stretch.text.width) for columns in widths]
    take = pa.array(which)
    message, suggestion = (pa.array(texts, pa.string()).take(take) for texts in zip(*said, strict=True))
    code, sure = pa.repeat("ROW_COLUMNS", len(index)), _sure(stretch, index, cells)
    return replace(NONE, code=code, message=message, suggestion=suggestion, cells=cells, sure=sure)


def _sure(stretch: Stretch, index: Positions, cells: pa.ListArray) -> Positions:
    """How many cells of each record stand under their own headers."""
    sure: Positions = np.diff(np.asarray(cells.offsets)).astype(np.int64)
    mark = stretch.text.dialect.mark
    for place, record in enumerate(index[:_MOST_DOUBTED].tolist()):
        sure[place] = stretch.sure_of(stretch.bytes_of(record).split(mark))
    return sure


def _texts(data: bytes, starts: Positions, ends: Positions) -> pa.Array:
    """Give stretches of UTF-8 as texts."""
    edges = np.stack([starts, ends], axis=1).ravel().astype(np.int32)
    # every second piece is what lies between two of them
    pieces = pa.Array.from_buffers(pa.binary(), len(edges) - 1, [None, pa.py_buffer(edges), pa.py_buffer(data)])
    return pieces.take(pa.array(np.arange(0, len(edges) - 1, 2))).view(pa.string())
