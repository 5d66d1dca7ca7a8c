"""Which of a file's last records are no rows: totals, counts, "generated on …"."""

import re
from collections.abc import Sequence

from sftp_gateway.catalog.read.naming import is_value

_FOOTER = re.compile(
    r"""\W*(?:
      (?:(?:grand[ ]|sub[ -]?)?totals?|sum|summe|gesamt\w*|insgesamt|totaal|totale|suma|somme)
      \W*(?:$|\d[\d.,]*\W*$|(?:\d[\d.,]*\W*)?(?:
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
_MOST = 200
"""So many characters of a cell tell; the pattern goes back and forth over signs."""
_TOTAL = re.compile(
    r"\W*(?:(?:grand |sub[ -]?)?totals?|sum|summe|gesamt|insgesamt|totaal|totale|suma|somme)\W*", re.IGNORECASE
)
"""All of a cell: a row of numbers behind it is no product, which has a name."""


def is_footer(cells: Sequence[str], width: int, *, after_blank: bool = False, ragged: bool = False) -> bool:
    """Whether a last record is a footer. `after_blank`: a blank line stands before it.

    A row of the right width must say so itself and be mostly empty: no product is taken for a footer.
    """
    filled = [cell for cell in cells if cell.strip()]
    if len(filled) > 1 and _TOTAL.fullmatch(cells[0]) and all(is_value(cell.encode()) for cell in filled[1:]):
        return True
    if not filled or len(filled) > max(2, width // 2):
        return False
    if _FOOTER.match(filled[0][:_MOST]):
        return True
    return ragged and after_blank and len(filled) == 1
