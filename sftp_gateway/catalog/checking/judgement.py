"""One block while defaults, limits and rules are held over its typed columns: `Typed` → `Checked`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog.checking import problems
from sftp_gateway.catalog.checking.terms import Terms
from sftp_gateway.catalog.checking.typed import BASE, DELETED, ROW, Checked, Typed
from sftp_gateway.catalog.rules import evaluate, limits
from sftp_gateway.catalog.rules.column import Column
from sftp_gateway.catalog.rules.expression import Expression
from sftp_gateway.catalog.rules.schema import Rule
from sftp_gateway.catalog.types import isocodes, money
from sftp_gateway.catalog.types.cells import Mask, flags, kept, mask, once_each, one, with_nulls
from sftp_gateway.catalog.types.typing import Fault

CURRENCY = "currency"
_CODES = pa.array(sorted(isocodes.CURRENCIES))


class Judgement:
    """One block while limits and rules are held over its typed columns."""

    def __init__(self, terms: Terms, rows: Typed) -> None:
        self.terms, self.rows = terms, rows
        table = rows.table
        self.columns: dict[str, Any] = {name: one(table[name]) for name in table.column_names}
        self.bad = rows.bad.copy()
        self.problems = list(rows.problems)
        self.live = None if not rows.deleted.any() else ~rows.deleted

    def fill_currency(self) -> None:
        """Let the currency written beside an amount fill a blank currency, and refuse one that contradicts it."""
        if CURRENCY not in self.columns or not self.rows.currencies:
            return
        codes = self.columns[CURRENCY]
        for written in self.rows.currencies.values():
            certain = pc.is_in(written, value_set=_CODES)
            codes = pc.if_else(pc.and_(pc.is_null(codes), certain), written, codes)
        # the default comes before any amount is held against it: `$15` in a catalog of euros is not 15 EUR
        self.columns[CURRENCY] = self._with_default_currency(codes)
        self._hold_apart(self.columns[CURRENCY])
        for name, written in self.rows.currencies.items():
            pairs = pc.binary_join_element_wise(written, self.columns[CURRENCY], "\x1f")
            differs = mask(once_each(pairs, _conflicts, pa.bool_()))
            if differs.any():
                index = np.flatnonzero(differs)
                self._blame(name, self._contradiction(written, codes, index), self.terms.severity(name))
                self.columns[name] = with_nulls(self.columns[name], ~differs)

    def _hold_apart(self, codes: Any) -> None:
        """Refuse amounts of one product whose signs are those of no one currency (`$12` beside `10 kr`), if it names none."""
        written = self.rows.currencies
        if len(written) < 2 or not codes.null_count:
            return
        signs = pc.binary_join_element_wise(*(pc.fill_null(signs, "") for signs in written.values()), "\x1f")
        wrong = once_each(signs, lambda text: not _in_one(text.split("\x1f")), pa.bool_())
        apart = mask(pc.and_(wrong, pc.is_null(codes)))
        if not apart.any():
            return
        hint = "fill in currency, and write all amounts of a product in its one currency"
        for name, sign in written.items():
            index = np.flatnonzero(apart & mask(pc.is_valid(sign)))
            fault = Fault("FIELD_VALUE", index, "is in another currency than other amounts of this product", hint)
            self._blame(name, fault, self.terms.severity(name))
            self.columns[name] = with_nulls(self.columns[name], ~apart | mask(pc.is_null(sign)))

    def _with_default_currency(self, codes: Any) -> Any:
        for column in self.terms.schema.columns:
            if column.name == CURRENCY and codes.null_count:
                return self._with_default(column, codes, self.rows.given.get(CURRENCY))
        return codes

    def _contradiction(self, written: Any, named: Any, index: Any) -> Fault:
        """Say what an amount is in and what its product is in; `named`: the currencies that rows name themselves."""
        take = pa.array(index)
        meant, silent = self.columns[CURRENCY].take(take), pc.is_null(named.take(take))
        which = pc.if_else(silent, "a product that names none", "this product")
        message = pc.binary_join_element_wise(
            "is in ", written.take(take), ", but the currency of ", which, " is ", meant, ""
        )
        fill = pc.binary_join_element_wise("fill in currency, or write all amounts of the product in ", meant, "")
        hint = pc.if_else(silent, fill, "write all amounts of a product in its one currency")
        return Fault("FIELD_VALUE", index, message, hint)

    def hold(self, column: Column) -> None:
        """Fill in the default of a column and hold its limits."""
        values = self.columns[column.name]
        given = self.rows.given.get(column.name)
        if values.null_count:
            values = self._with_default(column, values, given)
        if column.required and values.null_count:
            blank = mask(pc.is_null(values))
            blank &= True if given is None else ~given
            key = column.name in self.terms.schema.key
            if self.live is not None and not key:
                blank &= self.live
            cleared, created = (None, None) if key else (self.rows.cleared.get(column.name), self._created())
            for fault in limits.absent(column, blank, cleared=cleared, created=created):
                self._blame(column.name, fault, self.terms.severity(column.name))
        for fault in limits.broken(column, values):
            severity = self.terms.severity(column.name)
            self._blame(column.name, fault, severity)
            if problems.severity(fault, severity) != "error":
                values = with_nulls(values, ~flags(fault.rows, len(self.rows)))
        self.columns[column.name] = values
        if self.rows.before and given is not None and values.null_count:
            self._leave_alone(column.name, given & mask(pc.is_null(values)) & ~self.bad)

    def _leave_alone(self, name: str, lost: Mask) -> None:
        r"""Keep what a product has where a row that is kept gives nothing usable: in a partial file only `\N` clears."""
        if not lost.any():
            return
        for part in (name, BASE + name):
            if part in self.rows.before:
                self.columns[part] = pc.if_else(pa.array(lost), self.rows.before[part], self.columns[part])

    def _created(self) -> Mask | None:
        """Rows of a partial file whose product is new: all of them while no merge has told; None: a full file."""
        if not self.terms.partial:
            return None
        return self.rows.created if self.rows.created is not None else np.ones(len(self.rows), dtype=np.bool_)

    def _with_default(self, column: Column, values: Any, given: Mask | None) -> Any:
        default = self.terms.default(column)
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

    def apply(self, rule: Rule, told: Expression) -> None:
        """Hold a rule over the rows whose columns it names are not themselves bad."""
        broken = evaluate.violated(told, self.columns.__getitem__)
        if not broken.any():
            return
        for name in told.columns:
            given = self.rows.given.get(name)
            if given is not None:
                broken &= ~(given & mask(pc.is_null(self.columns[name])))
        if self.live is not None:
            broken &= self.live
        index = np.flatnonzero(broken)
        if index.size:
            fault = Fault("FIELD_RULE", index, rule.message, f"rule: {rule.expression}", rule.severity)
            self._add(problems.settled(fault, rule.name, rule.severity, self._shown(told.columns, index)))

    def _shown(self, names: Sequence[str], index: Any) -> Any:
        parts = [pc.binary_join_element_wise(f"{name}=", self._text(name, index), "") for name in names]
        return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, ", ")

    def _blame(self, name: str, fault: Fault, column_severity: str) -> None:
        self._add(problems.settled(fault, name, column_severity, self._text(name, fault.rows)))

    def _add(self, fault: Fault) -> None:
        if fault.severity == "error":
            self.bad[fault.rows] = True
        self.problems.append(fault)

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
        rows = self.rows
        rejected = np.flatnonzero(self.bad)
        accepted = np.flatnonzero(~self.bad)
        columns = dict(self.columns)
        if deletes:
            columns[DELETED] = pa.array(rows.deleted)
        columns[ROW] = pa.array(rows.row)
        good = pa.table(list(columns.values()), names=list(columns))
        if rejected.size:
            good = kept(good, ~self.bad)
        unkeyed = rows.unkeyed[rejected]
        keys = rows.keys.take(pa.array(rejected[~unkeyed]))
        found = problems.table(self.problems, rows.row, rows.line, rows.offset, rows.keys)
        filled = {name: int(np.count_nonzero(given)) for name, given in rows.given.items()}
        return Checked(good, accepted, rejected, keys, int(unkeyed.sum()), found, filled)


def _conflicts(pair: str) -> bool:
    """Whether a sign and the code behind it are those of two currencies."""
    sign, _, code = pair.partition("\x1f")
    return code not in money.may_be(sign)


def _in_one(signs: Sequence[str]) -> bool:
    """Whether all of some signs may stand for one currency."""
    meant = [money.may_be(sign) for sign in signs if sign]
    return not meant or bool(frozenset.intersection(*meant))
