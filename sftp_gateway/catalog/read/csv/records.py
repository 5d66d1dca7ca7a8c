"""Where every record of a stretch of text begins and ends: numpy over line ends and quotes, careful.resolve where damaged.

A record ends at a line end with an even number of quotes before it. That holds as long as every
opening quote follows a delimiter or line end and every closing one precedes such; the first quote
that does not is handed to `careful`, after which the same positions serve with the parity reset.
"""

import numpy as np
import numpy.typing as npt
from msgspec import Struct, field

from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.csv import careful
from sftp_gateway.catalog.read.csv.careful import Found, Text

Positions = npt.NDArray[np.int64]
_LF, _CR = 10, 13
_WIDE = 8
_BESIDE = 20
"""By so many records on either side one is judged at most."""


class Records(Struct):
    """Records in order: record i is [start, end) without its line end, the next begins at `stop`.

    `odd[i]` tells of a record that is repaired or given up. Beyond `cut` more must be read first;
    `open`: there a quote is open or the line goes on.
    """

    start: Positions
    end: Positions
    stop: Positions
    odd: dict[int, Found]
    line_ends: Positions
    """Of all physical lines (position of LF or lone CR)."""
    cut: int

    def lines_before(self, positions: Positions) -> Positions:
        """How many physical lines end before each position."""
        before: Positions = np.searchsorted(self.line_ends, positions)
        return before

    def parted(self, text: Text) -> "Records":
        """Give the same up to a place near the end beside which all records are plain: no row is judged by one beyond."""
        data, mark, last = text.data, text.dialect.mark, len(self.start) - 1
        plain = 0
        for index in range(last, max(last - bounds.NEAR_RECORDS, 0), -1):
            start = int(self.start[index])
            if len(data) - start > bounds.BLOCK_BYTES // 8:
                break
            whole = index not in self.odd and data.find(mark, start, int(self.end[index])) >= 0
            plain = plain + 1 if whole else 0
            if plain == 2 * _BESIDE:
                return self._until(index + _BESIDE)
        return self

    def _until(self, count: int) -> "Records":
        odd = {index: item for index, item in self.odd.items() if index < count}
        return Records(
            self.start[:count], self.end[:count], self.stop[:count], odd, self.line_ends, int(self.start[count])
        )

    def replaced(self, index: int, by: "Records") -> "Records":
        """Give the same with record `index` told apart anew, by records of its bytes alone."""
        more = len(by.start) - 1
        odd = {place + more * (place > index): item for place, item in self.odd.items() if place != index}
        odd.update({place + index: item for place, item in by.odd.items()})
        start, end, stop = (
            np.concatenate([ours[:index], theirs + self.start[index], ours[index + 1 :]])
            for ours, theirs in ((self.start, by.start), (self.end, by.end), (self.stop, by.stop))
        )
        return Records(start, end, stop, odd, self.line_ends, self.cut)


class _Growing(Struct):
    spans: list[Positions] = field(default_factory=list)
    """Of records in order: three rows, where they begin, end and stop."""
    odd: dict[int, Found] = field(default_factory=dict)
    count: int = 0

    def add(self, spans: Positions) -> None:
        self.spans.append(spans)
        self.count += spans.shape[1]

    def add_found(self, start: int, found: Found) -> None:
        if found.code:
            self.odd[self.count] = found
        self.add(np.array([[start], [found.end], [found.stop]], np.int64))

    def finish(self, line_ends: Positions, cut: int) -> Records:
        start, end, stop = np.concatenate([np.zeros((3, 0), np.int64), *self.spans], axis=1)
        return Records(start, end, stop, self.odd, line_ends, cut)


class _Marks:
    """Line ends and quotes of a text, and which quotes are out of place in either parity."""

    def __init__(self, text: Text) -> None:
        data = text.data
        self.codes = codes = np.frombuffer(data, np.uint8)
        self.line_ends = np.flatnonzero(codes == _LF)
        self.has_cr = b"\r" in data
        if self.has_cr:
            self._add_lone_cr(codes, final=text.final)
        quote = text.dialect.quote_byte
        self.quotes = np.flatnonzero(codes == quote) if quote >= 0 and quote in data else np.zeros(0, np.int64)
        # Quotes before each line end: even means outside, if the first record begins outside.
        self.parity = (np.searchsorted(self.quotes, self.line_ends) & 1).astype(np.int8)
        self.bad = self._misplaced(text) if len(self.quotes) else (self.quotes, self.quotes)

    def _add_lone_cr(self, codes: npt.NDArray[np.uint8], *, final: bool) -> None:
        returns = np.flatnonzero(codes == _CR)
        if returns[-1] == len(codes) - 1 and not final:
            returns = returns[:-1]  # an LF may follow
        follows = codes[np.minimum(returns + 1, len(codes) - 1)]
        lone = returns[(follows != _LF) | (returns == len(codes) - 1)]
        if len(lone):
            self.line_ends = np.sort(np.concatenate([self.line_ends, lone]))

    def _misplaced(self, text: Text) -> tuple[Positions, Positions]:
        """Quotes that cannot stand where they do if quotes at even (odd) places open."""
        codes, quotes, last = self.codes, self.quotes, len(self.codes) - 1
        fine = np.zeros(256, np.bool_)
        fine[[_LF, _CR, text.dialect.delimiter_byte, text.dialect.quote_byte]] = True
        may_open = fine[codes[np.maximum(quotes - 1, 0)]]
        may_close = fine[codes[np.minimum(quotes + 1, last)]]
        may_open[0] |= quotes[0] == 0
        may_close[-1] |= quotes[-1] == last
        even = np.arange(len(quotes)) & 1 == 0
        places = np.arange(len(quotes))
        return places[~np.where(even, may_open, may_close)], places[~np.where(even, may_close, may_open)]


def split(text: Text) -> Records:
    """Tell apart the records of a text that begins where a record begins.

    With `text.final` everything is told; else what may go on beyond the end is left behind `cut`.
    """
    marks = _Marks(text)
    growing = _Growing()
    position, opened, quote = 0, -1, text.dialect.sign
    while position < len(text.data):
        place = int(np.searchsorted(marks.quotes, position))
        bad = marks.bad[place & 1]
        at = int(np.searchsorted(bad, place))
        limit = int(marks.quotes[bad[at]]) if at < len(bad) else len(text.data)
        position, distrusted = _regular(text, marks, growing, (position, limit), place & 1)
        if position >= len(text.data):
            break
        if not distrusted and limit == len(text.data) and not text.final and _may_go_on(text, marks, position):
            break
        found = careful.resolve(text, position, distrust=distrusted)
        if found is None:
            break
        if found.code == "ROW_QUOTE_REPAIRED" and opened == position and _ends_a_cell(text, position):
            found = careful.unsure(found)
        if found.code == "ROW_QUOTE" and text.data.count(quote, position, found.end) % 2:
            opened = found.stop
        growing.add_found(position, found)
        position = found.stop
    return growing.finish(marks.line_ends, position)


def one_by_one(text: Text) -> Records:
    """Tell apart the records of a text to the end of the file, whose quotes cannot be counted on."""
    growing, position = _Growing(), 0
    while position < len(text.data):
        found = careful.resolve(text, position)
        assert found is not None  # the text is final
        growing.add_found(position, found)
        position = found.stop
    return growing.finish(np.zeros(0, np.int64), position)


def _ends_a_cell(text: Text, start: int) -> bool:
    """Whether the first cell of a record ends with its only quote, as where the row above goes on in it."""
    delimiter, quote = text.dialect.mark, text.dialect.sign
    first = text.data[start : text.data.find(delimiter, start)]
    return first.count(quote) == 1 and first.endswith(quote)


def _may_go_on(text: Text, marks: _Marks, position: int) -> bool:
    """Whether an unfinished record at the end of what was read is short enough to read on."""
    size = len(text.data) - position
    lines = len(marks.line_ends) - int(np.searchsorted(marks.line_ends, position))
    if lines == 0 or (size <= bounds.QUOTE_BYTES and lines <= bounds.QUOTE_LINES):
        return True
    return size <= bounds.RECORD_BYTES and not _holds_rows(text, position, len(text.data))


def _regular(text: Text, marks: _Marks, growing: _Growing, span: tuple[int, int], parity: int) -> tuple[int, bool]:
    """Add the regular records of a span that end in it: (where the next begins, whether it is distrusted)."""
    position, limit = span
    first, last = np.searchsorted(marks.line_ends, [position, limit])
    if first == last and limit < len(text.data):
        return position, False  # the next record is a damaged one, too
    chosen = np.flatnonzero(marks.parity[first:last] == parity) + first
    spans = np.empty((3, len(chosen)), np.int64)
    starts, ends, stops = spans
    ends[:] = marks.line_ends[chosen]
    stops[:] = ends + 1
    starts[:1], starts[1:] = position, stops[:-1]
    rest = int(stops[-1]) if len(stops) else position
    if marks.has_cr:
        before = marks.codes[np.maximum(ends - 1, 0)]
        ends -= (before == _CR) & (marks.codes[ends] == _LF) & (ends > starts)
    if text.final and limit == len(text.data) and rest < limit and (len(marks.quotes) & 1) == parity:
        spans = np.append(spans, [[rest], [limit], [limit]], axis=1)
        chosen = np.append(chosen, len(marks.line_ends))
        rest = limit
    inner = chosen - np.concatenate([[first - 1], chosen[:-1]]) - 1
    strange = _first_strange(text, marks, spans, (chosen - inner, inner)) if inner.any() else None
    growing.add(spans[:, :strange])
    return (rest, False) if strange is None else (int(spans[0, strange]), True)


def _first_strange(text: Text, marks: _Marks, spans: Positions, inner: tuple[Positions, Positions]) -> int | None:
    """Which is the first strange one of records. `inner`: the line ends in each, the number of the first and how many."""
    first, lines_in = inner
    longer = np.flatnonzero(lines_in)
    told = longer, spans[0, longer], marks.line_ends[first[longer]], spans[1, longer], lines_in[longer]
    for index, start, first_end, end, lines in zip(*(of.tolist() for of in told), strict=True):
        if _is_strange(text, start, first_end, end, lines):
            return int(index)
    return None


def _is_strange(text: Text, start: int, first_end: int, end: int, lines: int) -> bool:
    """Whether a record with line ends in it is too long to believe, or all of its lines are whole rows by themselves.

    The latter is what two damaged rows look like, one that lost its closing and a later one that
    lost its opening quote: formally one record, and every good row between them would be lost. Few texts begin with a
    delimiter, either: where all lines are whole, a quote between two of them opens nothing.
    """
    data, mark, quote, full = text.data, text.dialect.mark, text.dialect.sign, text.width - 1
    whole = data.count(mark, start, first_end) == full
    far = end - start > bounds.QUOTE_BYTES or lines >= bounds.QUOTE_LINES
    if text.dialect.literal or not (whole or far):
        return text.dialect.literal  # most records, at once
    rows = data[start:end].splitlines()
    counts = [row.count(mark) for row in rows]
    if far and full in (counts[0], counts[-1]) and _holds_rows(text, start, end):
        return True
    if not whole:
        return False
    if lines == 1:
        strange = text.width > _WIDE and counts == [full, full]  # so many delimiters stand in no cell by chance
    else:
        inner = (text.dialect.cells(row) or () for row in rows[1:-1])
        strange = text.width > 3 and min(counts) >= full and all(len(cells) == text.width for cells in inner)
    place = data.find(mark + quote + mark, start, end)
    opens = place >= 0 and data.count(quote, start, place) % 2 == 0 and set(counts) == {full}
    return strange or opens


def _holds_rows(text: Text, start: int, end: int) -> bool:
    """Whether a line inside a record has all columns: then its quote, however far it goes, is two that were damaged."""
    delimiter = text.dialect.mark
    return any(line.count(delimiter) >= text.width - 1 for line in text.data[start:end].splitlines()[1:-1])
