"""Columns of a version whose names the database would take for others: of the rules, or of its own.

It does not tell upper from lower case. A kept `Season` becomes the rules' `season` once they have it; that one version
is copied with its columns renamed, and what is made of it has the new names. Serves run and remake.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import structs

from sftp_gateway.catalog import versionfile
from sftp_gateway.catalog.job import Base
from sftp_gateway.catalog.rules.column import is_databases
from sftp_gateway.catalog.rules.schema import Schema


def base(found: Base, schema: Schema, out: Path) -> Base:
    """Give a version under names that clash with none: nearly always as it is, else copied into `out`."""
    kind = pq.read_schema(found.path)
    names = spelled(kind.names, [column.name for column in schema.columns])
    if names == kind.names:
        return found
    kind = pa.schema([field.with_name(name) for field, name in zip(kind, names, strict=True)], kind.metadata)
    path = out / f"v{found.number:06d}.respelled.parquet"
    versionfile.write(path, kind, (table.rename_columns(names) for table in versionfile.tables(found.path)))
    return structs.replace(found, path=path)


def spelled(names: Sequence[str], rules: Collection[str]) -> list[str]:
    """Give names of columns as the rules spell them, if they differ in case alone, and none that the database has itself."""
    taken, lower = set(names), {name.lower(): name for name in rules}
    found = (name if name in lower.values() else lower.get(name.lower(), name) for name in names)
    return [_free(name if name == old or name not in taken else old) for old, name in zip(names, found, strict=True)]


def _free(name: str) -> str:
    """Give a kept column the name that `headers` gives it today."""
    return f"{name} (sent)" if is_databases(name) else name
