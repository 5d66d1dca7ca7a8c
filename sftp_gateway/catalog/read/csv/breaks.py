"""Line ends that nobody quoted: a row cut in its first or last cell leaves a whole row beside a line of one cell.

Either would go live with half a value, or under half a key. What tells is what the columns hold: a half looks like no
other cell of its column, and does with the line beside it; or that line is a value, as no title is.
"""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from msgspec.structs import replace

from sftp_gateway.catalog.read.csv.dialect import DELIMITERS
from sftp_gateway.catalog.read.csv.profile import completes, kind, may_be_one
from sftp_gateway.catalog.read.csv.stretch import CLEAN, KNOWN, REJECT, REPAIRED, Stretch
from sftp_gateway.catalog.read.header import naming

_MOST = 1000
"""So many lines of one cell are looked at in a block: where there are more, they are something else."""
_MOST_BYTES = 4096
_FEW = 2
"""Of more such lines or runs of them, those that are values may be titles: years."""
_WORDS = 4
"""A line of so many words is more than a title."""


def judge(stretch: Stretch) -> None:
    """Reject the rows of which a line of one cell beside them may be the other half."""
    runs: list[list[int]] = []
    for index in itertools.islice(_lines(stretch), _MOST):
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    for run in runs:
        for place, below in _in_doubt(stretch, run[0], run[-1], few=len(runs) <= _FEW):
            _give_up(stretch, place, below=below)


def _lines(stretch: Stretch) -> Iterator[int]:
    """Find the rejected records of one cell."""
    if stretch.text.width < 2:
        return
    data, delimiter, records = stretch.text.data, stretch.text.dialect.mark, stretch.records
    for index in np.flatnonzero(stretch.kinds == REJECT).tolist():
        if data.find(delimiter, int(records.start[index]), int(records.end[index])) >= 0:
            continue  # most of them, at once
        if _half(stretch, index) is not None:
            yield index


def _in_doubt(stretch: Stretch, first: int, last: int, *, few: bool) -> list[tuple[int, bool]]:
    """Give the rows beside the lines `first` to `last`, and whether below them, of which those may be a half.

    Of both, unless one needs them to look like the others. `few`: there are no others in between the rows, so that a
    value is no title (a year).
    """
    above, below = _row(stretch, first - 1), _row(stretch, last + 1)
    half, end = _half(stretch, first) or b"", _half(stretch, last) or b""
    found, sure = [], []
    if above is not None:
        column, cell = stretch.text.width - 1, above[-1]
        others = stretch.profile.others(column, cell)
        if completes(cell, cell + half, others) or completes(cell, cell + b" " + half, others):
            sure.append((first - 1, False))
        elif (few and _is_value_of(stretch, column, half) and may_be_one(cell, half, others)) or (
            below is not None and _goes_on(cell, half, others, column)
        ):
            found.append((first - 1, False))
    if below is not None:
        cell = below[0]
        others = stretch.profile.others(0, cell)
        if completes(cell, end + cell, others):
            sure.append((last + 1, True))
        elif (
            _is_parted(cell, end, others)
            or (few and _is_value_of(stretch, 0, end) and may_be_one(end, cell, others))
            or _are_halves(end, cell, others)
        ):
            found.append((last + 1, True))
    return sure or found


def _give_up(stretch: Stretch, index: int, *, below: bool) -> None:
    """Reject a row; of one that begins in the line above the key is in doubt, too."""
    where = "first cell may begin in the line above" if below else "last cell may go on in the line below"
    said = f"The row's {where}: a line end stands in it without quotes."
    stretch.give_up(index, "ROW_COLUMNS", said, "Quote cells that have line ends in them.")
    if below:
        stretch.told[index] = replace(stretch.told[index], cells=(), sure=0)


def _half(stretch: Stretch, index: int) -> bytes | None:
    """Give the only cell of a rejected record, None if it has more or is damaged otherwise."""
    told = stretch.told.get(index)
    record, others = stretch.bytes_of(index), (mark for mark in DELIMITERS if mark != stretch.text.dialect.delimiter)
    if (
        stretch.kinds[index] != REJECT
        or len(record) > _MOST_BYTES
        or (told is not None and told.finding.code != "ROW_COLUMNS")
    ):
        return None
    quote = stretch.text.dialect.sign
    cells = stretch.text.dialect.cells(record)
    if cells is None or len(cells) != 1 or (quote and quote in record) or naming.is_comment(cells):
        return None
    if any(record.count(mark.encode()) == stretch.text.width - 1 for mark in others):
        return None  # separated otherwise
    return cells[0]


def _row(stretch: Stretch, index: int) -> list[bytes] | None:
    """Give the cells of a row that is kept, None if there is none."""
    if not 0 <= index < len(stretch.kinds) or stretch.kinds[index] not in (CLEAN, KNOWN, REPAIRED):
        return None
    return stretch.text.dialect.cells(stretch.bytes_of(index))


def _is_parted(cell: bytes, half: bytes, others: Sequence[bytes]) -> bool:
    """Whether a space stands where a line would be cut, as at no other cell's edge."""
    return half[-1:] == b" " and cell.strip() != b"" and not any(other[-1:] == b" " for other in others)


def _is_value_of(stretch: Stretch, column: int, half: bytes) -> bool:
    """Whether a line is a value as the column has, which no title is: of a row, then, or of a part of one."""
    if kind(half) == "code" and any(mark.encode() in half for mark in DELIMITERS):
        return False
    return kind(half) not in ("", "text") and kind(half) in stretch.profile.kinds(column)


def _goes_on(cell: bytes, half: bytes, others: Sequence[bytes], column: int) -> bool:
    """Whether a text goes on in a line: what no title begins or ends with, or more words than one has.

    Of two columns only it may as well be a row by itself that lost its delimiter.
    """
    texts = [other for other in others if kind(other) == "text"]
    if not cell.strip() or len(texts) * 2 < len(others):
        return False
    small = _begins_small(half)
    if column == 1:
        return small and not any(map(_begins_small, others))
    return small or half.rstrip()[-1:] in (b".", b"!", b"?") or len(half.split()) >= _WORDS


def _are_halves(half: bytes, cell: bytes, others: Sequence[bytes]) -> bool:
    """Whether a line that begins as no title does and a text below it may be one, as the others are."""
    return kind(cell) == "text" and all(map(_begins_small, (half, cell, *others)))


def _begins_small(text: bytes) -> bool:
    """Whether a text begins as only the rest of one does, or a word that is no name."""
    first = text.decode(errors="replace")[:1]
    return first.islower() or (first != "" and first in " ,;.)&-")
