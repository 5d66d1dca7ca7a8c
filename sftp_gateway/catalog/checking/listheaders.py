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
    named = columns(schema, settings)
    return Hints(
        encoding=settings.encoding,
        delimiter=settings.delimiter,
        quote=settings.quote,
        sheet=settings.sheet,
        known_headers=headers.known(schema, settings),
        keys=tuple(named[name] for name in schema.key),
        columns=tuple(named.values()),
        lists=frozenset().union(*(named[column.name] for column in schema.columns if column.type == "list")),
    )


def columns(schema: Schema, settings: BrandSettings) -> dict[str, frozenset[str]]:
    """Give those of each column by its name."""
    own = {name: fold(header) for name, header in settings.columns.items()}
    return {
        column.name: frozenset([own[column.name]])
        if column.name in own
        else frozenset(map(fold, (column.name, *column.aliases))) - set(own.values())
        for column in schema.columns
    }
