"""Mutates files of every format and reads them: no exception but a refusal, every byte counted, every row's bytes the sender's.

`python -m tests.property.fuzzing EXECUTIONS [FIRST_SEED]` runs for as long as it takes and prints its rate; a failure names
kind and seed, which make the same file again.
"""

import csv
import gzip
import io
import json
import random
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
from tests.unit.reading import KNOWN, read

HEADER = ["sku", "name", "msrp", "description"]
TEXT = ("csv", "array", "object", "lines")
KINDS = (*TEXT, "packed", "xlsx", "xlsx parts", "xls", "ods", "parquet")
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
    return [[f"S{n}", *(chance.choice(cells) for _ in range(3))] for n in range(1, chance.choice([3, 25]))]


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
    elif kind == "ods":
        pd.DataFrame(table).to_excel(out, engine="odf", header=False, index=False)
    else:
        book = openpyxl.Workbook()
        for row in table:
            book.active.append(row)
        book.save(out)
    return out.getvalue()


def parquet(chance):
    out = io.BytesIO()
    pa.parquet.write_table(pa.Table.from_pylist([dict(zip(HEADER, row, strict=True)) for row in rows(chance)]), out)
    return out.getvalue()


def packed(data, chance):
    if (kind := chance.randrange(3)) < 2:
        return [gzip.compress, zstandard.compress][kind](data)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("catalog", data)
    return out.getvalue()


class Corpus:
    """A few well-formed files of each kind; making them takes longer than reading them."""

    def __init__(self):
        chance = random.Random("corpus")
        self.files = {
            "csv": [separated(chance) for _ in range(60)],
            "packed": [packed(separated(chance), chance) for _ in range(20)],
            "parquet": [parquet(chance) for _ in range(5)],
            **{kind: [jsons(kind, chance) for _ in range(10)] for kind in ("array", "object", "lines")},
            **{kind: [workbook(kind, chance) for _ in range(3)] for kind in ("xlsx", "xls", "ods")},
        }

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


def run(folder, kinds, first_seed, *, seconds=float("inf"), executions=sys.maxsize):
    """Read mutated files of the kinds in turn until time or number is reached; the number of files read."""
    corpus, end, count = Corpus(), time.monotonic() + seconds, 0
    while count < executions and time.monotonic() < end:
        once(folder, corpus, kinds[count % len(kinds)], first_seed + count // len(kinds))
        count += 1
    return count


if __name__ == "__main__":
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        count = run(Path(folder), KINDS, first, executions=int(sys.argv[1]))
    sys.stdout.write(f"{count} executions, {count / (time.monotonic() - begun):.0f} a second\n")
