"""The first bytes of a text, told apart into records by each dialect that is tried."""

import itertools
import re

from msgspec import Struct

from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.csv import careful, readings, separators
from sftp_gateway.catalog.read.csv.dialect import Dialect
from sftp_gateway.catalog.read.header import bodies, naming, titles


class Record(Struct, frozen=True):
    """A record of the sample; `strict` if it obeys the rules of its dialect."""

    start: int
    end: int
    stop: int
    cells: tuple[bytes, ...]
    strict: bool

    @property
    def blank(self) -> bool:
        """Whether no cell holds anything."""
        return not any(map(bytes.strip, self.cells))


class Sample:
    """A text and its first records by each dialect that was tried."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._told: dict[Dialect, tuple[Record, ...]] = {}
        self._filled: dict[Dialect, list[Record]] = {}

    def records(self, dialect: Dialect, most: int = bounds.SAMPLE_RECORDS) -> tuple[Record, ...]:
        """Give the first records."""
        found = self._told.get(dialect, ())
        if not found or bounds.SAMPLE_RECORDS <= len(found) < most:
            self._told[dialect] = found = records_of(self.text, dialect, most)
        return found

    def filled(self, dialect: Dialect) -> list[Record]:
        """Give those that are not blank."""
        if dialect not in self._filled:
            self._filled[dialect] = [record for record in self.records(dialect) if not record.blank]
        return self._filled[dialect]

    def fit(self, dialect: Dialect) -> separators.Fit:
        """Judge a dialect by the records, but for lines of comments."""
        return separators.Fit.of(self.told(dialect))

    def inner_fit(self, dialect: Dialect) -> separators.Fit:
        """Judge a dialect by the records between titles and footers."""
        return separators.Fit.of(separators.inner(self.told(dialect)))

    def told(self, dialect: Dialect) -> list[tuple[tuple[bytes, ...], bool]]:
        """Give the cells of those that are no comments, and whether they are strict; a comment as wide as the others may be the header."""
        filled = [(record.cells, record.strict) for record in self.filled(dialect)]
        rows = [row for row in filled if not naming.is_comment(row[0])]
        if len(rows) == len(filled):
            return rows
        width = bodies.usual_width([cells for cells, _ in rows])
        return [row for row in filled if len(row[0]) == width > 1 or not naming.is_comment(row[0])]

    def separates_first(self, dialect: Dialect) -> bool:
        """Whether the first record that is no comment has more than one column; below titles the one that names the columns."""
        told = (record for record in self.filled(dialect) if not naming.is_comment(record.cells))
        return any(len(record.cells) > 1 for record in itertools.islice(told, 1)) or self.names_below(dialect)

    def names_below(self, dialect: Dialect) -> bool:
        """Whether a record below titles, the first of the usual width, names columns, by the values in two of them."""
        rows = [record.cells for record in self.filled(dialect) if not naming.is_comment(record.cells)]
        width, above = bodies.usual_width(rows), rows[: bounds.PREAMBLE_RECORDS + 1]
        usual = (place for place, cells in enumerate(above) if len(cells) == width > 1 and not titles.is_prose(cells))
        place = next(usual, 0)
        return place > 0 and titles.names(rows, place, least=2, words=False)

    def separates_all(self, dialect: Dialect) -> bool:
        """Whether (nearly) all records have the same columns, and more than one."""
        fit = self.fit(dialect)
        return fit.perfect or (fit.width > 1 and fit.rows == len(self.filled(dialect)) > 2)

    def filled_lines(self, delimiter: bytes) -> list[bytes]:
        """Give the lines that hold more than delimiters and spaces."""
        return [line for line in re.split(rb"\r\n|\n|\r", self.text) if line.strip(b" " + delimiter)]


def records_of(sample: bytes, dialect: Dialect, most: int = bounds.SAMPLE_RECORDS) -> tuple[Record, ...]:
    """Give the first records of a text; one that is not strict is read leniently, on its line, or those that its quotes span."""
    found: list[Record] = []
    position = 0
    while position < len(sample) and len(found) < most:
        match = dialect.record.match(sample, position)
        stop, cells = (match.end(), None) if match else _damaged(sample, position, dialect)
        end = careful.end_of(sample, stop, position)
        cells = cells or dialect.cells(sample[position:end]) or []
        found.append(Record(position, end, stop, tuple(cells), match is not None))
        position = stop
    return tuple(found)


def _damaged(sample: bytes, start: int, dialect: Dialect) -> tuple[int, list[bytes]]:
    """Give where a record that is not strict stops, and what may be its cells."""
    told = careful.over_lines(sample, start, dialect)
    if told is not None:
        return told
    line_end = careful.LINE_END.search(sample, start)
    line = sample[start : line_end.start() if line_end else len(sample)]
    stop = line_end.end() if line_end else len(sample)
    return stop, readings.lenient(line, dialect) or line.split(dialect.mark)
