"""What programs write into workbooks and the library that opens them does not know: it costs its own cell at most."""

import pytest

from sftp_gateway import errors
from sftp_gateway.catalog.read.sheets import unknown
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
    monkeypatch.setattr(unknown, "_CHUNK", chunk)
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
