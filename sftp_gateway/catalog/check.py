"""Rows as text → good rows, typed, and findings: types, then limits, then rules, a block at a time.

Never raises for data. Blocks may be checked in any order and by several threads at once; only the
figures that `finish` reports on are shared. Serves run (full files) and merge (partial ones).
"""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog import expression, limits, problems, typed
from sftp_gateway.catalog.column import Column
from sftp_gateway.catalog.evidence import Evidence, survey
from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.headers import Mapping
from sftp_gateway.catalog.problems import Problem
from sftp_gateway.catalog.read.source import Block
from sftp_gateway.catalog.schema import Rule, Schema
from sftp_gateway.catalog.sender import CLEAR, Gathered, Sender
from sftp_gateway.catalog.typed import BASE, DELETED, ROW, Checked, Typed
from sftp_gateway.catalog.types import isocodes, maps, money, reading
from sftp_gateway.catalog.types.cells import Cells, Mask, mask, with_nulls
from sftp_gateway.catalog.types.maps import merge as merge_maps
from sftp_gateway.catalog.types.typing import Dialect, Fault, NeedsEvidence, Reading, Undecided
from sftp_gateway.upload import Mode

__all__ = ["Checked", "Checker", "Evidence", "NeedsEvidence", "Typed", "merge_maps", "survey"]

KEY_SEPARATOR = " | "
CURRENCY = "currency"


class Checker:
    r"""Checks the blocks of one file by one schema.

    `mode` PARTIAL: only the key must be present, `\N` clears, `_op` deletes, and `judge` is for merged rows.
    `evidence`: what a survey found; without it, `type` raises NeedsEvidence at the first value that needs one.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a check depends on, each told once
        self,
        schema: Schema,
        settings: BrandSettings,
        mapping: Mapping,
        mode: Mode,
        brand: str,
        evidence: Evidence | None = None,
    ) -> None:
        self.schema, self.settings, self.mapping = schema, settings, mapping
        self.partial = mode is Mode.PARTIAL
        self.whole = mode in (Mode.FULL, Mode.TEST)
        self.brand = brand
        self.evidence = evidence or Evidence()
        kinds = {column.name: column.type for column in schema.columns}
        self._rules = [(rule, expression.compile_rule(rule.expression, kinds)) for rule in schema.rules]
        self._filled = dict.fromkeys(kinds, 0)
        self._rows = 0
        self._lock = threading.Lock()

    def check(self, block: Block) -> Checked:
        """Type a block and judge it: all that a full file needs."""
        return self.judge(self.type(block))

    # -- types ------------------------------------------------------------------------------------

    def type(self, block: Block) -> Typed:
        """Type every cell of a block. Raises NeedsEvidence with every column that needs it."""
        sender = Sender(block, self.mapping, self.partial)
        deletes, unknown, words = sender.operations()
        sender.hidden = deletes if deletes.any() else None
        work = _Work(self, sender, deletes)
        for column in self.schema.columns:
            work.take(column)
        if work.undecided:
            raise NeedsEvidence(frozenset(work.undecided))
        work.keep_unknown()
        if unknown.any():
            hint = "write delete, or leave it blank"
            work.blame("_op", "error", Fault("FIELD_VALUE", np.flatnonzero(unknown), "is no operation", hint), words)
        return work.typed()

    def dialect(self, column: Column) -> Dialect:
        """Say how a column of this file writes numbers and dates: by the brand, else by the survey."""
        return Dialect(
            self.settings.decimal or self.evidence.decimal.get(column.name, ""),
            self.settings.date_order or self.evidence.order.get(column.name, ""),
            self.settings.timezone or "UTC",
        )

    # -- limits and rules ---------------------------------------------------------------------------

    def judge(self, rows: Typed) -> Checked:
        """Fill in defaults, hold the limits and the rules, and part good rows from rejected ones."""
        judgement = _Judgement(self, rows)
        judgement.fill_currency()
        for column in self.schema.columns:
            judgement.hold(column)
        for rule, compiled in self._rules:
            judgement.apply(rule, compiled)
        checked = judgement.checked(deletes=self.partial and "_op" in self.mapping.ours)
        with self._lock:
            self._rows += len(rows)
            for name, count in checked.filled.items():
                self._filled[name] = self._filled.get(name, 0) + count
        return checked

    def default(self, column: Column) -> Any:
        """Give a column's default for this brand; None: it has none."""
        if column.default == "@brand":
            return self.brand
        if column.default == "@currency":
            return self.settings.currency or None
        return column.default

    def finish(self) -> list[Finding]:
        """Say what only the whole file shows: expected columns that were blank in every row."""
        if not self.whole or not self._rows:
            return []
        found = []
        for column in self.schema.columns:
            if not column.expected or self._filled.get(column.name):
                continue
            sent = column.name in self.mapping.columns
            text = f"{column.name} is blank in every row" if sent else f"the file has no {column.name} column"
            instead = f"; every product gets {self.default(column)!r}" if self.default(column) is not None else ""
            hint = f"fill in {column.name} if your products have one"
            found.append(Finding("FIELD_REQUIRED", text + instead, hint, severity="warning", column=column.name))
        return found


class _Work:
    """One block while its columns are typed."""

    def __init__(self, checker: Checker, sender: Sender, deletes: Mask) -> None:
        self.checker, self.sender, self.deletes = checker, sender, deletes
        self.size = len(sender.block)
        self.columns: dict[str, Any] = {}
        self.bases: dict[str, Any] = {}
        self.given: dict[str, Mask] = {}
        self.cleared: dict[str, Mask] = {}
        self.sent: dict[str, Any] = {}
        self.currencies: dict[str, Any] = {}
        self.problems: list[Problem] = []
        self.bad = typed.none(self.size)
        self.undecided: list[str] = []

    def take(self, column: Column) -> None:
        """Type one catalog column."""
        if column.type == "map":
            self._take_map(column)
            return
        key = column.name in self.checker.schema.key
        if column.name not in self.checker.mapping.columns:
            self.columns[column.name] = pa.nulls(self.size, reading.ARROW[column.type])
            if column.type == "measure":
                self.bases[column.name] = pa.nulls(self.size, pa.string())
            return
        gathered = self.sender.column(column.name, shown=key)
        try:
            found = reading.read(gathered.cells, column, self._dialect(column, gathered), key=key)
        except Undecided:
            self.undecided.append(column.name)
            return
        self._put(column, gathered, found)

    def _dialect(self, column: Column, gathered: Gathered) -> Dialect:
        dialect = self.checker.dialect(column)
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
        severity = "error" if column.name in self.checker.schema.key else column.severity
        for fault in found.faults:
            self.blame(column.name, severity, fault, gathered.cells.array)

    def _take_map(self, column: Column) -> None:
        mapping, sender = self.checker.mapping, self.sender
        named = {name: sender.hide(at) for (of, name), at in mapping.maps.items() if of == column.name}
        bare = [sender.hide(at) for at in mapping.columns.get(column.name, ())]
        pairs = [(sender.hide(a), sender.hide(b)) for a, b in mapping.pairs.get(column.name, ())]
        if not (named or bare or pairs):
            self.columns[column.name] = pa.nulls(self.size, pa.string())
            return
        given = typed.none(self.size)
        for cells in (*named.values(), *bare, *(value for _, value in pairs)):
            given |= cells.filled
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
        severity = problems.severity(fault.code, fault.severity, column_severity)
        if severity == "error":
            self.bad[fault.rows] = True
        shown = fault.values
        if shown is None:
            shown = cells if isinstance(cells, str) else cells.take(pa.array(fault.rows))
        self.problems.append(Problem(name, fault.code, severity, fault.rows, fault.message, fault.suggestion, shown))

    def keep_unknown(self) -> None:
        """Take along the unknown columns that the brand keeps, as text."""
        for name, position in self.checker.mapping.kept.items():
            self.columns[name] = self.sender.hide(position).nulled

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
        parts, unkeyed = [], typed.none(self.size)
        for name in self.checker.schema.key:
            values = self.columns[name]
            if values.null_count:
                unkeyed |= ~mask(pc.is_valid(values))
            values = values if pa.types.is_string(values.type) else pc.cast(values, pa.string())
            if values.null_count:
                sent = self.sent.get(name)
                values = pc.fill_null(values, "") if sent is None else pc.coalesce(values, Cells(sent).trimmed.array)
            parts.append(values)
        return (parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, KEY_SEPARATOR)), unkeyed


class _Judgement:
    """One block while limits and rules are held over its typed columns."""

    def __init__(self, checker: Checker, rows: Typed) -> None:
        self.checker, self.rows = checker, rows
        table = rows.table
        self.columns: dict[str, Any] = {name: _one(table[name]) for name in table.column_names}
        self.bad = rows.bad.copy()
        self.problems = list(rows.problems)
        self.live = None if not rows.deleted.any() else ~rows.deleted

    def fill_currency(self) -> None:
        """Let the currency written beside an amount fill a blank currency, and refuse one that contradicts it."""
        if CURRENCY not in self.columns:
            return
        for name, written in self.rows.currencies.items():
            codes = self.columns[CURRENCY]
            certain = pc.is_in(written, value_set=_CODES)
            self.columns[CURRENCY] = codes = pc.if_else(pc.and_(pc.is_null(codes), certain), written, codes)
            differs = self._conflicts(written, codes)
            if differs.any():
                index = np.flatnonzero(differs)
                take = pa.array(index)
                message = pc.binary_join_element_wise(
                    "is in ", written.take(take), ", but the currency of this product is ", codes.take(take), ""
                )
                hint = "write all amounts of a product in its one currency"
                self._blame(name, Fault("FIELD_VALUE", index, message, hint), self._severity(name))
                self.columns[name] = with_nulls(self.columns[name], ~differs)

    def _conflicts(self, written: Any, codes: Any) -> Mask:
        """Compare code by code: few different ones occur."""
        pairs = pc.binary_join_element_wise(written, codes, "\x1f")
        coded = pc.dictionary_encode(pairs)
        wrong = []
        for pair in coded.dictionary.to_pylist():
            sign, _, code = pair.partition("\x1f")
            wrong.append(code not in money.may_be(sign))
        if not any(wrong):
            return typed.none(len(self.rows))
        return mask(pa.array(wrong, pa.bool_()).take(coded.indices))

    def hold(self, column: Column) -> None:
        """Fill in the default of a column and hold its limits."""
        values = self.columns[column.name]
        given = self.rows.given.get(column.name)
        if values.null_count:
            values = self._with_default(column, values, given)
        if column.required and values.null_count:
            blank = mask(pc.is_null(values))
            blank &= True if given is None else ~given
            key = column.name in self.checker.schema.key
            if self.live is not None and not key:
                blank &= self.live
            for fault in limits.absent(column, blank, partial=self.checker.partial and not key):
                self._blame(column.name, fault, self._severity(column.name))
        for fault in limits.broken(column, values):
            severity = self._severity(column.name)
            self._blame(column.name, fault, severity)
            if problems.severity(fault.code, fault.severity, severity) != "error":
                keep = np.ones(len(self.rows), dtype=np.bool_)
                keep[fault.rows] = False
                values = with_nulls(values, keep)
        self.columns[column.name] = values

    def _with_default(self, column: Column, values: Any, given: Mask | None) -> Any:
        default = self.checker.default(column)
        if default is None:
            return values
        scalar = (
            pa.scalar(str(default), pa.string()).cast(values.type)
            if not isinstance(default, bool)
            else pa.scalar(default)
        )
        free = mask(pc.is_null(values))
        for excluded in (given, self.rows.deleted, self.rows.cleared.get(column.name)):
            if excluded is not None:
                free &= ~excluded
        if self.rows.created is not None:
            free &= self.rows.created
        if free.all():
            return pa.repeat(scalar, len(values))
        return pc.if_else(pa.array(free), scalar, values) if free.any() else values

    def _severity(self, name: str) -> str:
        return "error" if name in self.checker.schema.key else self.checker.schema.column(name).severity

    def apply(self, rule: Rule, compiled: expression.Compiled) -> None:
        """Hold a rule over the rows whose columns it names are not themselves bad."""
        broken = compiled.violated(self.columns.__getitem__)
        if not broken.any():
            return
        for name in compiled.columns:
            given = self.rows.given.get(name)
            if given is not None:
                broken &= ~(given & mask(pc.is_null(self.columns[name])))
        if self.live is not None:
            broken &= self.live
        index = np.flatnonzero(broken)
        if index.size:
            shown = self._shown(compiled.columns, index)
            self._add(
                Problem(rule.name, "FIELD_RULE", rule.severity, index, rule.message, f"rule: {rule.expression}", shown)
            )

    def _shown(self, names: Sequence[str], index: Any) -> Any:
        """Show the cells a rule was about."""
        parts = [pc.binary_join_element_wise(f"{name}=", self._text(name, index), "") for name in names]
        return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, ", ")

    def _blame(self, name: str, fault: Fault, column_severity: str) -> None:
        severity = problems.severity(fault.code, fault.severity, column_severity)
        shown = self._text(name, fault.rows)
        self._add(Problem(name, fault.code, severity, fault.rows, fault.message, fault.suggestion, shown))

    def _add(self, problem: Problem) -> None:
        if problem.severity == "error":
            self.bad[problem.rows] = True
        self.problems.append(problem)

    def _text(self, name: str, index: Any) -> Any:
        """Give cells as they were sent, or as text where they come from the current catalog."""
        take = pa.array(index)
        values = self.columns[name].take(take)
        texts = values if pa.types.is_string(values.type) else pc.cast(values, pa.string())
        texts = pc.fill_null(texts, "")
        sent = self.rows.sent.get(name)
        if sent is None:
            return texts
        return pc.if_else(pa.array(self.rows.given[name][index]), sent.take(take), texts)

    def checked(self, *, deletes: bool) -> Checked:
        """Part the rows and make the findings."""
        rows, size = self.rows, len(self.rows)
        rejected = np.flatnonzero(self.bad)
        accepted = np.arange(size) if not rejected.size else np.flatnonzero(~self.bad)
        columns = dict(self.columns)
        if deletes:
            columns[DELETED] = pa.array(rows.deleted)
        columns[ROW] = pa.array(rows.row)
        good = pa.table(list(columns.values()), names=list(columns))
        if rejected.size:
            good = good.filter(pa.array(~self.bad)) if accepted.size else good.slice(0, 0)
        unkeyed = rows.unkeyed[rejected]
        keys = rows.keys.take(pa.array(rejected[~unkeyed])).to_pylist()
        found = problems.table(self.problems, rows.row, rows.line, rows.offset, rows.keys)
        filled = {name: int(np.count_nonzero(given)) for name, given in rows.given.items()}
        return Checked(good, accepted, rejected, keys, int(unkeyed.sum()), found, self._warned(), filled)

    def _warned(self) -> int:
        warned = typed.none(len(self.rows))
        for problem in self.problems:
            if problem.severity == "warning":
                warned[problem.rows] = True
        return int((warned & ~self.bad).sum())


_CODES = pa.array(sorted(isocodes.CURRENCIES))


def _one(column: Any) -> Any:
    """Give a table's column as one array."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
