"""A list of JSON or Parquet as the text of one cell: its items with `|` between them, as spec §5 writes lists.

Where an item would be taken for several, the cell of a list column is a JSON array, which `types.arrays` reads again.
"""

import json
import re
from collections.abc import Collection, Iterable, Sequence

from sftp_gateway.catalog.folding import fold

_DOUBTFUL = re.compile(r"[|,;\[]|\s(?:/|http)", re.IGNORECASE)


def text(items: Sequence[str], *, exact: bool = False) -> str:
    """Write a list; `exact`: an array where a separator stands in an item."""
    if exact and any(map(_DOUBTFUL.search, items)):
        return json.dumps(list(items), ensure_ascii=False)
    return "|".join(items)


def among(headers: Iterable[str], names: Collection[str]) -> frozenset[str]:
    """Give the headers that mean a list column; `names` are folded."""
    return frozenset(header for header in headers if fold(header).removeprefix("g:") in names)
