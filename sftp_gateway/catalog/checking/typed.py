"""What checking a block gives on its way: `Typed` after the types, `Checked` after limits and rules."""

from typing import Any

import pyarrow as pa
from msgspec import Struct, field

from sftp_gateway.catalog.types.cells import Mask, Rows
from sftp_gateway.catalog.types.typing import Fault

BASE = "_base."
"""Prefix of the hidden column that holds a measure in its base unit (`0.762 m`)."""
DELETED = "_deleted"
"""Hidden column of partial files with an `_op` column: true in rows that delete their product."""
ROW = "_row"


class Typed(Struct, frozen=True):
    r"""A block with its cells typed, row for row; nothing is left out yet.

    `table`: one typed column per catalog column in the schema's order, then kept unknown columns, then
    `_base.NAME` for measures; null = blank or bad. In partial files a map holds only the entries sent,
    JSON null for cleared ones: `maps.merge(current, sent)` joins them.
    `given`: the cell is filled (typed or bad); `cleared`: the cell is `\N` (partial files only).
    `created`: rows that get defaults, None = all; the merge of a partial file sets it.
    """

    table: pa.Table
    row: Rows
    line: Rows | None
    offset: Rows | None
    keys: Any
    """Readable key of each row, as sent where it is bad, '' where it is blank."""
    unkeyed: Mask
    """Rows without a key that can be read."""
    given: dict[str, Mask]
    cleared: dict[str, Mask]
    deleted: Mask
    bad: Mask
    sent: dict[str, Any]
    """The cells as sent, by catalog column: what findings show as value."""
    currencies: dict[str, Any] = field(default_factory=dict)
    """Money column → the currency written in each of its cells, null where there is none."""
    problems: tuple[Fault, ...] = ()
    created: Mask | None = None
    before: dict[str, Any] = field(default_factory=dict)
    """In partial files, of columns of the table that are no maps: the values of the current products."""

    def __len__(self) -> int:
        return len(self.row)


class Checked(Struct, frozen=True):
    """A block checked. Row indices count the block's rows from 0.

    `good`: the accepted rows: catalog columns, kept ones, `_base.NAME`, `_deleted` (partial files with an
    `_op` column), `_row`. `accepted`, `rejected`: their indices in the block, ascending.
    """

    good: pa.Table
    accepted: Rows
    rejected: Rows
    rejected_keys: Any
    """Readable keys of rejected rows; the other `unkeyed` rejected rows have none."""
    unkeyed: int
    findings: pa.Table
    """findings.SCHEMA, sorted by row."""
    filled: dict[str, int]
    """Catalog column → cells filled in by the sender, rejected rows included."""
