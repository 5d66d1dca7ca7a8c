"""What was found in an upload is told of the same bytes again as if they had been read, under the new upload's number."""

import gzip
import io
import json
import sys
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from catalog_dialects import OPEN
from catalog_shop import Shop, sheet

from sftp_gateway.catalog.job import Results
from sftp_gateway.catalog.results import again

ROWS = [
    *((f"G{n}", f"name {n}", f"{n + 1}.50", "1") for n in range(12)),
    ("B1", "=1+1, a\r\nb", "no price", "1"),
    ("B2", "caf\xe9 \x07", "", "2,1"),
    ("B3", 'say "3"', "-4", "1,1"),
    ("G3", "twice", "4.50", "x"),
]
COLUMNS = ("sku", "name", "msrp", "quantity")


def workbook():
    out, book = io.BytesIO(), openpyxl.Workbook()
    for row in (COLUMNS, *ROWS):
        book.active.append([cell.replace("\x07", "") for cell in row])
    book.save(out)
    return out.getvalue()


def parquet():
    out = io.BytesIO()
    pq.write_table(pa.table(dict(zip(COLUMNS, map(list, zip(*ROWS, strict=True)), strict=True))), out)
    return out.getvalue()


def jsonl():
    lines = [json.dumps(dict(zip(COLUMNS, row, strict=True))) for row in ROWS]
    return "\n".join([*lines, '{"sku": "B4", "name": "x" "msrp": 1}', ""]).encode()


CSV = sheet(ROWS, COLUMNS)
FILES = {
    "catalog.csv": CSV.encode(),
    "damaged.csv": (CSV + 'B4,"a"b",1,1\r\nB5,a\r\nB6,a,1,1,1\r\n').encode(),
    "lines.csv": CSV.replace("\r\n", "\n").encode(),
    "wide.csv": CSV.encode("utf-16"),
    "german.txt": CSV.replace(",", ";").encode("cp1252"),
    "packed.csv.gz": gzip.compress(CSV.encode()),
    "catalog.jsonl": jsonl(),
    "catalog.xlsx": workbook(),
    "catalog.parquet": parquet(),
}


def left(outcome, upload):
    """Give what an outcome left, as the worker hands it on."""
    receipt = outcome.receipt
    return Results(
        upload=upload,
        files={made.kind: made.path for made in outcome.made if made.kind in ("errors", "errors_json", "corrections")},
        findings=sum(group["count"] for group in receipt["findings"]),
        rejected=receipt["rows"]["rejected"],
        format=receipt["file"]["format"],
        encoding=receipt["file"]["encoding"] or "utf-8",
        delimiter=receipt["file"]["delimiter"] or ",",
    )


def content(kind, path):
    """Give what a file says, whatever packs it."""
    if kind == "errors_json":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(path) as book:
            return {name: book.read(name) for name in book.namelist()}
    return path.read_bytes()


def told_again(shop, name, data, out):
    """Send a file until it is a hundredth upload and more: (what is told again of the first, what reading finds)."""
    first = shop.put(data, name=name)
    shop.past |= dict.fromkeys(range(2, 1234), shop.past[1])
    read = shop.put(data, name=name)
    out.mkdir()
    return again.files(left(first, 1), 1234, name, out), read


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("chunk", [7, again.CHUNK_BYTES])
def test_what_is_told_again_is_what_reading_finds(tmp_path, monkeypatch, name, chunk):
    monkeypatch.setattr(again, "CHUNK_BYTES", chunk)
    shop = Shop(tmp_path, guards=OPEN)
    made, read = told_again(shop, name, FILES[name], tmp_path / "again")
    assert read.receipt["rows"]["rejected"] >= 3
    found = {one.kind: one for one in read.made if one.kind in ("errors", "errors_json", "corrections")}
    assert made is not None
    assert {one.kind: one.name for one in made} == {kind: one.name for kind, one in found.items()}
    for one in made:
        assert one.bytes == one.path.stat().st_size
        assert content(one.kind, one.path) == content(one.kind, found[one.kind].path), one.name


@pytest.mark.parametrize(
    "cell",
    ['"a,1\r\nb"', '"x\r\n1,y"'],
    ids=["as a correction ends its rows", "as an error file begins them"],
)
def test_a_value_that_looks_like_our_number_has_the_file_read(tmp_path, cell):
    shop = Shop(tmp_path, guards=OPEN)
    good = "".join(f"G{n},n,{n + 1}\r\n" for n in range(12))
    made, read = told_again(shop, "catalog.csv", f"sku,name,msrp\r\n{good}B1,b,{cell}\r\n", tmp_path / "again")
    assert read.receipt["rows"]["rejected"] == 1
    assert made is None


def test_another_name_that_says_another_form_has_the_file_read(tmp_path):
    shop = Shop(tmp_path, guards=OPEN)
    first = shop.put(CSV.replace(",", "\t"), name="catalog.tsv")
    out = tmp_path / "again"
    out.mkdir()
    assert again.files(left(first, 1), 7, "other.csv", out) is None
    made = again.files(left(first, 1), 7, "other.tsv", out)
    assert made is not None
    assert "other.tsv.7.corrections.tsv" in {one.name for one in made}
