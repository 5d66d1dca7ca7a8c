"""One name for each column of a header over several records."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

from sftp_gateway.catalog.folding import fold

UNIT = re.compile(r"\(?\s*(kg|g|lb|lbs|oz|mm|cm|m|in|inch|inches|ft|ml|l)\s*\)?", re.IGNORECASE)
RULE = re.compile(rb"\s*:?[-=]{2,}:?\s*")
"""Drawn under a name."""
IsKnown = Callable[[str], bool]


def named(cell: bytes) -> bytes:
    """Give what a cell adds to a name: of a rule, nothing."""
    return b"" if RULE.fullmatch(cell) else cell


def names(rows: list[tuple[str, ...]], is_known: IsKnown) -> tuple[str, ...]:
    """Give one name for each column of a header over several records."""
    if len(rows) == 1:
        return rows[0]
    spread = [_spread(upper, rows[number + 1 :]) for number, upper in enumerate(rows[:-1])] + [rows[-1]]
    columns = [_different(column) for column in zip(*spread, strict=True)]
    once = Counter(fold(part) for column in columns for part in column)
    return tuple(_name(column, once, is_known) for column in columns)


def _different(parts: Sequence[str]) -> list[str]:
    """Leave out what says the same again: a label over the name that programs know (`Brand Name`, `brand_name`)."""
    found: dict[str, str] = {}
    for part in parts:
        if part.strip():
            found.setdefault(fold(part) or part.strip(), part.strip())
    return list(found.values())


def _spread(upper: tuple[str, ...], lower: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Let a name stand for the columns to its right, too, that have one only below."""
    found, last = [], ""
    for place, name in enumerate(upper):
        last = name if name.strip() else last if any(row[place].strip() for row in lower) else ""
        found.append(last)
    return tuple(found)


def _name(parts: list[str], once: Counter[str], is_known: IsKnown) -> str:
    if len(parts) < 2:
        return parts[0] if parts else ""
    if len(parts) == 2 and (unit := UNIT.fullmatch(parts[1])):
        return f"{parts[0]} ({unit[1]})"
    alone = [part for part in reversed(parts) if once[fold(part)] == 1]
    for name in (" ".join(parts), " ".join(reversed(parts)), *alone):
        if is_known(name):
            return name
    return " ".join(parts)
