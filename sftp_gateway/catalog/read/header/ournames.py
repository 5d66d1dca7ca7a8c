"""Names of columns that we know: those of the catalog, and what else they go by."""

from collections.abc import Sequence

from sftp_gateway.catalog.folding import fold
from sftp_gateway.catalog.read.header.naming import Cells
from sftp_gateway.catalog.read.source import Hints


def known_names(cells: Cells, hints: Hints) -> int:
    """How many different names of columns the cells hold."""
    texts = {cell.decode(errors="replace") for cell in cells if len(cell) < 256 and cell.strip()}
    return sum(is_known(text, hints) for text in texts)


def is_known(header: str, hints: Hints) -> bool:
    """Whether a header is one that a catalog column goes by; `variation:Width` is, if `variation` is."""
    name = fold(header)
    return name in hints.known_headers or (":" in name and name.partition(":")[0] in hints.known_headers)


def has_key(cells: Cells, hints: Hints) -> bool:
    """Whether the cells name all columns of the key."""
    return hints.name_key({fold(cell.decode(errors="replace")) for cell in cells if len(cell) < 256})


def are_same(cells: Cells, names: Cells, hints: Hints) -> bool:
    """Whether cells mean the columns that a header names, in its order, be it with delimiters too many behind them."""
    one, other = ([fold(cell.decode(errors="replace")) for cell in each] for each in (cells, names))
    least = min(len(one), len(other))
    if any(one[least:] + other[least:]):
        return False
    here, there = ([hints.meant(name) for name in each[:least]] for each in (one, other))
    # Of two names for one column in a header the first that is filled counts: their order matters.
    return one[:least] == other[:least] or (here == there and len(set(here)) == least)


def renames(cells: Sequence[str], names: Sequence[str]) -> bool:
    """Whether cells are names of columns, half of them those of the header, two at least, and others."""
    own, filled = set(map(fold, names)), [cell for cell in cells if cell.strip()]
    again = sum(fold(cell) in own for cell in filled)
    return max(4, len(filled)) <= again * 2 < len(filled) * 2
