"""A list of JSON or Parquet as the text of one cell: its items with `|` between them, as spec §5 writes lists.

Where an item would be taken for several, the cell of a list column is a JSON array, which `types.arrays` reads again.
"""

import json
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sftp_gateway.catalog.folding import fold

_DOUBTFUL = re.compile(r"[|,;\[]|\s(?:/|http)", re.IGNORECASE)

_HAS_VALUES = {"value", "option", "options"}


def text(items: Sequence[str], *, exact: bool = False) -> str:
    """Write a list; `exact`: an array where a separator stands in an item."""
    if exact and any(map(_DOUBTFUL.search, items)):
        return json.dumps(list(items), ensure_ascii=False)
    return "|".join(items)


def called(items: Sequence[Any], *, exact: bool) -> list[str] | None:
    """Give the addresses (`exact`: of a list column) or names of a list's objects, as shops have them; None if not each has one.

    `{"id": 9, "name": "Lamps"}`, `{"src": "https://…", "alt": ""}`; what has a value beside its name is an entry of a map.
    """
    if not items or not all(isinstance(item, dict) and _HAS_VALUES.isdisjoint(item) for item in items):
        return None
    for name in ("src", "url", "name") if exact else ("name",):
        found = [item.get(name) for item in items]
        if all(isinstance(text, str) and text for text in found):
            return found
    return None


def among(headers: Iterable[str], names: Collection[str]) -> frozenset[str]:
    """Give the headers that mean a list column; `names` are folded."""
    return frozenset(header for header in headers if fold(header).removeprefix("g:") in names)
