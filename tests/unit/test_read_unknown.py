"""What programs write into workbooks and the library that opens them does not know: it costs its own cell at most."""

import pytest

from sftp_gateway.catalog.read import unknown
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
