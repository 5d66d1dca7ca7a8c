"""What a reader is told of a brand's files: what it pinned, and which headers mean a column, a list, one of the key.

The reader keeps apart the items of the arrays that come under the first, and tells a product of JSON by the others.
"""

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog.checking import headers
from sftp_gateway.catalog.folding import fold
from sftp_gateway.catalog.read.source import Hints
from sftp_gateway.catalog.rules.schema import Schema


def hints(schema: Schema, settings: BrandSettings) -> Hints:
    """Give all of it."""
    return Hints(
        encoding=settings.encoding,
        delimiter=settings.delimiter,
        quote=settings.quote,
        sheet=settings.sheet,
        known_headers=headers.known(schema, settings),
        keys=keys(schema, settings),
        lists=known(schema, settings),
    )


def known(schema: Schema, settings: BrandSettings) -> frozenset[str]:
    """Give those of lists folded: names and aliases, or the one header that the brand says."""
    own = {name: fold(header) for name, header in settings.columns.items()}
    lists = [column for column in schema.columns if column.type == "list"]
    names = {fold(name) for column in lists if column.name not in own for name in (column.name, *column.aliases)}
    return frozenset(names - set(own.values()) | {own[column.name] for column in lists if column.name in own})


def keys(schema: Schema, settings: BrandSettings) -> tuple[frozenset[str], ...]:
    """Give those of each column of the key."""
    columns = [column for column in schema.columns if column.name in schema.key]
    own = settings.columns
    return tuple(
        frozenset(map(fold, [own[column.name]] if column.name in own else [column.name, *column.aliases]))
        for column in columns
    )
