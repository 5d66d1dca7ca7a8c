"""Workbooks that say they are larger than they are: whatever they say, they are refused, and no process dies of them.

They are read in a process of their own whose memory is limited: without a check it is aborted from inside the
library that reads workbooks.
"""

import io
import json
import struct
import subprocess
import sys
import zipfile

import pytest

from sftp_gateway import errors
from sftp_gateway.catalog.read.sheets import extent, mending
from tests.catalog_shop import Shop
from tests.unit.reading import read
from tests.unit.workbooks import ods, xls, xlsx

RUN = """
import json, resource, sys
from pathlib import Path
from sftp_gateway import errors
from sftp_gateway.catalog.read.sheets import extent
from tests.unit.reading import read
pages = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (pages + (2 << 30),) * 2)
for path in sorted(Path(sys.argv[1]).iterdir()):
    data = path.read_bytes()
    path.unlink()
    try:
        said = f"{len(read(path.parent, data, name='book', complete=True).rows)} rows"
    except errors.Refused as refused:
        said = refused.code
    print(json.dumps([path.name, said]), flush=True)
"""


def said_of(tmp_path, books):
    """What became of each workbook, and how the process ended."""
    folder = tmp_path / "books"
    folder.mkdir()
    for name, data in books.items():
        (folder / name).write_bytes(data)
    ran = subprocess.run([sys.executable, "-c", RUN, folder], capture_output=True, text=True, timeout=100, check=False)
    return dict(json.loads(line) for line in ran.stdout.splitlines()), ran.returncode


FAR = '<row r="2"><c r="{}"><v>1</v></c></row>'
NUMBER = 'office:value-type="float" office:value="1"'
LIES = {
    "xls: ends before it begins": xls(0xFF, 3, 0, 4),
    "xls: its columns do": xls(0, 3, 5, 4),
    "xls: more rows than there can be": xls(0, 0x10000000, 0, 4),
    "xls: all of them": xls(0, 0xFFFFFFFF, 0, 0xFFFF),
    "xlsx: a row of many digits": xlsx(FAR.format("A99999999")),
    "xlsx: a row of all digits": xlsx(FAR.format("A4294967295")),
    "xlsx: a row beyond any number": xlsx(FAR.format("A18446744073709551615")),
    "xlsx: other quotes": xlsx("<row r='2'><c r='XFD1000000'><v>1</v></c></row>"),
    "xlsx: small letters": xlsx(FAR.format("xfd1000000")),
    "xlsx: spaces": xlsx('<row r = "2"><c r = "XFD1000000"><v>1</v></c></row>'),
    "xlsx: a prefix": xlsx('<x:row r="2"><x:c r="XFD1048576"><v>1</v></x:c></x:row>'),
    "xlsx: a tag that seems to end": xlsx('<row r="2"><c r="XFD1000000" x="/>"><v>1</v></c></row>'),
    "xlsx: no places": xlsx('<row r="1048576">' + "<c><v>1</v></c>" * 4096 + "</row>"),
    "xlsx: only columns have places": xlsx('<row r="1048575"/><row><c r="XFD"><v>1</v></c></row>'),
    "xlsx: a sheet elsewhere": xlsx(FAR.format("XFD1048576"), part="xl/other/place.bin"),
    "xlsx: more texts than it has": xlsx(FAR.format("A2"), unique=0xFFFFFFFF),
    "ods: more digits": ods(
        f'<table:table-row table:number-rows-repeated="9999999999"><table:table-cell {NUMBER}/></table:table-row>'
    ),
    "ods: a value without text": ods(
        f'<table:table-row><table:table-cell {NUMBER} table:number-columns-repeated="99999999"/></table:table-row>'
    ),
    "ods: other quotes": ods(
        f"<table:table-row><table:table-cell {NUMBER} table:number-columns-repeated='99999999'/></table:table-row>"
    ),
    "ods: a bracket in a name": ods(
        f'<table:table-row><table:table-cell table:style-name=">" {NUMBER} table:number-columns-repeated="99999999"/>'
        "</table:table-row>"
    ),
}  # fmt: skip


def test_no_lie_about_its_size_gets_a_workbook_past_the_check(tmp_path):
    said, ended = said_of(tmp_path, LIES)
    fatal = {"FILE_FORMAT", "FILE_BOMB", "FILE_TOO_LARGE"}
    assert {name: said.get(name, "died") for name in LIES if said.get(name) not in fatal} == {}
    assert ended == 0


@pytest.mark.parametrize("dimensions", [(0, 2, 0, 2), (0, 0, 0, 0), (5, 5, 3, 3), (0, 65536, 0, 256), (9, 0, 7, 0)])
def test_a_sheet_that_is_said_to_be_of_another_size_is_read(tmp_path, dimensions):
    assert read(tmp_path, xls(*dimensions)).rows == [("A", "a")]


def test_cells_without_places_stand_one_after_the_other(tmp_path):
    rows = '<row><c t="str"><v>A1</v></c><c><v>5</v></c></row><row r="4"><c r="A4" t="str"><v>B1</v></c></row>'
    assert read(tmp_path, xlsx(rows)).numbers == [2, 4]


WITHOUT_PLACES = [
    '<row><c s="1"><v>37</v></c><c t="str"><v>a</v></c><c t="e"><v>#N/A</v></c><c><f>1/0</f><v/></c></row>',
    '<row r="2"><c r="A2" s="1"><v>37</v></c><c t="str"><v>a</v></c><c t="e"><v>#N/A</v></c><c><f>1/0</f></c></row>',
    "<row><c s='1'><v>37</v></c><c t='str'><v>a</v></c><c t='e'><v>#N/A</v></c><c r='D2'><f>1/0</f></c></row>",
    '<x:row><x:c s="1"><x:v>37</x:v></x:c><c t="str"><v>a</v></c><x:c t="e"><x:v>#N/A</x:v></x:c><c><f>1/0</f></c></x:row>',
]
FAR = '<row/><row r="7"/><row><c r="B8" t="str"><v>b</v></c><c s="2"/><c/><c s="1"><v>5</v></c></row>'
STYLES = (
    '<styleSheet><numFmts><numFmt numFmtId="164" formatCode="00000"/></numFmts>'
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="164"/></cellXfs></styleSheet>'
)


@pytest.mark.parametrize("rows", WITHOUT_PLACES)
@pytest.mark.parametrize("chunk", [50, 4 * 1024**2])
def test_cells_without_places_show_what_a_person_sees(tmp_path, rows, chunk, monkeypatch):
    monkeypatch.setattr(mending, "_CHUNK", chunk)
    book = io.BytesIO(xlsx(rows + FAR, header='<c t="str"><v>msrp</v></c><c t="str"><v>cost</v></c><c><v>5</v></c>'))
    with zipfile.ZipFile(book, "a") as archive:
        archive.writestr("xl/styles.xml", STYLES)
    found = read(tmp_path, book.getvalue())
    assert found.rows == [("00037", "a", "#N/A", "#FORMULA!", ""), ("", "b", "", "", "00005")]
    assert found.numbers == [2, 8]


def test_a_key_of_a_workbook_without_places_keeps_its_zeros(tmp_path):
    rows = '<row><c s="1"><v>37</v></c><c t="str"><v>Lamp</v></c><c><v>9.5</v></c><c t="e"><v>#N/A</v></c></row>'
    book = io.BytesIO(xlsx(rows * 2, header='<c t="str"><v>msrp</v></c><c t="str"><v>color</v></c>'))
    with zipfile.ZipFile(book, "a") as archive:
        archive.writestr("xl/styles.xml", STYLES)
    shop = Shop(tmp_path)
    outcome = shop.put(book.getvalue(), name="catalog.xlsx")
    assert {row["key"] for row in shop.errors(outcome) if row["code"] == "FIELD_VALUE"} == {"00037"}


def test_a_sheet_of_which_only_rows_have_places_is_not_taken_for_a_larger_one():
    seen = extent.Xlsx()
    seen.see("".join(f'<row r="{n}">{"<c><v>1</v></c>" * 20}</row>' for n in range(1, 1001)).encode())
    assert (seen.rows, seen.columns) == (1000, 20)


def test_cells_that_have_only_a_format_do_not_count_for_the_size(tmp_path):
    blank = "".join(f'<row r="{n}"><c r="A{n}" s="0"/><c r="XFD{n}" s="0"/></row>' for n in range(3, 1003))
    rows = f'<row r="2"><c r="A2" t="str"><v>A1</v></c><c r="B2" t="str"><v>a</v></c></row>{blank}'
    assert read(tmp_path, xlsx(rows)).rows == [("A1", "a")]


def test_a_cell_without_a_place_stands_behind_one_that_has_only_a_format():
    seen = extent.Xlsx()
    seen.see(b'<row r="900000"><c r="XFA900000" s="1"/>')
    assert (seen.rows, seen.columns) == (0, 0)
    seen.see(b"<c><v>1</v></c></row>")
    assert (seen.rows, seen.columns) == (900_000, 16_382)


def test_a_part_that_says_it_is_longer_than_the_file_is_damage_told_to_the_sender(tmp_path):
    """Of a workbook that is made readable first: only then every part is unpacked."""
    cell = "<table:table-cell office:value-type='string'><text:p>A</text:p></table:table-cell>"
    data = bytearray(ods(f"<table:table-row> {cell} </table:table-row>"))
    first = data.index(b"PK\x01\x02")
    struct.pack_into("<II", data, first + 20, len(data) * 2, len(data) * 2)
    with pytest.raises(errors.Refused) as refused:
        read(tmp_path, bytes(data), complete=True)
    assert refused.value.code == "FILE_FORMAT" and "ends too early" in str(refused.value)
