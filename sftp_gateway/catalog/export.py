"""A version's file → what people and machines take away: `current.csv`, JSON Lines, Parquet (spec §9).

Columns come in the order of the rules, then kept ones. CSV here is for machines: not escaped.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sftp_gateway.catalog import cells, versionfile
from sftp_gateway.catalog.comparing import diff
from sftp_gateway.catalog.rules.schema import Schema

Form = Literal["csv", "jsonl", "parquet"]
ROWS = 20_000


def columns(present: Sequence[str], schema: Schema) -> list[str]:
    """Order a version's visible columns: those of the rules, then kept ones as they stand."""
    ruled = [column.name for column in schema.columns]
    seen = [name for name in present if not name.startswith(diff.HIDDEN)]
    return [name for name in ruled if name in seen] + [name for name in seen if name not in ruled]


def write(parquet: Path, schema: Schema, form: Form, out: Path | BinaryIO) -> int:
    """Write a version in one of the forms; gives the number of products. Streams in constant memory."""
    if isinstance(out, Path):
        with out.open("wb") as file:
            return write(parquet, schema, form, file)
    names = columns(pq.read_schema(parquet).names, schema)
    tables = versionfile.tables(parquet, names, ROWS)
    if form == "parquet":
        return _parquet(parquet, names, out)
    rows = 0
    if form == "csv":
        out.write(cells.csv_header(names, escape=False))
    for table in tables:
        rows += table.num_rows
        if form == "csv":
            out.write(cells.csv([cells.text(table[name]) for name in names], escape=False))
        else:
            out.write(cells.json_lines(names, [_json(table[name], name, schema) for name in names]))
    return rows


def _json(values: pa.ChunkedArray, name: str, schema: Schema) -> pa.Array:
    """Give cells as JSON texts: numbers and booleans bare, maps as objects, lists as arrays, else strings."""
    kind = next((column.type for column in schema.columns if column.name == name), "text")
    shown = cells.text(values)
    if not pa.types.is_string(values.type) and not pa.types.is_temporal(values.type):
        return shown
    quoted = cells.json_text(shown)
    if kind == "map":  # all objects, unless the rules made one of what was a text
        return pc.if_else(pc.starts_with(shown, "{"), shown, quoted)
    if kind == "list":
        return pc.binary_join_element_wise("[", pc.replace_substring(quoted, "|", '","'), "]", "")
    return quoted


def _parquet(parquet: Path, names: list[str], out: BinaryIO) -> int:
    rows = 0
    schema = pq.read_schema(parquet)
    shown = pa.schema([schema.field(name) for name in names])
    with pq.ParquetWriter(out, shown, compression="zstd", compression_level=1) as writer:
        for table in versionfile.tables(parquet, names):
            rows += table.num_rows
            writer.write_table(table.cast(shown))
    return rows
