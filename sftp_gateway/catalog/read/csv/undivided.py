"""Texts of one column, in whose lines delimiters stand by chance: answers of a survey, sentences, names."""

import itertools
from collections.abc import Sequence

from sftp_gateway.catalog.read.csv.dialect import DELIMITERS, Dialect
from sftp_gateway.catalog.read.csv.printing import STAND_IN
from sftp_gateway.catalog.read.csv.sampling import Sample
from sftp_gateway.catalog.read.header import titles

_LEAST_ROWS = 3
_MOST_TOGETHER = 0.3
"""Share of the lines that may have the same columns one after the other by chance, where a space stands behind each delimiter."""


def column(sample: Sample, dialect: Dialect, *, lenient: bool) -> Dialect:
    """Give the dialect, or one that divides no line where this one divides a few of them, like sentences.

    Only somebody who looks at a file gets a text that every usual delimiter divides somewhere.
    """
    if not _by_chance(sample.told(dialect)):
        return dialect
    others = [Dialect(delimiter) for delimiter in DELIMITERS if delimiter != dialect.delimiter]
    whole = next((other for other in others if _is_whole(sample.told(other))), None)
    if whole or not lenient or STAND_IN.encode() in sample.text:
        return whole or dialect
    apart = Dialect(STAND_IN)
    sentences = all(_by_chance(sample.told(other)) or _is_whole(sample.told(other)) for other in others)
    return apart if sentences and _is_whole(sample.told(apart)) else dialect


def _is_whole(records: Sequence[tuple[Sequence[bytes], bool]]) -> bool:
    return all(len(cells) == 1 for cells, _ in records)


def _by_chance(records: Sequence[tuple[Sequence[bytes], bool]]) -> bool:
    """Whether records below the first are divided as sentences are: into parts of different number, or few of them."""
    divided = [cells for cells, _ in records if len(cells) > 1]
    if not divided or len(records[0][0]) > 1 or len(records) < _LEAST_ROWS or not all(map(titles.is_prose, divided)):
        return False
    runs = (len(list(run)) for width, run in itertools.groupby(len(cells) for cells, _ in records) if width > 1)
    return max(runs) < _MOST_TOGETHER * len(records) or len(set(divided)) == 1
