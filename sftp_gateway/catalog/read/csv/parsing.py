"""The cells of a stretch's clean records by Arrow's parser; where its rows and refusals do not add up, record by record."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.csv import careful, ragged
from sftp_gateway.catalog.read.csv.careful import Text
from sftp_gateway.catalog.read.csv.records import one_by_one
from sftp_gateway.catalog.read.csv.stretch import CLEAN, UNDECODABLE, Stretch
from sftp_gateway.catalog.read.text import survey


def parse(stretch: Stretch) -> bool:
    """Parse the clean records; False if some proved not to be and all must be parsed again."""
    clean = np.flatnonzero(stretch.kinds == CLEAN)
    refused = _Refused(bounds.RAGGED_RECORDS)
    data = _joined(stretch, clean)
    # Before parsing: Arrow cannot hand over a refused row that is not UTF-8.
    if not stretch.clean and not survey.is_utf8(data) and _reject_undecodable(stretch, clean):
        return False
    table = _arrow(data, stretch.text, refused)
    if table is None and refused.enough:
        ragged.judge(stretch, clean)
        clean, refused = np.flatnonzero(stretch.kinds == CLEAN), _Refused(len(clean))
        table = _arrow(_joined(stretch, clean), stretch.text, refused)
    if table is None or table.num_rows + len(refused.numbers) != len(clean):
        return _parse_slowly(stretch, clean)
    lost = clean[np.array(refused.numbers, np.int64) - 1]
    if _tell_apart_anew(stretch, lost):
        return False
    for index in lost.tolist():
        stretch.judge_width(index)
    stretch.parsed = np.delete(clean, np.searchsorted(clean, lost))
    stretch.columns = [
        column.combine_chunks() if column.num_chunks != 1 else column.chunk(0) for column in table.columns
    ]
    return True


class _Refused:
    """The numbers of the rows that Arrow refuses; more than `most` of them, and it stops with an error."""

    def __init__(self, most: int) -> None:
        self.numbers: list[int] = []
        self._most = most

    def __call__(self, row: Any) -> str:
        self.numbers.append(row.number)
        return "error" if self.enough else "skip"

    @property
    def enough(self) -> bool:
        return len(self.numbers) > self._most


def _joined(stretch: Stretch, clean: npt.NDArray[np.int64]) -> pa.Buffer:
    """Give the bytes of the clean records, one after the other; no copy where nothing stands between them."""
    records, data = stretch.records, stretch.text.data
    if not len(clean):
        return pa.py_buffer(b"")
    starts, stops = records.start[clean], records.stop[clean]
    gaps = np.flatnonzero(starts[1:] != stops[:-1])
    if not len(gaps):
        return pa.py_buffer(data).slice(int(starts[0]), int(stops[-1] - starts[0]))
    begins = starts[np.concatenate([[0], gaps + 1])]
    finishes = stops[np.concatenate([gaps, [len(stops) - 1]])]
    spans = zip(begins.tolist(), finishes.tolist(), strict=True)
    return pa.py_buffer(b"".join([data[begin:finish] for begin, finish in spans]))


def _arrow(data: pa.Buffer, text: Text, refused: "_Refused") -> pa.Table | None:
    """Parse records; None where Arrow gives up."""
    names = [str(number) for number in range(text.width)]

    if not data.size:
        return pa.table({name: pa.array([], pa.string()) for name in names})
    # Not read_csv, which hands the bytes over to another thread first: half a millisecond for a small file.
    try:
        reader = pa.csv.open_csv(
            pa.BufferReader(data),
            # One Arrow block for all: row numbers are exact only so, and only with a single thread.
            read_options=pa.csv.ReadOptions(column_names=names, block_size=data.size + 1, use_threads=False),
            parse_options=pa.csv.ParseOptions(
                delimiter=text.dialect.delimiter,
                quote_char=text.dialect.quote or False,
                double_quote=True,
                escape_char=False,
                newlines_in_values=True,
                ignore_empty_lines=True,
                invalid_row_handler=refused,
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=False
            ),
        )
        return reader.read_all()
    except pa.ArrowInvalid:
        return None


def _reject_undecodable(stretch: Stretch, clean: npt.NDArray[np.int64]) -> bool:
    found = False
    for index in clean.tolist():
        record = stretch.bytes_of(index)
        if not record.isascii() and not survey.is_utf8(record):
            stretch.give_up(index, *UNDECODABLE)
            found = True
    return found


def _parse_slowly(stretch: Stretch, clean: npt.NDArray[np.int64]) -> bool:
    rows: list[list[str]] = []
    kept: list[int] = []
    for index in clean.tolist():
        cells = stretch.text.dialect.cells(stretch.bytes_of(index))
        if cells is None or len(cells) != stretch.text.width:
            stretch.judge_width(index)
        else:
            rows.append([cell.decode() for cell in cells])
            kept.append(index)
    stretch.parsed = np.array(kept, np.int64)
    stretch.columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(stretch.text.width)]
    return True


def _tell_apart_anew(stretch: Stretch, lost: npt.NDArray[np.int64]) -> bool:
    """Split the records over several lines whose width is wrong: a quote that is not closed may have made them.

    False if they all really are one.
    """
    records, found = stretch.records, False
    for index in lost[::-1].tolist():  # from the end, so that the others stay where they are
        record = stretch.text.data[int(records.start[index]) : int(records.stop[index])]
        if careful.LINE_END.search(stretch.bytes_of(index)) is None:
            continue
        anew = one_by_one(Text(record, stretch.text.dialect, stretch.text.width, final=True))
        if len(anew.start) > 1 or any(each.code != "ROW_COLUMNS" for each in anew.odd.values()):
            records, found = records.replaced(index, anew), True
    if found:
        stretch.records = records
        stretch.forget()
    return found
