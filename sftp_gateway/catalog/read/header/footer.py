"""Which of a file's last records are no rows: totals, counts, "generated on …"."""

import re
from collections.abc import Sequence

from sftp_gateway.catalog.read.header.naming import is_value

_FOOTER = re.compile(
    r"""\W*(?:
      (?:(?:grand[ ]|sub[ -]?)?totals?|sum|summe|gesamt[^\W\d_]*|insgesamt|totaal|totale|suma|somme)
      (?:\W*$|(?:\s*[:=($€£]\W*|\W*\s\W*)\d[\d.,]*[^\w%]*$|\W*(?:\d[\d.,]*\W*)?(?:
        of|de|der|des|van|di|for|number|count|amounts?|values?|prices?|costs?|stock|quantity|qty|units?|pieces?|sales
        |products?|items?|articles?|skus?|rows?|records?|lines?|entries|produkte?|artikel|anzahl|betrag|produits?|eur|usd|gbp|chf
      )\b)
    | end\b[ ](?:of[ ])?(?:file|report|list|data|export)\b | eof\b | \*+[ ]*end\b
    | [\d.,]+[ ](?:rows?|records?|items?|products?|lines?)\b | (?:rows?|records?|items?|products?|count)[ ]?[:=]
    | (?:number|count)[ ]of[ ] | (?:generated|exported|created|printed)[ ](?:on|by|at|with|from)?\b | page[ ]\d
    | copyright\b | (?:source|notes?|disclaimer)[ ]?: | \(c\) | ©
    ) | [-=*_\#]{3,}\s*$""",
    re.IGNORECASE | re.VERBOSE,
)
_MARK = re.compile(r"\s*(?:\*+\s+|[†‡§]\s*)\w")
"""What a footnote begins with."""
_PROSE = re.compile(
    r"\W*(?:end of (?:file|report|list|data|export)\b|(?:generated|exported|created|printed) (?:on|by|at|with|from)\b"
    r"|copyright\b|(?:source|notes?|disclaimer) ?:)|©",
    re.IGNORECASE,
)
"""Sentences, whose commas may part them into as many cells as there are columns."""
_COUNT = re.compile(r"\s*(?:of )?[\d.,]+(?: of [\d.,]+)?(?: [^\W\d_]{1,9})?\s*|\s*[A-Z]{3}\s*")
"""What stands beside a total that is no plain value: `3 products`, `of 3`, a currency."""
_MOST = 200
"""So many characters of a cell tell; the pattern goes back and forth over signs."""
_TOTAL = re.compile(
    r"\W*(?:(?:grand |sub[ -]?)?totals?|sum|summe|gesamt|insgesamt|totaal|totale|suma|somme)\W*", re.IGNORECASE
)
"""All of a cell: a row of numbers behind it is no product, which has a name."""


def is_footer(cells: Sequence[str], width: int, *, after_blank: bool = False, ragged: bool = False) -> bool:
    """Whether a last record is a footer. `after_blank`: a blank line stands before it.

    A row of the right width must say so itself, be mostly empty and hold nothing that only a product has.
    """
    filled = list(filter(str.strip, cells))
    if len(filled) == 1 < width and _MARK.match(cells[0]):
        return True
    if len(filled) > 1 and _TOTAL.fullmatch(cells[0]) and all(is_value(cell.encode()) for cell in filled[1:]):
        return True
    if not filled or len(filled) > max(2, width // 2):
        return False
    if _FOOTER.match(filled[0][:_MOST]):
        return len(cells) != width or _holds_no_product(filled)
    return ragged and after_blank and len(filled) == 1


def _holds_no_product(filled: Sequence[str]) -> bool:
    """Whether the cells behind a text like `Total 5` are numbers and the like: a product has a name or a code there."""
    values = [is_value(cell.encode()) for cell in filled[1:]]
    if _PROSE.match(filled[0][:_MOST]) and not any(values):
        return True
    rest = [cell[:_MOST] for cell, value in zip(filled[1:], values, strict=True) if not value]
    return all(_COUNT.fullmatch(cell) or _FOOTER.match(cell) for cell in rest)
