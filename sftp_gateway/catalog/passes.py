"""The file of an upload: read, checked and staged, in one pass or in more where the file itself asks for it. Serves run."""

import functools
import time
from concurrent.futures import Executor
from typing import Any, TypeGuard

import pyarrow.parquet as pq
from msgspec.structs import replace

from sftp_gateway import upload_name
from sftp_gateway.catalog import plan, sift
from sftp_gateway.catalog.checking import check, headers, listheaders
from sftp_gateway.catalog.checking.judgement import CURRENCY
from sftp_gateway.catalog.comparing import diff, merge, reuse
from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.job import Job, Lookup, Progress
from sftp_gateway.catalog.read import opening
from sftp_gateway.catalog.read.csv.delimited import DelimitedSource
from sftp_gateway.catalog.read.source import Hints, Source
from sftp_gateway.catalog.read.text.presumed import Misread
from sftp_gateway.catalog.results import corrections, held, original, result
from sftp_gateway.errors import Incomplete, Refused
from sftp_gateway.upload import Mode


class File:
    """What a file came to so far: `sifted` its rows and findings, `whole` what is said of it as a whole.

    `source` is None until it is opened, `writer` until the first pass; `plan` is a guess until then.
    """

    def __init__(self, job: Job, lookup: Lookup, progress: Progress, pool: Executor, clock: result.Clock) -> None:
        self.job, self.lookup, self.progress, self.pool, self.clock = job, lookup, progress, pool, clock
        self.scratch = job.out / "work"
        self.scratch.mkdir(exist_ok=True)
        self.base_name = upload_name.safe(job.name)
        self.source: Source | None = None
        self.plan = plan.presumed(job)
        self.sifted = sift.start(self.scratch)
        self.whole: list[Finding] = []
        self.writer: corrections.CorrectionWriter | None = None
        self.left_out: frozenset[str] = frozenset()

    def close(self) -> None:
        """Delete what is left on disk."""
        self.sifted.close()

    def read(self) -> None:
        """Do it; raises Refused or Incomplete where the file cannot be used."""
        try:
            self._read(replace(self.hints, presume=True))
        except Misread:
            self._read_anew()
        except Incomplete:
            raise  # all of the file was seen by then
        except Refused:
            if not (isinstance(self.source, DelimitedSource) and self.source.encoding.presumed):
                raise
            self._read_anew()  # why it is refused is to be told of the whole file, too

    def _read_anew(self) -> None:
        self._forget()
        self.whole = []
        self._read(self.hints)

    def _read(self, hints: Hints) -> None:
        self.progress("read", 0.0)
        begun = time.perf_counter()
        self.source = source = opening.open_source(self.job.source, hints)
        self.plan = plan.of(self.job, source, self.lookup)
        self._refuse_other_key()
        self.source = source = original.reopened(source, self.job, self.plan, self.lookup, self.hints)
        self.whole += source.findings
        mapping = headers.match(source.headers, self.job.schema, self.job.settings, self.plan.sends)
        self.left_out = original.left_out(mapping, self.job, self.plan, self.lookup, self.hints)
        self.whole += [*mapping.findings, *self.plan.said(mapping.ours)]
        if mapping.kept and self.job.base is not None:
            mapping = mapping.named_as(diff.visible(pq.read_schema(self.job.base.path)))
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

    def _refuse_other_key(self) -> None:
        """Refuse single rows for products that were made by another key: which of them a row is for cannot be told."""
        base = None if self.plan.absent_goes else self.job.base
        met = {"the upload that this corrects": self.plan.joins, "the current catalog": base and base.path}
        for what, path in met.items():
            if path is not None and (missing := diff.lacking(self.job.schema.key, pq.read_schema(path))):
                named = " and ".join(f"'{name}'" for name in missing)
                raise Refused(
                    "FILE_CORRECTION" if self.plan.is_correction else "FILE_HEADER_MISSING",
                    f"products are told apart by {named} now, and {what} has no such column: "
                    "which of its products these rows are for cannot be told",
                    "send the whole catalog",
                )

    @property
    def hints(self) -> Hints:
        """What the brand pinned, and what is known."""
        return replace(
            listheaders.hints(self.job.schema, self.job.settings),
            required=tuple(column.name for column in self.job.schema.columns if column.required),
            max_file_bytes=self.job.max_file_bytes,
            must_end_with_newline=self.job.must_end_with_newline,
            complete=self.job.complete,
        )

    def _pass(self, source: Source, mapping: headers.Mapping) -> check.Checker:
        """Run all blocks; once more with evidence from the whole file if a value needs it, or if known rows leave a doubt."""
        job = self.job
        found: check.Evidence | None = None
        evidence: check.Evidence | None = None
        asking: frozenset[str] = frozenset()
        reuses = True
        while True:
            checker = check.Checker(job.schema, job.settings, mapping, self.plan.sends, job.brand, evidence)
            try:
                self._pass_once(source, checker, evidence, reuses=reuses)
            except check.NeedsEvidence as needs:
                asking |= needs.columns
                found = found or self._survey(source, mapping)
                evidence = found.answering(asking)
            else:
                if self._counts_known(checker, mapping):
                    return checker
                reuses = False
            self._forget()

    def _survey(self, source: Source, mapping: headers.Mapping) -> check.Evidence:
        found = check.survey(source, mapping, self.job.schema, self.job.settings)
        return original.completed(found, self.job, self.plan, self.lookup, self.hints)

    def _forget(self) -> None:
        if self.writer is not None:
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

    def _pass_once(self, source: Source, checker: check.Checker, evidence: Any, *, reuses: bool) -> None:
        self.writer = writer = corrections.CorrectionWriter(
            source, self.job.upload, self.job.out, self.base_name, checker.terms.marked
        )
        with merge.opened(self.job, self.plan, source, checker, self.scratch, self.left_out) as judge:
            if self.plan.joins is not None:
                held.join(self.sifted, self.plan, judge.schema(source), self.job.schema.key)
            elif reuses and self._tells_bytes(source):
                own = self.job.schema.digest_with(self.job.settings)
                marked = reuse.terms(self.job, own, source, evidence)
                self.sifted.carry = reuse.opened(self.job, marked, source, judge.schema(source), self.scratch)
            check_block = judge.check
            if self.plan.stale is not None and self.plan.joins is None:  # rows sent to a held upload are merged anew
                check_block = functools.partial(sift.reject_stale, judge.check, self.plan.stale, self.job.schema.key)
            pool = None if judge.in_order else self.pool
            for block in sift.file(self.sifted, source, check_block, checker.terms, writer, pool):
                done = block.data_offset + len(block.data)
                self.progress("check", min(done / max(self.job.bytes, 1), 1.0))
            held.count_left_out(self.sifted, self.plan)

    def _tells_bytes(self, source: Source) -> TypeGuard[DelimitedSource]:
        """Whether a record's bytes alone make its row, in a file that is large enough for that to be worth knowing."""
        whole = self.plan.rows is Mode.FULL and not self.plan.is_correction and not source.correction_of
        return whole and isinstance(source, DelimitedSource) and source.encoding.total_bytes >= reuse.LEAST_BYTES
