"""By what the blocks of one file are checked: columns, mapping, the brand's settings, and what a survey found."""

from typing import Any

from msgspec import Struct

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog.checking.evidence import Evidence
from sftp_gateway.catalog.checking.headers import Mapping
from sftp_gateway.catalog.rules.column import MARKED, Column
from sftp_gateway.catalog.rules.schema import Schema
from sftp_gateway.catalog.types.typing import Dialect


class Terms(Struct, frozen=True):
    """What checking a file depends on; `partial`: only the key must be present, the rest is merged."""

    schema: Schema
    settings: BrandSettings
    mapping: Mapping
    brand: str
    evidence: Evidence
    partial: bool

    def dialect(self, column: Column) -> Dialect:
        """Say how a column of this file writes numbers and dates: by the brand, else by the survey."""
        return Dialect(
            self.settings.decimal or self.evidence.decimal.get(column.name, ""),
            self.settings.date_order or self.evidence.order.get(column.name, ""),
            self.settings.timezone or "UTC",
        )

    @property
    def marked(self) -> frozenset[int]:
        """Give the places of the sender's columns that have a decimal mark, unless the brand's is a dot."""
        if self.settings.decimal == ".":
            return frozenset()
        named = (self.mapping.columns.get(column.name, ()) for column in self.schema.columns if column.type in MARKED)
        return frozenset(place for places in named for place in places)

    def default(self, column: Column) -> Any:
        """Give a column's default for this brand; None: it has none."""
        if column.default == "@brand":
            return self.brand
        if column.default == "@currency":
            return self.settings.currency or None
        return column.default

    def severity(self, name: str) -> str:
        """Say how bad a bad value of a column is; in the key it is always an error."""
        return "error" if name in self.schema.key else self.schema.column(name).severity
