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

import numpy as np
import pyarrow as pa
from msgspec import structs

from sftp_gateway.catalog import engine, findings, lane, passes, publish, respelled, sift
from sftp_gateway.catalog.comparing import changes, decide, diff
from sftp_gateway.catalog.comparing.decide import Decision, Rows
from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.job import Job, Lookup, Made, Outcome, Progress
from sftp_gateway.catalog.results import held, report, result
from sftp_gateway.errors import Incomplete, Refused
from sftp_gateway.upload import Mode, State

Written = tuple[report.Counts, list[Made]]

DIFF_SHARE = 0.4
"""How much of the child's memory DuckDB may use; it passes its limit by up to a third."""


def process(job: Job, lookup: Lookup, progress: Progress) -> Outcome:
    """Take one upload from its bytes to an Outcome. Raises only what is our fault (OSError, Broken)."""
    with ThreadPoolExecutor(job.threads, thread_name_prefix="check") as pool:
        return _Run(job, lookup, progress, pool).outcome()


class _Run:
    """One upload on its way; each method is a step."""

    def __init__(self, job: Job, lookup: Lookup, progress: Progress, pool: Executor) -> None:
        if job.base is not None:
            job = structs.replace(job, base=respelled.base(job.base, job.schema, job.out))
        self.job, self.progress = job, progress
        self.clock = result.Clock()
        self.file = passes.File(job, lookup, progress, pool, self.clock)
        self.rows = Rows()
        self.made: list[Made] = []

    def outcome(self) -> Outcome:
        try:
            try:
                self.file.read()
                return self._judge()
            except Incomplete as error:
                return self._stopped(State.UNFINISHED, error)
            except Refused as error:
                return self._stopped(State.REFUSED, error)
        finally:
            self.file.close()

    # Judging and publishing -----------------------------------------------------------------------

    def _judge(self) -> Outcome:
        staged = self.file.sifted.stage
        staged.finish()
        self._refuse_nothing(staged.rows)
        self.progress("diff", 0.0)
        begun = time.perf_counter()
        job = self.job
        with self._engine() as connection:
            base_schema = decide.show(connection, self.file.sifted, job, small=self._is_small())
            full = self.file.plan.absent_goes
            sides = decide.Sides(connection, job, self.file.sifted, staged.schema, base_schema, full)
            self._unique(sides)
            sides = structs.replace(sides, rows=self.rows)
            self._refuse_nothing(staged.rows - len(self.rows.gone))
            revert = self._revert()
            paths = publish.Paths((job.base.number if job.base else 0) + 1, job.out)
            # Everything is found now, but for what only a difference tells: it is written down while rows are compared.
            with self._findings_beside(waits=revert is not None) as findings_written:
                with changes.Writer(paths.changes_csv) as writer:
                    decision = decide.decide(sides, writer, judge_rejects=full or not self.file.plan.is_correction)
                if revert is not None and not decision.is_empty:
                    self.file.whole.append(revert)
                self.clock.seconds["diff"] += time.perf_counter() - begun
                return self._publish(connection, decision, paths, base_schema, findings_written)

    def _refuse_nothing(self, rows: int) -> None:
        """Refuse a file of which no row is left: it would be an empty catalog, or end as if all were well."""
        read = self.file.sifted.read
        if rows == 0:
            raise Refused(
                "FILE_NO_VALID_ROW",
                ("its one row could not" if read == 1 else f"none of the {read:,} rows could")
                + " be used; the catalog stays as it is",
                "mend the rows in the correction file and send it back",
            )

    def _is_small(self) -> bool:
        if self.file.sifted.stage.on_disk:
            return False
        base = self.job.base
        # All products may have to be copied whole, and what is alike in many rows hardly counts in the file's size.
        return base is None or (base.path.stat().st_size < engine.SMALL_BYTES and base.products < engine.SMALL_PRODUCTS)

    def _engine(self) -> AbstractContextManager[engine.Connection]:
        if self._is_small():
            return engine.open_small()
        readable = [self.file.sifted.stage.path, *([self.job.base.path] if self.job.base else [])]
        memory = int(self.job.memory_bytes * DIFF_SHARE)
        engine.give_back_memory()
        return engine.open_large(readable, self.file.scratch, memory_bytes=memory, threads=self.job.threads)

    def _unique(self, sides: decide.Sides) -> None:
        self.rows = rows = decide.rows(sides, self.file.scratch)
        if len(rows.repeats):
            self._correct_late()
        if self.job.settings.duplicates == "refuse" and rows.dropped.differing:
            raise Refused(
                "CATALOG_DUPLICATE_KEY",
                f"{rows.dropped.differing:,} row{'s have' if rows.dropped.differing > 1 else ' has'} a key that a later row has too, "
                "with other values",
                "keep one row for each product",
            )

    def _correct_late(self) -> None:
        """Write rows for correction that only the whole file showed to be wrong: read them once more."""
        assert self.file.source is not None
        assert self.file.writer is not None
        rows = self.file.sifted.stage.places.at(self.rows.repeats)[:, 0]
        told = findings.by_row(pa.Table.from_batches([batch for late in self.rows.late for batch in late.batches()]))
        for block in self.file.source.blocks():
            indices = np.flatnonzero(np.isin(block.row, rows))
            sift.add_rows(self.file.writer, block, indices, told)

    def _publish(
        self,
        connection: engine.Connection,
        decision: Decision,
        paths: publish.Paths,
        base: pa.Schema,
        findings_written: Callable[[], Written],
    ) -> Outcome:
        self.progress("publish", 0.0)
        begun = time.perf_counter()
        dry = self.file.plan.mode is Mode.TEST
        state = State.HELD if decision.is_held else State.UNCHANGED if decision.is_empty else State.PUBLISHED
        publishes = state is State.PUBLISHED and not dry
        if decision.withheld:
            self._write_withheld(connection, base, keep_keys=publishes)
        columns: tuple[str, ...] = ()
        if publishes:
            columns = self._write_version(connection, paths, base)
        else:
            paths.changes_csv.unlink()
        if state is State.HELD and not dry:
            self.made += held.keep(connection, self.file.sifted, self.rows.gone, self.job)
        facts = self._facts(findings_written(), rejected_rows=True)
        self.clock.seconds["publish"] += time.perf_counter() - begun
        return result.judged(facts, decision, state, len(self.rows.dropped.positions), columns)

    def _write_withheld(self, connection: engine.Connection, base: pa.Schema, *, keep_keys: bool) -> None:
        out = self.job.out
        csv = out / f"{self.file.base_name}.{self.job.upload}.withheld.csv"
        self.made.append(publish.write_withheld(connection, base, csv))
        if keep_keys:
            self.made.append(publish.write_keys(connection, self.job.schema.key, out / "withheld-keys.parquet"))

    def _write_version(self, connection: engine.Connection, paths: publish.Paths, base: pa.Schema) -> tuple[str, ...]:
        job, staged = self.job, self.file.sifted.stage
        if self.file.plan.absent_goes:
            before = base if job.base is not None else None
            schema = publish.write_full(connection, staged, self.rows.gone, paths.catalog, before)
        else:
            old = job.base.path if job.base else None
            schema = publish.write_merged(connection, staged, old, base, paths.catalog)
        self.made += paths.made()
        return tuple(diff.visible(schema))

    def _revert(self) -> Finding | None:
        """Say that the bytes are those of an older catalog, if they are; it counts where anything differs."""
        if not self.file.plan.absent_goes:
            return None
        version = next((number for number, digest in self.job.older if digest == self.job.sha256), None)
        if version is None:
            return None
        text = f"this is, byte for byte, the file that made version {version}: newer values go back to those of then"
        return Finding("CATALOG_REVERT", text, "check that the right file was sent")

    # Reports --------------------------------------------------------------------------------------

    def _stopped(self, state: State, error: Refused) -> Outcome:
        fatal = Finding(error.code, error.message, error.suggestion, severity="fatal")
        rows = {}
        all_read = error.code in ("FILE_NO_VALID_ROW", "CATALOG_DUPLICATE_KEY")
        if all_read:
            duplicates = len(self.rows.dropped.positions)
            rows = {
                "read": self.file.sifted.read,
                "rejected": self.file.sifted.read - duplicates,
                "duplicates": duplicates,
            }
        self.file.whole.insert(0, fatal)
        facts = self._facts(self._write_findings(), rejected_rows=all_read)
        reason = {"code": error.code, "figure": None, "limit": None, "text": error.message}
        return result.stopped(facts, state, rows, reason)

    def _findings_beside(self, *, waits: bool) -> AbstractContextManager[Callable[[], Written]]:
        return contextlib.nullcontext(self._write_findings) if waits else lane.beside(self._write_findings)

    def _write_findings(self) -> Written:
        sifted, job = self.file.sifted, self.job
        streams = [sifted.findings.batches(), *(late.batches() for late in self.rows.late)]
        unplaced = sifted.unplaced.batches()
        return report.write_findings(self.file.whole, streams, job.out, self.file.base_name, job.upload, unplaced)

    def _facts(self, written: Written, *, rejected_rows: bool) -> result.Facts:
        counts, files = written
        self.made += files
        path = self.file.writer.finish() if self.file.writer is not None else None
        if path is not None and rejected_rows:
            self.made.append(report.made("corrections", path))
        return result.Facts(
            job=self.job,
            plan=self.file.plan,
            sifted=self.file.sifted,
            source=self.file.source,
            counts=counts,
            made=tuple(self.made),
            clock=self.clock,
        )
