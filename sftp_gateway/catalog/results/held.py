"""What is kept of a held upload, and how a correction goes on from there.

Its accepted rows join those of the correction; products whose rejected rows the correction leaves out keep their last
good version, as they do in any full file. Serves passes and run.
"""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sftp_gateway.catalog import engine, findings, keys, sift, stage, versionfile
from sftp_gateway.catalog.engine import Connection
from sftp_gateway.catalog.job import ACCEPTED, REJECTED, Job, Made
from sftp_gateway.catalog.plan import Plan
from sftp_gateway.catalog.results import report
from sftp_gateway.catalog.sift import KEYS, Sifted
from sftp_gateway.catalog.stage import Positions

_COUNTS = b"sftp_gateway.rejected"


def keep(connection: Connection, sifted: Sifted, gone: Positions, job: Job) -> tuple[Made, Made]:
    """Write the accepted rows (all staged ones without `gone`) and the keys of `rejected`, under names of this upload."""
    accepted, rejected = (job.out / f"{job.upload}.{kind}" for kind in (ACCEPTED, REJECTED))
    sifted.stage.save(accepted, gone, sifted.stage.schema)
    return report.made("accepted", accepted), _keep_rejected(connection, sifted, rejected)


def _keep_rejected(connection: Connection, sifted: Sifted, path: Path) -> Made:
    counts = {"rows": sifted.rejected + sifted.left_out, "unkeyed": sifted.unkeyed}
    with pq.ParquetWriter(path, KEYS, compression="zstd") as writer:
        for batch in engine.reader(connection, "SELECT key FROM rejected ORDER BY key"):
            writer.write_batch(batch)
        writer.add_key_value_metadata({_COUNTS: json.dumps(counts)})
    return report.made("rejected", path)


def join(sifted: Sifted, plan: Plan, schema: pa.Schema, key: tuple[str, ...]) -> None:
    """Put the accepted rows of the held upload before those of this file; they have no place in it."""
    if plan.joins is None:
        return
    for table in versionfile.tables(plan.joins):
        shaped = _without_stale(sifted, versionfile.shaped(table, schema), plan.stale, key)
        sifted.stage.add(stage.Staged(shaped, np.zeros(shaped.num_rows, dtype=np.int64)))
        sifted.read += table.num_rows
        sifted.joined += table.num_rows
    if plan.left_out is not None:
        for rejected in versionfile.tables(plan.left_out):
            sifted.rejected_keys.add(rejected)


def _without_stale(sifted: Sifted, table: pa.Table, stale: pa.Array | None, key: tuple[str, ...]) -> pa.Table:
    """Reject the rows whose product changed since they were merged with it: they would put its old values back."""
    if stale is None:
        return table
    names = keys.texts(table, key)
    late = pc.is_in(names, value_set=stale)
    told = names.filter(late)
    sifted.rejected += len(told)
    sifted.rejected_keys.add(pa.table([told], schema=KEYS))
    late_ones = (sift.stale_row(name, key, "the held file was compared with") for name in told.to_pylist())
    sifted.unplaced.add(findings.table(late_ones))
    return table.filter(pc.invert(late))


def count_left_out(sifted: Sifted, plan: Plan) -> None:
    """Count the rejected rows of the held upload that this file, all of it read now, does not send again.

    Which they are is told by no row number, so as few of them as can be are those without a key.
    """
    if plan.left_out is None:
        return
    metadata = pq.read_metadata(plan.left_out).metadata or {}
    counts = json.loads(metadata[_COUNTS])
    sifted.left_out = max(counts["rows"] - (sifted.read - sifted.joined), 0)
    sifted.unkeyed += min(counts["unkeyed"], sifted.left_out)
