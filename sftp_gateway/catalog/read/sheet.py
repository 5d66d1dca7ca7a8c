"""XLSX, XLS and ODS as a `Source`, through pandas and calamine: every cell as the text that a person sees, nothing guessed."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import python_calamine

from sftp_gateway import errors
from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.read import bounds, heading, table, texts, unpack, workbook
from sftp_gateway.catalog.read.source import Block, Format, Hints, Tally

_BLOCK_ROWS = 16384
_SAMPLE_ROWS = 200
_UNREADABLE = (
    python_calamine.CalamineError,
    zipfile.BadZipFile,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OSError,
    OverflowError,
)


@dataclass(slots=True)
class SheetSource:
    """One sheet of a workbook, held in memory; `first` is the row number of the first row after the header."""

    format: Format
    headers: tuple[str, ...]
    header_raw: bytes
    findings: tuple[Finding, ...]
    correction_of: bool
    tally: Tally
    frame: pd.DataFrame
    first: int
    header: list[tuple[str, ...]]
    titles: int
    line_end: str = "\n"
    bom: bytes = b""

    def blocks(self) -> Iterator[Block]:
        """Read the rows under the header."""
        size = self.tally.total_bytes
        self.tally = Tally(total_bytes=size, readable_bytes=size, skipped=self.titles)
        body = self.frame.iloc[self.first - 1 :, : len(self.headers)]
        for start in range(0, len(body), _BLOCK_ROWS):
            part = body.iloc[start : start + _BLOCK_ROWS]
            columns = [
                pa.array([texts.of(value) for value in part.iloc[:, place]], pa.string())
                for place in range(part.shape[1])
            ]
            final = start + _BLOCK_ROWS >= len(body)
            yield table.block(columns, self.first + start, self.tally, self.header, final=final)
        if not self.tally.readable:
            raise errors.Refused("FILE_EMPTY", "The sheet has a header but no rows.", "Send a file with products.")


def open_sheet(path: Path, kind: str, hints: Hints) -> SheetSource:
    """Open a workbook (`kind` xlsx, xls or ods): its first sheet that is not empty, or the one the brand names."""
    workbook.check(path, kind, hints)
    try:
        # Opened here: pandas does not close what it opened when its reader panics.
        with path.open("rb") as file, pd.ExcelFile(file, engine="calamine") as book:
            name, frame = _sheet(book, hints)
    except _UNREADABLE as error:
        raise unpack.damaged(kind.upper(), error) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of no module that could be imported; no Exception, either
            raise
        raise unpack.damaged(kind.upper(), ValueError(str(error))) from error
    sample = frame.iloc[:_SAMPLE_ROWS].to_numpy()
    rows = [[texts.of(value)[: bounds.RECORD_BYTES].encode() for value in row] for row in sample]
    head = heading.find(rows, hints, whole=True)
    headers = head.names[: _width(frame, max(head.last, 0))]
    titles = sum(any(cell.strip() for cell in row) for row in rows[: head.first])
    findings = head.said(f"{titles} rows above the header were skipped." if titles else "")
    return SheetSource(
        format=Format(kind, sheet=name),
        headers=headers,
        header_raw=b"",
        findings=findings,
        correction_of="_correction_of" in (header.strip() for header in headers),
        tally=Tally(total_bytes=path.stat().st_size),
        frame=frame,
        first=head.last + 2,
        header=[tuple(cell.decode() for cell in rows[place]) for place in range(head.first, head.last + 1)],
        titles=titles,
    )


def _sheet(book: pd.ExcelFile, hints: Hints) -> tuple[str, pd.DataFrame]:
    names = [str(name) for name in book.sheet_names]
    if hints.sheet and hints.sheet not in names:
        raise errors.Refused(
            "FILE_FORMAT",
            f"The workbook has no sheet {hints.sheet!r}; it has {', '.join(names[:10])}.",
            "Name the sheet so, or change the setting `sheet` of this brand.",
        )
    for name in [hints.sheet] if hints.sheet else names:
        frame = pd.read_excel(book, sheet_name=name, header=None, dtype=object, na_filter=False)
        if frame.size and any(texts.of(value).strip() for value in frame.to_numpy().ravel()[:100_000]):
            return name, frame
    raise errors.Refused("FILE_EMPTY", "No sheet of the workbook has a filled cell.", "Send a sheet with products.")


def _width(frame: pd.DataFrame, header: int) -> int:
    """Columns up to the last one that has a header, or anything below it."""
    width = frame.shape[1]
    while width > 1 and not any(texts.of(value).strip() for value in frame.iloc[header:, width - 1]):
        width -= 1
    return min(width, bounds.MAX_COLUMNS)
