"""What a finding is, and the table in which findings travel.

Findings are columnar (an Arrow table of `SCHEMA`) wherever there may be many; `Finding` is the
small form for whole-file findings and single rows. The codes and their default severities are in
`codes.py`.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Struct

from sftp_gateway.catalog import codes

SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("line", pa.int64()),
        ("byte_offset", pa.int64()),
        ("key", pa.string()),
        ("column", pa.string()),
        ("value", pa.string()),
        ("code", pa.string()),
        ("severity", pa.string()),
        ("message", pa.string()),
        ("suggestion", pa.string()),
    ]
)
"""Row, line and offset are null for whole-file findings; texts are never null."""


class Finding(Struct, frozen=True):
    """One problem. `severity` empty means the code's default; `column` may name a cross-column rule."""

    code: str
    message: str
    suggestion: str = ""
    severity: str = ""
    row: int | None = None
    line: int | None = None
    byte_offset: int | None = None
    key: str = ""
    column: str = ""
    value: str = ""


def by_row(table: pa.Table) -> pa.Table:
    """Sort findings by row; those of one row stay as they are."""
    return table.take(pa.array(np.argsort(table["row"].to_numpy(), kind="stable")))


def of(columns: dict[str, Any]) -> pa.Table:
    """Make a table of `SCHEMA` of its columns, in any order: arrays, or lists of values."""
    kinds = {field.name: field.type for field in SCHEMA}
    arrays = {
        name: each if isinstance(each, pa.Array | pa.ChunkedArray) else pa.array(each, kinds[name])
        for name, each in columns.items()
    }
    return pa.table([arrays[name] for name in SCHEMA.names], schema=SCHEMA)


def table(items: Iterable[Finding]) -> pa.Table:
    """Put small findings into a table of `SCHEMA`, in the order given."""
    items = list(items)
    columns = {name: [getattr(item, name) for item in items] for name in SCHEMA.names}
    return of(columns | {"severity": [item.severity or codes.CODES[item.code] for item in items]})
