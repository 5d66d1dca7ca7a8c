"""Spaces as the delimiter: believed only where no usual one fits, for spaces stand in every text."""

import re
from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.csv import rewriting, separators
from sftp_gateway.catalog.read.csv.dialect import DELIMITERS, QUOTES, Dialect
from sftp_gateway.catalog.read.csv.sampling import Record, Sample
from sftp_gateway.catalog.read.header import naming, ournames
from sftp_gateway.catalog.read.source import Hints

_QUOTED_TEXT = re.compile(rb""" "[^"\r\n]*" | '[^'\r\n]*' """, re.VERBOSE)
_FEW_COLUMNS = 2
_MANY_ROWS, _DAMAGED = 8, 0.1
"""Of more one may be damaged, and of three columns or more, which no lines have by chance, this share."""
_LEAST_ROWS = 5
"""Fewer lines have as many words by chance, if others beside them have not."""


def by_spaces(sample: Sample, dialect: Dialect, hints: Hints) -> Dialect:
    """Give the dialect, or spaces where it hardly fits, or not the header, and they give each record the same columns.

    Titles and notes may have others where the dialect does not fit. Unless somebody only looks, the names must be known.
    """
    fits = _fits(sample, dialect)
    decimal = fits and separators.is_of_figures(sample.text, dialect.delimiter)
    if (fits and sample.separates_first(dialect) and not decimal) or rewriting.is_wrapped(sample.text):
        return dialect
    for quote in hints.quote or sorted(QUOTES, key=lambda each: -sample.text.count(each.encode())):
        spaced = replace(dialect, delimiter=" ", quote=quote)
        filled = [record for record in sample.filled(spaced) if not naming.is_comment(record.cells)]
        rows = _rows(filled, strictly=fits and not decimal)
        if (
            rows
            and (not decimal or len(rows[0].cells) >= max(_FEW_COLUMNS + 1, sample.fit(dialect).width))
            and not any(_cuts_cells(rows, spaced, mark.encode()) for mark in DELIMITERS)
            and not _are_two_words(rows)
            and (hints.lenient or ournames.known_names(rows[0].cells, hints) > 1)
        ):
            return spaced
    return dialect


def _fits(sample: Sample, dialect: Dialect) -> bool:
    filled = sample.filled(dialect)
    if sum(record.strict and len(record.cells) > 1 for record in filled) * 2 > len(filled):
        return True
    delimiter = dialect.mark
    # What stands in quotes is put aside: a delimiter in each line outside them was meant as one.
    outside = [delimiter in _QUOTED_TEXT.sub(b"", line) for line in sample.filled_lines(delimiter)]
    fit = sample.fit(dialect)
    mostly = fit.width > 1 and fit.rows * 2 > len(filled) and sum(outside) * 2 > len(outside)
    return all(outside) or mostly


def _cuts_cells(rows: Sequence[Record], dialect: Dialect, sign: bytes) -> bool:
    """Whether most of the spaces stand behind a sign that is the delimiter, or in most rows beside it or inside quotes."""
    cells = [cell for record in rows for cell in record.cells[:-1]]
    odd = (record.cells for record in rows if not record.strict or dialect.quote != '"')  # else one may be doubled
    cut = sum(any(cell.count(b'"') % 2 for cell in cells) for cells in odd)
    alone = sum(sign in record.cells for record in rows)
    return sum(cell.endswith(sign) for cell in cells) * 2 > len(cells) or max(cut, alone) * 2 > len(rows)


def _are_two_words(rows: Sequence[Record]) -> bool:
    """Whether each record is two words, as names of people are, and the first is no two names, all small or all with a capital."""
    cells = [cell for record in rows for cell in record.cells]
    if len(cells) != 2 * len(rows) or not all(record.strict for record in rows) or naming.has_digit(cells):
        return False
    if sum(b" " in cell for cell in cells) * 2 > len(cells):
        return False  # they were quoted
    names = rows[0].cells
    others = (record.cells for record in rows if record.cells != names)  # a header may be repeated
    first, *below = [tuple(cell[:1].islower() for cell in cells) for cells in (names, *others)]
    return len(set(first)) > 1 or first in below


def _rows(records: list[Record], *, strictly: bool) -> list[Record]:
    """Give the records if all have the same columns, and more than one; or else those between titles and notes."""
    widths = Counter(len(record.cells) for record in records if len(record.cells) > 1)
    if not widths:
        return []
    width = widths.most_common(1)[0][0]
    good = [record.strict and len(record.cells) == width for record in records]
    if strictly and any(len(record.cells) == 1 for record in records[: bounds.PREAMBLE_RECORDS]):
        return []  # it may be the header of the dialect
    most = max(_DAMAGED * len(good) * (width > _FEW_COLUMNS), len(good) > _MANY_ROWS)
    if len(good) > 1 and all(good[:2]) and good.count(False) <= most:
        return records
    begin = _last_bad(good[: bounds.PREAMBLE_RECORDS])
    end = len(good) - _last_bad(good[begin:][::-1][: bounds.FOOTER_RECORDS])
    kept = good[begin:end]
    enough = width > _FEW_COLUMNS and len(kept) >= max(_LEAST_ROWS, 2 * (len(good) - len(kept)))
    return records[begin:end] if enough and all(kept) and not (strictly and begin) else []


def _last_bad(good: list[bool]) -> int:
    """Count the records up to the last that is none of the table."""
    return max((place for place, fits in enumerate(good, 1) if not fits), default=0)
