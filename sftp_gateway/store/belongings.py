"""Whose a blob is, told by its name alone: for those that no row names any more, and that retention would find later.

Sources are named by their bytes and belong to nobody; versions lie under the brand, results under the
upload, and what is listed at the top of a home under the brand.
"""

import re
from collections.abc import Collection, Iterator
from typing import Protocol

CATALOG, RESULTS = "catalog", "results"
_UPLOAD = re.compile(r"(\d+)(-[0-9a-f]{16})?")
"""A directory of an upload's results: they are kept under `17-<16 hex>`, receipts under `17`."""
_TOP = re.compile(r"(README\.txt|template\.csv|history\.csv)\.[0-9a-f]{24}\.[0-9a-f]{8}")
"""A file of the top of a home: a brand may be called `17`, too."""


class Listed(Protocol):
    """Where the names of blobs are listed (`blobs.Files`)."""

    def names(self, area: str) -> Iterator[str]:
        """List the names of an area."""


def lying(files: Listed, brand: str, uploads: Collection[int]) -> set[tuple[str, str]]:
    """Give the blobs (area, name) that a brand and its uploads left; blocks, Unavailable."""
    found = {(CATALOG, name) for name in files.names(CATALOG) if name.startswith(f"{brand}/")}
    return found | {(RESULTS, name) for name in files.names(RESULTS) if _is_result(name, brand, uploads)}


def _is_result(name: str, brand: str, uploads: Collection[int]) -> bool:
    directory, _, rest = name.partition("/")
    upload = None if _TOP.fullmatch(rest) else _UPLOAD.fullmatch(directory)
    return directory == brand if upload is None else int(upload[1]) in uploads
