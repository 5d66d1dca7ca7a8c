"""Rows as text → good rows, typed, and findings: types, then limits, then rules, a block at a time.

Never raises for data. Blocks may be checked in any order and by several threads at once; only the
figures that `finish` reports on are shared. Serves run (full files) and merge (partial ones).
"""

import threading
from collections.abc import Collection

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog.checking.evidence import Evidence, survey
from sftp_gateway.catalog.checking.headers import Mapping
from sftp_gateway.catalog.checking.judgement import Judgement
from sftp_gateway.catalog.checking.sender import Sender
from sftp_gateway.catalog.checking.terms import Terms
from sftp_gateway.catalog.checking.typed import Checked, Typed
from sftp_gateway.catalog.checking.work import Work
from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.read.source import Block
from sftp_gateway.catalog.rules import expression
from sftp_gateway.catalog.rules.schema import Schema
from sftp_gateway.catalog.types.typing import NeedsEvidence, told
from sftp_gateway.upload import Mode

__all__ = ["Checked", "Checker", "Evidence", "NeedsEvidence", "Typed", "survey"]


class Checker:
    r"""Checks the blocks of one file by one schema.

    `mode` PARTIAL: only the key must be present, `\N` clears, `_op` deletes, and `judge` is for merged rows; CORRECTION:
    rows are whole products, but the file is no whole catalog.
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
        self.schema = schema
        self.terms = Terms(schema, settings, mapping, brand, evidence or Evidence(), mode is Mode.PARTIAL)
        self._whole = mode in (Mode.FULL, Mode.TEST)
        kinds = {column.name: column.type for column in schema.columns}
        self._rules = [(rule, expression.parse(rule.expression, kinds)) for rule in schema.rules]
        self._filled = dict.fromkeys(kinds, 0)
        self._rows = 0
        self._lock = threading.Lock()

    def check(self, block: Block) -> Checked:
        """Type a block and judge it: all that a full file needs."""
        return self.judge(self.type(block))

    def type(self, block: Block) -> Typed:
        """Type every cell of a block. Raises NeedsEvidence with every column that needs it."""
        sender = Sender(block, self.terms.mapping, self.terms.partial)
        deletes, unknown, words = sender.operations()
        sender.hidden = deletes if deletes.any() else None
        work = Work(self.terms, sender, deletes)
        for column in self.schema.columns:
            work.take(column)
        if work.undecided:
            raise NeedsEvidence(frozenset(work.undecided))
        work.keep_unknown()
        for fault in told("FIELD_VALUE", unknown, "is no operation", "write delete, or leave it blank"):
            work.blame("_op", "error", fault, words)
        work.reject_nul()
        return work.typed()

    def judge(self, rows: Typed) -> Checked:
        """Fill in defaults, hold the limits and the rules, and part good rows from rejected ones."""
        judgement = Judgement(self.terms, rows)
        judgement.fill_currency()
        for column in self.schema.columns:
            judgement.hold(column)
        for rule, parsed in self._rules:
            judgement.apply(rule, parsed)
        checked = judgement.checked(deletes=self.terms.partial and "_op" in self.terms.mapping.ours)
        with self._lock:
            self._rows += len(rows)
            for name, count in checked.filled.items():
                self._filled[name] += count
        return checked

    def add_known(self, rows: int, filled: Collection[str]) -> None:
        """Count rows that were known and so not checked, and the columns that are filled in in some of them."""
        self._rows += rows
        for name in filled:
            self._filled[name] += 1

    def is_filled(self, name: str) -> bool:
        """Whether a column was filled in in any row so far."""
        return self._filled[name] > 0

    def finish(self) -> list[Finding]:
        """Say what only the whole file shows: expected columns that were blank in every row."""
        if not self._whole or not self._rows:
            return []
        found = []
        for column in self.schema.columns:
            if not column.expected or self._filled[column.name]:
                continue
            sent = column.name in self.terms.mapping.columns
            text = f"{column.name} is blank in every row" if sent else f"the file has no {column.name} column"
            default = self.terms.default(column)
            instead = "" if default is None else f"; every product gets {default!r}"
            hint = f"fill in {column.name} if your products have one"
            found.append(Finding("FIELD_REQUIRED", text + instead, hint, severity="warning", column=column.name))
        return found
