"""What the values of a column look like: how many are good ones of a catalog column, and how much they speak for it. Serves `propose`."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from sftp_gateway.catalog.checking import problems
from sftp_gateway.catalog.rules import limits
from sftp_gateway.catalog.rules.column import Column
from sftp_gateway.catalog.types import reading
from sftp_gateway.catalog.types.cells import Cells, Mask, mask
from sftp_gateway.catalog.types.typing import Dialect

FITS = 0.8
"""Share of the filled cells that must be good values of a column."""
NEAR = 0.75
"""How alike a header and a column's name or alias must be where the values say little."""
_DIALECTS = (Dialect(".", "dmy", "UTC"), Dialect(",", "dmy", "UTC"), Dialect(".", "mdy", "UTC"))
_GTIN, MONEY = Column("gtin", "gtin"), Column("amount", "money")
AMOUNTS = "amounts"


def good(column: Column, cells: Cells) -> int:
    """Count the filled cells that are good values of a column, in the dialect that reads most of them."""
    return int(np.count_nonzero(_readable(column, cells, best(column, cells))))


def best(column: Column, cells: Cells) -> Dialect:
    """Give the dialect in which most cells are good values of a column."""
    return max(_DIALECTS, key=lambda dialect: int(np.count_nonzero(_readable(column, cells, dialect))))


def _readable(column: Column, cells: Cells, dialect: Dialect) -> Mask:
    found = reading.read(cells, column, dialect, key=False)
    fits = cells.filled.copy()
    for fault in (*found.faults, *limits.broken(column, found.values)):
        if problems.severity(fault, "error") == "error":
            fits[fault.rows] = False
    return fits


def likeness(column: Column, cells: Cells, filled: int, near: float, *, is_key: bool) -> tuple[float, str]:
    """Say how much good values alone speak for a column; 0 where others look the same, as all that is yes or no does."""
    array = cells.trimmed.array.filter(pa.array(cells.filled))
    different = pc.count_distinct(array).as_py()
    looks = _Looks(array, filled, different)
    if is_key:
        unique = different == filled == len(cells) and filled > 1
        return (0.6, "filled, different in every row, and short") if unique and looks.codes() else (0.0, "")
    kind = "pictures" if column.items == "url" else column.type
    few, many = different <= max(10, filled // 10), different > 1 or filled == 1
    claims = (
        (kind == "gtin" and many, 1.0, "numbers with the check digit of a GTIN"),
        (kind in ("currency", "country") and few, 0.9, f"{kind} codes"),
        (kind == "pictures" and looks.share(_PICTURE) >= FITS, 0.9, "addresses of pictures"),
        (kind == "url" and looks.share(_PICTURE) < 0.2 and looks.share(_PAGE) >= FITS, 0.9, "addresses of pages"),
        (kind in ("date", "datetime"), 0.7, "dates or times"),
        (kind == "money" and many and looks.share(_PRICE) >= FITS, 0.5, AMOUNTS),
        (kind == "boolean" and different == 2 and near >= NEAR, 0.4, "yes or no"),
        (
            column.name == "categories" and looks.share("://") < 0.2 and looks.share(_PATH) >= FITS,
            0.5,
            "paths such as A > B",
        ),
    )
    return next(((sure, what) for holds, sure, what in claims if holds), looks.text(column))


_PAGE, _PATH = "^https?://", r"\S *(>|/|») *\S"
_PRICE = r"[0-9][.,][0-9]{2}$|^\p{Sc}|\p{Sc}$|[A-Z]{3}$"
_PICTURE = r"(?i)\.(jpe?g|png|gif|webp|tiff?|bmp|avif)([?#|,;\s]|$)"
_LONG_CHARACTERS = 80
_RECORDS = r'^\s*(\[\s*)?\{\s*"'
"""What the JSON of a record, or of several, begins with."""
_WORDS = r"\p{L}{2,}[\s\-].*\p{L}{2,}"


class _Looks(Struct, frozen=True):
    """Filled cells of a column, and how they look."""

    array: Any
    filled: int
    different: int

    def share(self, pattern: str) -> float:
        return float(np.count_nonzero(mask(pc.match_substring_regex(self.array, pattern))) / self.filled)

    def codes(self) -> bool:
        """Whether they could be article numbers: short and without spaces, but no GTINs, amounts or addresses."""
        if self.share(r"\s|://") > 0.05 or self.share(r"^[0-9]+[.,][0-9]{1,2}$") > 0.2:
            return False
        return good(_GTIN, Cells(self.array)) < FITS * self.filled

    def text(self, column: Column) -> tuple[float, str]:
        """Tell names and descriptions, the only texts that show what they are."""
        length = float(pc.mean(pc.utf8_length(self.array)).as_py())
        varied = self.different >= 0.5 * self.filled and self.share(r"://") < 0.2 and self.share(_RECORDS) < 0.2
        if column.name == "name" and varied and 8 <= length <= _LONG_CHARACTERS and self.share(_WORDS) >= 0.6:
            return 0.3, "short texts of several words, mostly different"
        if column.name == "description" and varied and length > _LONG_CHARACTERS:
            return 0.4, "long texts"
        return 0.0, ""
