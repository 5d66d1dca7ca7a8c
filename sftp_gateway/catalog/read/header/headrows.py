"""Which records above and below the first of a header are more of it: names of groups, units, what a template says of columns.

A record is taken for more header only if it cannot be a product: it has no digit, and where the rows have numbers,
dates or links it has words.
"""

import re
from collections.abc import Sequence

from sftp_gateway.catalog.read.header import bodies, joined, naming, ournames
from sftp_gateway.catalog.read.header.naming import Cells, Rows
from sftp_gateway.catalog.read.source import Hints

_CLEARED = rb"\N"
"""What a row of a partial file says of a value that is to go (spec §7)."""
MOST = 4
"""How many records a header may have beside its first."""
_MOST_UNIT = 20
_BRACKETS = {b"()", b"[]", b"<>", b"{}"}
_KIND = re.compile(
    rb"\s*[(\[<*]*(?:required|mandatory|optional|recommended|conditional|text|string|varchar|char|number|numeric|decimal|float"
    rb"|integer|int|bool|boolean|date|datetime|url|link|list|enum|pflichtfeld|pflicht|zahl|obligatoire|facultatif|texte|nombre"
    rb"|obligatorio|opcional|texto|numero|money|currency|eur|usd|gbp|chf|key|any)[)\]>*]*\s*",
    re.IGNORECASE,
)
"""What templates say of a column in a row below its name."""


def last(rows: Rows, first: int, hints: Hints) -> int:
    """Which record below the first of a header is its last one."""
    header = rows[first]
    if not naming.holds_any_value(header):
        enough = _is_enough(header, hints)
        for end in range(first + MOST, first, -1):
            if all(_goes_on(rows, at, end + 1, len(header), hints, enough=enough) for at in range(first + 1, end + 1)):
                return end
        if _completes(rows, first + 1):
            return first + 1
    below = rows[first + 1] if first + 1 < len(rows) else ()
    return first + (len(below) == len(header) and _is_ruled(below))


def _is_enough(header: Cells, hints: Hints) -> bool:
    """Whether a record names each column for itself, several of them by names that we know."""
    names = {cell.strip().lower() for cell in header}
    return len(names) == len(header) and b"" not in names and ournames.known_names(header, hints) > 1


def _goes_on(rows: Rows, place: int, start: int, width: int, hints: Hints, *, enough: bool) -> bool:  # noqa: PLR0913 - what stands around it
    """Whether a record under the header is more of it, by the rows from `start` on: a product so would have no value.

    `enough`: the header does not need it. Then it must name columns, too, or say of what kind they are: words alone may
    be a product whose price is `TBD`, which would be lost.
    """
    cells = rows[place] if start < len(rows) else ()
    bare = [cell for cell in cells if not _in_brackets([cell])]  # `(1-5)` says of what kind a column is
    if len(cells) != width or not bodies.is_filled(cells) or naming.has_digit(bare) or _CLEARED in cells:
        return False
    body = bodies.body(rows, start, width)
    if not cells[0].strip() and bodies.filled(cells) * 2 <= width and len(body) > 1:
        return all(row[0].strip() for row in body)  # each row has a first cell but this one
    if _is_ruled(cells) or _are_units(cells):
        return True
    alike = _are_kinds if enough else _in_brackets
    if bodies.filled(cells) > 1 and body and alike(cells):
        return not any(map(alike, body))
    if enough and not (ournames.known_names(cells, hints) or _says_kinds(cells)):
        return False
    return naming.contrasts(cells, body, least=1 if not cells[0].strip() else 2)


def _completes(rows: Rows, place: int) -> bool:
    """Whether a record names all columns, of which the one above it leaves some without a name, over values or codes."""
    cells, above = rows[place] if place < len(rows) else (), rows[place - 1]
    if len(cells) != len(above) or all(map(bytes.strip, above)) or not naming.begins_table(cells):
        return False
    body = bodies.body(rows, place + 1, len(cells))
    return naming.contrasts(cells, body, years=True) or naming.contrasts(cells, body, codes=True)


def names_groups(above: Cells, header: Sequence[str]) -> bool:
    """Whether a record over the header names groups of columns, and the header needs them to be told apart."""
    if len(above) != len(header) or bodies.filled(above) < 2 or naming.has_digit(above):
        return False
    names = [name.strip().lower() for name in header]
    needs = [place for place, name in enumerate(names) if not name or names.count(name) > 1]
    return any(above[place].strip() for place in needs)


def _says_kinds(cells: Cells) -> bool:
    """Whether a record says of what kind columns are, as below the names of a template; or stands in brackets."""
    return any(map(_KIND.fullmatch, _filled(cells))) or _in_brackets(cells)


def _are_kinds(cells: Cells) -> bool:
    """Whether every cell that is filled says of what kind its column is, or stands in brackets."""
    return all(_KIND.fullmatch(cell) or _in_brackets([cell]) for cell in _filled(cells))


def _in_brackets(cells: Cells) -> bool:
    """Whether every cell that is filled stands in brackets: `(text)`, `[cm]`."""
    return all(cell[:1] + cell[-1:] in _BRACKETS for cell in _filled(cells))


def _are_units(cells: Cells) -> bool:
    units = [cell.decode(errors="replace") for cell in _filled(cells)]
    return all(len(unit) < _MOST_UNIT and joined.UNIT.fullmatch(unit) for unit in units)


def _is_ruled(cells: Cells) -> bool:
    """Whether a record is nothing but lines drawn under names."""
    filled = _filled(cells)
    return len(filled) > 0 and all(map(joined.RULE.fullmatch, filled))


def _filled(cells: Cells) -> list[bytes]:
    return [cell.strip() for cell in cells if cell.strip()]
