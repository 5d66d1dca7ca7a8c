"""Writes the file of a version and what belongs to it, into the job's directory; swaps nothing in.

Rows are written once: where none has to go, the staged file becomes the version, and products that
stay although the file lacks them (retained, withheld) are appended as further row groups.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sftp_gateway.catalog import engine, retyped, stage, versionfile
from sftp_gateway.catalog.comparing import diff, met
from sftp_gateway.catalog.engine import Connection, identifier
from sftp_gateway.catalog.job import Made
from sftp_gateway.catalog.results import report
from sftp_gateway.catalog.stage import Positions


class Paths:
    """Where the files of a new version are made, all in one directory."""

    def __init__(self, number: int, out: Path) -> None:
        stem = f"v{number:06d}"
        self.number = number
        self.catalog, self.changes_csv = out / f"{stem}.parquet", out / f"{stem}.changes.csv"

    def made(self) -> tuple[Made, ...]:
        """Describe the files, both written."""
        return report.made("catalog", self.catalog), report.made("changes_csv", self.changes_csv)


def version_schema(new: pa.Schema, base: pa.Schema | None = None) -> pa.Schema:
    """Give the columns of the version: the file's, and those of `base`, whose products a file of single rows leaves alone."""
    fields = [field for field in new if field.name not in ("_deleted", "_pos")]
    if base is not None:
        fields += [field for field in base if field.name not in new.names and field.name != met.RAW]
    shown = [field for field in fields if not field.name.startswith(diff.HIDDEN)]
    hidden = [field for field in fields if field.name.startswith(diff.HIDDEN)]
    return pa.schema(shown + hidden, new.metadata if base is None else None)


def write_full(
    connection: Connection, staged: stage.Stage, gone: Positions, path: Path, base: pa.Schema | None
) -> pa.Schema:
    """Write the version of a full file: its rows without `gone`, then what `kept` and `old` say stays of `base`."""
    schema = version_schema(staged.schema)
    if base is None:
        staged.save(path, gone, schema)
        return schema
    for field in _only_staying(connection, schema, base):
        schema = schema.insert(len(diff.visible(schema)), field)
    schema = retyped.holding(schema, base, lambda _: _old(connection))
    staged.save(path, gone, schema, _old(connection))
    return schema


def _only_staying(connection: Connection, new: pa.Schema, base: pa.Schema) -> list[pa.Field]:
    """Give the kept columns that the file lacks and a product that stays has a value in: it stays whole."""
    here = {name.lower() for name in new.names}  # as the database tells names apart
    lost = [name for name in diff.visible(base) if name.lower() not in here and diff.BASE_UNIT + name not in base.names]
    if not lost:
        return []
    fetched = {name for name, *_ in connection.execute("DESCRIBE old").fetchall()}  # without those blank in all
    fields = [base.field(name) for name in lost if name in fetched and pa.types.is_string(base.field(name).type)]
    counts = ", ".join(["count(*)", *(f"count(old.{identifier(field.name)})" for field in fields)])
    _, *found = engine.one(connection, f"SELECT {counts} FROM old JOIN kept ON old._pos = kept.bpos")  # noqa: S608 - names are quoted
    return [field for field, count in zip(fields, found, strict=True) if count]


def _old(connection: Connection, condition: str = "true") -> Iterator[pa.Table]:
    """Give the current products that stay although the file lacks them, without the columns blank in all."""
    query = f"SELECT old.* FROM old JOIN kept ON old._pos = kept.bpos WHERE {condition} ORDER BY old._pos"  # noqa: S608 - ours
    for batch in engine.reader(connection, query):
        table = pa.Table.from_batches([batch])
        if met.RAW in table.column_names:  # under today's terms its bytes may mean something else
            table = table.drop_columns([met.RAW])
        yield table


def write_merged(
    connection: Connection, staged: stage.Stage, base: Path | None, base_schema: pa.Schema, path: Path
) -> pa.Schema:
    """Write the version of single rows: current products but for those replaced or deleted, then the rows."""
    schema = version_schema(staged.schema, base_schema)
    replaced = _positions(connection, "SELECT bpos FROM pairs WHERE bpos IS NOT NULL ORDER BY bpos")
    come = _positions(connection, "SELECT pos FROM pairs WHERE NOT removes ORDER BY pos")

    def stay(names: list[str] | None = None) -> Iterable[pa.Table]:
        return () if base is None else versionfile.without(versionfile.tables(base, names), replaced)

    schema = retyped.holding(schema, base_schema, stay)
    versionfile.write(path, schema, itertools.chain(stay(), versionfile.only(staged.tables(), come)))
    return schema


def _positions(connection: Connection, query: str) -> Positions:
    (values,) = connection.execute(query).fetchnumpy().values()
    return np.asarray(values, dtype=np.int64)


def write_withheld(connection: Connection, base: pa.Schema, path: Path) -> Made:
    """Write the withheld products for people, in the columns of the current version."""
    schema = version_schema(base)
    products = (versionfile.shaped(table, schema) for table in _old(connection, "NOT kept.retained"))
    return report.write_products(path, diff.visible(schema), products)


def write_keys(connection: Connection, key: Sequence[str], path: Path) -> Made:
    """Write the keys of the withheld products, for the next full file to compare with."""
    names = ", ".join(f"old.{identifier(name)}" for name in key)
    query = f"SELECT {names} FROM old JOIN kept ON old._pos = kept.bpos WHERE NOT kept.retained ORDER BY old._pos"  # noqa: S608 - names are quoted
    pq.write_table(connection.sql(query).to_arrow_table(), path, compression="zstd")
    return report.made("keys", path)
