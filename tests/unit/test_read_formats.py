"""Every format in every compression, encoding and dialect, each by a file made here; docs/formats.md shows what passed, and no more."""

import gzip
import io
import itertools
import json
import zipfile
from collections import Counter
from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import xlwt
import zstandard

from sftp_gateway import errors
from tests.unit.reading import read

PAGE = Path(__file__).parents[2] / "docs/formats.md"
BEGIN, END = "<!-- the table: made by tests/unit/test_read_formats.py -->\n", "<!-- end of the table -->\n"

HEADER = ["sku", "name", "msrp", "description"]
ROWS = [["007", "Größe 9", "1.50", ""], ["A-2", 'a, "b"; c|d\te', "2", "é"], ["A-3", "two\nlines", "3", "NA"]]
ROWS += [[f"B-{number}", "Café", f"{number}.00", "plain"] for number in range(20)]

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
QUOTINGS = ("quotes where needed", "quotes everywhere", "single quotes")
ENDS = {"\n": "LF", "\r\n": "CRLF", "\r": "CR"}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252")
UNICODE = ENCODINGS[:-1]
SPELT = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8 with BOM",
    "utf-16": "UTF-16 with BOM",
    "utf-16-le": "UTF-16 LE",
    "utf-16-be": "UTF-16 BE",
    "utf-32": "UTF-32 with BOM",
    "cp1252": "Windows-1252 (guessed)",
    "": "–",
}


def zipped(data):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("catalog", data)
    return out.getvalue()


PACKINGS = {"plain": bytes, "gzip": gzip.compress, "zstd": zstandard.compress, "zip": zipped}


def quoted(cell, quoting, delimiter):
    sign = "'" if quoting == "single quotes" else '"'
    if quoting == "quotes where needed" and not any(letter in cell for letter in (delimiter, sign, "\n", "\r")):
        return cell
    return sign + cell.replace(sign, sign * 2) + sign


def text(delimiter, quoting, end):
    """A delimited file with all that is counted: a title, a blank line, rows, one that is damaged, a footer."""
    lines = [delimiter.join(quoted(cell, quoting, delimiter) for cell in row) for row in [HEADER, *ROWS]]
    damaged = delimiter.join(quoted(cell, quoting, delimiter) for cell in ["X-1", "short"])
    return end.join(["Our catalog", "", *lines[:9], damaged, "", *lines[9:], "Total: 23 products", ""])


def products():
    return [dict(zip(HEADER, row, strict=True)) for row in ROWS]


def json_text(shape):
    items = [json.dumps(product, ensure_ascii=False) for product in products()]
    array = "[\n" + ",\n".join(items) + "\n]"
    return {
        "JSON array": array,
        "JSON array in an object": '{"updated": "today", "products": ' + array + "}",
        "JSON Lines": "\n".join([*items[:5], '{"sku": broken', "", *items[5:], ""]),
    }[shape]


def sheet(kind):
    out = io.BytesIO()
    if kind == "XLS":
        book = xlwt.Workbook()
        place = book.add_sheet("Products")
        for row, column in itertools.product(range(len(ROWS) + 1), range(len(HEADER))):
            place.write(row, column, [HEADER, *ROWS][row][column])
        book.save(out)
    else:
        frame = pd.DataFrame([HEADER, *ROWS])
        frame.to_excel(out, engine={"XLSX": "openpyxl", "ODS": "odf"}[kind], header=False, index=False)
    return out.getvalue()


def parquet():
    out = io.BytesIO()
    pa.parquet.write_table(pa.Table.from_pylist(products()), out)
    return out.getvalue()


def cells():
    """Each cell of the table: (format, encoding, bytes, rows rejected)."""
    for encoding, (delimiter, name) in itertools.product(ENCODINGS, DELIMITERS.items()):
        for quoting, end in itertools.product(QUOTINGS, ENDS):
            yield f"{name}-separated", encoding, text(delimiter, quoting, end).encode(encoding), 1
    for encoding, shape in itertools.product(UNICODE, ("JSON array", "JSON array in an object", "JSON Lines")):
        yield shape, encoding, json_text(shape).encode(encoding), shape == "JSON Lines"
    for kind in ("XLSX", "XLS", "ODS"):
        yield kind, "", sheet(kind), 0
    yield "Parquet", "", parquet(), 0


def test_every_cell_of_the_table_is_read_and_the_page_shows_what_was(tmp_path):
    passed = Counter()
    for number, (form, encoding, data, rejected) in enumerate(cells()):
        # Every third dialect in each compression is enough: what is unpacked is read like any other file.
        for packing, pack in PACKINGS.items() if number % 3 == 0 or "separated" not in form else [("plain", bytes)]:
            found = read(tmp_path, pack(data))  # which checks that the bytes add up
            case = f"{form} {encoding} {packing}"
            assert [list(row) for row in found.rows] == ROWS, case
            assert len(found.rejects) == rejected, case
            assert found.source.format.compression == (None if packing == "plain" else packing), case
            passed[form, encoding, packing] += 1
    assert table(passed) == PAGE.read_text().split(BEGIN)[1].split(END)[0]


def table(passed):
    """Render the table: how many dialects of a format were read, by encoding and compression."""
    lines = ["| format | encoding | " + " | ".join(PACKINGS) + " |", "| --- | --- |" + " --- |" * len(PACKINGS)]
    for form, encoding in dict.fromkeys((form, encoding) for form, encoding, _ in passed):
        counts = " | ".join(str(passed[form, encoding, packing]) for packing in PACKINGS)
        lines.append(f"| {form} | {SPELT[encoding]} | {counts} |")
    return "\n".join(lines) + "\n"


def test_a_footer_of_a_sheet_is_named_behind_blank_rows_and_headers_that_come_again(tmp_path):
    book = openpyxl.Workbook()
    rows = [["sku", "name", "msrp"], ["A", "a", 1], [], ["sku", "name", "msrp"], [], ["Total", None, 1], ["2 rows"]]
    for row in rows:
        book.active.append(row)
    book.save(tmp_path / "book.xlsx")
    found = read(tmp_path, (tmp_path / "book.xlsx").read_bytes())
    assert found.rows == [("A", "a", "1")]
    assert found.source.tally.late[-1].message == "2 rows were skipped after the last product (Total 1)."


def test_a_double_of_a_parquet_file_is_what_was_meant_not_what_reckoning_left(tmp_path):
    numbers = {
        0.1 + 0.2: "0.3",
        3 * 1.1: "3.3",
        1.1 - 1: "0.1",
        123456789012.3456: "123456789012.3456",
        0.123456789: "0.123456789",
    }
    pa.parquet.write_table(pa.table({"sku": [*"abcde"], "msrp": [*numbers]}), tmp_path / "made")
    found = read(tmp_path, (tmp_path / "made").read_bytes())
    assert [row[1] for row in found.rows] == [*numbers.values()]


def as_csv(names):
    return f"{','.join(names)}\n{',' * (len(names) - 1)}1\n".encode()


def as_xlsx(names):
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in (names, ["A", *[None] * (len(names) - 2), 1]):
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def as_parquet(names):
    out = io.BytesIO()
    pa.parquet.write_table(pa.table({name: [1] for name in names}), out)
    return out.getvalue()


@pytest.mark.parametrize("write", [as_csv, as_xlsx, as_parquet])
def test_no_column_too_many_is_left_out_without_a_word(tmp_path, write):
    names = ["sku", "name", *(f"more {number}" for number in range(4094)), "cost"]
    with pytest.raises(errors.Refused, match="more than 4,096 columns"):
        read(tmp_path, write(names))
    assert read(tmp_path, write(names[1:])).rows[0][-1] == "1"


def test_a_number_far_beside_a_sheet_is_no_column_too_many(tmp_path):
    found = read(tmp_path, as_xlsx(["sku", "name", *[None] * 9_000]))
    assert [row[0] for row in found.rows] == ["A"]
