"""The rejected records of a block on their way to the correction file."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Struct

from sftp_gateway.catalog.read.rejects import Reject, Rejects
from sftp_gateway.catalog.read.source import Block, Rows

Ours = tuple[str, ...]
"""What stands in our five columns beside one record: row, codes, errors, suggestions, upload."""


class Rejected(Struct, frozen=True):
    """Rows of a block by `indices` (ascending), and its records that are no rows.

    `ours` holds our five columns as string arrays, for the rows; `told` the same for `broken`.
    """

    block: Block
    indices: Rows
    ours: tuple[Any, ...]
    broken: Rejects
    told: tuple[Any, ...]

    @property
    def numbers(self) -> Rows:
        """Row numbers: those of the rows, then those of the broken records."""
        return np.concatenate([self.block.row[self.indices], self.broken.row])

    def in_order(self) -> Iterator[tuple[Sequence[str] | Reject, bytes, Ours]]:
        """Give them one by one as they stand in the file: cells or broken record, bytes as sent, ours."""
        take = pa.array(self.indices)
        columns = [column.take(take).to_pylist() for column in self.block.cells]
        ours = list(zip(*(column.to_pylist() for column in self.ours), strict=True))
        told = list(zip(*(column.to_pylist() for column in self.told), strict=True))
        broken = list(self.broken)
        rows = len(self.indices)
        for place in np.argsort(self.numbers, kind="stable").tolist():
            if place >= rows:
                reject = broken[place - rows]
                yield reject, reject.raw, told[place - rows]
            else:
                yield [column[place] for column in columns], self.block.raw(int(self.indices[place])), ours[place]
