"""Rows of the wrong width where there are many: those without quotes are told at once, by counting their delimiters.

Just what `Stretch.judge_width` would say of each; whatever it might repair or take for blank is left to it.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.csv import returned
from sftp_gateway.catalog.read.csv.dialect import DELIMITERS
from sftp_gateway.catalog.read.csv.records import Positions
from sftp_gateway.catalog.read.csv.stretch import REJECT, Stretch
from sftp_gateway.catalog.read.rejects import NONE, UNASKED, Rejects, slices
from sftp_gateway.catalog.types.cells import table

_MOST_BYTES = 65536
"""Of a longer record not all cells are shown wherever it is looked at."""
_MOST_DOUBTED = 2000
"""Of more records in a block all cells are taken to be under their headers: it is looked at one by one."""
_SPACES = b" \t\n\r\x0b\x0c"
_BLANK = table(_SPACES)


def judge(stretch: Stretch, clean: Positions) -> None:
    """Reject those of the clean records whose width is wrong and that can be read in no other way."""
    if stretch.layout is not None or stretch.fills:
        return  # whether ours stand in the row of a correction, or blanks may be put behind it, is looked at one by one
    text = stretch.text
    width, codes = text.width, np.frombuffer(text.data, np.uint8)
    columns = 1 + _count(text.data, text.dialect.mark, stretch.records.start[clean], stretch.records.end[clean])
    ragged = (columns < width - stretch.spare) | ((columns > width) & (columns <= bounds.MAX_COLUMNS))
    clean, columns = clean[ragged], columns[ragged]
    start, end = stretch.records.start[clean], stretch.records.end[clean]
    first, last = codes[np.minimum(start, len(codes) - 1)], codes[end - 1]
    chosen = (end > start) & (end - start <= _MOST_BYTES) & ~_BLANK[first]
    # The cells too many may all be blank.
    chosen &= (columns < width) | ~(_BLANK[last] | (last == text.dialect.delimiter_byte))
    chosen &= stretch.records.lines_before(start) == stretch.records.lines_before(end)
    for sign in filter(None, (text.dialect.sign, b"\\")):  # by a backslash a delimiter may be text
        chosen &= _count(text.data, sign, start, end) == 0
    for delimiter in DELIMITERS:
        if delimiter != text.dialect.delimiter:
            chosen &= _count(text.data, delimiter.encode(), start, end) != width - 1
    places = np.flatnonzero(chosen & (first == text.dialect.delimiter_byte))
    edges = zip(start[places].tolist(), end[places].tolist(), strict=True)
    chosen[places] = [bool(text.data[begin:stop].strip(_SPACES + text.dialect.mark)) for begin, stop in edges]
    stretch.kinds[clean[chosen]] = REJECT


def _count(data: bytes, sign: bytes, start: Positions, end: Positions) -> Positions:
    if sign not in data:
        return np.zeros(len(start), np.int64)
    places = np.flatnonzero(np.frombuffer(data, np.uint8) == ord(sign))
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
        told = replace(said, row=row, line=line[index], byte_offset=offset[index], data=data, start=begins, end=ends)
        return replace(told, ask=stretch.sure_of)

    found = placed(Rejects.of([stretch.told[i] for i in index[told].tolist()]), index[told])
    if told.all():
        return found
    return found.joined(placed(_said_at_once(stretch, index[~told]), index[~told]))


def _said_at_once(stretch: Stretch, index: Positions) -> Rejects:
    """Say what is wrong with ragged records, and take them apart."""
    starts, ends = stretch.records.start[index], stretch.records.end[index]
    records = slices(stretch.text.data, starts, ends).view(pa.string())
    cells = pc.split_pattern(records, stretch.text.dialect.delimiter)
    widths, which = np.unique(np.diff(np.asarray(cells.offsets)), return_inverse=True)
    said = [returned.say_width(int(columns), stretch.text.width) for columns in widths]
    take = pa.array(which)
    message, suggestion = (pa.array(texts, pa.string()).take(take) for texts in zip(*said, strict=True))
    sure = np.diff(np.asarray(cells.offsets)).astype(np.int64)
    sure[:_MOST_DOUBTED] = UNASKED
    code = pa.repeat("ROW_COLUMNS", len(index))
    return replace(NONE, code=code, message=message, suggestion=suggestion, cells=cells, sure=sure)
