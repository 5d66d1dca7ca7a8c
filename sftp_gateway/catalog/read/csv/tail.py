"""What stands behind the products of a delimited file: footers, and tables of something else.

A row that is skipped is lost to its sender, so another table is believed only if a header of words
alone stands after a blank line, with rows of its own width below it; one as wide as the products
must have words in two columns where they have values. Our own names in another order, or half of them with others, are a
header wherever they stand: what is below them would go live under the wrong names.
"""

import bisect
import itertools
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.folding import fold
from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.csv import profile
from sftp_gateway.catalog.read.csv.stretch import BLANK, CLEAN, KNOWN, REJECT, REPAIRED, SKIPPED, Stretch
from sftp_gateway.catalog.read.header import footer, naming, ournames, titles
from sftp_gateway.catalog.read.source import Rows, Tally

_BODY_ROWS = 20
_FEW_COLUMNS = 2
_LEAST_FILLED = 3
"""So many columns must be filled in all rows before one with a single text is told from them."""
_FEW = 2
"""By so few rows no other is told."""
_BLANK_ROWS = 3
"""Where one record in so many is blank, and there are several, none parts tables."""
_LEAST_KNOWN = 3
"""So many names that we know make a record a header, though half of them are not this file's."""
_VALUES = {"number", "date", "time", "link"}
_FITS = (CLEAN, KNOWN)
"""Kinds of records that have the header's columns as they are."""


class Other(Struct):
    """Where a pass over the file is: among products (`width` 0), or among the rows of another table.

    `same`: that table has as many columns as the products have, so only their header ends it.
    """

    width: int = 0
    same: bool = False
    after_blank: bool = False
    """Whether the last record seen was blank, or a title under a blank one."""


def judge_headers(stretch: Stretch, tally: Tally) -> None:
    """Skip the header spelled otherwise; note as `shuffled` the records that are its names in another order, or name other columns."""
    header = (stretch.text.dialect.cells(stretch.header[0]) or []) if len(stretch.header) == 1 else []
    if not stretch.columns or not naming.begins_table(header):
        return
    names = [name.decode(errors="replace") for name in header]
    own = sorted(map(fold, names))
    for index in stretch.parsed[_may_name(stretch, names)].tolist():
        cells = stretch.cells_of(index) or []
        if ournames.are_same(cells, header, stretch.hints):
            stretch.kinds[index] = SKIPPED
            row = stretch.place.row + index + 1
            tally.late.append(Finding("FILE_PREAMBLE", f"Row {row} is the header again; it was skipped."))
        elif sorted(fold(cell.decode()) for cell in cells) == own or _names_others(stretch, cells, names):
            stretch.shuffled.append(index)


def _may_name(stretch: Stretch, names: Sequence[str]) -> Rows:
    """Give the rows that have one of the names where they begin, or a word where there are values; many have it for a value."""
    spelled = pa.array(sorted({spell(name) for name in names for spell in (str, str.lower, str.upper, str.title)}))
    columns, few = stretch.columns, max(_BODY_ROWS, len(stretch.parsed) // _BODY_ROWS)
    found = [np.flatnonzero(pc.is_in(column, spelled)) for column in columns[:2]]
    valued = (column for column in columns if all(map(naming.is_value, column[:_FEW].cast("binary").to_pylist())))
    for column in itertools.islice(valued, 1):
        words = np.flatnonzero(pc.greater_equal(column, "A"))  # digits, and the signs of numbers, are below
        # A bad value stands mostly beside a key with a digit; no header that has other names begins so.
        found.append(words[~np.asarray(pc.match_substring_regex(columns[0].take(pa.array(words)), "[0-9]"))])
    return np.unique(np.concatenate([np.empty(0, np.int64), *(rows for rows in found if len(rows) <= few)]))


def _names_others(stretch: Stretch, cells: Sequence[bytes], names: Sequence[str]) -> bool:
    """Whether the cells of a record are names of columns, half of them ours or known: words, where rows have values."""
    texts = [cell.decode() for cell in cells]
    known = ournames.known_names(cells, stretch.hints) >= max(_LEAST_KNOWN, len(cells) / 2)
    return (
        ((known and naming.begins_table(cells)) or ournames.renames(texts, names))
        and not naming.holds_any_value(cells)
        and any(
            profile.kind(cell) == "text" and stretch.profile.kinds(place) & _VALUES for place, cell in enumerate(cells)
        )
    )


def skip_tables(stretch: Stretch, tally: Tally, other: Other) -> None:
    """Skip the rows of other tables; nothing is looked at where no blank record and no ragged row is."""
    kinds = stretch.kinds
    count = len(kinds)
    if not count:
        return
    starts = _Starts(stretch, first=other.after_blank)
    place = _leave(stretch, other, 0) if other.width else 0
    while place < count:
        start = starts.next(place)
        if start is None:
            break
        cells = _cells(stretch, start)
        text = ", ".join(cells)[:80]
        row = stretch.place.row + start + 1
        other.width, other.same = len(cells), kinds[start] in _FITS
        tally.late.append(Finding("FILE_FOOTER", f"Another table, from row {row} on ({text}), was skipped."))
        place = _leave(stretch, other, start)
    other.after_blank = _stands_free(stretch, count, other)


class _Starts:
    """Where another table may begin in a stretch: records behind a blank one, and the header in another order.

    `first`: its first record stands behind a blank one.
    """

    def __init__(self, stretch: Stretch, *, first: bool) -> None:
        self._stretch = stretch
        self._free = np.flatnonzero(stretch.kinds[:-1] == BLANK) + 1
        self._shuffled = set(stretch.shuffled)
        begin = [0] if first else []
        self._all, self._few = (sorted({*begin, *stretch.shuffled, *more}) for more in (self._free.tolist(), ()))

    def next(self, place: int) -> int | None:
        """Find the next record from `place` on that heads another table."""
        free = len(self._free) - int(np.searchsorted(self._free, place, "right"))
        parts_rows = free * _BLANK_ROWS > len(self._stretch.kinds) - place
        starts = self._few if parts_rows else self._all
        for index in range(bisect.bisect_left(starts, place), len(starts)):
            if (found := self._head(starts[index], place)) is not None:
                return found
        return None

    def _head(self, start: int, place: int) -> int | None:
        """Which record heads a table that begins at `start`: that one, or the one below its title."""
        stretch = self._stretch
        if start in self._shuffled:
            return start
        if start == place > 0:
            return None  # the blank record is another table's
        for at in (start, start + 1):
            if at == start + 1 and not (_is_ragged(stretch, start) and len(_cells(stretch, start)) == 1):
                break
            if at + 1 < len(stretch.kinds) and _heads(stretch, at):
                return at
        return None


def _heads(stretch: Stretch, at: int) -> bool:
    """Whether record `at` heads a table that is not ours."""
    cells = [cell.encode() for cell in _cells(stretch, at)]
    if stretch.kinds[at] not in (*_FITS, REJECT) or not naming.begins_table(cells):
        return False
    if _is_ragged(stretch, at):
        return _is_ragged(stretch, at + 1) and len(_cells(stretch, at + 1)) == len(cells)
    if stretch.kinds[at] not in _FITS:
        return False
    before, after = _beside(stretch, at)
    if naming.contrasts(cells, before, least=2) and naming.contrasts(cells, after):
        return True
    # No row below has a value where ours have one; a product with such mistakes is still to be told of them.
    if stretch.lenient and naming.contrasts(cells, after, least=2) and naming.differ(before, after):
        return True
    return (
        stretch.lenient
        and len(before) > _FEW
        and len(after) > 0
        and all(naming.contrasts(row, before) for row in (cells, *after))
    )


def _beside(stretch: Stretch, at: int) -> tuple[naming.Rows, naming.Rows]:
    """Give the cells of the next rows above record `at`, and of those below it."""
    return _rows(stretch, range(at - 1, -1, -1))[::-1], _rows(stretch, range(at + 1, len(stretch.kinds)))


def _rows(stretch: Stretch, places: range) -> list[list[bytes]]:
    """Give the cells of the first rows among some records."""
    fitting = (index for index in places if stretch.kinds[index] in _FITS)
    return [[cell.encode() for cell in _cells(stretch, index)] for index in itertools.islice(fitting, _BODY_ROWS)]


def _is_ragged(stretch: Stretch, index: int) -> bool:
    if stretch.kinds[index] != REJECT:
        return False
    return index not in stretch.told or stretch.told[index].finding.code == "ROW_COLUMNS"


def _cells(stretch: Stretch, index: int) -> tuple[str, ...]:
    """Give the cells of a record; of a damaged one all that it may have, not only those before the damage."""
    damaged = stretch.kinds[index] == REJECT and not _is_ragged(stretch, index)
    if index in stretch.told and not damaged:
        return stretch.told[index].cells
    record, dialect = stretch.bytes_of(index)[:65536], stretch.text.dialect
    cells = dialect.cells(record) or record.split(dialect.mark)
    return tuple(cell.decode(errors="replace") for cell in cells[: bounds.MAX_COLUMNS])


def _leave(stretch: Stretch, other: Other, place: int) -> int:
    """Skip the rows of another table from `place` on; gives the first record that is none of them."""
    kinds = stretch.kinds
    while place < len(kinds):
        ours = kinds[place] == SKIPPED if other.same else kinds[place] in (*_FITS, REPAIRED, SKIPPED)
        if ours:
            other.width, other.same = 0, False
            return place
        if kinds[place] != BLANK:
            stretch.skip(place)
        place += 1
    return place


def _stands_free(stretch: Stretch, count: int, other: Other) -> bool:
    last = stretch.kinds[count - 1]
    if last == BLANK:
        return True
    if not _is_ragged(stretch, count - 1) or len(_cells(stretch, count - 1)) != 1:
        return False
    return bool(stretch.kinds[count - 2] == BLANK) if count > 1 else other.after_blank


def skip_footer(stretch: Stretch, tally: Tally) -> None:
    """Take footer records off the end."""
    kinds, skipped = stretch.kinds, 0
    last = len(kinds) - 1
    while last >= 0 and skipped < bounds.FOOTER_RECORDS:
        if kinds[last] == BLANK:
            last -= 1
            continue
        ragged = _is_ragged(stretch, last)
        if not ragged and kinds[last] not in (*_FITS, REPAIRED):
            break
        cells = _cells(stretch, last)
        before = last > 0 and kinds[last - 1] == BLANK
        if (
            not footer.is_footer(cells, stretch.text.width, after_blank=before, ragged=ragged)
            and not _is_note(stretch, last, cells)
            and not (before and stretch.lenient and _is_sentence(stretch, cells))
        ):
            break
        stretch.skip(last)
        skipped += 1
        first, last = last, last - 1
    if skipped:
        text = stretch.bytes_of(first)[:80].decode(errors="replace")
        row = stretch.place.row + first + 1
        tally.late.append(Finding("FILE_FOOTER", f"Skipped after the last product: row {row} on ({text})."))


def _is_note(stretch: Stretch, index: int, cells: tuple[str, ...]) -> bool:
    """Whether a last record of the right width holds one text only, that is none of its column or stands apart.

    All rows must have more: no product is taken for a note, unless somebody only looks at the file.
    """
    if len(cells) != stretch.text.width or not cells[0].strip() or any(cell.strip() for cell in cells[1:]):
        return False
    text = cells[0].encode()
    told = stretch.profile.always_filled >= _LEAST_FILLED or (stretch.lenient and stretch.profile.knows_none_alone)
    kinds = stretch.kinds[max(0, index - bounds.FOOTER_RECORDS) : index]
    parted = bool((kinds == BLANK).any()) and _alone_since(stretch, index)
    told = told or (stretch.lenient and parted and len(cells) > _FEW_COLUMNS and not stretch.profile.lone)
    if not told or profile.kind(text) != "text":
        return False
    if stretch.lenient or not stretch.profile.holds(0, text):
        return True
    return parted


def _is_sentence(stretch: Stretch, cells: tuple[str, ...]) -> bool:
    """Whether a space stands behind each delimiter of a last record, as in none of the rows."""
    sent = [cell.encode() for cell in cells]
    return titles.is_prose(sent) and not stretch.profile.knows_prose(sent)


def _alone_since(stretch: Stretch, index: int) -> bool:
    """Whether all records up to the blank one before hold one text only."""
    while index > 0 and stretch.kinds[index - 1] != BLANK:
        index -= 1
        cells = _cells(stretch, index)
        if not cells or any(cell.strip() for cell in cells[1:]):
            return False
    return index > 0
