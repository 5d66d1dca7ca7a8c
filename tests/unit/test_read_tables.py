import datetime as dt
import decimal
import io
import re
import struct
import zipfile

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import xlwt

from sftp_gateway import errors
from sftp_gateway.catalog.results import xlsx
from tests.unit.reading import read

ROWS = [["sku", "name", "msrp"], ["007", "NA", 4006381333931], ["null", "None", 42.0], ["x", "nan", 0.1]]
TEXTS = [("007", "NA", "4006381333931"), ("null", "None", "42"), ("x", "nan", "0.1")]


def sheet(kind, rows, *, before=()):
    out = io.BytesIO()
    if kind == "xlsx":
        book = openpyxl.Workbook()
        for name in before:
            book.create_sheet(name, 0)
        place = book.worksheets[-1]
        for row in rows:
            place.append(row)
        book.save(out)
    elif kind == "xls":
        book = xlwt.Workbook()
        for name in before:
            book.add_sheet(name)
        place = book.add_sheet("Products")
        for number, row in enumerate(rows):
            for column, value in enumerate(row):
                place.write(number, column, value)
        book.save(out)
    else:
        pd.DataFrame(rows, dtype=object).to_excel(out, engine="odf", header=False, index=False)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["xlsx", "xls", "ods"])
def test_cells_that_look_like_nothing_or_numbers_survive_as_text(tmp_path, kind):
    found = read(tmp_path, sheet(kind, ROWS))
    assert found.rows == TEXTS
    assert found.numbers == [2, 3, 4]
    assert found.source.format.format == kind


def test_dates_are_iso_and_truth_is_small(tmp_path):
    row = [dt.date(2026, 1, 2), dt.datetime.fromisoformat("2026-01-02T03:04:05"), dt.time(3, 4), True, 1e-7, 1e20]
    found = read(tmp_path, sheet("xlsx", [["sku", "b", "c", "d", "e", "f"], row]))
    assert found.rows == [("2026-01-02", "2026-01-02T03:04:05", "03:04:00", "true", "0.0000001", "1" + "0" * 20)]


@pytest.mark.parametrize("kind", ["xlsx", "xls"])
def test_the_first_sheet_with_cells_counts_or_the_one_the_brand_names(tmp_path, kind):
    data = sheet(kind, ROWS, before=["Empty"])
    assert read(tmp_path, data).rows == TEXTS
    with pytest.raises(errors.Refused, match="no sheet 'Other'"):
        read(tmp_path, data, sheet="Other")
    with pytest.raises(errors.Refused) as refused:
        read(tmp_path, data, sheet="Empty")
    assert refused.value.code == "FILE_EMPTY"


def test_titles_blank_rows_and_totals_of_a_sheet_are_no_products(tmp_path):
    rows = [["Our catalog"], [], *ROWS[:2], [None, None, None], *ROWS[2:], ["Total", None, 3]]
    found = read(tmp_path, sheet("xlsx", rows))
    assert found.rows == TEXTS
    assert found.numbers == [4, 6, 7]
    assert [note.row for note in found.notes] == [5]
    assert [finding.code for finding in found.source.findings] == ["FILE_PREAMBLE"]
    assert [finding.code for finding in found.source.tally.late] == ["FILE_FOOTER"]


@pytest.mark.parametrize("data", [sheet("xlsx", []), sheet("xlsx", [["sku", "name"]])])
def test_a_workbook_without_products_is_refused(tmp_path, data):
    with pytest.raises(errors.Refused) as refused:
        read(tmp_path, data)
    assert refused.value.code == "FILE_EMPTY"


def test_a_workbook_we_write_reads_back_cell_for_cell(tmp_path):
    rows = [["sku", "name"], ["007", "=1+1"], ["4006381333931", "a\nb\r\n<&>\"'"], [" x ", "_x000D_ é漢😀"]]
    writer = xlsx.Writer(tmp_path / "made.xlsx")
    for row in rows:
        writer.row(row)
    writer.close()
    found = read(tmp_path, (tmp_path / "made.xlsx").read_bytes())
    assert [list(row) for row in found.rows] == rows[1:]
    book = openpyxl.load_workbook(tmp_path / "made.xlsx")
    assert [cell.value for cell in book.active[2]] == ["007", "=1+1"]
    assert book.active["B2"].data_type != "f"


def parquet(columns, **options):
    out = io.BytesIO()
    pa.parquet.write_table(pa.table(columns), out, **options)
    return out.getvalue()


def workbook(fill):
    book, out = openpyxl.Workbook(), io.BytesIO()
    fill(book)
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize("name", ["Sheet", 'Preise & "mehr"'])
def test_a_failed_formula_in_a_workbook_is_no_blank_cell(tmp_path, name):
    def fill(book):
        book.active.title = "Notes"
        place = book.create_sheet(name)
        for row in [
            ["sku", "name", "msrp", "cost"],
            ["A", "a", "#N/A", 2],
            ["B", "#REF!", 3, "#DIV/0!"],
            ["C", "c", 5, 4],
        ]:
            place.append(row)
        for cell in ("C2", "B3", "D3"):
            place[cell].data_type = "e"

    found = read(tmp_path, workbook(fill))
    assert found.rows == [("A", "a", "#N/A", "2"), ("B", "#REF!", "3", "#DIV/0!"), ("C", "c", "5", "4")]


@pytest.mark.parametrize("value", ["<v></v>", "<v/>", "<v />", ""])
def test_a_formula_that_was_never_reckoned_is_no_blank_cell_but_an_empty_result_is(tmp_path, value):
    def fill(book):
        for row in [["sku", "name", "msrp", "cost"], ["A", "=B9&B8", "=1+1", 2], ["B", "b", 3, '=IF(1,"","")']]:
            book.active.append(row)

    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook(fill))) as before, zipfile.ZipFile(made, "w") as after:
        for part in before.namelist():
            text = before.read(part).decode()
            if part.endswith("sheet1.xml"):
                text = re.sub(r"(</f>)<v ?/>|(</f>)<v></v>", rf"</f>{value}", text)
                text = re.sub(r'<c r="D3"[^>]*>(<f>[^<]*</f>).*?</c>', r'<c r="D3" t="str">\1<v></v></c>', text)
            after.writestr(part, text)
    found = read(tmp_path, made.getvalue())
    assert found.rows == [("A", "#FORMULA!", "#FORMULA!", "2"), ("B", "b", "3", "")]


def test_a_hidden_sheet_is_read_only_if_no_other_is_filled_or_the_brand_names_it(tmp_path):
    def fill(book, *, only=False):
        book.active.append(["sku", "name"])
        book.active.append(["OLD", "hidden"])
        book.active.sheet_state = "hidden"
        place = book.create_sheet("Products")
        for row in [] if only else [["sku", "name"], ["A", "a"]]:
            place.append(row)

    assert read(tmp_path, workbook(fill)).rows == [("A", "a")]
    assert read(tmp_path, workbook(fill), sheet="Sheet").rows == [("OLD", "hidden")]
    assert read(tmp_path, workbook(lambda book: fill(book, only=True))).rows == [("OLD", "hidden")]


def test_parquet_values_come_as_text(tmp_path):
    columns = {
        "sku": ["007", None],
        "msrp": pa.array([decimal.Decimal("1.50"), None]),
        "weight": [1.0, 2.5],
        "images": [["a", "b"], None],
        "updated": pa.array([dt.datetime(2026, 1, 1, 5, tzinfo=dt.UTC), None]),
        "variation": [{"Width": "1"}, None],
        "color": pa.array(["red", "red"]).dictionary_encode(),
        "visible": [True, False],
    }
    found = read(tmp_path, parquet(columns))
    assert found.source.headers == ("sku", "msrp", "weight", "images", "updated", "variation:Width", "color", "visible")
    assert found.rows[0] == ("007", "1.50", "1", "a|b", "2026-01-01T05:00:00+00:00", "1", "red", "true")
    assert found.rows[1] == ("", "", "2.5", "", "", "", "red", "false")
    assert found.numbers == [1, 2]


def test_parquet_numbers_of_single_precision_have_the_digits_that_were_written(tmp_path):
    values = [0.1, 19.99, 1e-5, 1e20, 2.0, -0.0]
    found = read(tmp_path, parquet({"msrp": pa.array(values, pa.float32()), "cost": pa.array(values, pa.float64())}))
    assert [row[0] for row in found.rows] == ["0.1", "19.99", "0.00001", "100000000000000000000", "2", "0"]
    assert [row[0] for row in found.rows] == [row[1] for row in found.rows]


def test_parquet_is_read_by_row_group_with_row_numbers_that_go_on(tmp_path):
    found = read(tmp_path, parquet({"sku": [f"S{n}" for n in range(50_000)]}, row_group_size=7000))
    assert found.numbers == list(range(1, 50_001))
    assert found.rows[-1] == ("S49999",)


def test_parquet_with_long_texts_comes_in_blocks_that_fit(tmp_path):
    text = "".join(chr(97 + n % 26) for n in range(100_000))
    found = read(tmp_path, parquet({"sku": [f"{n}{text}" for n in range(900)]}))
    assert len(found.rows) == 900


def test_a_damaged_parquet_file_is_refused(tmp_path):
    data = bytearray(parquet({"sku": [f"S{n}" for n in range(5000)]}))
    data[50:400] = b"\xff" * 350
    with pytest.raises(errors.Refused) as refused:
        read(tmp_path, bytes(data))
    assert refused.value.code == "FILE_FORMAT"


def test_a_workbook_whose_sectors_form_a_loop_is_refused_before_it_is_opened(tmp_path):
    data = bytearray(sheet("xls", ROWS))
    fat = (struct.unpack_from("<I", data, 76)[0] + 1) * 512
    directory = struct.unpack_from("<I", data, 48)[0]
    struct.pack_into("<I", data, fat + 4 * directory, directory)
    with pytest.raises(errors.Refused, match="no end"):
        read(tmp_path, bytes(data))


def test_a_header_met_again_in_a_sheet_is_no_product(tmp_path):
    found = read(tmp_path, sheet("xlsx", [*ROWS, ROWS[0], ["z", "z", 1]]))
    assert found.rows == [*TEXTS, ("z", "z", "1")]
    assert found.source.tally.skipped == 1


def test_a_header_over_two_rows_of_a_sheet_is_read_as_one(tmp_path):
    rows = [["sku", "name", "Price", ""], ["", "", "retail", "wholesale"], ["A", "a", 1.5, 1], ["B", "b", 2.5, 2]]
    found = read(tmp_path, sheet("xlsx", rows))
    assert found.source.headers == ("sku", "name", "Price retail", "Price wholesale")
    assert found.numbers == [3, 4]


def test_a_parquet_row_whose_text_is_none_is_rejected_alone(tmp_path):
    """The whole file was refused (FILE_FORMAT); spec §4 has undecodable bytes cost their row."""
    texts = pa.array([b"A", b"\x8a\xff"]).view(pa.string())
    out = io.BytesIO()
    pa.parquet.write_table(pa.table({"sku": texts}), out)
    found = read(tmp_path, out.getvalue())
    assert (found.rows, found.codes) == ([("A",)], ["ROW_ENCODING"])


@pytest.mark.parametrize("place", [0, 2, 5])
def test_a_row_with_a_cell_too_many_is_no_header_where_three_delimiters_end_every_line(tmp_path, place):
    rows = [f"d{number},aa bb,{number},,,\n" for number in range(9)]
    text = "".join(["doc,text,length,,,\n", *rows[:place], "d99,junk,aa ee,14,,,\n", *rows[place:]])
    found = read(tmp_path, text.encode(), lenient=True)
    assert found.source.headers[:3] == ("doc", "text", "length")
    assert (len(found.rows), found.codes) == (9, ["ROW_COLUMNS"])


@pytest.mark.parametrize("ends", [";", ";;"])
def test_one_column_whose_rows_a_delimiter_ends_keeps_its_header(tmp_path, ends):
    text = "word\n" + "".join(f"garden{number}{ends}\n" for number in range(12))
    found = read(tmp_path, text.encode(), lenient=True)
    assert found.source.headers[0] == "word"
    assert len(found.rows) == 12
