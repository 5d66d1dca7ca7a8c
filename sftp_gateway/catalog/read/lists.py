"""A list of JSON or Parquet as the text of one cell: its items with `|` between them, as spec §5 writes lists.

Where an item would be taken for several, the cell of a list column is a JSON array, which `types.arrays` reads again.
"""

import json
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sftp_gateway.catalog.folding import fold

_DOUBTFUL = re.compile(r"[|,;\[]|\s(?:/|http)", re.IGNORECASE)
_SAYS_WHICH = {"id", "name", "slug"}


def text(items: Sequence[str], *, exact: bool = False) -> str:
    """Write a list; `exact`: an array where a separator stands in an item."""
    if exact and any(map(_DOUBTFUL.search, items)):
        return json.dumps(list(items), ensure_ascii=False)
    return "|".join(items)


def called(items: Sequence[Any], *, exact: bool) -> list[str] | None:
    """Give what stands for the objects of a list in a shop's answer; None if they are no such objects, or have more to say.

    That is the address (`exact`: of a list column, `{"src": "https://…", "alt": ""}`), or the name: `{"id": 9, "name": "Lamps"}`.
    """
    if not items or not all(isinstance(item, dict) for item in items):
        return None
    names = ("name",) if all(_SAYS_WHICH.issuperset(item) for item in items) else ()
    for name in (("src", "url") if exact else ()) + names:
        found = [item.get(name) for item in items]
        if all(isinstance(text, str) and text for text in found):
            return found
    return None


def among(headers: Iterable[str], names: Collection[str]) -> frozenset[str]:
    """Give the headers that are among these names, which are folded."""
    return frozenset(header for header in headers if fold(header).removeprefix("g:") in names)
