"""XLSX sheets that refer to what is not there, or by an unusual way; and parts in an encoding that is not read."""

import io
import zipfile

import pytest

from sftp_gateway import errors
from sftp_gateway.catalog.read.sheets import mending
from tests.catalog_shop import Shop, codes, small_rules
from tests.unit import workbooks
from tests.unit.reading import read

ROWS = (
    '<row r="2"><c r="A2" t="s"><v>0</v></c><c r="B2"><v>2</v></c></row>'
    '<row r="3"><c r="A3" t="s">VALUE</c><c r="B3"><v>3</v></c></row>'
    '<row r="4"><c r="A4" t="str"><v>ok</v></c><c r="B4"><v>4</v></c></row>'
)


def changed(data, part, change):
    """The workbook with one of its parts changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            text = old.read(entry.filename)
            new.writestr(entry.filename, change(text) if entry.filename == part else text)
    return out.getvalue()


@pytest.mark.parametrize("value", [
    "<v>1</v>", "<v>7</v>", "<v>-1</v>", "<v>abc</v>", "<v>0.0</v>", "<v>99999999999999999999999</v>",
    "<x:v>-1</x:v>", "<f>X(1)</f><v>-1</v>",
])  # fmt: skip
@pytest.mark.parametrize("quote", ['"', "'"])
def test_a_text_that_is_not_there_costs_its_row_and_is_no_other_text(tmp_path, value, quote):
    made = workbooks.xlsx(ROWS.replace("VALUE", value).replace('t="s"', f"t={quote}s{quote}"))
    assert read(tmp_path, made).rows == [("sku", "2"), ("#TEXT!", "3"), ("ok", "4")]


def test_what_is_seen_in_place_of_a_text_is_no_value(tmp_path):
    shop = Shop(tmp_path, small_rules(tmp_path))
    outcome = shop.put(workbooks.xlsx(ROWS.replace("VALUE", "<v>7</v>")), name="a.xlsx")
    assert sorted(shop.products()) == ["ok", "sku"]
    assert codes(outcome)["FIELD_VALUE"] == 1


@pytest.mark.parametrize("value", ["<v></v>", "<v/>", ""])
def test_a_reference_to_nothing_is_a_blank_cell(tmp_path, value):
    made = workbooks.xlsx(ROWS.replace("VALUE", value))
    assert read(tmp_path, made).rows == [("sku", "2"), ("", "3"), ("ok", "4")]


@pytest.mark.parametrize("way", [
    "./worksheets/sheet1.xml", "worksheets/./sheet1.xml", "../xl/worksheets/sheet1.xml", "worksheets/sheet%31.xml",
    "/xl/../xl/worksheets/sheet1.xml",
])  # fmt: skip
def test_a_sheet_is_found_by_any_way_that_leads_to_it(tmp_path, way):
    made = workbooks.xlsx(ROWS.replace("VALUE", "<v>0</v>"))
    made = changed(
        made,
        "xl/_rels/workbook.xml.rels",
        lambda text: text.replace(b"/xl/worksheets/sheet1.xml", way.encode()),
    )
    assert read(tmp_path, made).rows == [("sku", "2"), ("sku", "3"), ("ok", "4")]


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_part_in_utf_16_is_told_as_that(tmp_path, part, encoding):
    made = workbooks.xlsx(ROWS.replace("VALUE", "<v>0</v>"))
    made = changed(made, part, lambda text: text.decode().replace("UTF-8", "UTF-16").encode(encoding))
    with pytest.raises(errors.Refused, match="UTF-16") as refused:
        read(tmp_path, made)
    assert refused.value.code == "FILE_FORMAT"


@pytest.mark.parametrize("result", ["", "<v/>", "<v></v>", "<v />"])
@pytest.mark.parametrize(
    "formula", ["<f>X()</f>", '<f t="shared" si="0"/>', '<f t="shared" ref="A1:B2" si="0">X()</f>']
)
def test_a_formula_that_was_never_reckoned_is_no_blank_cell(tmp_path, formula, result):
    made = workbooks.xlsx(ROWS.replace("VALUE", "<v>0</v>").replace("<v>4</v>", formula + result))
    assert read(tmp_path, made).rows == [("sku", "2"), ("sku", "3"), ("ok", "#FORMULA!")]


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1 << 20])
@pytest.mark.parametrize(("text", "shown"), [(1, "a < b"), (2, ""), (3, "#TEXT!")])
def test_a_text_is_counted_once_wherever_a_piece_of_the_part_ends(tmp_path, monkeypatch, chunk, text, shown):
    made = workbooks.xlsx(ROWS.replace("VALUE", f"<v>{text}</v>").replace("<v>4</v>", "<f>X()</f><v></v>"))
    texts = b"<si><t>a &lt; b</t></si><si/>"
    made = changed(made, "xl/sharedStrings.xml", lambda text: text.replace(b"</sst>", texts + b"</sst>"))
    monkeypatch.setattr(mending, "_CHUNK", chunk)
    assert read(tmp_path, made).rows == [("sku", "2"), (shown, "3"), ("ok", "#FORMULA!")]
