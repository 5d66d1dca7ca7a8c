"""What the reader understands of a file, for people who wonder why theirs is refused; and the same file made clean.

Applies no rules of the catalog: a file that the pipeline would refuse or hold is read as far as it can be.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field, to_builtins
from msgspec.structs import replace

from sftp_gateway import errors
from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.read import opening
from sftp_gateway.catalog.read.rejects import Reject, Rejects
from sftp_gateway.catalog.read.source import Block, Format, Hints, Source, Tally

FIRST_ROWS = 5
_PROFILE_ROWS = 50_000
_SAMPLE_CHARACTERS = 60
_LOOKS = (
    ("integer", r"[+-]?\d{1,18}"),
    ("decimal", r"[+-]?\d{1,3}(?:[.,  ']?\d{3})*(?:[.,]\d+)?|[+-]?\d+[.,]\d+"),
    ("date", r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}"),
    ("boolean", r"(?i:true|false|yes|no|y|n)"),
    ("url", r"https?://\S+"),
)
_NUL = Finding(
    "FIELD_CONTROL_CHAR", "The row has a NUL, a character that cannot be printed.", "Delete it, or write the row again."
)


class Column(Struct, frozen=True):
    """What one column holds. `distinct`, `looks_like` and `samples` are judged on the first 50,000 rows."""

    header: str
    filled: int
    distinct: int
    longest: int
    looks_like: str
    samples: tuple[str, ...]


class Report(Struct, frozen=True):
    """What the reader understood. `refused` says why the pipeline would not take the file, if the reader knows."""

    name: str
    format: Format | None
    headers: tuple[str, ...] = ()
    rows: int = 0
    rejected: int = 0
    blank: int = 0
    skipped: int = 0
    columns: tuple[Column, ...] = ()
    first_rows: tuple[tuple[str, ...], ...] = ()
    findings: tuple[Finding, ...] = ()
    """Of the whole file."""
    rejects: tuple[Finding, ...] = ()
    """The first records that cannot be read."""
    reasons: dict[str, int] = field(default_factory=dict)
    """How many records by code."""
    refused: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values for JSON."""
        told: dict[str, Any] = to_builtins(self)
        return told


def look(path: Path, hints: Hints) -> Report:
    """Read a file whole and say what was understood; never raises for what is in it."""
    refused = _refusal(path, hints)
    try:
        source = _open(path, hints)
        profiles, first, rejects, reasons = _profile(source)
    except errors.Refused as error:
        return Report(path.name, None, refused=refused or _said(error))
    tally = source.tally
    return Report(
        name=path.name,
        format=source.format,
        headers=source.headers,
        rows=tally.readable,
        rejected=tally.rejected,
        blank=tally.blank,
        skipped=tally.skipped,
        columns=tuple(profile.column() for profile in profiles),
        first_rows=first,
        findings=(*source.findings, *tally.late),
        rejects=rejects,
        reasons=reasons,
        refused=refused,
    )


def write_csv(path: Path, hints: Hints, out: BinaryIO) -> Tally:
    """Write every readable row as RFC 4180 CSV in UTF-8, header first; Refused only where nothing can be read."""
    source = _open(path, hints)
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\r\n")
    try:
        writer.writerow(source.headers)
        for block in _blocks(source):
            writer.writerows(zip(*(column.to_pylist() for column in block.cells), strict=True))
    finally:
        text.detach()
    return source.tally


def _open(path: Path, hints: Hints) -> Source:
    return opening.open_source(path, replace(hints, lenient=True, complete=True))


def _blocks(source: Source) -> Iterator[Block]:
    """Give the blocks of a source; a file without rows has none."""
    try:
        for block in source.blocks():
            yield _without_nul(block, source.tally)
    except errors.Refused as error:
        if error.code != "FILE_EMPTY":
            raise


def _without_nul(block: Block, tally: Tally) -> Block:
    """Leave out rows with a NUL, as the pipeline does where it checks the cells: programs cut their texts off there."""
    masks = [np.asarray(pc.match_substring(column, "\0")) for column in block.cells]
    at = np.flatnonzero(np.logical_or.reduce(masks)) if masks else np.zeros(0, np.int64)
    if not len(at):
        return block
    tally.readable, tally.rejected = tally.readable - len(at), tally.rejected + len(at)
    told = [Reject(replace(_NUL, row=int(block.row[index])), block.raw(index)) for index in at.tolist()]
    told += block.rejects
    return replace(block.without(at), rejects=Rejects.of(sorted(told, key=lambda item: item.finding.row or 0)))


def _refusal(path: Path, hints: Hints) -> str:
    """Why the reader would refuse the file as an upload; '' if it would not."""
    try:
        for _ in opening.open_source(path, hints).blocks():
            pass
    except errors.Refused as error:
        return _said(error)
    return ""


def _said(error: errors.Refused) -> str:
    return f"{error.code}: {error.message} {error.suggestion}".strip()


class _Profile:
    """One column while it passes by."""

    def __init__(self, header: str) -> None:
        self.header = header
        self.filled = self.longest = 0
        self.seen: list[pa.Array] = []

    def add(self, cells: pa.Array, *, keep: bool) -> None:
        lengths = pc.utf8_length(cells)
        self.filled += int(pc.sum(pc.greater(lengths, 0)).as_py() or 0)
        self.longest = max(self.longest, int(pc.max(lengths).as_py() or 0))
        if keep:
            self.seen.append(cells)

    def column(self) -> Column:
        chunks = pa.chunked_array(self.seen, pa.string()) if self.seen else pa.chunked_array([[]], pa.string())
        values = pd.Series(chunks.to_pylist(), dtype="str").str.strip()
        values = values[values != ""]
        common = values.value_counts().index[:3]
        samples = tuple(str(value)[:_SAMPLE_CHARACTERS] for value in common)
        return Column(self.header, self.filled, int(values.nunique()), self.longest, _looks_like(values), samples)


def _looks_like(values: "pd.Series[str]") -> str:
    """Name the type of which 95 % of the values are; text otherwise."""
    if values.empty:
        return "empty"
    for name, pattern in _LOOKS:
        if values.str.fullmatch(pattern).mean() >= 0.95:
            return name
    return "text"


def _profile(source: Source) -> tuple[list[_Profile], tuple[tuple[str, ...], ...], tuple[Finding, ...], dict[str, int]]:
    profiles = [_Profile(header) for header in source.headers]
    first: list[tuple[str, ...]] = []
    rejects: list[Finding] = []
    reasons: Counter[str] = Counter()
    seen = 0
    for block in _blocks(source):
        for profile, cells in zip(profiles, block.cells, strict=True):
            profile.add(cells, keep=seen < _PROFILE_ROWS)
        if len(first) < FIRST_ROWS:
            head = [column.slice(0, FIRST_ROWS - len(first)).to_pylist() for column in block.cells]
            first += zip(*head, strict=True)
        rejects += [item.finding for item in block.rejects[: max(0, 10 - len(rejects))]]
        reasons.update(block.rejects.code.to_pylist())
        reasons.update(note.code for note in block.notes)
        seen += len(block)
    return profiles, tuple(first), tuple(rejects), dict(reasons)
