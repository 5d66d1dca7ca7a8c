"""Accepted rows and the current version → what this upload does: publish, withhold, hold, or nothing.

Puts unique, diff, changes and guard together in one DuckDB connection, which `publish` reads from.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct, field, structs

from sftp_gateway.catalog import engine, findings, spool, versionfile
from sftp_gateway.catalog.comparing import changes, diff, guard, removals, unique
from sftp_gateway.catalog.engine import Connection, identifier
from sftp_gateway.catalog.job import Base, Job
from sftp_gateway.catalog.sift import Sifted
from sftp_gateway.catalog.stage import Positions

EMPTY = pa.schema([])


class Rows(Struct):
    """Which staged rows count: without `dropped` (earlier rows of a key) and `repeats` (unique columns)."""

    dropped: unique.Dropped = unique.NOTHING
    repeats: Positions = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    late: list[spool.Spool] = field(default_factory=list)
    """Findings that only the whole file shows, each spool sorted by row."""
    narrowed: bool = False
    """Whether the rows that are new and those of the current version that were not met are known: `Carry.show`."""

    @property
    def gone(self) -> Positions:
        """Positions of all rows that do not count, sorted."""
        return np.union1d(self.dropped.positions, self.repeats)


class Sides(Struct, frozen=True):
    """What is compared: the view `live` of columns `new`, `base_rows` of columns `base` (none: no version yet).

    `full`: products that `live` lacks are gone.
    """

    connection: Connection
    job: Job
    sifted: Sifted
    new: pa.Schema
    base: pa.Schema
    full: bool
    rows: Rows = field(default_factory=Rows)
    """Which of the staged ones count, once it is known."""


class Decision(Struct, frozen=True):
    """What the comparison came to. `withheld`: removals held back, in a run since `since`."""

    difference: diff.Difference
    removals: guard.Reason | None
    withheld: int
    since: datetime | None
    holds: tuple[guard.Reason, ...]

    @property
    def is_held(self) -> bool:
        """Whether a guard stops the whole version."""
        return bool(self.holds)

    @property
    def reasons(self) -> tuple[guard.Reason, ...]:
        """Every guard that acts, or would act while the version is held."""
        acting = [self.removals] if self.removals is not None and self.withheld else []
        return (*acting, *self.holds)

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs from the current version."""
        return self.difference.is_empty and not self.withheld


def show(connection: Connection, sifted: Sifted, job: Job, *, small: bool) -> pa.Schema:
    """Make staged rows, current products and rejected keys readable; gives the current version's schema."""
    sifted.stage.show(connection, "new_rows")
    engine.copy(connection, "rejected", sifted.rejected_keys.reader(), "SELECT DISTINCT key FROM given_rows")
    if job.base is None:
        return EMPTY
    return show_version(connection, "base_rows", job.base.path, job.schema.key, small=small)


def show_version(
    connection: Connection, name: str, path: Path, key: Sequence[str], *, small: bool = False
) -> pa.Schema:
    """Make the products of a version readable as `name`; what it lacks of `key` is blank there. Gives the columns."""
    schema = pq.read_schema(path)
    blank = diff.lacking(key, schema)
    if small:
        engine.add_table(connection, name, pq.read_table(path), blank)
    else:
        engine.add_file(connection, name, path, blank)
    return pa.schema([*schema, *(pa.field(column, pa.string()) for column in blank)], schema.metadata)


def rows(sides: Sides, scratch: Path) -> Rows:
    """Drop duplicates and tell of them; rejects repeats in unique columns; leaves the view `live`.

    Products that stay have values, too; of a full file only those stay whose rows were rejected, or whose removal is withheld.
    """
    connection, job, sifted, full = sides.connection, sides.job, sides.sifted, sides.full
    stage, key, refuse = sifted.stage, job.schema.key, job.settings.duplicates == "refuse"
    narrowed = full and sifted.carry is not None and sifted.carry.show(connection)
    # Of rows that the current version has, none repeats another's key, nor a GTIN unless that was told of them then.
    met = "fresh_rows" if narrowed and sifted.carry is not None and sifted.carry.meets_once else ""
    was_told = job.base is None or job.base.codes is None or unique.SAME_GTIN in job.base.codes
    found = Rows(narrowed=narrowed)
    found.dropped = unique.drop_earlier(connection, stage.schema, key, looks=stage.may_repeat(key), among=met)
    if len(found.dropped.positions):
        tables = unique.key_findings(connection, stage.places, key, refuse=refuse)
        found.late.append(_spooled(tables, scratch / "late-keys.arrow"))
    for column in job.schema.columns:
        if column.type == "gtin" and not column.unique:
            if stage.may_repeat((column.name,)):
                among = "" if was_told else met
                tables = unique.gtin_findings(connection, stage.places, column.name, key, among=among)
                found.late.append(_spooled(tables, scratch / f"late-{column.name}.arrow"))
            stays = not full or sifted.rejected_keys.rows
            if stays and column.name in sides.base.names and column.name in stage.schema.names:
                tables = unique.taken_gtin_findings(
                    connection, stage.places, column.name, key, full=full, narrowed=narrowed
                )
                found.late.append(_spooled(tables, scratch / f"taken-{column.name}.arrow"))
    _reject_repeats(sides, scratch, found)
    found.late = [late for late in found.late if late.rows]
    return found


def _reject_repeats(sides: Sides, scratch: Path, found: Rows) -> None:
    connection, job, sifted = sides.connection, sides.job, sides.sifted
    key = job.schema.key
    columns = [column for column in job.schema.columns if column.unique and column.name not in key]
    if not columns:
        return
    for column in columns:
        unique.find_repeats(connection, column.name, key)
    severity = {column.name: column.severity for column in columns}
    strict = [name for name, severe in severity.items() if severe == "error"]
    beside = [name for name in severity if name in sides.base.names]
    gone = unique.leave_out_repeats(connection, strict)
    goes = sides.full and not (
        beside
        and removals.absent_stay(connection, job, read=sifted.read, rejected=sifted.rejected, unkeyed=sifted.unkeyed)
    )
    found.repeats = unique.leave_out_taken(connection, strict, beside, key, full=goes, gone=gone)
    tables = unique.repeat_findings(connection, sifted.stage.places, severity)
    found.late.append(_spooled(tables, scratch / "late-unique.arrow"))
    sifted.rejected += len(found.repeats)


def _spooled(tables: Iterator[pa.Table], path: Path) -> spool.Spool:
    late = spool.Spool(path, findings.SCHEMA)
    for table in tables:
        late.add(table)
    return late


def decide(sides: Sides, writer: changes.Writer, *, judge_rejects: bool) -> Decision:
    """Compare, let the guards judge, and write the lines of change as far as they are going to be true."""
    return _first(sides, writer) if sides.job.base is None else _next(sides, sides.job.base, writer, judge_rejects)


def _first(sides: Sides, writer: changes.Writer) -> Decision:
    stage = sides.sifted.stage
    created = changes.tell_first(stage, sides.rows.gone, sides.job.schema.key, writer)
    if not sides.full:
        diff.pair_with_nothing(sides.connection, sides.new)
    difference = diff.Difference(created, 0, stage.rows - len(sides.rows.gone) - created, 0, 0, 0)
    holds = guard.content(_figures(sides, difference), sides.job.guards, full=True)
    return Decision(difference, None, 0, None, _acting(holds, sides.job))


def _next(sides: Sides, base: Base, writer: changes.Writer, judge_rejects: bool) -> Decision:
    sides = _slim(sides, base)
    job, connection = sides.job, sides.connection
    carry = sides.sifted.carry
    narrowed = carry is not None and sides.rows.narrowed
    if carry is not None and narrowed:
        carry.narrow(connection, sides.rows.gone)
    rejected = sides.sifted.rejected > 0 or sides.sifted.rejected_keys.rows > 0
    found = diff.compare(
        connection, sides.new, sides.base, job.schema.key, full=sides.full, rejected=rejected, narrowed=narrowed
    )
    acts: removals.Judged = (None, 0, None)
    if sides.full:
        acts = removals.judge(connection, job, _figures(sides, found))
    reason, withheld, since = acts
    moves = _tell(sides, writer, withhold=bool(withheld) or job.decided)
    difference = structs.replace(found, removed=0 if withheld or job.decided else found.removed)
    figures = structs.replace(
        _figures(sides, difference),
        removed=found.removed,
        prices=_prices(connection, moves, job),
        **_filled(sides, base, difference),
    )
    holds = guard.content(figures, job.guards, full=sides.full, judge_rejects=judge_rejects)
    holds = [] if job.decided and difference.is_empty else holds
    return Decision(difference, reason, withheld, since, _acting(holds, job))


def _slim(sides: Sides, base: Base) -> Sides:
    """Leave out the columns that are blank in every row of both sides: they are much of a wide schema's cost."""
    filled = versionfile.filled(base.path)
    empty = {
        name
        for name in {*sides.new.names, *sides.base.names}
        if not filled.get(name) and not sides.sifted.stage.filled.get(name)
    }
    new, old = (pa.schema([f for f in side if f.name not in empty]) for side in (sides.new, sides.base))
    return structs.replace(sides, new=new, base=old)


def _acting(reasons: Sequence[guard.Reason], job: Job) -> tuple[guard.Reason, ...]:
    return tuple(reason for reason in reasons if reason["code"] not in job.waived)


def _figures(sides: Sides, difference: diff.Difference) -> guard.Figures:
    accepted = difference.created + difference.updated + difference.unchanged + difference.deleted
    return guard.Figures(
        products=sides.job.base.products if sides.job.base else None,
        read=sides.sifted.read,
        rejected=sides.sifted.rejected,
        removed=difference.removed,
        unkeyed=sides.sifted.unkeyed,
        accepted=accepted,
        created=difference.created,
        retained=difference.retained,
        rejected_rows=tuple(sides.sifted.rejected_rows),
    )


def _tell(sides: Sides, writer: changes.Writer, *, withhold: bool) -> dict[str, tuple[int, int]]:
    connection = sides.connection
    if not sides.full:
        connection.execute("CREATE OR REPLACE TEMP TABLE kept (bpos BIGINT, k VARCHAR, retained BOOLEAN)")
    changes.fetch(connection, sides.new, sides.base, keep="true" if withhold else "retained")
    columns = diff.compared(sides.new, sides.base)
    moves = changes.tell_updated(connection, columns, writer, move=sides.job.guards.price_move)
    changes.tell_whole(connection, writer, "created", "deleted", *([] if withhold else ["removed"]))
    return moves


def _filled(sides: Sides, base: Base, difference: diff.Difference) -> dict[str, Any]:
    """Count filled cells before and after: of all products, or in full mode of the rows of the file."""
    before = {name: n for name, n in versionfile.filled(base.path).items() if not name.startswith(diff.HIDDEN)}
    if sides.full:
        live = difference.created + difference.updated + difference.unchanged
        after = sides.sifted.stage.filled
        if live != sides.sifted.stage.rows:
            after = _count_filled(sides.connection, "live", diff.visible(sides.new))
        return {"filled_before": before, "filled_after": after, "products_after": live}
    gone = _count_filled(sides.connection, "old", diff.visible(sides.base))
    here = "(SELECT * FROM live WHERE _pos IN (SELECT pos FROM pairs WHERE NOT removes))"
    come = _count_filled(sides.connection, here, diff.visible(sides.new))
    after = {name: count - gone.get(name, 0) + come.get(name, 0) for name, count in before.items()}
    products = base.products + difference.created - difference.deleted
    return {"filled_before": before, "filled_after": after, "products_after": products}


def _count_filled(connection: Connection, relation: str, names: Sequence[str]) -> dict[str, int]:
    counts = ", ".join(f"count({identifier(name)})" for name in names)
    return dict(zip(names, engine.one(connection, f"SELECT {counts} FROM {relation}"), strict=True))  # noqa: S608 - names are quoted


def _prices(connection: Connection, moves: dict[str, tuple[int, int]], job: Job) -> dict[str, tuple[int, int]]:
    """Give (compared, moved) for each money column; unchanged products count as compared, if it matters."""
    found: dict[str, tuple[int, int]] = {}
    for name, (both, moved) in moves.items():
        still = 0
        if moved > job.guards.price_share * both:
            (still,) = engine.one(
                connection,
                f"SELECT count({identifier(name)}) FROM live "  # noqa: S608 - names are quoted
                "WHERE _pos NOT IN (SELECT pos FROM pairs WHERE pos IS NOT NULL)",
            )
        found[name] = (both + still, moved)
    return found
