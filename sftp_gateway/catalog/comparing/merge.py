"""Rows of a partial file and the current products → whole products, before they are judged (spec §7).

A large partial file and a large catalog meet in one join: keys are read in a pass of their own, and the
current products then stream along with the blocks, in file order.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, structs

from sftp_gateway.catalog import cells, engine, retyped, spool, versionfile
from sftp_gateway.catalog.checking import check, problems
from sftp_gateway.catalog.checking.typed import BASE, ROW, Checked, Typed
from sftp_gateway.catalog.comparing import decide, diff
from sftp_gateway.catalog.job import Base, Job
from sftp_gateway.catalog.plan import Plan
from sftp_gateway.catalog.read.source import Block, Source
from sftp_gateway.catalog.types.cells import Mask, mask
from sftp_gateway.catalog.types.maps import merge as merge_maps
from sftp_gateway.catalog.types.typing import Fault
from sftp_gateway.upload import Mode

MEMORY_SHARE = 0.25
_UNFIT = "is what this product has, and no value that this column may have now"
_KEYS = pa.schema([(ROW, pa.int64()), ("key", pa.string())])


class Judge(Struct, frozen=True):
    """How the blocks of this upload are checked, and the columns of what comes out."""

    check: Callable[[Block], Checked]
    in_order: bool = False
    """Blocks must come one after the other."""

    def schema(self, source: Source) -> pa.Schema:
        """Learn the columns of accepted rows from a block without rows."""
        cells = tuple(pa.array([], pa.string()) for _ in source.headers)
        return self.check(Block(cells, np.empty(0, dtype=np.int64))).good.drop_columns([ROW]).schema


@contextlib.contextmanager
def opened(  # noqa: PLR0913, PLR0917 - the upload, and what it is judged by
    job: Job, plan: Plan, source: Source, checker: check.Checker, scratch: Path, left_out: frozenset[str] = frozenset()
) -> Iterator[Judge]:
    """Give the judge for an upload's blocks, which come in order; raises NeedsEvidence, Refused as they do.

    `left_out`: columns that rows which are whole products otherwise leave alone, too.
    """
    only = None if plan.rows is Mode.PARTIAL else left_out
    if job.base is None or (only is not None and not only):
        yield Judge(checker.check)
        return
    maps = frozenset(column.name for column in job.schema.columns if column.type == "map")
    with _current(job, job.base, source, checker, scratch) as current:

        def judge(block: Block) -> Checked:
            typed, products = checker.type(block), current.of(block)
            merged = merge(typed, products, current.schema, maps, only)
            lost = unfit(typed, products, current.schema, checker.terms.severity, only)
            return checker.judge(structs.replace(merged, problems=merged.problems + lost, bad=_bad(merged, lost)))

        yield Judge(judge, in_order=True)


class _Current:
    """The current products of a file's rows, in file order; `of` must be asked block by block."""

    def __init__(self, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> None:
        self.schema = schema
        self._batches = batches
        self._held = schema.append(pa.field(ROW, pa.int64())).empty_table()

    def of(self, block: Block) -> pa.Table:
        """Give the products of a block's rows, each with the `_row` it is for; rows without one are absent."""
        if len(block) == 0:
            return self._held.slice(0, 0)
        last = int(block.row[-1])
        parts = [self._held]
        while parts[-1].num_rows == 0 or parts[-1][ROW][-1].as_py() <= last:
            batch = next(self._batches, None)
            if batch is None:
                break
            parts.append(versionfile.shaped(pa.Table.from_batches([batch]), self._held.schema))
        table = pa.concat_tables(parts)
        cut = int(np.searchsorted(table[ROW].to_numpy(), last, side="right"))
        self._held = table.slice(cut)
        return table.slice(0, cut)


@contextlib.contextmanager
def _current(job: Job, base: Base, source: Source, checker: check.Checker, scratch: Path) -> Iterator[_Current]:
    """Join the keys of the file with the current version, once."""
    keys = spool.Spool(scratch / "keys.arrow", _KEYS)
    for block in source.blocks():
        typed = checker.type(block)
        keys.add(pa.table([pa.array(typed.row), typed.keys], schema=_KEYS))
    small = base.path.stat().st_size < engine.SMALL_BYTES and keys.rows < 100_000
    memory = int(job.memory_bytes * MEMORY_SHARE)
    connecting = (
        engine.open_small()
        if small
        else engine.open_large([base.path], scratch, memory_bytes=memory, threads=job.threads)
    )
    with connecting as connection:
        schema = decide.show_version(connection, "base_rows", base.path, job.schema.key, small=small)
        engine.copy(connection, "file_keys", keys.reader(), "SELECT * FROM given_rows WHERE key <> ''")
        query = (
            f"SELECT b.* EXCLUDE (_pos), f.{ROW} FROM file_keys f JOIN base_rows b "  # noqa: S608 - names are quoted
            f"ON {diff.key_text(job.schema.key, 'b')} = f.key ORDER BY f.{ROW}"
        )
        yield _Current(iter(engine.reader(connection, query, rows=20_000)), schema)
    keys.remove()


def merge(
    typed: Typed,
    current: pa.Table,
    base: pa.Schema,
    maps: frozenset[str] = frozenset(),
    only: frozenset[str] | None = None,
) -> Typed:
    r"""Lay the cells a row gives over the current product: blank ones are left alone, `\\N` clears.

    `current`: products of `base`'s columns with the `_row` they are for. Columns only the current
    version has are taken along, so that they are left alone, too. `only`: in these columns alone.
    """
    index = np.searchsorted(typed.row, current[ROW].to_numpy())
    place = np.full(len(typed), -1, dtype=np.int64)
    place[index] = np.arange(len(index))
    known = place >= 0
    at = pa.array(place, mask=~known)
    columns: dict[str, Any] = {}
    before: dict[str, Any] = {}
    for name in typed.table.column_names:
        sent = typed.table[name].combine_chunks()
        if only is not None and name.removeprefix(BASE) not in only:
            columns[name] = sent
            continue
        source = name if name in base.names else name.removeprefix(BASE)  # what became a measure has its text alone
        if source not in base.names:
            columns[name] = merge_maps(pa.nulls(len(sent), pa.string()), sent) if name in maps else sent
            continue
        shaped = versionfile.shaped(current.select([source]), pa.schema([(name, sent.type)]))
        old = shaped[name].combine_chunks().take(at)
        columns[name] = _laid(typed, name, sent, old, maps)
        if only is None and name not in maps:
            before[name] = old
    for name in base.names:
        if name not in columns and not name.startswith(diff.HIDDEN) and (only is None or name in only):
            columns[name] = current[name].combine_chunks().take(at)
    table = pa.table(list(columns.values()), names=list(columns))
    return structs.replace(typed, table=table, created=~known if only is None else typed.created, before=before)


def unfit(
    typed: Typed, current: pa.Table, base: pa.Schema, severity: Callable[[str], str], only: frozenset[str] | None = None
) -> tuple[Fault, ...]:
    """Blame what the rows leave alone and their products cannot keep: the rules gave its column a type that holds it not."""
    other = [
        field
        for field in typed.table.schema
        if field.name in base.names and field.type != base.field(field.name).type and not field.name.startswith(BASE)
    ]
    faults = []
    for field in other if only is None else [field for field in other if field.name in only]:
        values = current[field.name]
        gone = mask(pc.and_(pc.is_valid(values), pc.is_null(retyped.cast(values, field.type))))
        rows = np.searchsorted(typed.row, current[ROW].to_numpy())
        touched = [typed.deleted, *(part[field.name] for part in (typed.given, typed.cleared) if field.name in part)]
        gone &= ~np.logical_or.reduce(touched)[rows]
        if gone.any():
            fault = Fault("FIELD_TYPE", rows[gone], _UNFIT, "send its right value, or \\N to clear it")
            texts = cells.text(values.filter(pa.array(gone)))
            faults.append(problems.settled(fault, field.name, severity(field.name), texts))
    return tuple(faults)


def _bad(merged: Typed, faults: tuple[Fault, ...]) -> Mask:
    bad = merged.bad.copy()
    for fault in faults:
        if fault.severity == "error":
            bad[fault.rows] = True
    return bad


def _laid(typed: Typed, name: str, sent: Any, old: Any, maps: frozenset[str]) -> Any:
    column = name.removeprefix(BASE)
    cleared = typed.cleared.get(column)
    if cleared is not None:
        old = pc.if_else(pa.array(cleared), pa.scalar(None, sent.type), old)
    if name in maps:
        return merge_maps(old, sent)
    given = typed.given.get(column)
    if given is None:  # a kept unknown column, or one the file does not have
        return pc.coalesce(sent, old)
    return pc.if_else(pa.array(given), sent, old)
