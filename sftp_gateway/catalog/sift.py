"""A file → its accepted rows staged, its findings spooled, its rejected rows written for correction.

Reading, checking and writing run in three threads over a bounded number of blocks. Serves run.
"""

import contextlib
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field, structs

from sftp_gateway.catalog import findings, keys, lane, spool, stage
from sftp_gateway.catalog.checking.terms import Terms
from sftp_gateway.catalog.checking.typed import ROW, Checked
from sftp_gateway.catalog.comparing import reuse
from sftp_gateway.catalog.kinds import Kinds
from sftp_gateway.catalog.read.source import Block, Source
from sftp_gateway.catalog.results.corrections import CorrectionWriter

KEYS = pa.schema([("key", pa.string())])
NAMED_ROWS = 30
PART_ROWS = 32_768
"""Rows checked at a time: of a file with few columns a block holds many rows, and their findings much memory."""
AHEAD = 1
"""Blocks that wait for the pool beside the one whose turn it is."""
_SEVERE = pa.array(["error", "fatal"])
_TOLD = ("code", "message", "suggestion")

Check = Callable[[Block], Checked]
Indices = npt.NDArray[np.int64]


class Sifted(Struct):
    """What a pass over a file found, and where it lies."""

    stage: stage.Stage
    findings: spool.Spool
    rejected_keys: spool.Spool
    unplaced: spool.Spool
    """Findings of rows that have no place in this file: those of the held upload that it corrects."""
    read: int = 0
    rejected: int = 0
    unkeyed: int = 0
    joined: int = 0
    """How many of the rows read come from the held upload that this file corrects."""
    left_out: int = 0
    """Rejected rows of that upload that this file does not send again."""
    rejected_rows: list[int] = field(default_factory=list)
    """Numbers of the first rejected rows, for people."""
    carry: reuse.Carry | None = None
    """Known rows on their way from the current version, where the file's bytes can tell them."""
    seconds: dict[str, float] = field(default_factory=lambda: {"read": 0.0, "check": 0.0})

    def close(self) -> None:
        """Delete what is left on disk."""
        if self.carry is not None:
            self.carry.close()
        self.stage.close()
        self.findings.remove()
        self.rejected_keys.remove()
        self.unplaced.remove()


def start(scratch: Path) -> Sifted:
    """Begin with nothing."""
    return Sifted(
        stage.Stage(scratch),
        spool.Spool(scratch / "findings.arrow", findings.SCHEMA),
        spool.Spool(scratch / "rejected.arrow", KEYS),
        spool.Spool(scratch / "unplaced.arrow", findings.SCHEMA),
    )


def file(  # noqa: PLR0913, PLR0917 - where blocks come from, go through, and go to
    sifted: Sifted,
    source: Source,
    check: Check,
    terms: Terms,
    corrections: CorrectionWriter,
    pool: Executor | None = None,
) -> Iterator[Block]:
    """Run every block of the source through `check` and put what comes out in its place; gives each block done.

    `pool` checks several blocks at once; None: `check` wants them in order.

    Raises errors.Refused or Incomplete when the reader finds that the file cannot be used.
    """
    with contextlib.closing(_judged(sifted, source, check, terms, corrections, pool)) as stream:
        for done, rows in stream:
            sifted.stage.add(rows)
            sifted.findings.add(done.found)
            _count(sifted, done.block, done.checked, pa.array([key for key in done.broken if key], pa.string()))
            corrections.add(done.rejects)
            yield done.block


class _Done(Struct, frozen=True):
    block: Block
    checked: Checked
    broken: list[str]
    """The keys of its records that cannot be read, blank where there is none."""
    found: pa.Table
    """All findings of it."""
    rejects: Any
    """What the correction file gets of it."""


def _judged(  # noqa: PLR0913, PLR0917 - as `file`
    sifted: Sifted, source: Source, check: Check, terms: Terms, corrections: CorrectionWriter, pool: Executor | None
) -> Generator[tuple[_Done, stage.Staged], None, None]:
    """Check blocks in the pool while one thread reads and another puts them in order, each with its accepted rows.

    `read` and `check` seconds are time at work.
    """

    def one(block: Block) -> _Done:
        begun = time.perf_counter()
        checked = check(block)
        broken = keys.of_broken(terms, block.rejects)
        found = _findings(block, checked, broken)
        rejects: Any = None
        if len(checked.rejected) or block.rejects:
            reasons = _reasons(found, block.row[checked.rejected])
            rejects = corrections.make(block, checked.rejected, reasons, block.rejects)
        sifted.seconds["check"] += time.perf_counter() - begun
        return _Done(block, checked, broken, found, rejects)

    def done() -> Iterator[tuple[_Done, stage.Staged]]:
        blocks = lane.ahead(_timed((sifted.carry or source).blocks(), sifted.seconds))
        with contextlib.closing(blocks):
            parts = (part for whole in blocks for part in whole.parts(PART_ROWS))
            for each in map(one, parts) if pool is None else lane.each(one, parts, pool, AHEAD):
                yield each, _staged(sifted, each.block, each.checked, each.found)

    return lane.ahead(done())


def _staged(sifted: Sifted, block: Block, checked: Checked, found: pa.Table) -> stage.Staged:
    kept = checked.accepted
    rows = stage.Staged(
        checked.good.drop_columns([ROW]),
        block.row[kept],
        None if block.line is None else block.line[kept],
        None if block.offset is None else block.offset[kept],
    )
    return rows if sifted.carry is None else sifted.carry.joined(block, rows, found)


def _timed(blocks: Iterator[Block], seconds: dict[str, float]) -> Iterator[Block]:
    while True:
        begun = time.perf_counter()
        block = next(blocks, None)
        seconds["read"] += time.perf_counter() - begun
        if block is None:
            return
        yield block


def _findings(block: Block, checked: Checked, broken: list[str]) -> pa.Table:
    """Give all findings of a block by row; a record that cannot be read may still show its key, in `broken`."""
    if not block.rejects and not block.notes:
        return checked.findings
    read = block.rejects.findings(pa.array(broken, pa.string()))
    return findings.by_row(pa.concat_tables([findings.table(block.notes), read, checked.findings]))


def _count(sifted: Sifted, block: Block, checked: Checked, readable: pa.StringArray) -> None:
    sifted.read += len(block) + len(block.rejects) + (0 if block.known is None else len(block.known))
    sifted.rejected += len(checked.rejected) + len(block.rejects)
    room = NAMED_ROWS - len(sifted.rejected_rows)
    if room > 0:
        rows = [*block.row[checked.rejected[:room]].tolist(), *block.rejects.row[:room].tolist()]
        sifted.rejected_rows += sorted(rows)[:room]
    sifted.unkeyed += checked.unkeyed + len(block.rejects) - len(readable)
    for known in (checked.rejected_keys, readable):
        sifted.rejected_keys.add(pa.table([known], schema=KEYS))


def add_rows(corrections: CorrectionWriter, block: Block, indices: Indices, found: pa.Table) -> None:
    """Write rejected rows of a block for correction; `found` holds their findings, sorted by row."""
    corrections.add(corrections.make(block, indices, _reasons(found, block.row[indices])))


def _reasons(found: pa.Table, rows: Indices) -> list[pa.Array]:
    """Give codes, errors and suggestions of these rows, each joined to one text a row."""
    severe = found.select(["row", "column", *_TOLD]).filter(pc.is_in(found["severity"], _SEVERE))
    owner = severe["row"].to_numpy()
    starts, ends = np.searchsorted(owner, rows, "left"), np.searchsorted(owner, rows, "right")
    kinds = Kinds([severe[name].combine_chunks() for name in ("column", *_TOLD)])  # a text for each kind of finding
    codes, errors, suggestions = _named(*kinds.columns)
    if (ends - starts == 1).all():  # one finding a row, as most have
        return [kinds.each(column, starts) for column in (codes, errors, _filled_only(suggestions))]
    offsets = pa.array(np.concatenate(([0], np.cumsum(ends - starts))).astype(np.int32))
    each = _ranges(starts, ends)
    lists = [pa.ListArray.from_arrays(offsets, kinds.each(text, each)) for text in (codes, errors, suggestions)]
    marks = (" ", "; ", "; ")
    codes, errors, suggestions = (pc.binary_join(*each) for each in zip(lists, marks, strict=True))
    return [codes, errors, _filled_only(suggestions)]


def _filled_only(suggestions: pa.Array) -> pa.Array:
    """Leave out blank texts of those joined: not every finding of a row suggests something."""
    return pc.utf8_trim(pc.replace_substring_regex(suggestions, "(; )+", "; "), characters="; ")


def _named(column: pa.Array, code: pa.Array, message: pa.Array, suggestion: pa.Array) -> list[pa.Array]:
    """Give codes, messages and suggestions, each text after the name of its column where both are there."""

    def named(texts: pa.Array) -> pa.Array:
        bare = pc.or_(pc.equal(column, ""), pc.equal(texts, ""))
        return pc.if_else(bare, texts, pc.binary_join_element_wise(column, texts, ": "))

    return [code, named(message), named(suggestion)]


def _ranges(starts: Indices, ends: Indices) -> Indices:
    """Give every index of the ranges one after the other."""
    lengths = ends - starts
    skipped = np.repeat(starts - np.concatenate(([0], np.cumsum(lengths)[:-1])), lengths)
    return np.asarray(np.arange(int(lengths.sum())) + skipped, dtype=np.int64)


def stale_row(name: str, key: tuple[str, ...], compared: str) -> findings.Finding:
    """Say that a row is not used, as its product changed after the version that it was `compared` with."""
    return findings.Finding(
        "CATALOG_STALE_CORRECTION",
        f"this product changed in a later version than the one {compared}, so the row was not used",
        "check the product in the current catalog and send the row in a new file",
        key=name,
        column=", ".join(key),
        value=name,
    )


def reject_stale(check: Check, stale: pa.Array, key: tuple[str, ...], block: Block) -> Checked:
    """Check a block of a correction, and reject rows whose product changed in a later version (spec §7)."""
    checked = check(block)
    names = keys.texts(checked.good, key)
    mask = np.asarray(pc.is_in(names, stale))
    if not mask.any():
        return checked
    rejected = checked.accepted[mask]
    told = [
        structs.replace(
            stale_row(name, key, "your row was compared with"),
            row=int(block.row[index]),
            line=None if block.line is None else int(block.line[index]),
            byte_offset=None if block.offset is None else int(block.offset[index]),
        )
        for index, name in zip(rejected, names.filter(pa.array(mask)).to_pylist(), strict=True)
    ]
    return structs.replace(
        checked,
        good=checked.good.filter(pa.array(~mask)),
        accepted=checked.accepted[~mask],
        rejected=np.union1d(checked.rejected, rejected),
        rejected_keys=pa.concat_arrays([checked.rejected_keys, names.filter(pa.array(mask))]),
        findings=findings.by_row(pa.concat_tables([checked.findings, findings.table(told)])),
    )
