"""Mutates files of every format and reads them: no exception but a refusal, every byte counted, every row's bytes the sender's.

`python -m tests.property.fuzzing EXECUTIONS [FIRST_SEED [BLOCK_BYTES]]` prints its rate. A failure names kind and
seed, which make the same file again. Run `apart`, it is a process with little memory and little time for each file,
so that one which ends the process, or never ends, is named as well.
"""

import csv
import gzip
import io
import json
import mmap
import os
import random
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import xlwt
import zstandard

from sftp_gateway import errors
from sftp_gateway.catalog.read import bounds
from tests.unit import workbooks
from tests.unit.reading import KNOWN, read

HEADER = ["sku", "name", "msrp", "description"]
TEXT = ("csv", "array", "object", "lines")
KINDS = (*TEXT, "packed", "xlsx", "xlsx parts", "xls", "ods", "parquet")
MIX = ("csv", "csv", "lines", "array", "object", "packed", "csv", "csv", "lines", "array", "object", "parquet") * 4
MIX += ("xlsx", "xlsx parts", "xls", "ods")
"""One round of a long run: most of what is our own code, less of what others wrote and what costs more."""
EXTRA_BYTES = 2 << 30
"""What the process that runs apart may have beyond what it begins with."""
CPU_SECONDS = 20
"""For one file."""
CELLS = 100_000
"""Of a sheet in a long run, which is to be about files, not about filling memory."""
PIECES = [
    b'"',
    b",",
    b"\n",
    b"\xff",
    b"\0",
    b"\r",
    b"'",
    b'\\"',
    b'""',
    b";",
    b"\n\n",
    b"\t",
    b"{",
    b"]",
    b"\\u",
    b"1e9",
]


def rows(chance):
    cells = ["a", "b c", 'q "x", y', "l\nm", "é", "", "1.50", "7", "2026-01-01"]
    return [
        [f"S{n}", *(chance.choice(cells) for _ in range(3))]
        for n in range(1, chance.choice([2, 3, 3, 4, 4] * 4 + [24]))
    ]


def written(table, delimiter=",", end="\n", quoting=csv.QUOTE_MINIMAL):
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(table)
    return out.getvalue()


def separated(chance):
    delimiter, end = chance.choice(",;\t|"), chance.choice(["\n", "\n", "\r\n", "\r"])
    text = written([HEADER, *rows(chance)], delimiter, end, chance.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    other = written([["Store", "City"], ["North", "Berlin"], ["South", "Paris"]], delimiter, end)
    text = chance.choice(["", "", f"Our catalog{end}", other + end]) + text
    text += chance.choice(["", "", end, f"Total: 24{end}", end + other])
    return text.encode(chance.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252"]))


def jsons(kind, chance):
    items = [
        json.dumps(dict(zip(HEADER, row, strict=True)) | {"msrp": 1.5}, ensure_ascii=False) for row in rows(chance)
    ]
    if kind == "lines":
        return ("\n".join(items) + "\n").encode()
    array = "[" + ",\n".join(items) + "]"
    return (array if kind == "array" else '{"a":{"b":1},"products":' + array + "}").encode()


def workbook(kind, chance):
    out, table = io.BytesIO(), [HEADER, *rows(chance)]
    if kind == "xls":
        book = xlwt.Workbook()
        sheet = book.add_sheet("A")
        for number, row in enumerate(table):
            for place, cell in enumerate(row):
                sheet.write(number, place, cell)
        book.save(out)
        return out.getvalue()
    if kind == "ods":
        pd.DataFrame(table).to_excel(out, engine="odf", header=False, index=False)
    else:
        book = openpyxl.Workbook()
        for row in table:
            book.active.append(row)
        book.save(out)
    return undated(out.getvalue())


def undated(data):
    """The same workbook whenever it was made, so that a seed means the same file for ever."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as book, zipfile.ZipFile(out, "w") as other:
        for name in book.namelist():
            part = re.sub(rb"20\d\d-\d\d-\d\dT[\d:.]+", b"2026-01-01T00:00:00", book.read(name))
            other.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), part, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def shared(chance):
    """A workbook whose texts are shared, and whose cells partly do not say where they stand."""
    cells = "".join(f'<c t="s"><v>{chance.randrange(2)}</v></c>' for _ in range(3))
    return undated(workbooks.xlsx(f'<row r="2"><c r="A2" t="s"><v>0</v></c>{cells}</row><row>{cells}</row>', unique=2))


def parquet(chance):
    out = io.BytesIO()
    pa.parquet.write_table(pa.Table.from_pylist([dict(zip(HEADER, row, strict=True)) for row in rows(chance)]), out)
    return out.getvalue()


def packed(data, chance):
    if (kind := chance.randrange(3)) < 2:
        return gzip.compress(data, mtime=0) if kind else zstandard.compress(data)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("catalog", (2026, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


class Corpus:
    """Some well-formed files of each kind, made once: making one takes longer than reading it."""

    def __init__(self):
        chance = random.Random("corpus")
        self.files = {
            "csv": [separated(chance) for _ in range(300)],
            "packed": [packed(separated(chance), chance) for _ in range(100)],
            "parquet": [parquet(chance) for _ in range(10)],
            **{kind: [jsons(kind, chance) for _ in range(40)] for kind in ("array", "object", "lines")},
            **{kind: [workbook(kind, chance) for _ in range(5)] for kind in ("xlsx", "xls", "ods")},
        }
        self.files["xlsx"] += [shared(chance) for _ in range(3)]

    def file(self, kind, chance):
        """A mutated file."""
        if kind != "xlsx parts":
            return mutated(chance, chance.choice(self.files[kind]))
        with zipfile.ZipFile(io.BytesIO(chance.choice(self.files["xlsx"]))) as book:
            parts = {name: book.read(name) for name in book.namelist()}
        name = chance.choice(sorted(parts))
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as book:
            for part, data in parts.items():
                book.writestr(part, mutated(chance, data) if part == name else data)
        return out.getvalue()


def mutated(chance, data):
    data = bytearray(data)
    for _ in range(chance.randrange(5)):
        place = chance.randrange(len(data))
        kind = chance.randrange(5)
        if kind == 0:
            data[place:place] = chance.choice(PIECES)
        elif kind == 1:
            del data[place : place + chance.choice([1, 1, 5, 100])]
        elif kind == 2:
            data[place] = chance.randrange(256)
        elif kind == 3:
            data[place:place] = data[chance.randrange(len(data)) :][:20]
        else:
            data[place] ^= 1 << chance.randrange(8)
        data = data or bytearray(b"x")
    return bytes(data)


def once(folder, corpus, kind, seed):
    """Read one mutated file; an exception is noted with what makes it again."""
    chance = random.Random(f"{kind}{seed}")
    data = corpus.file(kind, chance)
    try:
        found = read(folder, data, complete=chance.random() < 0.8, lenient=chance.random() < 0.3, known_headers=KNOWN)
    except errors.Refused:
        return
    except BaseException as error:
        error.add_note(f"kind {kind}, seed {seed}: {data[:2000]!r}")
        raise
    numbers = [*found.numbers, *(item.finding.row for item in found.rejects)]
    assert len(set(numbers)) == len(numbers), f"{kind}, seed {seed}"
    if kind in TEXT:
        for raw in (*found.raws, *(item.raw for item in found.rejects)):
            assert raw in data, f"{kind}, seed {seed}"


def run(folder, kinds, first_seed, executions, begin=lambda kind, seed: None):
    """Read that many mutated files, the kinds in turn; `begin` is told of each before it is read."""
    corpus = Corpus()
    for seed in range(first_seed, first_seed + executions):
        kind = kinds[seed % len(kinds)]
        begin(kind, seed)
        once(folder, corpus, kind, seed)


def apart(first_seed, executions, block, *, seconds, place):
    """Do a long run in another process; fails with the kind and seed at which that died, or what it said."""
    place.write_bytes(bytes(64))
    words = [str(executions), str(first_seed), str(block), str(place)]
    ran = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "tests.property.fuzzing", *words],
        capture_output=True, text=True, timeout=seconds, check=False,
        env=os.environ | {"RUST_BACKTRACE": "0"},  # a panic is a refusal, of which there are thousands
    )  # fmt: skip
    (seed,) = struct.unpack_from("<q", place.read_bytes())
    ended = signal.Signals(-ran.returncode).name if ran.returncode < 0 else f"exit code {ran.returncode}"
    assert ran.returncode == 0, f"{ended} at kind {MIX[seed % len(MIX)]}, seed {seed}\n{ran.stderr[-5000:]}"
    return int(ran.stdout.split()[0])


def limited(place):
    """Limit this process, and give what notes a file before it is read."""
    mapped = mmap.mmap(os.open(place, os.O_RDWR), 64)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * mmap.PAGESIZE + EXTRA_BYTES,) * 2)

    def begin(kind, seed):
        struct.pack_into("<q", mapped, 0, seed)
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)  # nobody handles its signal, which ends the process

    return begin


def main(executions, first_seed=0, block=bounds.BLOCK_BYTES, place=None):
    """Do a long run here."""
    bounds.BLOCK_BYTES, bounds.SHEET_CELLS = int(block), CELLS
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        begin = limited(place) if place else lambda kind, seed: None
        run(Path(folder), MIX, int(first_seed), int(executions), begin)
    sys.stdout.write(f"{executions} executions, {int(executions) / (time.monotonic() - begun):.0f} a second\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # as every verb ends: Arrow's threads may not outlive the interpreter, and that is not what is tested
