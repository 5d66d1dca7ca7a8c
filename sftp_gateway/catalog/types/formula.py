"""Cells in which a formula stands for its value: it failed (`#N/A`), or the workbook does not hold its result. For every type."""

import numpy as np

from sftp_gateway.catalog.types.cells import Cells, flags, matches
from sftp_gateway.catalog.types.typing import Fault, told

_NAMES = (
    r"N/A|(?:REF|VALUE|DIV/0|NUM|NULL|SPILL|CALC|ERROR|FIELD|CONNECT|BLOCKED|UNKNOWN|BUSY|PYTHON|EXTERNAL|TIMEOUT)!"
    r"|NAME\?|GETTING_DATA"
)
"""Of Excel (ECMA-376 §18.17.3, and those of later years) and of Google's sheets."""
_ELSEWHERE = (
    "NV|(?:WERT|BEZUG|ZAHL|ÜBERLAUF|KALK)!",  # German
    "(?:VALEUR|NOMBRE|NUL|PROPAGATION)!|NOM[?]",  # French
    "¡(?:VALOR|REF|NUM|NULO|DIV/0|DESBORDAMIENTO)!|¿NOMBRE[?]",  # Spanish
    "N/D|(?:VALORE|RIF|NULLO|ESPANSIONE)!|NOME[?]|(?:VALOR|NÚM|NULO)!",  # Italian, Portuguese
    "N/B|(?:WAARDE|VERW|GETAL|LEEG|DEEL/0|OVERLOOP)!|NAAM[?]",  # Dutch
    "N/D!|(?:ARG|ADR|LICZBA|ZERO|DZIEL/0|ROZLANIE)!|NAZWA[?]",  # Polish
    "(?:VÄRDEFEL|REFERENS|OGILTIGT|SKÄRNING|SAKNAS|DIVISION/0)!|NAMN[?]",  # Swedish
    "I/T|(?:VÆRDI|REFERENCE|VERDI|OVERLØB|OVERFLYT)!|NAVN[?]",  # Danish, Norwegian
    "(?:ARVO|VIITTAUS|LUKU|TYHJÄ|PUUTTUU|JAKO/0)!|NIMI[?]",  # Finnish
    "(?:HODNOTA|ODKAZ|ČÍSLO|DĚLENÍ_NULOU)!|NÁZEV[?]|NENÍ_K_DISPOZICI",  # Czech
    "HIÁNYZIK|(?:ÉRTÉK|HIV|SZÁM|NULLA|ZÉRÓOSZTÓ)!|NÉV[?]",  # Hungarian
    "YOK|(?:DEĞER|BAŞV|SAYI|BOŞ|SAYI/0)!|AD[?]",  # Turkish
    "Н/Д|(?:ЗНАЧ|ССЫЛКА|ЧИСЛО|ПУСТО|ДЕЛ/0)!|ИМЯ[?]",  # Russian
)
"""Of Excel in other languages, which writes them so where it saves a sheet as text."""
_NUMBERED = r"Err:[0-9]{3}"
"""Of LibreOffice."""
_NUMBERED_BYTES, _NUMBERED_FIRST = 7, ord("E")
_KINDS = (
    (
        rf"^(?:\s*#(?:{'|'.join((_NAMES, *_ELSEWHERE))})\s*|{_NUMBERED})$",
        "is what a spreadsheet shows where a formula fails, not a value",
        "mend the formula, or leave the cell blank",
    ),
    (
        r"^\s*#FORMULA!\s*$",  # as `sheets.mending` puts it there
        "stands for a formula whose result is not in the workbook",
        "open the workbook in a spreadsheet, save it and send it again, or write the value",
    ),
    (
        r"^\s*#TEXT!\s*$",  # as `sheets.mending` puts it there
        "stands for a text to which the workbook refers and which is not in it",
        "write the text, or save the workbook with a spreadsheet, look at this cell and send it again",
    ),
)


def faults(cells: Cells) -> list[Fault]:
    """Tell of the cells that have a formula's sign for their value."""
    if not cells.has(b"#") and not _may_be_numbered(cells):
        return []
    found = (told("FIELD_VALUE", matches(cells.array, pattern), text, hint) for pattern, text, hint in _KINDS)
    return [fault for some in found for fault in some]


def _may_be_numbered(cells: Cells) -> bool:
    """Whether a cell may be a `_NUMBERED` sign; by lengths, for a search for it in all bytes would take far longer."""
    begins = cells.offsets[:-1][cells.lengths == _NUMBERED_BYTES]
    return bool(begins.size) and bool((cells.data[begins] == _NUMBERED_FIRST).any())


def without(cells: Cells, faults: list[Fault]) -> Cells:
    """Give the cells with those that were told of blank."""
    return cells.without(flags(np.concatenate([fault.rows for fault in faults]), len(cells)))
