"""One block while its columns are typed: the sender's cells → `Typed`."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog import keys
from sftp_gateway.catalog.checking import problems
from sftp_gateway.catalog.checking.sender import CLEAR, Gathered, Sender
from sftp_gateway.catalog.checking.terms import Terms
from sftp_gateway.catalog.checking.typed import BASE, Typed
from sftp_gateway.catalog.rules.column import MARKED, Column
from sftp_gateway.catalog.types import maps, reading
from sftp_gateway.catalog.types.cells import Cells, Mask, mask
from sftp_gateway.catalog.types.text import NUL
from sftp_gateway.catalog.types.typing import Dialect, Fault, Reading, Undecided


class Work:
    """One block while its columns are typed."""

    def __init__(self, terms: Terms, sender: Sender, deletes: Mask) -> None:
        self.terms, self.sender, self.deletes = terms, sender, deletes
        self.size = len(sender.block)
        self.columns: dict[str, Any] = {}
        self.bases: dict[str, Any] = {}
        self.given: dict[str, Mask] = {}
        self.cleared: dict[str, Mask] = {}
        self.sent: dict[str, Any] = {}
        self.currencies: dict[str, Any] = {}
        self.problems: list[Fault] = []
        self.bad = np.zeros(self.size, np.bool_)
        self.undecided: list[str] = []

    def take(self, column: Column) -> None:
        """Type one catalog column."""
        if column.type == "map":
            self._take_map(column)
            return
        key = column.name in self.terms.schema.key
        if column.name not in self.terms.mapping.columns:
            self.columns[column.name] = pa.nulls(self.size, reading.ARROW[column.type])
            if column.type == "measure":
                self.bases[column.name] = pa.nulls(self.size, pa.string())
            return
        gathered = self.sender.column(column.name, shown=key)
        try:
            cells = gathered.unmistakable if column.type in MARKED else gathered.cells
            found = reading.read(cells, column, self._dialect(column, gathered), key=key)
        except Undecided:
            self.undecided.append(column.name)
            return
        self._put(column, gathered, found)

    def _dialect(self, column: Column, gathered: Gathered) -> Dialect:
        dialect = self.terms.dialect(column)
        if not gathered.units:
            return dialect
        return Dialect(dialect.decimal, dialect.order, dialect.timezone, unit_rows=gathered.units)

    def _put(self, column: Column, gathered: Gathered, found: Reading) -> None:
        self.columns[column.name] = found.values
        self.given[column.name] = gathered.cells.filled
        self.sent[column.name] = gathered.cells.array
        if gathered.cleared is not None:
            self.cleared[column.name] = gathered.cleared
        if column.type == "measure":
            self.bases[column.name] = found.base
        if found.currencies is not None:
            self.currencies[column.name] = found.currencies
        for fault in found.faults:
            self.blame(column.name, self.terms.severity(column.name), fault, gathered.cells.array)

    def _take_map(self, column: Column) -> None:
        mapping, sender = self.terms.mapping, self.sender
        named = {name: sender.hide(at) for (of, name), at in mapping.maps.items() if of == column.name}
        bare = [sender.hide(at) for at in mapping.columns.get(column.name, ())]
        pairs = [(sender.hide(a), sender.hide(b)) for a, b in mapping.pairs.get(column.name, ())]
        if not (named or bare or pairs):
            self.columns[column.name] = pa.nulls(self.size, pa.string())
            return
        given = np.zeros(self.size, np.bool_)
        for cells in (*named.values(), *bare, *(value for _, value in pairs)):
            given |= sender.without_clears(cells)[0].filled
        whole = [sender.without_clears(cells) for cells in bare]
        cleared = [rows for _, rows in whole if rows is not None]
        found = maps.read(
            named, [cells for cells, _ in whole], pairs, self.size, clear=CLEAR if sender.partial else None
        )
        self.columns[column.name] = found.values
        self.given[column.name] = given
        if cleared:
            self.cleared[column.name] = np.logical_or.reduce(cleared)
        for fault in found.faults:
            self.blame(column.name, column.severity, fault, fault.values if fault.values is not None else "")

    def blame(self, name: str, column_severity: str, fault: Fault, cells: Any) -> None:
        """Turn a fault of a column into a problem; an error marks its rows."""
        shown = fault.values
        if shown is None:
            shown = cells if isinstance(cells, str) else cells.take(pa.array(fault.rows))
        fault = problems.settled(fault, name, column_severity, shown)
        if fault.severity == "error":
            self.bad[fault.rows] = True
        self.problems.append(fault)

    def keep_unknown(self) -> None:
        """Take along the unknown columns that the brand keeps, as text."""
        for name, position in self.terms.mapping.kept.items():
            cells, cleared = self.sender.without_clears(self.sender.hide(position))
            self.columns[name] = cells.nulled
            if cleared is not None:
                self.cleared[name] = cleared

    def reject_nul(self) -> None:
        """Reject every row with a NUL, in cells that nothing is taken from, too: the row is damaged (spec §4)."""
        mapping, told = self.terms.mapping, self.bad.copy()
        taken = {at: column.name for column in self.terms.schema.columns for at in mapping.taken_by(column.name)}
        for position, header in enumerate(mapping.headers):
            cells = self.sender.at(position)
            if cells.lowest:
                continue
            found = mask(pc.match_substring(cells.array, "\0"))
            if position in taken:  # what is wrong with a cell that counts was said of it
                found &= ~told
            name = taken.get(position, header)
            self.blame(name, "error", Fault("FIELD_CONTROL_CHAR", np.flatnonzero(found), *NUL), cells.array)

    def typed(self) -> Typed:
        """Put the block together."""
        names = [*self.columns, *(BASE + name for name in self.bases)]
        table = pa.table([*self.columns.values(), *self.bases.values()], names=names)
        keys, unkeyed = self._keys()
        block = self.sender.block
        return Typed(
            table,
            block.row,
            block.line,
            block.offset,
            keys,
            unkeyed,
            self.given,
            self.cleared,
            self.deletes,
            self.bad,
            self.sent,
            self.currencies,
            tuple(self.problems),
        )

    def _keys(self) -> tuple[Any, Mask]:
        """Give readable keys, and the rows that have none: a part is blank or its type is wrong."""
        parts, unkeyed = [], np.zeros(self.size, np.bool_)
        for name in self.terms.schema.key:
            values = self.columns[name]
            if values.null_count:
                unkeyed |= ~mask(pc.is_valid(values))
            values = values if pa.types.is_string(values.type) else pc.cast(values, pa.string())
            if values.null_count:
                sent = self.sent.get(name)
                values = pc.fill_null(values, "") if sent is None else pc.coalesce(values, Cells(sent).trimmed.array)
            parts.append(values)
        return keys.joined(parts), unkeyed
