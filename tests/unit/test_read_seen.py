"""What a person sees in a workbook and the library does not give: leading zeros by a number format, and errors."""

import io
import re
import struct
import time
import zipfile

import numpy as np
import openpyxl
import pyarrow as pa
import pytest
import xlwt

from sftp_gateway import errors
from sftp_gateway.catalog.read.sheets import extent, mending, merged, workbook, zerofill
from sftp_gateway.catalog.read.source import Hints
from tests.catalog_shop import Shop
from tests.unit import workbooks
from tests.unit.reading import read
from tests.unit.workbooks import ods

HEADER = ["sku", "name", "msrp", "cost"]
ROWS = [[37, "a", 1, 2.5], [123456, "b", 0, 7], [0, "c", 4, 8], ["0041", "d", 5, 9]]
SHOWN = [
    ("00037", "a", "001", "2.5"),
    ("123456", "b", "000", "7"),
    ("00000", "c", "004", "8"),
    ("0041", "d", "005", "9"),
]


def xlsx(code="00000", left=1, top=1):
    """Products whose first column has this format and whose third is `000`, beside a sheet that has them elsewhere."""
    book = openpyxl.Workbook()
    place = book.active
    for number, row in enumerate([HEADER, *ROWS], top):
        for column, value in enumerate(row, left):
            place.cell(number, column, value)
        if number > top:
            place.cell(number, left).number_format = code
            place.cell(number, left + 2).number_format = "000"
    other = book.create_sheet("Other")
    other.append(HEADER)
    other.append([1, 2, 3, 4])
    for cell in other[2]:
        cell.number_format = "0000000"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def xls(code="00000", left=0, top=0):
    out = io.BytesIO()
    xls_book(code, left, top).save(out)
    return out.getvalue()


def xls_book(code="00000", left=0, top=0):
    book = xlwt.Workbook()
    other, place = book.add_sheet("Other"), book.add_sheet("Prödukte")
    other.visibility = 1
    fill, three = (xlwt.easyxf(num_format_str=format_) for format_ in (code, "000"))
    for column, name in enumerate(HEADER):
        place.write(top, left + column, name)
        other.write(1, column, 1, xlwt.easyxf(num_format_str="0000000"))
    for number, row in enumerate(ROWS, top + 1):
        place.write(number, left, row[0], fill)
        place.write(number, left + 1, row[1])
        place.write(number, left + 2, row[2], three)
        place.write(number, left + 3, row[3])
    return book


EXTENDED = "xmlns:calcext='urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0'"


def cell(value, shown=None, more=""):
    if isinstance(value, str):
        return f"<table:table-cell office:value-type='string' {more}><text:p>{value}</text:p></table:table-cell>"
    return (
        f"<table:table-cell office:value-type='float' office:value='{value}' {more}>"
        f"<text:p>{value if shown is None else shown}</text:p></table:table-cell>"
    )


def error(shown, more=""):
    return (
        f"<table:table-cell {EXTENDED} office:value-type='string' office:string-value='' calcext:value-type='error' {more}>"
        f"<text:p>{shown}</text:p></table:table-cell>"
    )


def lines(*rows, more=""):
    return "".join(f"<table:table-row {more}>{''.join(row)}</table:table-row>" for row in rows)


def spreadsheet(*rows):
    """The sheet of `workbooks.ods` begins with a row of its own, with the sku's header only."""
    return ods(lines([cell(name) for name in HEADER]) + "".join(rows))


def shown(source):
    return [row for row in source.rows if any(row)]


@pytest.mark.parametrize(
    ("made", "first"),
    [
        (xlsx(), 2),
        (xlsx("[$-407]00000"), 2),
        (xlsx("00000;@"), 2),
        (xlsx(left=3, top=4), 5),
        (xls(), 2),
        (xls("00000;-00000"), 2),
        (xls(left=2, top=3), 5),
    ],
)
def test_leading_zeros_of_a_number_format_are_kept(tmp_path, made, first):
    found = read(tmp_path, made)
    assert shown(found) == SHOWN
    assert found.numbers == list(range(first, first + 4)), "rows are numbered as the spreadsheet does"


def test_a_short_old_workbook_may_stand_behind_another_stream(tmp_path):
    assert shown(read(tmp_path, workbooks.shared_xls(xls_book()))) == SHOWN


def test_an_error_stands_in_its_own_column_wherever_the_table_begins(tmp_path):
    book = openpyxl.Workbook()
    for number, row in enumerate([HEADER, ["A", "a", "#N/A", 2], ["B", "b", 3, "#REF!"]], 4):
        for column, value in enumerate(row, 3):
            book.active.cell(number, column, value)
    for place in ("E5", "F6"):
        book.active[place].data_type = "e"
    out = io.BytesIO()
    book.save(out)
    assert shown(read(tmp_path, out.getvalue())) == [("A", "a", "#N/A", "2"), ("B", "b", "3", "#REF!")]


def test_an_ods_sheet_may_begin_elsewhere(tmp_path):
    blank = "<table:table-cell table:number-columns-repeated='2'/>"
    rows = [[blank, *map(cell, HEADER)], [blank, cell(37, "00037"), cell("a"), error("#N/A"), cell(2)]]
    assert shown(
        read(tmp_path, ods(lines([blank], more="table:number-rows-repeated='3'") + lines(*rows), header=""))
    ) == [("00037", "a", "#N/A", "2")]


def test_leading_zeros_that_an_ods_sheet_shows_are_kept(tmp_path):
    body = lines(
        [cell(37, "00037"), cell("a"), cell(1, "001"), cell(2.5)],
        [cell(123456), cell("b"), cell(0, "000"), cell(7)],
        [cell(0, "00000"), cell("c"), cell(4, "004"), cell(8)],
        [cell("0041"), cell("d"), cell(5, "005"), cell(9)],
    )
    assert shown(read(tmp_path, spreadsheet(body))) == SHOWN


@pytest.mark.parametrize("room", ["\n          ", " ", "\r\n\t", " " * 60_000])
def test_an_ods_sheet_may_be_indented(tmp_path, room):
    body = lines([cell(37, "00037"), cell("a  <text:s/>b"), error("#N/A"), cell(2.5)])
    body += lines([cell("B"), "<table:table-cell/>", "<table:covered-table-cell/>", cell(1)])
    made = spreadsheet(body)
    with zipfile.ZipFile(io.BytesIO(made)) as model:
        parts = {name: model.read(name) for name in model.namelist()}
    parts["content.xml"] = re.sub(rb"(?=</?table:(?:covered-)?table)", room.encode(), parts["content.xml"])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    assert shown(read(tmp_path, out.getvalue())) == shown(read(tmp_path, made))


def test_repeated_rows_and_cells_of_an_ods_sheet_are_all_as_they_are_shown(tmp_path):
    body = lines([cell(7, "007"), cell("a"), cell(3, "03", "table:number-columns-repeated='2'")])
    body += lines([cell(8, "008"), cell("b"), error("#REF!"), cell(1)], more="table:number-rows-repeated='3'")
    body += lines([cell(9, "009"), cell("c"), cell(2, "2,00 €"), cell(1)])
    found = shown(read(tmp_path, spreadsheet(body)))
    assert found == [("007", "a", "03", "03"), *[("008", "b", "#REF!", "1")] * 3, ("009", "c", "2", "1")]


@pytest.mark.parametrize(
    ("code", "digits"),
    [
        ("00000", 5), ("00", 2), ("[$-407]0000", 4), ("[Red]000;[Blue]000", 3), ("00000;@", 5), ("[<=99999]00000;00000\\-0000", 5),
        ("0", 0), ("General", 0), ("0.00", 0), ("#,##0", 0), ("000.0", 0), ('"EAN "000', 0), ("00%", 0), ("", 0), ("dd", 0),
        ("0" * 65, 0), ("000-00", 0), ("[$-407]", 0),
    ],
)  # fmt: skip
def test_only_formats_that_do_nothing_but_fill_up_are_followed(code, digits):
    assert zerofill.width(code) == digits


@pytest.mark.parametrize("code", ['"EAN "000', "0.00", "General", "00%"])
def test_a_number_of_another_format_stays_the_number(tmp_path, code):
    assert [row[0] for row in shown(read(tmp_path, xlsx(code)))] == ["37", "123456", "0", "0041"]
    assert [row[0] for row in shown(read(tmp_path, xls(code)))] == ["37", "123456", "0", "0041"]


def test_errors_of_an_old_workbook_are_no_blank_cells(tmp_path):
    book = xlwt.Workbook()
    place = book.add_sheet("S")
    for column, name in enumerate(HEADER):
        place.write(0, column, name)
    place.write(1, 0, "A")
    place.write(1, 1, "a")
    place.write(1, 2, xlwt.Formula("1+1"))
    place.write(1, 3, xlwt.Formula("7*191"))
    place.write(2, 0, "B")
    place.write(2, 1, "b")
    place.row(2).set_cell_error(2, 0x2A)
    place.write(2, 3, 5)
    out = io.BytesIO()
    book.save(out)
    data = bytearray(out.getvalue())
    # Its formulas have no result but 0; the second one gets that of a division by nothing (FormulaValue, [MS-XLS] 2.5.133).
    second = data.index(
        struct.pack("<HHH", 1, 3, struct.unpack_from("<H", data, data.index(struct.pack("<HH", 1, 3)) + 4)[0])
    )
    struct.pack_into("<8B", data, second + 6, 2, 0, 7, 0, 0, 0, 0xFF, 0xFF)
    assert shown(read(tmp_path, bytes(data))) == [("A", "a", "", "#DIV/0!"), ("B", "b", "#N/A", "5")]


def test_errors_of_an_ods_sheet_are_no_blank_cells(tmp_path):
    body = lines([cell("A"), cell("a"), error("#N/A"), cell(2)], [cell("B"), error("#REF!"), cell(3), error("#DIV/0!")])
    assert shown(read(tmp_path, spreadsheet(body))) == [("A", "a", "#N/A", "2"), ("B", "#REF!", "3", "#DIV/0!")]


def test_what_an_error_of_an_ods_sheet_says_stays_as_it_is(tmp_path):
    body = lines([cell("A"), error("#&quot;'&amp;&lt;b&gt;<text:line-break/><text:tab/>c"), cell("y"), cell(2)])
    assert shown(read(tmp_path, spreadsheet(body))) == [("A", "#\"'&<b>\n\tc", "y", "2")]


WITH_BREAKS = {
    "a<text:line-break/>b": "a\nb",
    "a<text:tab/>b": "a\tb",
    "a <text:span>x<text:line-break/></text:span>b<text:s text:c='3'/>c<text:s/>&amp; d": "a x\nb   c & d",
    "a</text:p><text:p/><text:p>b<text:line-break/>c": "a\n\nb\nc",
    "<text:a>é</text:a><text:line-break/><text:line-break/>漢": "é\n\n漢",
}


@pytest.mark.parametrize(("lasts", "text"), [
    ("PT36H", "36:00:00"), ("PT36H05M00S", "36:05:00"), ("P1DT2H", "26:00:00"), ("PT90M", "1:30:00"), ("PT0S", "0:00:00"),
    ("-PT01H00M00S", "-1:00:00"), ("PT36H00M00.50S", "36:00:00.5"), ("PT09H05M00S", "09:05:00"), ("P1M", "P1M"), ("PT", "PT"),
])  # fmt: skip
def test_a_duration_of_an_ods_sheet_is_written_as_that_of_any_sheet(tmp_path, lasts, text):
    row = f'<table:table-row><table:table-cell office:value-type="time" office:time-value="{lasts}"><text:p>x</text:p>'
    other = '<table:table-row><table:table-cell office:value-type="string"><text:p>PT36H</text:p>'
    end = "</table:table-cell></table:table-row>"
    assert read(tmp_path, workbooks.ods(row + end + other + end)).rows == [(text,), ("PT36H",)]


@pytest.mark.parametrize(("sent", "text"), WITH_BREAKS.items())
@pytest.mark.parametrize("note", ["", "<office:annotation><text:p>n<text:tab/></text:p></office:annotation>"])
def test_words_on_two_lines_of_an_ods_cell_are_not_glued(tmp_path, sent, text, note):
    broken = cell(sent).replace("<text:p>", note + "<text:p>", 1)
    plain = cell("b").replace("<text:p>", note + "<text:p>", 1)
    found = read(tmp_path, spreadsheet(lines([cell("A"), broken, cell("x<text:s/>y"), plain])))
    assert shown(found) == [("A", text, "x y", "b")]


def test_the_lines_of_an_ods_cell_are_published(tmp_path):
    rows = [cell("A"), cell("Lamp"), cell("1.50"), cell("For<text:line-break/>indoors")]
    sheet = ods(lines([cell(name) for name in ("sku", "name", "msrp", "description")], rows), header="")
    shop = Shop(tmp_path)
    shop.put(sheet, name="catalog.ods")
    assert shop.products()["A"]["description"] == "For\nindoors"


def test_a_note_beside_a_cell_is_not_its_text(tmp_path):
    note = "<office:annotation><text:p>0099</text:p></office:annotation>"
    noted = cell(99, "0099").replace("<text:p>", note + "<text:p>")
    assert shown(read(tmp_path, spreadsheet(lines([noted, cell("a"), cell(1), cell(2)])))) == [("0099", "a", "1", "2")]


@pytest.mark.parametrize(("entity", "code"), [("", "FILE_FORMAT"), ("<!DOCTYPE x [<!ENTITY y '0037'>]>", "FILE_BOMB")])
def test_a_broken_ods_sheet_is_refused(tmp_path, entity, code):
    made = rewritten(
        spreadsheet(lines([cell(37, "00037")])), "content.xml",
        lambda xml: f"<?xml version='1.0'?>{entity}<a><b>{cell(37, '00037')}",
    )  # fmt: skip
    with pytest.raises(errors.Refused) as refused:
        read(tmp_path, made)
    assert refused.value.code == code


def saved(rows, *merges):
    book = openpyxl.Workbook()
    for row in [HEADER, *rows]:
        book.active.append(row)
    for span in merges:
        book.active.merge_cells(span)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("numbers", "texts"),
    [
        ([123456789012345, 4006381333931], ["123456789012345", "4006381333931"]),
        ([1234567890123450, 9876543210987650], ["1.23456789012345E+15", "9.87654321098765E+15"]),
        ([1234567890123456, 1234567890123450], ["1234567890123456", "1234567890123450"]),
        ([12345678901234567890, 5], ["1.23456789012346E+19", "5"]),
        ([-12345678901234567890, 0.1], ["-1.23456789012346E+19", "0.1"]),
        ([1e20, 25e16], ["1" + 20 * "0", "25" + 16 * "0"]),
        ([1234567890123456789, 25e17], ["1.23456789012346E+18", "2.5E+18"]),
        (["12345678901234567890", 5], ["12345678901234567890", "5"]),
    ],
)
def test_a_number_of_which_a_spreadsheet_lost_digits_is_written_as_it_shows_it(tmp_path, numbers, texts):
    found = read(tmp_path, saved([[number, "a", 1, 2] for number in numbers]))
    assert [row[0] for row in found.rows] == texts


GROUPS = [["A", "Chair", 1, 2], ["B", None, 3, 4], ["C", None, 5, 6], ["D", "Table", 7, 8]]
FILLED = [("A", "Chair", "1", "2"), ("B", "Chair", "3", "4"), ("C", "Chair", "5", "6"), ("D", "Table", "7", "8")]


def test_a_cell_that_is_merged_with_those_below_counts_in_all_its_rows(tmp_path):
    assert shown(read(tmp_path, saved(GROUPS, "B2:B4"))) == FILLED
    rows = [[cell(row[0]), cell(row[1] or ""), cell(row[2]), cell(row[3])] for row in GROUPS]
    rows[0][1] = cell("Chair", more="table:number-rows-spanned='3' table:number-columns-spanned='1'")
    for row in rows[1:3]:
        row[1] = "<table:covered-table-cell/>"
    assert shown(read(tmp_path, spreadsheet(lines(*rows)))) == FILLED


@pytest.mark.parametrize(
    "around",
    [
        "<table:table-column table:number-columns-repeated='4'/>{}{}",
        "<table:table-header-rows>{}</table:table-header-rows><table:table-rows>{}</table:table-rows>",
        "<table:table-row-group><table:table-row-group>{}</table:table-row-group></table:table-row-group>{}",
    ],
)
def test_a_merged_cell_of_an_ods_sheet_counts_whatever_is_said_of_its_columns_and_rows(tmp_path, around):
    rows = [[cell(value or "") for value in row] for row in GROUPS]
    rows[0][1] = cell("Chair", more="table:number-rows-spanned='3'")
    made = around.format(lines([cell(name) for name in HEADER]), lines(*rows))
    assert shown(read(tmp_path, ods(made, header=""))) == FILLED
    seen = extent.of("content.xml")
    seen.see(made.encode())
    assert seen.rows == 1 + len(rows)


@pytest.mark.parametrize(
    ("sent", "made"),
    [
        ("</table:table>", "</tabl:table>"),
        ("</table:table></office:spreadsheet></office:body></office:document-content>", ""),
        ("<text:p>last", "<office:annotation><text:p>last"),
        ("</table:table>", "<!--</table:table>-->"),
        ("<table:table table:name='S'>", "</table:table><table:table table:name='S'><table:table table:name='T'>"),
    ],
)
def test_an_ods_sheet_without_an_end_is_refused_and_not_looked_through_for_ever(sent, made, tmp_path):
    """The library looks for the end behind the end of the part, too."""
    whole = spreadsheet(lines([cell("A"), cell("last"), cell(1), cell(2)]))
    assert shown(read(tmp_path, whole))
    with pytest.raises(errors.Refused, match="no whole XML") as refused:
        read(tmp_path, replaced(whole, "content.xml", sent, made))
    assert refused.value.code == "FILE_FORMAT"


@pytest.mark.parametrize("begin", ["\ufeff", "\n"])
@pytest.mark.parametrize("text", ["a \x0b b", "a &#11; b", "\u00e9 \u20ac"])
def test_an_ods_sheet_is_read_whatever_its_texts_and_its_first_bytes_are(tmp_path, begin, text):
    """The library takes them all; only whether all has an end is asked of a parser."""
    made = replaced(spreadsheet(lines([cell("A"), cell("last"), cell(1), cell(2)])), "content.xml", "last", text)
    seen = shown(read(tmp_path, replaced(made, "content.xml", "<?xml", begin + "<?xml")))
    assert seen == [("A", text.replace("&#11;", "\x0b"), "1", "2")]


@pytest.mark.parametrize("more", ["", "table:number-columns-repeated='1000'"])
def test_spaces_that_are_counted_in_an_ods_sheet_are_bytes(tmp_path, more):
    count = 300_000_000 // (1000 if more else 1)
    body = lines([cell("A"), cell(f"a<text:s text:c='{count}'/>b", more=more)])
    with pytest.raises(errors.Refused) as refused:
        read(tmp_path, spreadsheet(body))
    assert refused.value.code == "FILE_BOMB"


def replaced(workbook, part, sent, made):
    """A workbook with something else in a part of it."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as model, zipfile.ZipFile(out, "w") as archive:
        for name in model.namelist():
            text = model.read(name)
            assert name != part or sent.encode() in text
            archive.writestr(name, text.replace(sent.encode(), made.encode()) if name == part else text)
    return out.getvalue()


@pytest.mark.parametrize("style", ["", " table:style-name='ce1'", " table:style-name='ce1' table:formula='of:=1'"])
def test_an_ods_cell_that_says_no_type_is_a_text(tmp_path, style):
    bare = f"<table:table-cell{style}><text:p>{{}}</text:p></table:table-cell>"
    body = lines([bare.format("007"), bare.format("a &amp; <text:span>b</text:span>"), cell(1), "<table:table-cell/>"])
    assert shown(read(tmp_path, spreadsheet(body))) == [("007", "a & b", "1", "")]


def test_a_merged_cell_of_a_table_that_begins_elsewhere_counts_in_its_own_column(tmp_path):
    book = openpyxl.Workbook()
    for number, row in enumerate([HEADER, *GROUPS], 5):
        for column, value in enumerate(row, 4):
            book.active.cell(number, column, value)
    book.active.merge_cells("E6:E8")
    out = io.BytesIO()
    book.save(out)
    assert shown(read(tmp_path, out.getvalue())) == FILLED


def test_an_old_workbook_has_merged_cells_too(tmp_path):
    book = xlwt.Workbook()
    place = book.add_sheet("S")
    for number, row in enumerate([HEADER, *GROUPS]):
        for column, value in enumerate(row):
            if value is not None and (number, column) != (1, 1):
                place.write(number, column, value)
    place.write_merge(1, 3, 1, 1, "Chair")
    out = io.BytesIO()
    book.save(out)
    assert shown(read(tmp_path, out.getvalue())) == FILLED


def test_only_cells_merged_downwards_are_filled_and_only_beside_something(tmp_path):
    rows = [["A", "Chair", 1, 2], ["SALE", None, None, None], ["B", "Bench", 3, 4], ["C", "own", 5, 6]]
    assert read(tmp_path, saved(rows, "A3:D3")).rows[1:3] == [("SALE", "", "", ""), ("B", "Bench", "3", "4")]
    longer = read(tmp_path, saved([["A", "Chair", 1, 2], ["B", None, 3, 4]], "B2:B9"))
    assert longer.rows == [("A", "Chair", "1", "2"), ("B", "Chair", "3", "4")]


def test_a_large_number_is_read_the_same_wherever_it_stands(tmp_path):
    exact = 1_000_000_000_000_000
    rows = [[exact + 7 * number + 1, "a", 1, 2] for number in range(4096)] + [[exact + 28770, "b", 3, 4]]
    assert read(tmp_path, saved(rows)).rows[-1][0] == "1000000000028770"


def test_a_sheet_is_found_whatever_its_name(tmp_path):
    for title in ("Bob's prices", 'A "B" & <C>', "it''s"):
        book = openpyxl.load_workbook(io.BytesIO(xlsx()))
        book.worksheets[0].title = title
        out = io.BytesIO()
        book.save(out)
        assert shown(read(tmp_path, out.getvalue())) == SHOWN, title


def rewritten(data, part, change):
    """A workbook with one of its parts changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            after.writestr(name, change(before.read(name).decode()) if name == part else before.read(name))
    return out.getvalue()


def test_a_style_without_attributes_counts(tmp_path):
    def shifted(text):
        head, _, rest = text.partition("<cellXfs")
        inside, end, tail = rest.partition("</cellXfs>")
        return head + "<cellXfs" + inside.replace("<xf ", "<xf/><xf ", 1) + end + tail

    def moved(text):
        return re.sub(r's="(\d+)"', lambda found: f's="{int(found[1]) + 1}"', text)

    made = rewritten(rewritten(xlsx(), "xl/styles.xml", shifted), "xl/worksheets/sheet1.xml", moved)
    assert shown(read(tmp_path, made)) == SHOWN


def test_a_sign_that_is_cut_by_the_end_of_a_chunk_is_seen(tmp_path):
    number = cell(37, "00037")
    for room in range(65536 - len(number), 65536 + 16, 7):
        filler = lines([cell("x" * room), cell("a"), cell(1), cell(2)])
        body = filler + lines([number, cell("b"), cell(3), cell(4)])
        assert shown(read(tmp_path, spreadsheet(body)))[1][0] == "00037"


def test_what_other_programs_call_an_error_is_one(tmp_path):
    body = lines([cell("A"), cell("a"), error("Err:502"), cell(2)])
    assert shown(read(tmp_path, spreadsheet(body))) == [("A", "a", "#VALUE!", "2")]


def test_a_cell_that_comes_again_and_again_is_one(tmp_path):
    many = '<c r="C2" t="e"><v>#N/A</v></c>' * 5000
    made = rewritten(
        saved([["A", "a", 1, 2]]),
        "xl/worksheets/sheet1.xml",
        lambda text: text.replace("</row></s", f"{many}</row></s"),
    )
    assert shown(read(tmp_path, made)) == [("A", "a", "#N/A", "2")]


def test_a_workbook_that_shows_nothing_else_is_read_as_it_is(tmp_path):
    book = openpyxl.Workbook()
    for row in [HEADER, ["A", "=1+1", 0.5, True], ['He said "e"', "#1", None, 4]]:
        book.active.append(row)
    for column in "ABCD":
        book.active.column_dimensions[column].width = 30
        book.active[f"{column}1"].alignment = openpyxl.styles.Alignment(wrap_text=True)
    path = tmp_path / "book.xlsx"
    book.save(path)
    made = rewritten(
        path.read_bytes(), "xl/worksheets/sheet1.xml", lambda xml: re.sub("<v */>|<v></v>", "<v>2</v>", xml)
    )
    path.write_bytes(made)
    assert workbook.check(path, "xlsx", Hints()) == (False, {})


def test_many_styles_cost_no_cell_anything(tmp_path):
    styles = "".join('<xf numFmtId="164"/>' for _ in range(100_000))

    def more(text):
        text = text.replace("</cellXfs>", styles + "</cellXfs>")
        return text.replace('formatCode="00000"', 'formatCode="00000" x="1"')

    made = rewritten(xlsx(), "xl/styles.xml", more)
    began = time.perf_counter()
    assert shown(read(tmp_path, made)) == SHOWN
    sheet = b'<c r="A1" s="99999"><v>1</v></c>' * 20_000
    assert sum(found["style"] == b"99999" for found in mending._CELL.finditer(sheet)) == 20_000
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("3.3000000000000003", "3.3"),
        ("0.30000000000000004", "0.3"),
        ("2.9999999999999996", "3"),
        ("23.987999999999996", "23.988"),
        ("0.1", "0.1"),
        ("0.33333333333333331", "0.333333333333333"),
        ("1E-7", "0.0000001"),
        ("123456789012.345", "123456789012.345"),
    ],
)
def test_a_number_is_what_the_spreadsheet_shows_not_what_reckoning_left(tmp_path, value, text):
    made = rewritten(saved([["A", "a", 7.5, 2]]), "xl/worksheets/sheet1.xml", lambda xml: xml.replace("7.5", value))
    assert read(tmp_path, made).rows == [("A", "a", text, "2")]


def test_other_sheets_are_told_of_not_lost_without_a_word(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "Women"
    for name, rows in (
        ("Women", [HEADER, ["A", "a", 1, 2]]),
        ("Men", [HEADER, ["B", "b", 3, 4]]),
        ("Empty", []),
        ("Old", [[1]]),
    ):
        place = book[name] if name in book.sheetnames else book.create_sheet(name)
        for row in rows:
            place.append(row)
    book["Old"].sheet_state = "hidden"
    out = io.BytesIO()
    book.save(out)
    found = read(tmp_path, out.getvalue())
    assert [(one.code, one.message) for one in found.source.findings] == [
        ("FILE_PREAMBLE", "Only the sheet 'Women' was read; 'Men' was not.")
    ]
    assert not read(tmp_path, saved([["A", "a", 1, 2]])).source.findings


def test_a_sheet_that_cannot_be_opened_is_no_matter_if_it_is_not_the_one_to_read(tmp_path):
    book = openpyxl.load_workbook(io.BytesIO(saved([["A", "a", 1, 2]])))
    book.create_sheet("Other").append(["x"])
    out = io.BytesIO()
    book.save(out)
    broken = rewritten(out.getvalue(), "xl/worksheets/sheet2.xml", lambda xml: xml.replace('t="s"', 't="nonsense"'))
    assert read(tmp_path, broken).rows == [("A", "a", "1", "2")]


def test_a_header_without_rows_names_its_sheet(tmp_path):
    with pytest.raises(errors.Refused, match="The sheet 'Sheet' has a header but no rows"):
        read(tmp_path, saved([]))


def test_a_cdata_section_is_no_bomb(tmp_path):
    made = saved([["A", "name", 1, 2]])
    inline = rewritten(
        made, "xl/worksheets/sheet1.xml",
        lambda xml: re.sub(r'<c r="B2"[^>]*>.*?</c>', '<c r="B2" t="inlineStr"><is><t><![CDATA[a & b]]></t></is></c>', xml),
    )  # fmt: skip
    assert read(tmp_path, inline).rows == [("A", "a & b", "1", "2")]
    for bad in ("<!DOCTYPE x>", "<!ENTITY x 'y'>", "<![CDATA[x]]><!DOCTYPE x>"):
        declared = rewritten(
            made, "xl/worksheets/sheet1.xml", lambda xml, bad=bad: xml.replace("<sheetData", bad + "<sheetData", 1)
        )
        with pytest.raises(errors.Refused) as refused:
            read(tmp_path, declared)
        assert refused.value.code == "FILE_BOMB"


def test_formats_of_conditions_are_not_those_of_cells(tmp_path):
    def conditional(text):
        dxfs = '<dxfs count="1"><dxf><numFmt numFmtId="165" formatCode="0.00"/></dxf></dxfs>'
        dxfs += '<dxfs count="1"><dxf><numFmt numFmtId="164" formatCode="0.00"/></dxf></dxfs>'
        return re.sub(r"<dxfs[^>]*/>|<dxfs.*?</dxfs>", "", text).replace("<tableStyles", dxfs + "<tableStyles")

    assert shown(read(tmp_path, rewritten(xlsx(), "xl/styles.xml", conditional))) == SHOWN


def test_a_cell_merged_downwards_and_across_counts_in_its_first_column(tmp_path):
    rows = [["A", "Lamp", None, 1], ["B", None, None, 2], ["C", "Sofa", 3, 3]]
    assert [row[1:3] for row in read(tmp_path, saved(rows, "B2:C3")).rows] == [
        ("Lamp", ""),
        ("Lamp", ""),
        ("Sofa", "3"),
    ]


def test_a_number_with_zeros_may_stand_in_a_span(tmp_path):
    spanned = cell(37, "00037").replace(
        "<text:p>00037</text:p>", "<text:p><text:span text:style-name='T1'>00037</text:span></text:p>"
    )
    assert shown(read(tmp_path, spreadsheet(lines([spanned, cell("a"), cell(1), cell(2)]))))[0][0] == "00037"


def test_a_password_is_told_as_one(tmp_path):
    stream = "EncryptedPackage".encode("utf-16-le")
    data = bytearray(xls())
    place = data.index("Workbook".encode("utf-16-le"))
    data[place : place + len(stream)] = stream
    struct.pack_into("<H", data, place + 64, len(stream) + 2)
    sealed = bytearray(xls())
    record = sealed.index(struct.pack("<HH", 0x0042, 2))  # CODEPAGE
    struct.pack_into("<H", sealed, record, 0x002F)
    manifest = "<manifest:file-entry manifest:full-path='content.xml'><manifest:encryption-data/></manifest:file-entry>"
    closed = rewritten(
        spreadsheet(lines([cell("A"), cell("a"), cell(1), cell(2)])), "META-INF/manifest.xml",
        lambda xml: xml.replace("/>", ">", 1) + manifest + "</manifest:manifest>",
    )  # fmt: skip
    for made in (bytes(data), bytes(sealed), closed):
        with pytest.raises(errors.Refused, match="protected by a password"):
            read(tmp_path, made)


def test_spans_that_overlap_are_no_work_for_hours():
    column, filled = pa.array(["x", *[""] * 100_000]), np.ones(100_001, np.bool_)
    spans = [((row, 0), (100_000, 0)) for row in range(100_000)]
    columns, _ = merged.filled_down([column], (None,), spans, (0, 0), filled)
    assert columns[0].to_pylist() == ["x"] * 100_001


@pytest.mark.parametrize("chunk", [1, 7, 64, 1024**2])
def test_an_error_that_the_library_does_not_know_costs_its_cell_not_the_file(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(mending, "_CHUNK", chunk)
    rows = (
        '<row r="2"><c r="A2" t="str"><v>A1</v></c><c r="B2" t="e"><f>X(</f><v>#ERROR!</v></c></row>'
        '<row r="3"><c r="A3" t="str"><v>A2</v></c><c r="B3" t="str"><v>#GETTING_DATA</v></c></row>'
        '<row r="4"><c r="A4" t="str"><v>A3</v></c><c r="B4" t="e"><v>#N/A</v></c></row>'
        '<row r="5"><c r="A5" t="str"><v>A4</v></c><c r="B5" t="e"><v>#GETTING_DATA</v></c></row>'
    )
    sheet = read(tmp_path, workbooks.xlsx(rows))
    assert sheet.rows == [("A1", "#ERROR!"), ("A2", "#GETTING_DATA"), ("A3", "#N/A"), ("A4", "#GETTING_DATA")]


@pytest.mark.parametrize(
    ("place", "value"), [(8, 0x40), (8, 0x01), (10, 99)], ids=["strongly locked", "locked", "packed"]
)
def test_a_part_of_a_workbook_that_cannot_be_had_is_told_also_where_another_has_unknown_errors(tmp_path, place, value):
    made = bytearray(workbooks.xlsx('<row r="2"><c r="A2" t="e"><v>#SPILL!</v></c></row>'))
    entry = made.find(b"PK\x01\x02", made.find(b"PK\x01\x02") + 1)  # the library does without this part
    assert made[entry:].find(b"_rels/.rels") == 46
    made[entry + place] |= value
    with pytest.raises(errors.Refused) as told:
        read(tmp_path, bytes(made))
    assert told.value.code == "FILE_FORMAT"
