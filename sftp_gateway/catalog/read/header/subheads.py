"""What a record under the names of columns says of them: their units, of what kind they are; or a rule drawn under each."""

import re

from sftp_gateway.catalog.read.header import joined
from sftp_gateway.catalog.read.header.naming import Cells

_MOST_UNIT = 20
_BRACKETS = {b"()", b"[]", b"<>", b"{}"}
_KIND = re.compile(
    rb"\s*[(\[<*]*(?:required|mandatory|optional|recommended|conditional|text|string|varchar|char|number|numeric|decimal|float"
    rb"|integer|int|bool|boolean|date|datetime|url|link|list|enum|pflichtfeld|pflicht|zahl|obligatoire|facultatif|texte|nombre"
    rb"|obligatorio|opcional|texto|numero|money|currency|eur|usd|gbp|chf|key|any)[)\]>*]*\s*",
    re.IGNORECASE,
)
"""What templates say of a column in a row below its name."""


def says_kinds(cells: Cells) -> bool:
    """Whether a record says of what kind columns are, as below the names of a template; or stands in brackets."""
    return any(map(_KIND.fullmatch, _filled(cells))) or in_brackets(cells)


def are_kinds(cells: Cells) -> bool:
    """Whether every cell that is filled says of what kind its column is, or stands in brackets."""
    return all(_KIND.fullmatch(cell) or in_brackets([cell]) for cell in _filled(cells))


def in_brackets(cells: Cells) -> bool:
    """Whether every cell that is filled stands in brackets: `(text)`, `[cm]`."""
    return all(cell[:1] + cell[-1:] in _BRACKETS for cell in _filled(cells))


def are_units(cells: Cells) -> bool:
    """Whether every cell that is filled is a unit."""
    units = [cell.decode(errors="replace") for cell in _filled(cells)]
    return all(len(unit) < _MOST_UNIT and joined.UNIT.fullmatch(unit) for unit in units)


def is_ruled(cells: Cells) -> bool:
    """Whether a record is nothing but lines drawn under names."""
    filled = _filled(cells)
    return len(filled) > 0 and all(map(joined.RULE.fullmatch, filled))


def _filled(cells: Cells) -> list[bytes]:
    return [cell.strip() for cell in cells if cell.strip()]
