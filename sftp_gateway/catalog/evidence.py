"""What the whole of a file tells of how its columns write numbers and dates.

A survey is made only when a block holds a value that reads two ways and neither brand nor block decides.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

from sftp_gateway.catalog.gather import Sender
from sftp_gateway.catalog.headers import Mapping
from sftp_gateway.catalog.read.source import Source
from sftp_gateway.catalog.schema import Schema
from sftp_gateway.catalog.types import dates, measure, money, numbers
from sftp_gateway.catalog.types.cells import Cells

UNDECIDED = "?"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Column → its decimal mark (`.` or `,`), or its date order (dmy or mdy); `?` where the file does not tell."""

    decimal: dict[str, str] = field(default_factory=dict)
    order: dict[str, str] = field(default_factory=dict)

    def knows(self, column: str) -> bool:
        """Whether the file was surveyed for this column."""
        return column in self.decimal or column in self.order

    def with_more(self, other: "Evidence") -> "Evidence":
        """Add what another survey found."""
        return dataclasses.replace(self, decimal=self.decimal | other.decimal, order=self.order | other.order)


def survey(
    source: Source,
    mapping: Mapping,
    schema: Schema,
    columns: frozenset[str],
    progress: Callable[[int], None] | None = None,
) -> Evidence:
    """Read the file once for these columns; `progress` is told the rows read so far.

    A mark or order counts as decided if some value allows only it, and no value only the other.
    """
    kinds = {name: schema.column(name).type for name in columns}
    seen: dict[str, list[bool]] = {name: [False, False] for name in columns}
    rows = 0
    for block in source.blocks():
        sender = Sender(block, mapping)
        for name, kind in kinds.items():
            first, second = _proofs(sender.column(name).cells, kind)
            seen[name] = [seen[name][0] or first, seen[name][1] or second]
        rows += len(block)
        if progress is not None:
            progress(rows)
    decimal, order = {}, {}
    for name, kind in kinds.items():
        if kind in ("date", "datetime"):
            order[name] = _decided(seen[name], "dmy", "mdy")
        else:
            decimal[name] = _decided(seen[name], ".", ",")
    return Evidence(decimal, order)


def _proofs(cells: Cells, kind: str) -> tuple[bool, bool]:
    if kind in ("date", "datetime"):
        return dates.evidence(cells)
    part = {"money": money.number_part, "measure": measure.number_part}.get(kind)
    values = part(cells) if part else cells.trimmed.nulled
    return bool(numbers.clear(values, ".").any()), bool(numbers.clear(values, ",").any())


def _decided(proofs: list[bool], first: str, second: str) -> str:
    if proofs[0] == proofs[1]:
        return UNDECIDED
    return first if proofs[0] else second
