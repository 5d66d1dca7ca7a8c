"""`inspect`: what the reader understands of files, and the same files made clean. Needs no gateway."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from sftp_gateway import config, upload
from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog import inspect as reading
from sftp_gateway.catalog import propose
from sftp_gateway.catalog.checking import headers, listheaders
from sftp_gateway.catalog.read.source import Hints
from sftp_gateway.catalog.rules import schema
from sftp_gateway.cli import given, opening, output
from sftp_gateway.errors import NotFound, Refused
from sftp_gateway.store import brands

SHOWN_COLUMNS = 60
_UNFINISHED = "FILE_INCOMPLETE"


def inspect(options: argparse.Namespace) -> None:
    """Explain files, or print or write them clean; a file that cannot be read is said, not an error."""
    files = [Path(name) for name in options.files]
    rules, settings = _rules(options)
    for file in files:
        given.readable(file)
    hints = listheaders.hints(rules, settings)
    if options.csv:
        for file in files:
            _clean(file, hints, contextlib.nullcontext(sys.stdout.buffer))
        sys.stdout.flush()
    elif options.csv_dir is not None:
        _clean_into(files, hints, Path(options.csv_dir))
    else:
        _explain(files, hints, rules, settings, as_json=options.json)


def _rules(options: argparse.Namespace) -> tuple[schema.Schema, BrandSettings]:
    if options.brand is None:
        return schema.load(config.load(options.config, os.environ).catalog.rules), BrandSettings()
    with opening.gateway(options) as opened:
        brand = brands.get(opened.store, options.brand)
        return schema.load(opened.settings.catalog.rules), brand.settings


def _clean(file: Path, hints: Hints, lent: contextlib.AbstractContextManager[BinaryIO]) -> None:
    """Write one file clean; what cannot be read at all leaves nothing but a line on stderr."""
    try:
        with lent as out:
            tally = reading.write_csv(file, hints, out)
    except Refused as error:
        print(f"{file}: {error.code}: {output.clean(error.message)}", file=sys.stderr)
        return
    if tally.rejected:
        print(f"{file}: {tally.rejected:,} records could not be read and are left out", file=sys.stderr)


def _clean_into(files: list[Path], hints: Hints, folder: Path) -> None:
    with given.told(folder, "make"):
        folder.mkdir(parents=True, exist_ok=True)
    if len({file.name for file in files}) < len(files):
        raise NotFound("--csv-dir: two of the files have the same name; give them in two calls")
    given.apart(files, (folder / file.name for file in files))
    for file in files:
        _clean(file, hints, given.replaced(folder / file.name))


def _explain(files: list[Path], hints: Hints, rules: schema.Schema, settings: BrandSettings, *, as_json: bool) -> None:
    seen = [(reading.look(file, hints), file) for file in files]
    if as_json:
        output.as_json({"files": [_as_dict(report, rules, settings) for report, _ in seen]})
        return
    for report, file in seen:
        print("\n".join(_lines(report, file, rules, settings)))


def _as_dict(report: reading.Report, rules: schema.Schema, settings: BrandSettings) -> dict[str, Any]:
    """Flatten what was understood of the format, and add the mapping, for programs."""
    value = report.as_dict()
    found = value.pop("format") or {}
    keys = ("format", "compression", "encoding", "delimiter", "quote", "sheet")
    mapping, problem = _mapping(report, rules, settings)
    named = {key: found.get(key) for key in keys}
    return {"name": value.pop("name")} | named | value | {"mapping": mapping, "mapping_problem": problem}


def _mapping(report: reading.Report, rules: schema.Schema, settings: BrandSettings) -> tuple[dict[str, list[str]], str]:
    """Give catalog column → headers it comes from, and why the headers would be refused."""
    problem = ""
    if report.format is None:
        return {}, problem  # nothing is known of its columns
    try:
        headers.match(report.headers, rules, settings, upload.Mode.FULL)
    except Refused as error:
        problem = f"{error.code}: {error.message}"
    try:
        found = headers.match(report.headers, *propose.asking(rules, settings), upload.Mode.FULL)
    except Refused:
        return {}, problem
    places = {column.name: found.taken_by(column.name) for column in rules.columns}
    return {name: [report.headers[at] for at in some] for name, some in places.items() if some}, problem


def _lines(report: reading.Report, file: Path, rules: schema.Schema, settings: BrandSettings) -> Iterator[str]:
    yield f"{output.clean(file)}"
    if report.format is not None:
        shown = {
            "compression": report.format.compression,
            "encoding": report.format.encoding,
            "delimiter": {"\t": "tab"}.get(str(report.format.delimiter), report.format.delimiter),
            "quote": report.format.quote,
            "sheet": report.format.sheet,
        }
        yield f"  format    {report.format.format}" + "".join(f", {k} {output.clean(v)}" for k, v in shown.items() if v)
        counts = {"rejected": report.rejected, "blank": report.blank, "skipped": report.skipped}
        yield f"  rows      {report.rows:,} readable" + "".join(f", {v:,} {k}" for k, v in counts.items() if v)
    mapping, problem = _mapping(report, rules, settings)
    back = {header: column for column, names in mapping.items() for header in names}
    for column in report.columns[:SHOWN_COLUMNS]:
        goes = f"→ {back[column.header]}" if column.header in back else "(not used)"
        sample = ", ".join(output.clean(sample) for sample in column.samples[:3])
        yield f"  {output.clean(column.header):<28.28} {goes:<26} {column.filled:>9,} filled  {column.looks_like:<8} {sample:.60}"
    if len(report.columns) > SHOWN_COLUMNS:
        yield f"  … and {len(report.columns) - SHOWN_COLUMNS} more columns (--json shows all)"
    yield from (
        f"  {note.code}: {output.clean(note.message)} {output.clean(note.suggestion)}".rstrip()
        for note in report.findings
    )
    yield from (f"  row {note.row}: {note.code}: {output.clean(note.message)}" for note in report.rejects)
    for reason in filter(None, (report.refused, problem)):
        # Files that are complete by definition (`ingest`) may end so, a draft of SFTP may go on.
        would = (
            "over SFTP it would stay unfinished"
            if reason.startswith(_UNFINISHED)
            else "as an upload it would be refused"
        )
        yield f"  {would}: {output.clean(reason)}"
