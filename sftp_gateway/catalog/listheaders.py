"""Which headers mean a list column: the reader keeps apart the items of the arrays that come under them. Serves passes."""

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog.folding import fold
from sftp_gateway.catalog.schema import Schema


def known(schema: Schema, settings: BrandSettings) -> frozenset[str]:
    """Give them folded: names and aliases, or the one header that the brand says."""
    own = {name: fold(header) for name, header in settings.columns.items()}
    lists = [column for column in schema.columns if column.type == "list"]
    names = {fold(name) for column in lists if column.name not in own for name in (column.name, *column.aliases)}
    return frozenset(names - set(own.values()) | {own[column.name] for column in lists if column.name in own})
