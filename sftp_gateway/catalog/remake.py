"""Versions made of versions, without an upload: a release of what was withheld, a rollback."""

import contextlib
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sftp_gateway import receipt
from sftp_gateway.catalog import engine, publish, respelled, versionfile
from sftp_gateway.catalog.comparing import changes, decide, diff
from sftp_gateway.catalog.engine import Connection
from sftp_gateway.catalog.job import Base, Remade
from sftp_gateway.catalog.rules.schema import Schema

MEMORY_BYTES = 384 * 1024**2
THREADS = 2


def release(base: Base, withheld_keys: Path, schema: Schema, out: Path) -> Remade:
    """Make the current version anew without the withheld products (`approve` of a published upload)."""
    base = respelled.base(base, schema, out)
    paths = publish.Paths(base.number + 1, out)
    with _opened(out, [base.path, withheld_keys]) as connection:
        decide.show_version(connection, "base_rows", base.path, schema.key)
        engine.add_file(connection, "withheld_keys", withheld_keys)
        text = diff.key_text(schema.key)
        was = diff.key_text(pq.read_schema(withheld_keys).names)  # the rules may have another key since
        connection.execute(
            # The name `k` from within: beside the columns of products it could be a header's.
            "CREATE TEMP TABLE kept AS SELECT bpos, k, false AS retained "  # noqa: S608 - names are quoted
            f"FROM (SELECT _pos AS bpos, {text} AS k, {was} AS was FROM base_rows) "
            f"WHERE was IN (SELECT {was} FROM withheld_keys)"
        )
        gone = connection.execute("SELECT bpos FROM kept ORDER BY bpos").fetchnumpy()["bpos"]
        with changes.Writer(paths.changes_csv) as writer:
            changes.tell_whole(connection, writer, "removed")
    kind = pq.read_schema(base.path)
    stay = versionfile.without(versionfile.tables(base.path), np.asarray(gone, dtype=np.int64))
    versionfile.write(paths.catalog, kind, stay)
    products = base.products - len(gone)
    return _remade(paths, products, {"removed": len(gone), "unchanged": products}, kind)


def rollback(base: Base, target: Base, schema: Schema, out: Path) -> Remade:
    """Make a new version equal to the old one `target`; its changes are those against `base`."""
    base, target = respelled.base(base, schema, out), respelled.base(target, schema, out)
    paths = publish.Paths(base.number + 1, out)
    with _opened(out, [base.path, target.path]) as connection:
        new = decide.show_version(connection, "live", target.path, schema.key)
        old = decide.show_version(connection, "base_rows", base.path, schema.key)
        found = diff.compare(connection, new, old, schema.key, full=True, rejected=False)
        changes.fetch(connection, new, old, keep="false")
        with changes.Writer(paths.changes_csv) as writer:
            changes.tell_updated(connection, diff.compared(new, old), writer, move=1.0)
            changes.tell_whole(connection, writer, "created", "removed")
    shutil.copyfile(target.path, paths.catalog)
    return _remade(paths, target.products, found.changes, new)


def _remade(paths: publish.Paths, products: int, counts: dict[str, int], schema: pa.Schema) -> Remade:
    every = dict.fromkeys(receipt.CHANGES, 0) | counts
    return Remade(paths.number, paths.made(), products, every, tuple(diff.visible(schema)))


def _opened(out: Path, readable: list[Path]) -> contextlib.AbstractContextManager[Connection]:
    scratch = out / "spill"
    scratch.mkdir(exist_ok=True)
    return engine.open_large(readable, scratch, memory_bytes=MEMORY_BYTES, threads=THREADS)
