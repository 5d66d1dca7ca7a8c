"""Findings → error file, its JSON twin, counts; products → withheld list; all → the receipt (spec §8).

Findings come from spools sorted by row; everything is one pass in constant memory.
"""

import contextlib
import functools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from isal import igzip
from msgspec import Struct, field

from sftp_gateway import disk
from sftp_gateway.catalog import cells, findings, lane
from sftp_gateway.catalog.job import Made
from sftp_gateway.catalog.kinds import Kinds

SAMPLES: Final = 10
ERROR_COLUMNS: Final = ("upload", *findings.SCHEMA.names)
_DUPLICATES: Final = ("CATALOG_DUPLICATE_KEY", "CATALOG_DUPLICATE_ROW")
_SEVERE: Final = ("error", "fatal")
_NUMBERS: Final = ("row", "line", "byte_offset")
_GROUPED: Final = ("code", "severity", "column")
_REPEATED: Final = ("column", "code", "severity", "message", "suggestion")


def in_order(streams: Sequence[Iterable[pa.RecordBatch]]) -> Iterator[pa.Table]:
    """Merge streams of findings, each sorted by row, to one sorted by row; earlier streams first in a row."""
    return functools.reduce(_merge_two, (map(_table, stream) for stream in streams))


def _table(batch: pa.RecordBatch) -> pa.Table:
    return pa.Table.from_batches([batch])


def _merge_two(first: Iterator[pa.Table], second: Iterator[pa.Table]) -> Iterator[pa.Table]:
    waiting = next(second, None)
    for table in first:
        last = table["row"][-1].as_py()
        parts = [table]
        while waiting is not None and waiting["row"][0].as_py() <= last:
            cut = int(np.searchsorted(waiting["row"].to_numpy(), last, side="right"))
            parts.append(waiting.slice(0, cut))
            if cut < waiting.num_rows:
                waiting = waiting.slice(cut)
                break
            waiting = next(second, None)
        yield table if len(parts) == 1 else findings.by_row(pa.concat_tables(parts))
    while waiting is not None:
        yield waiting
        waiting = next(second, None)


class Counts(Struct):
    """How often each (code, severity, column, rule) was found, the first samples, and rows warned of."""

    groups: dict[tuple[str, str, str, str], dict[str, Any]] = field(default_factory=dict)
    warned: int = 0
    _open_row: int = -1
    _open_flags: tuple[bool, bool] = (False, False)

    def add(self, table: pa.Table, kinds: Kinds) -> None:
        """Count a table of findings; `kinds` are those of its columns that repeat."""
        few = pa.table([*kinds.columns, kinds.counts(), kinds.firsts], names=[*_REPEATED, "times", "first"])
        grouped = few.group_by(list(_GROUPED)).aggregate([("times", "sum"), ("first", "min")])
        for group in sorted(grouped.to_pylist(), key=lambda group: group["first_min"]):
            self._add_group(table, group)

    def _add_group(self, table: pa.Table, group: dict[str, Any]) -> None:
        code, severity, column = group["code"], group["severity"], group["column"] or ""
        rule = column if code == "FIELD_RULE" else ""
        entry = self.groups.setdefault(
            (code, severity, column, rule),
            {
                "code": code,
                "severity": severity,
                "column": None if rule else column or None,
                "rule": rule or None,
                "count": 0,
                "samples": [],
            },
        )
        entry["count"] += group["times_sum"]
        missing = SAMPLES - len(entry["samples"])
        if missing > 0:
            mask = pc.and_(pc.equal(table["code"], code), pc.equal(table["severity"], severity))
            rows = table.filter(pc.and_(mask, pc.equal(table["column"], group["column"]))).slice(0, missing)
            entry["samples"] += [_sample(row) for row in rows.to_pylist()]

    def add_rows(self, table: pa.Table) -> None:
        """Count rows that were kept with a warning; tables come in order of rows."""
        rows = table["row"].to_numpy()
        severity, code = table["severity"], table["code"]
        bad = pc.or_(pc.is_in(severity, pa.array(_SEVERE)), pc.is_in(code, pa.array(_DUPLICATES))).to_numpy()
        warn = pc.equal(severity, "warning").to_numpy()
        starts = np.flatnonzero(np.concatenate(([True], rows[1:] != rows[:-1])))
        bad_rows, warn_rows = np.logical_or.reduceat(bad, starts), np.logical_or.reduceat(warn, starts)
        if rows[0] == self._open_row:
            bad_rows[0] |= self._open_flags[0]
            warn_rows[0] |= self._open_flags[1]
        else:
            self.close_row()
        self.warned += int((warn_rows[:-1] & ~bad_rows[:-1]).sum())
        self._open_row = int(rows[-1])
        self._open_flags = (bool(bad_rows[-1]), bool(warn_rows[-1]))

    def close_row(self) -> None:
        """Count the row whose findings ended."""
        bad, warn = self._open_flags
        self.warned += int(warn and not bad)
        self._open_flags = (False, False)

    def listed(self) -> list[dict[str, Any]]:
        """Give the receipt's `findings`: worst first, then most frequent."""
        rank = {"fatal": 0, "error": 1, "warning": 2, "info": 3}
        return sorted(self.groups.values(), key=lambda group: (rank[group["severity"]], -group["count"]))


def _sample(row: dict[str, Any]) -> dict[str, Any]:
    shown = ("row", "line", "byte_offset", "key", "value", "message", "suggestion")
    sample = {name: row[name] for name in shown}
    sample["value"] = sample["value"][: cells.CUT_CHARACTERS] + "…" * (len(sample["value"]) > cells.CUT_CHARACTERS)
    return sample


class ErrorFiles:
    """`errors.csv` (for people, escaped) and `errors.jsonl.gz` (for machines), written side by side."""

    def __init__(self, csv: Path, jsonl: Path) -> None:
        self._csv = csv.open("wb", buffering=0)
        self._behind = disk.Behind(self._csv.fileno())
        self._jsonl: Any = igzip.open(jsonl, "wb", compresslevel=1)  # type: ignore[no-untyped-call]  # isal ships no types for it
        self._behind.write(cells.BOM + cells.csv_header(ERROR_COLUMNS, escape=True))

    def add(self, lines: "_Lines") -> None:
        """Append findings."""
        with lane.beside(lambda: self._jsonl.write(lines.json())) as written:
            self._behind.write(lines.csv())
            written()

    def close(self) -> None:
        """Finish both files."""
        self._csv.close()
        self._jsonl.close()


class _Lines:
    """Findings as lines. What repeats in many (column, code, texts) is made into text once for each kind."""

    def __init__(self, upload: str, table: pa.Table) -> None:
        self._upload = upload
        columns = {name: table[name].combine_chunks() for name in findings.SCHEMA.names}
        self._numbers = [cells.text(columns[name]) for name in _NUMBERS]
        self._key, self._value = columns["key"], cells.cut(columns["value"])
        self.kinds = Kinds([columns[name] for name in _REPEATED])

    def csv(self) -> pa.Buffer:
        place, *rest = (cells.csv_cells(column) for column in self.kinds.columns)
        rest[-1] = pc.binary_join_element_wise(rest[-1], "\r\n", "")
        lines = pc.binary_join_element_wise(
            self._upload,
            *(pc.fill_null(numbers, "") for numbers in self._numbers),
            cells.csv_cells(self._key),
            self.kinds.each(place),
            cells.csv_cells(self._value),
            self.kinds.each(pc.binary_join_element_wise(*rest, ",")),
            ",",
        )
        return cells.text_of(lines)

    def json(self) -> pa.Buffer:
        place, *rest = (cells.json_inner(column) for column in self.kinds.columns)
        named = [part for name, text in zip(_REPEATED[1:], rest, strict=True) for part in (f'","{name}":"', text)]
        parts: list[Any] = [f'{{"upload":{self._upload}']
        for name, numbers in zip(_NUMBERS, self._numbers, strict=True):
            parts += [f',"{name}":', pc.fill_null(numbers, "null")]
        parts += [
            ',"key":"',
            cells.json_inner(self._key),
            self.kinds.each(pc.binary_join_element_wise('","column":"', place, '","value":"', "")),
            cells.json_inner(self._value),
            self.kinds.each(pc.binary_join_element_wise(*named, '"}\n', "")),
        ]
        return cells.text_of(pc.binary_join_element_wise(*parts, ""))


def write_findings(  # noqa: PLR0913, PLR0917 - what was found, and where it goes
    whole: Sequence[findings.Finding],
    streams: Sequence[Iterable[pa.RecordBatch]],
    out: Path,
    base: str,
    upload: int,
    unplaced: Iterable[pa.RecordBatch] = (),
) -> tuple[Counts, list[Made]]:
    """Write every finding, whole-file ones first, then those of rows without a place in it, then by row.

    No files when there is none.
    """
    counts = Counts()
    csv, jsonl = out / f"{base}.{upload}.errors.csv", out / f"{base}.{upload}.errors.jsonl.gz"
    files: ErrorFiles | None = None
    try:
        with contextlib.closing(
            lane.ahead(_counted(counts, upload, _all(whole, unplaced, streams)), depth=1)
        ) as counted:
            for lines in counted:
                files = files or ErrorFiles(csv, jsonl)
                files.add(lines)
    finally:
        if files is not None:
            files.close()
    counts.close_row()
    return counts, [made("errors", csv), made("errors_json", jsonl)] if files else []


def _counted(counts: Counts, upload: int, found: Iterable[tuple[pa.Table, bool]]) -> Iterator[_Lines]:
    for table, placed in found:
        lines = _Lines(str(upload), table)
        counts.add(table, lines.kinds)
        if placed:
            counts.add_rows(table)
        yield lines


def _all(
    whole: Sequence[findings.Finding], unplaced: Iterable[pa.RecordBatch], streams: Sequence[Iterable[pa.RecordBatch]]
) -> Iterator[tuple[pa.Table, bool]]:
    """Give all findings in order, and whether they are about rows of the file."""
    if whole:
        yield findings.table(whole), False
    yield from ((_table(batch), False) for batch in unplaced)
    yield from ((table, True) for table in in_order(streams) if table.num_rows)


def made(kind: str, path: Path) -> Made:
    """Describe a finished file."""
    return Made(kind, path.name, path, path.stat().st_size)


def write_products(path: Path, columns: Sequence[str], tables: Iterable[pa.Table]) -> Made:
    """Write whole products as an escaped CSV for people: the withheld list."""
    with path.open("wb") as file:
        file.write(cells.BOM + cells.csv_header(columns, escape=True))
        for table in tables:
            file.write(cells.csv([cells.text(table[name]) for name in columns], escape=True))
    return made("withheld", path)
