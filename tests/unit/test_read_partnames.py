"""XLSX workbooks whose parts have other names than most programs give them are read as those that have them."""

import gzip
import io
import zipfile

import pytest

from sftp_gateway import errors
from sftp_gateway.catalog.read import bounds
from tests.unit import workbooks
from tests.unit.reading import read

ROWS = '<row r="2"><c r="A2" t="str"><v>A1</v></c><c r="B2"><v>5</v></c></row>'
ROWS += '<row r="3"><c r="A3" t="s"><v>0</v></c><c r="B3" t="e"><v>#N/A</v></c></row>'


def renamed(data, name=lambda name: name, **texts):
    """A workbook with other names for its parts, and other texts in them."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.namelist():
            text = old.read(part).decode()
            for was, is_now in texts.get("texts", ()):
                text = text.replace(was, is_now)
            new.writestr(name(part), text)
    return out.getvalue()


def second(name):
    return name.replace("workbook.xml", "workbook2.xml").replace("Strings.xml", "Strings2.xml")


def moved(name):
    return name.replace("xl/workbook", "xl/book/workbook").replace("xl/_rels", "xl/book/_rels")


def backslash(name):
    return name.replace("/", "\\")


BOOK, STRINGS, SHEET = 'Target="xl/workbook.xml"', 'Target="sharedStrings.xml"', 'Target="/xl/worksheets'
SECOND = [(BOOK, 'Target="/xl/workbook2.xml"'), (STRINGS, 'Target="/xl/sharedStrings2.xml"')]


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        (backslash, []),
        (backslash, [(SHEET, 'Target="\\xl\\worksheets')]),
        (backslash, [(SHEET, 'Target="worksheets')]),
        (lambda name: name.replace("worksheets/", "worksheets\\"), []),
        (second, SECOND),
        (second, [*SECOND, (SHEET, 'Target="worksheets')]),
        (second, [(BOOK, 'Target="xl/workbook2.xml"'), (STRINGS, 'Target="sharedStrings2.xml"')]),
        (lambda name: backslash(second(name)), SECOND),
        (moved, [(BOOK, 'Target="xl/book/workbook.xml"'), (STRINGS, 'Target="../sharedStrings.xml"')]),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_workbook_is_found_by_what_its_package_says(tmp_path, name, texts, pack):
    data = renamed(workbooks.xlsx(ROWS), name, texts=texts)
    found = read(tmp_path, pack(data))
    assert found.source.format.format == "xlsx"
    assert found.rows == [("A1", "5"), ("sku", "#N/A")]


def test_other_names_hide_no_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "SHEET_TEXT_BYTES", 1000)
    rows = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(2, 600))
    data = renamed(workbooks.xlsx(rows), lambda name: backslash(second(name)), texts=SECOND)
    with pytest.raises(errors.Refused) as refused:
        read(tmp_path, data)
    assert refused.value.code == "FILE_BOMB"


def test_a_workbook_whose_package_leads_nowhere_is_refused(tmp_path):
    data = renamed(workbooks.xlsx(ROWS), second, texts=[(BOOK, 'Target="../../etc/workbook.xml"')])
    with pytest.raises(errors.Refused) as refused:
        read(tmp_path, data)
    assert refused.value.code == "FILE_FORMAT"
