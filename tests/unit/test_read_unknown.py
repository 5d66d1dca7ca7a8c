"""What programs write into workbooks and the library that opens them does not know: it costs its own cell at most."""

import gzip
import io
import struct
import zipfile

import pytest
import zstandard

from sftp_gateway import errors
from sftp_gateway.catalog.read.sheets import mending
from tests.unit import workbooks
from tests.unit.reading import read


@pytest.mark.parametrize("chunk", [1, 70, 2**20])
@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('t="n"><v>1,5</v>', "1,5"),
        ('t="n"><v> 7 </v>', " 7 "),
        ("t='n'><f>X()</f><v>n/a</v>", "n/a"),
        ('t="b"><v>yes</v>', "yes"),
        ('s="0" t="number"><v>5</v>', "5"),
        ('t="n"><v>1_000</v>', "1_000"),
    ],
)
def test_a_cell_that_is_not_of_its_type_costs_no_other(tmp_path, monkeypatch, cell, text, chunk):
    monkeypatch.setattr(mending, "_CHUNK", chunk)
    rows = f'<row r="2"><c r="A2" t="str"><v>A1</v></c><c r="B2" {cell}</c></row>'
    rows += '<row r="3"><c r="A3" t="n"><v>12.50</v></c><c r="B3" t="b"><v>1</v></c></row>'
    rows += '<row r="4"><c r="A4" t="s"><v>0</v></c><c r="B4" t="inlineStr"><is><t>x t="n" y</t></is></c></row>'
    assert read(tmp_path, workbooks.xlsx(rows)).rows == [("A1", text), ("12.5", "true"), ("sku", 'x t="n" y')]


@pytest.mark.parametrize("reach", ['ref=""', "", 'ref="A:D"', 'ref="#REF!"'])
def test_a_sheet_that_does_not_say_how_far_it_reaches_is_read(tmp_path, reach):
    rows = '<row r="2"><c r="A2" t="str"><v>A1</v></c><c r="B2"><v>5</v></c></row>'
    data = workbooks.xlsx(rows, above=f"<dimension {reach}/>")
    assert read(tmp_path, data).rows == [("A1", "5")]


SPREADSHEET = '<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>\n'
SPREADSHEET += '<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"><Worksheet/></Workbook>'
FLAT = '<?xml version="1.0"?>\n<office:document office:mimetype="application/vnd.oasis.opendocument.spreadsheet"/>'


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (SPREADSHEET, "XML Spreadsheet 2003"),
        (FLAT, "FODS"),
        ("<html><body><table><tr><td>sku</td><td>name</td></tr></table></body></html>", "HTML"),
        ("<div>\n<TABLE border=1>\n<tr><td>sku,name</td></tr>\n</TABLE></div>", "HTML"),
        ('<meta charset="utf-8">\n<table><tr><th>sku</th></tr></table>', "HTML"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_markup_that_a_spreadsheet_opens_is_refused_with_what_to_do(tmp_path, text, what, encoding):
    with pytest.raises(errors.Refused, match=what) as refused:
        read(tmp_path, text.encode(encoding), lenient=True)
    assert (refused.value.code, "save it as XLSX" in refused.value.suggestion) == ("FILE_FORMAT", True)


def zipped(parts):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return out.getvalue()


SYLK = b'ID;PWXL;N;E\r\nP;PGeneral\r\nF;P0;DG0G8;M255\r\nB;Y2;X2;D0 0 1 1\r\nC;Y1;X1;K"sku"\r\nC;X2;K"name"\r\nE\r\n'
DIF = b'TABLE\r\n0,1\r\n"EXCEL"\r\nVECTORS\r\n0,2\r\n""\r\nTUPLES\r\n0,2\r\n""\r\nDATA\r\n0,0\r\n""\r\n-1,0\r\nBOT\r\n'
FIELD = b"SKU".ljust(11, b"\0") + b"C" + b"\0" * 4 + b"\x0a" + b"\0" * 15
DBF = b"\x03\x7e\x0b\x1e" + struct.pack("<IHH", 1, 65, 11) + b"\0" * 20 + FIELD + b"\r A1        \x1a"
NUMBERS = zipped({"Index/Document.iwa": "x", "Index/Tables/DataList.iwa": "y", "preview.jpg": "z"})
BARE = {2: "0900040007001000", 3: "0902060000001000", 4: "0904060000001000", 5: "0908080000001000"}


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (SYLK, "SYLK"),
        (SYLK.replace(b"\r\n", b"\n").replace(b";N;E", b""), "SYLK"),
        (DIF, "DIF"),
        (DBF, "dBase"),
        (NUMBERS, "Apple's Numbers"),
        (b"\x30" + DBF[1:], "dBase"),
        *((bytes.fromhex(begin) + b"\x04\0\x08\0".ljust(600, b"\0"), "Excel") for begin in BARE.values()),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_spreadsheet_in_an_old_form_is_refused_with_what_to_do(tmp_path, data, what, pack):
    with pytest.raises(errors.Refused, match=what) as refused:
        read(tmp_path, pack(data), name="catalog.xls")
    assert (refused.value.code, "save it as XLSX" in refused.value.suggestion) == ("FILE_FORMAT", True)
    assert not isinstance(refused.value, errors.Incomplete)


def test_a_program_is_refused(tmp_path):
    with pytest.raises(errors.Refused, match="a program"):
        read(tmp_path, b"MZ\x90\0\x03\0\0\0".ljust(600, b"\0"), name="catalog.csv")


@pytest.mark.parametrize(
    "text",
    [
        "ID;PRICE;NAME\nC;1.50;Kettle\nF;2.50;X1\n",
        "ID;P\nC;1\nF;2\n",
        "ID;P\nA;Apple\nC;Kiwi\n",
        "ID;PART\n1;A2\nC;K77\n",
        "TABLE,name\n0,1\n1,2\n",
        "0,name\nSKU,C\n" * 20,
        "CODE,name\nC1,a\n",
        "MZN,price\nA,1.50\n",
        "MZ;name\n1;a\n",
    ],
)
def test_a_catalog_that_begins_like_an_old_spreadsheet_is_read(tmp_path, text):
    known = frozenset({"id", "price", "name", "p", "table", "code", "0"})
    assert read(tmp_path, text.encode(), known_headers=known).rows


def test_a_zstd_file_that_needs_a_dictionary_is_refused_as_that(tmp_path):
    samples = [b"sku,name,msrp\nS%d,Chair %d,%d.50\n" % (n, n, n) for n in range(500)]
    dictionary = zstandard.train_dictionary(2000, samples)
    packed = zstandard.ZstdCompressor(dict_data=dictionary).compress(b"".join(samples))
    with pytest.raises(errors.Refused, match="dictionary") as refused:
        read(tmp_path, packed)
    assert (refused.value.code, "without a dictionary" in refused.value.suggestion) == ("FILE_FORMAT", True)
