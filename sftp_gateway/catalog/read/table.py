"""Rows that come as tables of text, not as bytes (sheets, Parquet): blank rows and footers taken out, blocks made."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.read import bounds, source
from sftp_gateway.catalog.read.header import footer
from sftp_gateway.catalog.read.source import Block, Numbers, Tally


def block(  # noqa: PLR0913 - each is one thing that only the caller knows
    columns: Sequence[pa.Array],
    first_row: int,
    tally: Tally,
    header: Sequence[tuple[str, ...]] = (),
    *,
    final: bool = False,
    other: npt.NDArray[np.bool_] | None = None,
    numbers: Numbers = (),
) -> Block:
    """Make a block of whole columns of text whose first row has number `first_row`; footers go if `final`.

    `header`: the rows of the header; one met again is skipped. `other`: rows to skip, of other tables; `numbers`: as `Block` has them.
    """
    count = len(columns[0]) if columns else 0
    filled = np.zeros(count, np.bool_)
    for column in columns:
        filled |= _has_text(column)
    blank = np.flatnonzero(~filled)
    if other is not None:
        tally.skipped += int((filled & other).sum())
        filled &= ~other
    again = _again(columns, header)
    for place in np.flatnonzero(again).tolist():
        tally.skipped += 1
        tally.late.append(Finding("FILE_PREAMBLE", f"Row {first_row + place} is the header again; it was skipped."))
    filled &= ~again
    keep = np.flatnonzero(filled)
    if final:
        skipped = _footer(columns, filled)
        if skipped:
            text = " ".join(_row(columns, int(keep[-skipped])))[:80]
            keep = keep[:-skipped]
            rows = "1 row was" if skipped == 1 else f"{skipped} rows were"
            tally.late.append(Finding("FILE_FOOTER", f"{rows} skipped after the last product ({text})."))
            tally.skipped += skipped
    tally.readable += len(keep)
    tally.blank += len(blank)
    chosen = columns if len(keep) == count else [pc.take(column, pa.array(keep)) for column in columns]
    notes = tuple(Finding("ROW_BLANK", "The row is blank.", row=first_row + int(place)) for place in blank)
    typed = source.chosen(numbers, keep)
    return Block(cells=tuple(chosen), row=keep.astype(np.int64) + first_row, notes=notes, numbers=typed)


def _again(columns: Sequence[pa.Array], header: Sequence[tuple[str, ...]]) -> npt.NDArray[np.bool_]:
    """Which rows are a row of the header once more."""
    found = np.zeros(len(columns[0]) if columns else 0, np.bool_)
    for row in header:
        same = np.ones(len(found), np.bool_)
        for column, cell in zip(columns, row, strict=False):
            if not same.any():
                break
            same &= np.asarray(pc.equal(column, cell))
        found |= same & any(row)
    return found


def _has_text(column: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.and_not(pc.greater(pc.binary_length(column), 0), pc.utf8_is_space(column)))


def _row(columns: Sequence[pa.Array], index: int) -> list[str]:
    return [text for column in columns if index < len(column) and (text := column[index].as_py().strip())]


def _footer(columns: Sequence[pa.Array], filled: npt.NDArray[np.bool_]) -> int:
    """How many of the last filled rows are footers."""
    skipped = 0
    for index in reversed(np.flatnonzero(filled).tolist()):
        cells = [column[index].as_py() for column in columns]
        alone = index > 0 and not filled[index - 1]
        if skipped >= bounds.FOOTER_RECORDS or not footer.is_footer(
            cells, len(columns), after_blank=alone, ragged=len(columns) > 2
        ):
            break
        skipped += 1
    return skipped
