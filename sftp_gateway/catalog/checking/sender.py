"""The sender's cells for each catalog column: of several columns, the first that is filled in that row."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field

from sftp_gateway.catalog.checking.headers import Mapping
from sftp_gateway.catalog.read.source import Block
from sftp_gateway.catalog.types.cells import Cells, Mask, mask, matches
from sftp_gateway.errors import Broken

CLEAR = "\\N"
"""In partial files: clears the value."""


def unmistakable(cells: Any, numbers: Mask) -> Any:
    """Put a `0` behind numbers of three places: no decimal mark makes thousands of `1.1250`."""
    rows = numbers & matches(cells, r"^-?[0-9]{1,3}\.[0-9]{3}$")
    if not rows.any():
        return cells
    return pc.if_else(pa.array(rows), pc.binary_join_element_wise(cells, "0", ""), cells)


class Gathered(Struct, frozen=True):
    r"""The cells of one catalog column. `cleared`: rows that say `\N`, whose cell is blank here."""

    cells: Cells
    cleared: Mask | None = None
    units: tuple[tuple[Mask, str], ...] = ()
    """Rows whose header names the unit of bare numbers."""
    numbers: Mask | None = None
    """Cells that the file's format says are numbers."""

    @property
    def unmistakable(self) -> Cells:
        """The cells, numbers among them so that every decimal mark reads them alike."""
        if self.numbers is None:
            return self.cells
        longer = unmistakable(self.cells.array, self.numbers)
        return self.cells if longer is self.cells.array else Cells(longer)

    @property
    def texts(self) -> Cells:
        """The cells, blank where they are numbers: those say nothing of how texts are written."""
        return self.cells if self.numbers is None else self.cells.without(self.numbers)


class Sender(Struct):
    """A block seen through a mapping; views are made once for each of its columns."""

    block: Block
    mapping: Mapping
    partial: bool = False
    hidden: Mask | None = None
    """Rows whose cells do not matter (they delete their product)."""
    _seen: dict[int, Cells] = field(default_factory=dict)

    def at(self, position: int) -> Cells:
        """Give the cells of one of the sender's columns."""
        if position not in self._seen:
            if position >= len(self.block.cells):
                raise Broken(f"a block has {len(self.block.cells)} columns, its header {len(self.mapping.headers)}")
            self._seen[position] = Cells(self.block.cells[position])
        return self._seen[position]

    def column(self, name: str, *, shown: bool = False) -> Gathered:
        """Give the cells for a catalog column that is no map; `shown` ignores `hidden` (keys)."""
        positions = self.mapping.columns.get(name, ())
        if not positions:
            return Gathered(Cells(pa.repeat("", len(self.block))))
        cells = self.at(positions[0])
        units = self._unit(positions[0], cells.filled)
        numbers = self._numbers(positions[0])
        for position in positions[1:]:
            if cells.all_filled:
                break
            after = self.at(position)
            units = (*units, *self._unit(position, after.filled & ~cells.filled))
            numbers = _either(cells.filled, numbers, self._numbers(position))
            if after.filled.any():
                cells = Cells(pc.if_else(pa.array(cells.filled), cells.array, after.array))
        cells, cleared = self.without_clears(cells if shown else self._hide(cells))
        return Gathered(cells, cleared, units, numbers)

    def _numbers(self, position: int) -> Mask | None:
        return self.block.numbers[position] if self.block.numbers else None

    def _unit(self, position: int, rows: Mask) -> tuple[tuple[Mask, str], ...]:
        unit = self.mapping.units.get(position, "")
        return ((rows, unit),) if unit else ()

    def without_clears(self, cells: Cells) -> tuple[Cells, Mask | None]:
        """Blank the cells that clear a value, and tell which they are."""
        if not self.partial or not cells.has(b"\\"):
            return cells, None
        cleared = mask(pc.equal(cells.trimmed.array, CLEAR))
        if not cleared.any():
            return cells, None
        return cells.without(cleared), cleared

    def hide(self, position: int) -> Cells:
        """Give one of the sender's columns, blank in hidden rows."""
        return self._hide(self.at(position))

    def _hide(self, cells: Cells) -> Cells:
        return cells if self.hidden is None else cells.without(self.hidden)

    def operations(self) -> tuple[Mask, Mask, Any]:
        """Read `_op` of a partial file: rows that delete, rows that say something unknown, the cells."""
        position = self.mapping.ours.get("_op")
        none = np.zeros(len(self.block), dtype=np.bool_)
        if position is None or not self.partial:
            return none, none, None
        words = pc.utf8_lower(self.at(position).trimmed.array)
        deletes = mask(pc.is_in(words, value_set=pa.array(["delete", "deleted", "remove"])))
        known = deletes | mask(pc.is_in(words, value_set=pa.array(["", "update", "upsert", "create", "keep"])))
        return deletes, ~known, self.at(position).array


def _either(rows: Mask, first: Mask | None, other: Mask | None) -> Mask | None:
    """Give the first where `rows`, else the other; None says of no row."""
    if first is None and other is None:
        return None
    none = np.zeros(len(rows), dtype=np.bool_)
    return np.where(rows, none if first is None else first, none if other is None else other)
