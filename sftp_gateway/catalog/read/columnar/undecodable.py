"""Bytes of Parquet columns that are no text in UTF-8: each costs its row, no letter is made up for it."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.read import texts
from sftp_gateway.catalog.read.rejects import Reject, Rejects
from sftp_gateway.catalog.read.source import Block, Tally
from sftp_gateway.catalog.read.text import survey

Mask = npt.NDArray[np.bool_]
_STANDS_FOR_IT = "\ufffd"
_TOLD = (
    "ROW_ENCODING",
    "The product has bytes that are no text in UTF-8.",
    "Write its texts as UTF-8, in a column of texts (STRING).",
)


def checked(column: pa.Array) -> tuple[pa.Array, Mask | None]:
    """Give a column of strings, or of bytes, as strings, and which rows have something else there; None: none has.

    ArrowInvalid where the column itself makes no sense.
    """
    try:
        found = pc.cast(column, pa.string())
        found.validate(full=True)  # nobody else looks whether texts are UTF-8
    except pa.ArrowInvalid:
        plain = pc.cast(column, pa.binary())
        plain.validate(full=True)
        values = plain.to_pylist()
        bad = np.array([value is not None and not survey.is_utf8(value) for value in values])
        return pa.array([value and value.decode(errors="replace") for value in values], pa.string()), bad
    return found, None


def written(values: list[Any], *, exact: bool) -> tuple[pa.Array, Mask | None]:
    """Give values of any type as strings, and which hold bytes that are none."""
    found: list[str] = []
    bad: list[int] = []
    for place, value in enumerate(values):
        try:
            found.append(texts.reckoned(value, exact=exact))
        except UnicodeDecodeError:
            found.append(_STANDS_FOR_IT)
            bad.append(place)
    mask = np.zeros(len(values), np.bool_)
    mask[bad] = True
    return pa.array(found, pa.string()), mask if bad else None


def rejected(block: Block, rows: npt.NDArray[np.int64], tally: Tally) -> Block:
    """Give a block without the rows of these numbers: they are rejects of it."""
    at = np.flatnonzero(np.isin(block.row, rows))
    tally.readable, tally.rejected = tally.readable - len(at), tally.rejected + len(at)
    code, message, suggestion = _TOLD
    cells = zip(*(column.take(pa.array(at)).to_pylist() for column in block.cells), strict=True)
    told = [
        Reject(Finding(code, message, suggestion, row=int(block.row[index])), b"", row)
        for index, row in zip(at.tolist(), cells, strict=True)
    ]
    return replace(block.without(at), rejects=Rejects.of(told))
