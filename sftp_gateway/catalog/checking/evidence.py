"""What the whole of a file tells of how its columns write numbers and dates.

A survey is made only when a block holds a value that reads two ways and neither brand nor block decides.
"""

from msgspec import Struct, field

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog.checking.headers import Mapping
from sftp_gateway.catalog.checking.sender import Sender
from sftp_gateway.catalog.read.source import Source
from sftp_gateway.catalog.rules.column import MARKED
from sftp_gateway.catalog.rules.schema import Schema
from sftp_gateway.catalog.types import dates, measure, money, numbers
from sftp_gateway.catalog.types.cells import Cells

UNDECIDED = "?"
_DATES = frozenset({"date", "datetime"})


class Evidence(Struct, frozen=True):
    """Column → its decimal mark (`.` or `,`), or its date order (dmy or mdy); `?` where the file does not tell."""

    decimal: dict[str, str] = field(default_factory=dict)
    order: dict[str, str] = field(default_factory=dict)

    def before(self, other: "Evidence") -> "Evidence":
        """Give both, this one first: of a column that it has, the other tells only what it does not."""
        return Evidence(other.decimal | _told(self.decimal), other.order | _told(self.order))

    def answering(self, asking: frozenset[str]) -> "Evidence":
        """Give it without saying of other columns that the file does not tell: their cells leave nothing to decide."""
        return Evidence(_told(self.decimal, asking), _told(self.order, asking))


def survey(
    source: Source, mapping: Mapping, schema: Schema, settings: BrandSettings, *, numbers: bool = False
) -> Evidence:
    """Read the file once and tell how its columns write numbers and dates, where the brand does not.

    A mark or order counts as decided if some value allows only it, and no value only the other. What the format
    says is a number tells nothing of texts, but with `numbers`: of those that come back as texts in a correction.
    """
    kinds = _open_columns(mapping, schema, settings)
    seen: dict[str, list[bool]] = {name: [False, False] for name in kinds}
    for block in source.blocks():
        sender = Sender(block, mapping)
        for name, kind in kinds.items():
            gathered = sender.column(name)
            first, second = _proofs(gathered.unmistakable if numbers else gathered.texts, kind)
            seen[name] = [seen[name][0] or first, seen[name][1] or second]
    decimal, order = {}, {}
    for name, kind in kinds.items():
        if kind in _DATES:
            order[name] = _decided(seen[name], "dmy", "mdy")
        else:
            decimal[name] = _decided(seen[name], ".", ",")
    return Evidence(decimal, order)


def _open_columns(mapping: Mapping, schema: Schema, settings: BrandSettings) -> dict[str, str]:
    """Give the columns of this file whose writing the brand has not pinned: name → type."""
    asked = (frozenset() if settings.decimal else MARKED) | (frozenset() if settings.date_order else _DATES)
    return {
        column.name: column.type for column in schema.columns if column.type in asked and column.name in mapping.columns
    }


def _proofs(cells: Cells, kind: str) -> tuple[bool, bool]:
    if kind in _DATES:
        return dates.evidence(cells)
    part = {"money": money.number_part, "measure": measure.number_part}.get(kind)
    values = part(cells) if part else cells.trimmed.nulled
    return numbers.proves(values, "."), numbers.proves(values, ",")


def _told(marks: dict[str, str], asking: frozenset[str] = frozenset()) -> dict[str, str]:
    """Leave out what is not decided, but for columns that are asked for."""
    return {name: mark for name, mark in marks.items() if mark != UNDECIDED or name in asking}


def _decided(proofs: list[bool], first: str, second: str) -> str:
    if proofs[0] == proofs[1]:
        return UNDECIDED
    return first if proofs[0] else second
