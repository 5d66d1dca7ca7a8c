"""A workbook: reading it beside pandas with the same library below, and writing its correction file.

Usage of the parts, each a process of its own: python -m tests.bench.sheets gateway|pandas FILE. Prints seconds.
"""

import csv
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog.checking import headers
from sftp_gateway.catalog.read import opening
from sftp_gateway.catalog.read.source import Hints
from sftp_gateway.catalog.results import corrections
from sftp_gateway.catalog.rules import schema
from tests.bench import rows

REJECTED = 1000


def workbook(folder: Path, count: int, rounds: int) -> list[str]:
    """Lines of a Markdown table."""
    file = folder / "workbook.xlsx"
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Products")
    text = io.StringIO("\n".join([rows.HEADER, *rows.first_day(count, 0)]))
    for row in csv.reader(text):
        sheet.append(row)
    book.save(file)
    found: dict[str, list[dict[str, float]]] = {"gateway": [], "pandas": []}
    for _ in range(rounds):
        for name, runs in found.items():
            command = [sys.executable, "-m", "tests.bench.sheets", name, str(file)]
            runs.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    gateway, pandas = found["gateway"], found["pandas"]
    return [
        f"XLSX, {count:,} × 14, {file.stat().st_size / 1e6:,.1f} MB; without starting the process; median of {rounds}.",
        "",
        "| work | gateway | pandas with calamine |",
        "| --- | --- | --- |",
        f"| reading | {_median(gateway, 'read')} | {_median(pandas, 'read')} |",
        f"| its correction file of {REJECTED:,} rows | {_median(gateway, 'corrections')} | – |",
    ]


def _median(runs: list[dict[str, float]], name: str) -> str:
    return f"{statistics.median(run[name] for run in runs):.2f} s"


def gateway(file: Path) -> dict[str, float]:
    """Read all rows, and write the first REJECTED of them for correction."""
    rules, settings = schema.load(), BrandSettings()
    began = time.perf_counter()
    source = opening.open_source(file, Hints(known_headers=headers.known(rules, settings)))
    blocks = list(source.blocks())
    read = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as out:
        began = time.perf_counter()
        writer = corrections.CorrectionWriter(source, 1, Path(out), "workbook.xlsx")
        left = REJECTED
        for block in blocks:
            count = min(left, len(block))
            reasons = [pa.repeat(text, count) for text in ("FIELD_TYPE", "msrp: is not a number", "Write digits")]
            writer.add(writer.make(block, np.arange(count), reasons))
            left -= count
        writer.finish()
        return {"read": read, "corrections": time.perf_counter() - began}


def pandas(file: Path) -> dict[str, float]:
    """Read all cells as they are."""
    began = time.perf_counter()
    pd.read_excel(file, engine="calamine", dtype=object, header=None, na_filter=False)
    return {"read": time.perf_counter() - began}


if __name__ == "__main__":
    parts: dict[str, Callable[[Path], dict[str, float]]] = {"gateway": gateway, "pandas": pandas}
    print(json.dumps(parts[sys.argv[1]](Path(sys.argv[2]))))
