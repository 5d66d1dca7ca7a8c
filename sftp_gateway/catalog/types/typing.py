"""What typing a column gives: its values, and what was wrong with which cells."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Struct, field

from sftp_gateway.catalog.types.cells import Mask, Rows

Texts = str | Sequence[str] | Any
"""One text for all rows of a fault, or one for each (list or string array)."""


class Fault(Struct, frozen=True):
    """The same thing wrong in several rows; `rows` are indices into the block.

    `severity` empty: the code's default, which the column's own replaces where that is `error`.
    """

    code: str
    rows: Rows
    message: Texts
    suggestion: Texts = ""
    severity: str = ""
    values: Texts | None = None
    """What to show as the value where it is not the cell (one item of a list); in the end, always."""
    column: str = ""
    """The catalog column or the rule, once `checking` knows."""

    def without(self, rows: Mask) -> "Fault":
        """Leave out the rows of a mask over the block."""
        keep = ~rows[self.rows]
        if keep.all():
            return self
        texts = (self.message, self.suggestion, self.values)
        message, suggestion, values = (_kept(text, keep) for text in texts)
        return Fault(self.code, self.rows[keep], message, suggestion, self.severity, values)


def told(  # noqa: PLR0913, PLR0917 - the parts of a fault
    code: str,
    rows: Mask,
    message: str,
    suggestion: str | Callable[[Any], Texts] = "",
    values: Any = None,
    severity: str = "",
) -> list[Fault]:
    """Give the fault of the rows of a mask, none where it has none; a suggestion may be made of those rows of `values`."""
    if not rows.any():
        return []
    index = np.flatnonzero(rows)
    hint = suggestion if isinstance(suggestion, str) else suggestion(values.take(pa.array(index)))
    return [Fault(code, index, message, hint, severity)]


def _kept(texts: Any, keep: Mask) -> Any:
    if texts is None or isinstance(texts, str):
        return texts
    return pa.array(texts, pa.string()).filter(pa.array(keep))


class Reading(Struct, frozen=True):
    """A column typed: `values` has null where the cell is blank or its fault is an error."""

    values: Any
    faults: list[Fault] = field(default_factory=list)
    base: Any = None
    """For measures: text of the amount in the base unit, which is what differences are told by."""
    currencies: Any = None
    """For money: the currency written in each cell (a code or a sign), null where there is none."""


class Dialect(Struct, frozen=True):
    """How a column of this file writes numbers and dates.

    `decimal`: `.` or `,`; '' = not known yet (an ambiguous value asks for a survey); `?` = surveyed, and
    the column does not tell. `order`: dmy, mdy or ymd likewise. `unit_rows`: the unit of bare numbers by rows.
    """

    decimal: str = ""
    order: str = ""
    timezone: str = "UTC"
    unit_rows: tuple[tuple[Mask, str], ...] = ()


class NeedsEvidence(Exception):
    """Columns hold values that read two ways, and nothing decides yet: survey the file, then start again."""

    def __init__(self, columns: frozenset[str]) -> None:
        super().__init__(", ".join(sorted(columns)))
        self.columns = columns

    def __reduce__(self) -> tuple[object, ...]:
        """Cross a process border whole."""
        return type(self), (self.columns,)


class Undecided(Exception):
    """A column needs evidence; `check` adds its name."""
