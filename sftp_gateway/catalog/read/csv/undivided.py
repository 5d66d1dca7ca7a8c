"""Texts of one column, in whose lines delimiters stand by chance: answers of a survey, sentences, names."""

from collections.abc import Sequence

from sftp_gateway.catalog.read.csv.dialect import DELIMITERS, Dialect
from sftp_gateway.catalog.read.csv.printing import STAND_IN
from sftp_gateway.catalog.read.csv.sampling import Record, Sample
from sftp_gateway.catalog.read.header import titles

_LEAST_ROWS = 3


def column(sample: Sample, dialect: Dialect, *, lenient: bool) -> Dialect:
    """Give the dialect, or one that divides no line where this one divides a few of them, like sentences.

    Only somebody who looks at a file gets a text that every usual delimiter divides somewhere.
    """
    if not _by_chance(sample.filled(dialect)):
        return dialect
    others = [Dialect(delimiter) for delimiter in DELIMITERS if delimiter != dialect.delimiter]
    whole = next((other for other in others if _is_whole(sample.filled(other))), None)
    if whole or not lenient or STAND_IN.encode() in sample.text:
        return whole or dialect
    apart = Dialect(STAND_IN)
    sentences = all(_by_chance(sample.filled(other)) or _is_whole(sample.filled(other)) for other in others)
    return apart if sentences and _is_whole(sample.filled(apart)) else dialect


def _is_whole(records: Sequence[Record]) -> bool:
    return all(record.strict and len(record.cells) == 1 for record in records)


def _by_chance(records: Sequence[Record]) -> bool:
    """Whether few records are divided, as sentences are: whole ones stand among them, or no two have the same columns, or all are one."""
    divided = [place for place, record in enumerate(records) if len(record.cells) > 1]
    if not divided or divided[0] == 0 or len(records) < _LEAST_ROWS or len(divided) * 2 > len(records):
        return False
    inside, lines = divided[-1] - divided[0] + 1, [records[place].cells for place in divided]
    scattered = len(divided) * 2 <= inside or len({len(cells) for cells in lines}) == len(lines)
    return (scattered or len(set(lines)) == 1) and all(map(titles.is_prose, lines))
