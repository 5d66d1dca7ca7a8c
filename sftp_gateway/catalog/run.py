"""The steps from a file to a version, in their order, timed: what a worker's child runs.

    read → headers → check → (unique, diff, guard) → publish → report

Never raises for bad data: what the sender must mend is an Outcome `refused` or `unfinished` with its
receipt and error file. Writes into `job.out` only; the parent makes true what is there.
"""

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, TypeGuard

import numpy as np
import pyarrow as pa

from sftp_gateway.catalog import (
    changes,
    check,
    corrections,
    decide,
    diff,
    engine,
    headers,
    keys,
    merge,
    original,
    plan,
    publish,
    report,
    result,
    reuse,
    sift,
)
from sftp_gateway.catalog.decide import Decision, Rows
from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.job import Job, Lookup, Made, Outcome, Progress
from sftp_gateway.catalog.judgement import CURRENCY
from sftp_gateway.catalog.plan import Plan
from sftp_gateway.catalog.read import opening
from sftp_gateway.catalog.read.delimited import DelimitedSource
from sftp_gateway.catalog.read.source import Block, Hints, Source
from sftp_gateway.errors import Incomplete, Refused
from sftp_gateway.upload import Mode, State

DIFF_SHARE = 0.4
"""How much of the child's memory DuckDB may use; it passes its limit by up to a third."""


def process(job: Job, lookup: Lookup, progress: Progress, pool: Executor | None = None) -> Outcome:
    """Take one upload from its bytes to an Outcome. Raises only what is our fault (OSError, Broken).

    `pool`: checks the blocks of the file; None: as many threads as the job says.
    """
    with contextlib.ExitStack() as held:
        if pool is None:
            pool = held.enter_context(ThreadPoolExecutor(job.threads, thread_name_prefix="check"))
        return _Run(job, lookup, progress, pool).outcome()


class _Run:
    """One upload on its way; each method is a step."""

    def __init__(self, job: Job, lookup: Lookup, progress: Progress, pool: Executor) -> None:
        self.job, self.lookup, self.progress, self.pool = job, lookup, progress, pool
        self.clock = result.Clock()
        self.scratch = job.out / "work"
        self.scratch.mkdir(exist_ok=True)
        self.base_name = report.safe_name(job.name)
        self.source: Source | None = None
        self.plan = Plan(job.mode, Mode.FULL, absent_goes=False)
        self.sifted = sift.start(self.scratch)
        self.whole: list[Finding] = []
        self.writer: corrections.CorrectionWriter | None = None
        self.rows = Rows()
        self.made: list[Made] = []

    def outcome(self) -> Outcome:
        try:
            try:
                self._read()
                return self._judge()
            except Incomplete as error:
                return self._stopped(State.UNFINISHED, error)
            except Refused as error:
                return self._stopped(State.REFUSED, error)
        finally:
            self.sifted.close()

    # Reading and checking -------------------------------------------------------------------------

    def _read(self) -> None:
        self.progress("read", 0.0)
        begun = time.perf_counter()
        self.source = source = opening.open_source(self.job.source, self._hints())
        self.plan = plan.of(self.job, source, self.lookup)
        self.source = source = original.reopened(source, self.job, self.plan, self.lookup, self._hints())
        self.whole += source.findings
        mapping = headers.match(source.headers, self.job.schema, self.job.settings, self.plan.rows)
        self.whole += mapping.findings
        self.clock.seconds["read"] += time.perf_counter() - begun
        checker = self._pass(source, mapping)
        self.whole += [*source.tally.late, *checker.finish()]
        for name in ("read", "check"):
            self.clock.seconds[name] += self.sifted.seconds[name]
        if self.sifted.read == 0:
            raise Refused(
                "FILE_EMPTY",
                "the file has no rows; the catalog stays as it is",
                "send the whole catalog; to take products away, send the file without them",
            )

    def _hints(self) -> Hints:
        settings = self.job.settings
        return Hints(
            encoding=settings.encoding,
            delimiter=settings.delimiter,
            quote=settings.quote,
            sheet=settings.sheet,
            known_headers=headers.known(self.job.schema, settings),
            max_file_bytes=self.job.max_file_bytes,
            must_end_with_newline=self.job.must_end_with_newline,
            complete=self.job.complete,
        )

    def _pass(self, source: Source, mapping: headers.Mapping) -> check.Checker:
        """Run all blocks; once more with evidence from the whole file if a value needs it, or if known rows leave a doubt."""
        evidence: Any = None
        reuses = True
        while True:
            checker = self._checker(mapping, evidence)
            try:
                self._pass_once(source, mapping, checker, evidence, reuses=reuses)
            except check.NeedsEvidence:
                found = check.survey(source, mapping, self.job.schema, self.job.settings)
                evidence = original.completed(found, self.job, self.plan, self.lookup, self._hints())
            else:
                if self._counts_known(checker, mapping):
                    return checker
                reuses = False
            assert self.writer is not None
            self.writer.finish()
            self.sifted.close()
            self.sifted = sift.start(self.scratch)

    def _counts_known(self, checker: check.Checker, mapping: headers.Mapping) -> bool:
        """Count the rows that were not checked; False if it cannot be told whether an expected column is blank in all."""
        carry, filled = self.sifted.carry, self.sifted.stage.filled
        if carry is None or not carry.known:
            return True
        expected = [column for column in self.job.schema.columns if column.expected and column.name in mapping.columns]
        # These may be filled in by us, so that the row does not tell whether the sender did.
        ours = [c for c in expected if checker.terms.default(c) is not None or c.name == CURRENCY]
        checker.add_known(carry.known, [c.name for c in expected if c not in ours and filled.get(c.name)])
        return all(checker.is_filled(column.name) for column in ours)

    def _checker(self, mapping: headers.Mapping, evidence: Any) -> check.Checker:
        job = self.job
        return check.Checker(job.schema, job.settings, mapping, self.plan.rows, job.brand, evidence)

    def _pass_once(
        self, source: Source, mapping: headers.Mapping, checker: check.Checker, evidence: Any, *, reuses: bool
    ) -> None:
        self.writer = writer = corrections.CorrectionWriter(source, self.job.upload, self.job.out, self.base_name)
        key = self.job.schema.key
        with merge.opened(self.job, self.plan, source, checker, self.scratch) as judge:
            if self.plan.joins is not None:
                sift.join(self.sifted, self.plan.joins, judge.schema())
            elif reuses and self._tells_bytes(source):
                own = result.rules(self.job.schema, self.job.settings)
                marked = reuse.terms(self.job, own, source, evidence)
                self.sifted.carry = reuse.opened(self.job, marked, source, judge.schema(), self.scratch)
            check_block = self._stale(judge.check, key)
            pool = None if judge.in_order else self.pool
            for block in sift.file(self.sifted, source, check_block, keys.Reader(mapping, key), writer, pool):
                self._tell(block)

    def _tells_bytes(self, source: Source) -> TypeGuard[DelimitedSource]:
        """Whether a record's bytes alone make its row, in a file that is large enough for that to be worth knowing."""
        whole = self.plan.rows is Mode.FULL and not self.plan.is_correction and not source.correction_of
        return whole and isinstance(source, DelimitedSource) and source.encoding.total_bytes >= reuse.LEAST_BYTES

    def _stale(
        self, check_block: Callable[[Block], check.Checked], key: tuple[str, ...]
    ) -> Callable[[Block], check.Checked]:
        stale = self.plan.stale
        if stale is None or len(stale) == 0:
            return check_block
        return lambda block: sift.reject_stale(block, check_block(block), stale, key)

    def _tell(self, block: Block) -> None:
        done = block.data_offset + len(block.data)
        self.progress("check", min(done / max(self.job.bytes, 1), 1.0))

    # Judging and publishing -----------------------------------------------------------------------

    def _judge(self) -> Outcome:
        staged = self.sifted.stage
        staged.finish()
        if staged.rows == 0:
            raise Refused(
                "FILE_NO_VALID_ROW",
                f"none of the {self.sifted.read} rows could be used; the catalog stays as it is",
                "mend the rows in the correction file and send it back",
            )
        self.progress("diff", 0.0)
        begun = time.perf_counter()
        job = self.job
        with self._engine() as connection:
            base_schema = decide.show(connection, self.sifted, job.base, small=self._is_small())
            self._unique(connection)
            paths = publish.Paths((job.base.number if job.base else 0) + 1, job.out)
            with changes.Writer(paths.changes, paths.changes_csv) as writer:
                full = self.plan.absent_goes
                sides = decide.Sides(connection, job, self.sifted, staged.schema, base_schema, full, self.rows.gone)
                decision = decide.decide(sides, writer, judge_rejects=full or not self.plan.is_correction)
            self.clock.seconds["diff"] += time.perf_counter() - begun
            return self._publish(connection, decision, paths, base_schema)

    def _is_small(self) -> bool:
        base = self.job.base.path.stat().st_size if self.job.base else 0
        return not self.sifted.stage.on_disk and base < engine.SMALL_BYTES

    def _engine(self) -> AbstractContextManager[engine.Connection]:
        if self._is_small():
            return engine.open_small()
        readable = [self.sifted.stage.path, *([self.job.base.path] if self.job.base else [])]
        memory = int(self.job.memory_bytes * DIFF_SHARE)
        engine.give_back_memory()
        return engine.open_large(readable, self.scratch, memory_bytes=memory, threads=self.job.threads)

    def _unique(self, connection: engine.Connection) -> None:
        job = self.job
        strict = job.settings.duplicates == "refuse"
        self.rows = rows = decide.rows(connection, self.sifted, job.schema, self.scratch, refuse=strict)
        if strict and rows.dropped.differing:
            raise Refused(
                "CATALOG_DUPLICATE_KEY",
                f"{rows.dropped.differing} rows have a key that a later row has too, with other values",
                "keep one row for each product",
            )
        if len(rows.repeats):
            self._correct_late()

    def _correct_late(self) -> None:
        """Write rows for correction that only the whole file showed to be wrong: read them once more."""
        assert self.source is not None
        assert self.writer is not None
        rows = self.sifted.stage.places.at(self.rows.repeats)[:, 0]
        told = pa.Table.from_batches([batch for late in self.rows.late for batch in late.batches()])
        for block in self.source.blocks():
            indices = np.flatnonzero(np.isin(block.row, rows))
            sift.add_rows(self.writer, block, indices, told)

    def _publish(
        self, connection: engine.Connection, decision: Decision, paths: publish.Paths, base: pa.Schema
    ) -> Outcome:
        self.progress("publish", 0.0)
        begun = time.perf_counter()
        dry = self.plan.mode is Mode.TEST
        state = State.HELD if decision.is_held else State.UNCHANGED if decision.is_empty else State.PUBLISHED
        publishes = state is State.PUBLISHED and not dry
        if decision.withheld:
            self._write_withheld(connection, base, keep_keys=publishes)
        columns: tuple[str, ...] = ()
        if publishes:
            columns = self._write_version(connection, paths, base)
        else:
            paths.drop_changes()
        if state is State.HELD and not dry:
            path = self.job.out / "accepted.parquet"
            self.made.append(publish.write_accepted(self.sifted.stage, self.rows.gone, path))
        self._note_revert()
        facts = self._facts(whole=self.whole, rejected_rows=True)
        self.clock.seconds["publish"] += time.perf_counter() - begun
        found = result.Judged(decision, state, len(self.rows.dropped.positions), columns)
        return result.judged(facts, self.sifted, found)

    def _write_withheld(self, connection: engine.Connection, base: pa.Schema, *, keep_keys: bool) -> None:
        out = self.job.out
        csv = out / f"{self.base_name}.{self.job.upload}.withheld.csv"
        schema = publish.version_schema(base, base, full=True)
        self.made.append(publish.write_withheld(connection, schema, csv))
        if keep_keys:
            self.made.append(publish.write_keys(connection, self.job.schema.key, out / "withheld-keys.parquet"))

    def _write_version(self, connection: engine.Connection, paths: publish.Paths, base: pa.Schema) -> tuple[str, ...]:
        job, staged = self.job, self.sifted.stage
        if self.plan.absent_goes:
            has_base = job.base is not None
            schema = publish.write_full(connection, staged, self.rows.gone, paths.catalog, has_base=has_base)
        else:
            old = job.base.path if job.base else None
            schema = publish.write_merged(connection, staged, old, base, paths.catalog)
        self.made += paths.made()
        return tuple(diff.visible(schema))

    def _note_revert(self) -> None:
        if not self.plan.absent_goes:
            return
        version = next((number for number, digest in self.job.older if digest == self.job.sha256), None)
        if version is not None:
            text = (
                f"this is, byte for byte, the file that made version {version}: newer values go back to those of then"
            )
            self.whole.append(Finding("CATALOG_REVERT", text, "check that the right file was sent"))

    # Reports --------------------------------------------------------------------------------------

    def _stopped(self, state: State, error: Refused) -> Outcome:
        fatal = Finding(error.code, error.message, error.suggestion, severity="fatal")
        rows = {}
        if error.code in ("FILE_NO_VALID_ROW", "CATALOG_DUPLICATE_KEY"):
            duplicates = len(self.rows.dropped.positions)
            rows = {"read": self.sifted.read, "rejected": self.sifted.read - duplicates, "duplicates": duplicates}
        facts = self._facts(whole=[fatal, *self.whole], rejected_rows=error.code == "FILE_NO_VALID_ROW")
        reason = {"code": error.code, "figure": None, "limit": None, "text": error.message}
        return result.stopped(facts, state, rows, reason)

    def _facts(self, *, whole: list[Finding], rejected_rows: bool) -> result.Facts:
        streams = [self.sifted.findings.batches(), *(late.batches() for late in self.rows.late)]
        counts, written = report.write_findings(whole, streams, self.job.out, self.base_name, self.job.upload)
        self.made += written
        path = self.writer.finish() if self.writer is not None else None
        if path is not None and rejected_rows:
            self.made.append(report.made("corrections", path))
        return result.Facts(
            job=self.job,
            plan=self.plan,
            rules=result.rules(self.job.schema, self.job.settings),
            source=self.source,
            counts=counts,
            made=tuple(self.made),
            clock=self.clock,
        )
