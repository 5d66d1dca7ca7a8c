"""Whether the products that a full file lacks go: withheld by the guard, confirmed by a run of files, or decided before. Serves decide."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow.parquet as pq

from sftp_gateway.catalog import engine
from sftp_gateway.catalog.comparing import diff, guard
from sftp_gateway.catalog.engine import Connection
from sftp_gateway.catalog.job import Job

Judged = tuple[guard.Reason | None, int, datetime | None]
"""Why removals are withheld, how many, and since when; (None, 0, None) lets them happen."""


def judge(connection: Connection, job: Job, figures: guard.Figures) -> Judged:
    """Judge the removals of `figures`; `kept(k, retained)` holds the products that the file lacks."""
    reason = guard.removals(figures, job.guards)
    if reason is None or job.decided or guard.REMOVALS in job.waived:
        return None, 0, None
    before = None
    if job.withheld is not None:
        both = _in_both(connection, job)
        before = (job.withheld.since, job.withheld.products, both)
    run = guard.run_of(job.received_at, figures.removed, before, job.guards)
    return (None, 0, None) if run.confirms else (reason, figures.removed, run.since)


def absent_stay(connection: Connection, job: Job, *, read: int, rejected: int, unkeyed: int) -> bool:
    """Whether the products that a full file lacks stay live: known by the keys alone, before anything is compared.

    Looks at all rows that are no rejected ones (`new_rows`) and the keys of those (`rejected`); leaves `kept`.
    """
    if job.base is None:
        return False
    _find_absent(connection, job.schema.key)
    (removed,) = engine.one(connection, "SELECT count(*) FROM kept WHERE NOT retained")
    figures = guard.Figures(job.base.products, read, rejected, removed=removed, unkeyed=unkeyed)
    return job.decided or bool(judge(connection, job, figures)[1])


def _find_absent(connection: Connection, key: Sequence[str]) -> None:
    name = diff.key_text(key)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE kept AS
        SELECT NULL::BIGINT AS bpos, k, k IN (SELECT key FROM rejected) AS retained
        FROM (SELECT {name} AS k FROM base_rows) WHERE k NOT IN (SELECT {name} FROM new_rows)
        """  # noqa: S608 - names are quoted
    )


def _in_both(connection: Connection, job: Job) -> int:
    assert job.withheld is not None
    before = pq.read_table(job.withheld.path)
    if not set(job.schema.key) <= set(before.column_names):
        return 0  # the rules have another key since
    engine.add_table(connection, "withheld_before", before)
    text = diff.key_text(job.schema.key)
    return engine.one(
        connection,
        "SELECT count(*) FROM kept WHERE NOT retained "  # noqa: S608 - names are quoted
        f"AND k IN (SELECT {text} FROM withheld_before)",
    )[0]
