import csv
import gzip
import io

import numpy as np
import openpyxl
import orjson
import pyarrow as pa
import pyarrow.parquet
import pytest

from sftp_gateway.catalog.read import escaping
from sftp_gateway.catalog.read.opening import open_source
from sftp_gateway.catalog.read.source import Hints
from sftp_gateway.catalog.results import corrections
from tests.unit.reading import KNOWN, read

BAD = (
    b'sku,name,msrp\r\n1,=cmd|x,3\r\n\'=2,"a, b",-5\r\n3,"x",+4\r\n4,5\r\n5,"C" x,=7\r\n'
    b'6,"open,7\r\n7,a,8\r\n8,i,o,u\r\n9,\xc3\xa9\xc3\xa9\xc3\xa9,\xc3\xa9\xc3\xa9\r\n10,a\xff,1\r\n'
)


def correct(folder, data, name="catalog.csv"):
    """Reject every row of a file; the correction file's path."""
    path = folder / name
    path.write_bytes(data)
    source = open_source(path, Hints(known_headers=KNOWN, complete=True))
    writer = corrections.CorrectionWriter(source, 17, folder, name)
    for block in source.blocks():
        told = [pa.array([text] * len(block)) for text in ("FIELD_TYPE", 'it, is "bad"; é', "=fix")]
        writer.add(writer.make(block, np.arange(len(block)), told, block.rejects))
    return writer.finish()


def same_again(folder, data, name="catalog.csv"):
    """Whether a correction file sent back unchanged gives the same rows and the same reasons."""
    before = read(folder, data, complete=True)
    after = read(folder, correct(folder, data, name).read_bytes(), complete=True)
    places = [after.source.headers.index(name) for name in before.source.headers]
    assert sorted(tuple(row[place] for place in places) for row in after.rows) == sorted(before.rows)
    told = [sorted((item.finding.code, item.finding.message) for item in found.rejects) for found in (before, after)]
    assert told[0] == told[1]
    assert after.source.correction_of
    return after


def test_rows_that_are_not_separated_as_the_header_is_come_back_so(tmp_path):
    rows = b"A,a,1\nX;x;2\nY,y,3,\nB,b,4\n"
    after = same_again(tmp_path, b"sku,name,msrp\n" + rows)
    assert not after.notes


def test_rows_come_back_byte_for_byte_with_our_columns_behind_them(tmp_path):
    path = correct(tmp_path, b'sku,name,msrp\r\n3,"x",+4\r\n', "catalog.csv")
    assert path.name == "catalog.csv.17.corrections.csv"
    assert path.read_bytes() == (
        b"sku,name,msrp,_row,_codes,_errors,_suggestions,_correction_of\r\n"
        b'3,"x",+4,2,FIELD_TYPE,"it, is ""bad""; \xc3\xa9",\'=fix,17\r\n'
    )


def test_a_header_that_a_spreadsheet_would_execute_is_escaped_and_comes_back_as_it_was_however_often(tmp_path):
    named = ("sku", "name", "msrp", "@id", "=HYPERLINK(1)", "-", "'=x")
    data = (",".join(named) + "\n" + "A,chair,x,1,2,3,4\nB,table,y,1,2,3,4\n").encode()
    for _ in range(3):
        data = correct(tmp_path, data).read_bytes()
        header = data.decode().partition("\n")[0].split(",")
        assert header == ["sku", "name", "msrp", "'@id", "'=HYPERLINK(1)", "'-", "''=x", *escaping.OURS]
        assert read(tmp_path, data, complete=True).source.headers == (*named, *escaping.OURS)
    book = openpyxl.Workbook()  # as a person saves it in a spreadsheet
    for line in csv.reader(data.decode().splitlines()):
        book.active.append(line)
    book.save(tmp_path / "saved.xlsx")
    saved = read(tmp_path, (tmp_path / "saved.xlsx").read_bytes(), complete=True)
    assert saved.source.headers == (*named, *escaping.OURS)


def test_the_first_and_the_last_row_of_a_block_come_back_without_those_between(tmp_path):
    path = tmp_path / "catalog.csv"
    path.write_bytes(b"sku,name,msrp\n" + b"".join(b"%06d,name,1\n" % number for number in range(100_000)))
    source = open_source(path, Hints(known_headers=KNOWN, complete=True))
    writer = corrections.CorrectionWriter(source, 17, tmp_path, path.name)
    [block] = source.blocks()
    writer.add(writer.make(block, np.array([0, 99_999]), [pa.array(["x", "y"])] * 3))
    lines = writer.finish().read_bytes().splitlines()
    assert lines[1:] == [b"000000,name,1,2,x,x,x,17", b"099999,name,1,100001,y,y,y,17"]


def test_every_kind_of_damage_gives_the_same_findings_again(tmp_path):
    after = same_again(tmp_path, BAD)
    assert len(after.rejects) == 5


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_dialect_and_encoding_are_the_senders(tmp_path, delimiter, encoding):
    rows = "".join(delimiter.join([f"S{n}", "déjà vu été naïve", f'"l\ni{delimiter} {n}"']) + "\n" for n in range(9))
    data = (delimiter.join(["sku", "name", "msrp"]) + "\n" + rows).encode(encoding)
    after = same_again(tmp_path, data)
    assert (after.source.format.delimiter, after.source.bom) == (delimiter, read(tmp_path, data).source.bom)


@pytest.mark.parametrize(
    ("data", "name", "made"),
    [
        (b'[{"sku":"a",\n "msrp":1.50},{"sku":NaN}]', "c.json", "c.json.17.corrections.jsonl"),
        (b'{"sku":"a","msrp":1.50}\n{"sku":}\n', "c.jsonl", "c.jsonl.17.corrections.jsonl"),
        (gzip.compress(b"sku\tname\nA\tb\n", mtime=0), "c.tsv.gz", "c.tsv.gz.17.corrections.tsv"),
    ],
)
def test_each_type_comes_back_as_itself_or_as_its_plain_relative(tmp_path, data, name, made):
    same_again(tmp_path, data, name)
    assert (tmp_path / made).exists()


def test_a_json_correction_keeps_the_values_as_they_were(tmp_path):
    lines = correct(tmp_path, b'[{"sku":"a","msrp":1.50,"images":["x"]}]', "c.json").read_bytes().splitlines()
    assert b'"msrp":1.50' in lines[0]
    assert orjson.loads(lines[0])["images"] == ["x"]
    assert orjson.loads(lines[0])["_correction_of"] == "17"


def test_workbooks_come_back_with_every_cell_as_text(tmp_path):
    out = io.BytesIO()
    book = openpyxl.Workbook()
    for row in (["sku", "name", "msrp"], ["007", "=1+1", 4006381333931]):
        book.active.append(row)
    book.active["B2"].data_type = "s"
    book.save(out)
    same_again(tmp_path, out.getvalue(), "c.xlsx")
    made = openpyxl.load_workbook(tmp_path / "c.xlsx.17.corrections.xlsx")
    assert [cell.value for cell in made.active[2]][:3] == ["007", "=1+1", "4006381333931"]
    assert {cell.data_type for cell in made.active[2]} <= {"s", "inlineStr"}


def test_parquet_comes_back_as_csv(tmp_path):
    out = io.BytesIO()
    pa.parquet.write_table(pa.table({"sku": ["1", "2"], "name": ["a, b", "=x"]}), out)
    same_again(tmp_path, out.getvalue(), "c.parquet")


def test_a_correction_of_a_correction_has_our_columns_once(tmp_path):
    first = correct(tmp_path, BAD).read_bytes()
    second = correct(tmp_path, first, "again.csv").read_bytes()
    header = second.splitlines()[0].split(b",")
    assert header == [b"sku", b"name", b"msrp", *(name.encode() for name in escaping.OURS)]
    assert sorted(item.finding.message for item in read(tmp_path, second, complete=True).rejects) == sorted(
        item.finding.message for item in read(tmp_path, BAD, complete=True).rejects
    )


def test_no_rejected_row_no_file(tmp_path):
    path = tmp_path / "c.csv"
    path.write_bytes(b"sku,name\nA,a\n")
    assert corrections.CorrectionWriter(open_source(path, Hints()), 1, tmp_path, "c.csv").finish() is None
    assert list(tmp_path.iterdir()) == [path]


def without_ours(cell):
    return escaping.unescaped_cells(pa.array([cell], pa.string())).to_pylist()[0]


@pytest.mark.parametrize("cell", ["=1+1", "+cmd", "-x", "@x", "\tx", "\rx", "'=x", "''=x", "=", "-1-1", "+1+1"])
def test_what_a_spreadsheet_would_execute_gets_a_quote_and_loses_it_again(cell):
    assert escaping.escape(cell) == "'" + cell
    assert without_ours(escaping.escape(cell)) == cell


@pytest.mark.parametrize("cell", ["", "a", "-5", "+5.0", "-1,5", "+.5", "-5.", "'x", "''", "a=b", "1-2"])
def test_plain_numbers_and_texts_are_left_alone(cell):
    assert escaping.escape(cell) == cell
    assert without_ours(cell) == cell


def test_no_cell_of_a_correction_file_would_be_executed(tmp_path):
    cells = [
        cell for row in csv.reader(io.StringIO(correct(tmp_path, BAD).read_text(errors="replace"))) for cell in row
    ]
    assert not [cell for cell in cells if cell[:1] in "=@\t\r" and cell]


def test_a_json_correction_of_a_correction_keeps_the_values_as_they_were_too(tmp_path):
    sent = b'[{"sku":"a","name":"","msrp":1.50,"images":["x"],"gtin":12345678901234567890123}]'
    again = correct(tmp_path, correct(tmp_path, sent, "c.json").read_bytes(), "d.jsonl").read_bytes()
    assert again.startswith(b'{"sku":"a","name":"","msrp":1.50,"images":["x"],"gtin":12345678901234567890123, "_row"')
    assert again.count(b'"_row"') == 1
