"""The edges of a file: products that look like a footer stay products, whatever their place is."""

import gzip

import pytest

from sftp_gateway.upload import State
from tests.catalog_shop import Shop, codes, sheet
from tests.unit.test_read_packed import parquet, zipped
from tests.unit.test_read_packed import workbook as xlsx
from tests.unit.test_read_tables import sheet as workbook

HATS = [(f"HAT-{number:03}", f"Hat {number}", f"{number}.50", "", "", "") for number in range(1, 51)]
SUMMER = [(f"SUM-{number:03}", f"Summer hat {number}", "19.90", "", "", "") for number in range(1, 6)]
COLUMNS = ("sku", "name", "msrp", "color", "cost", "description")


def test_last_products_whose_keys_begin_like_a_total_are_published_and_stay(tmp_path):
    shop = Shop(tmp_path)
    shop.put(sheet([*SUMMER, *HATS], COLUMNS))
    assert len(shop.products()) == 55
    shop.put(sheet([*HATS, *SUMMER], COLUMNS))
    assert len(shop.products()) == 55


def test_a_file_of_an_old_program_that_ends_with_a_mark_is_published_at_once(tmp_path):
    shop = Shop(tmp_path)
    shop.put("sku,name,msrp\r\nA1,Lamp,10.50\r\n\x1a", complete=False)
    assert [*shop.products()] == ["A1"]


def test_a_sheet_with_a_price_on_request_behind_a_blank_row_keeps_its_products(tmp_path):
    lamps = [(f"A-{number}", f"Lamp {number}", number + 0.5) for number in range(1, 41)]
    sofas = [(f"B-{number}", f"Sofa {number}", number + 0.5) for number in range(1, 9)]
    rows = [("sku", "name", "msrp"), *lamps, (), ("LAMP-RED", "Red lamp", "on request"), *sofas]
    shop = Shop(tmp_path)
    shop.put(workbook("xlsx", rows), name="products.xlsx")
    assert len(shop.products()) == 48


def test_two_byte_order_marks_hide_no_header(tmp_path):
    shop = Shop(tmp_path)
    shop.put('\ufeff\ufeff"sku","name","msrp"\r\n"A1","Lamp, x","1.5"\r\n')
    assert [*shop.products()] == ["A1"]


FIRST = "sku,name,msrp\nA1,Lamp,10.50\nA2,Chair,20.50"
NEXT = "sku,name,msrp\nA1,Lamp,10.50\nA2,Chair,21.50"
PRODUCTS = '{"sku": "A1", "name": "Lamp", "msrp": "10.50"}', '{"sku": "A2", "name": "Chair", "msrp": "21.50"}'
WHOLE = {
    "array": "[{}, {}]".format(*PRODUCTS),
    "object": '{{"products": [{}, {}]}}'.format(*PRODUCTS),
    "lines": "\n".join(PRODUCTS),
    "packed array": gzip.compress("[{}, {}]".format(*PRODUCTS).encode()),
    "packed lines": gzip.compress("\n".join(PRODUCTS).encode()),
    "gzip": gzip.compress(NEXT.encode()),
    "zip": zipped(NEXT.encode()),
    "xlsx": xlsx([line.split(",") for line in NEXT.splitlines()]),
    "parquet": parquet({"sku": ["A1", "A2"], "name": ["Lamp", "Chair"], "msrp": ["10.50", "21.50"]}),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_that_is_whole_by_its_format_needs_no_last_newline_after_one_that_had_it(tmp_path, kind):
    shop = Shop(tmp_path)
    shop.put(FIRST + "\n", complete=False)
    assert shop.put(WHOLE[kind], complete=False).state is State.PUBLISHED
    assert shop.products()["A2"]["msrp"] == "21.50"


@pytest.mark.parametrize("kind", ["array", "gzip", "xlsx", "parquet"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_file_that_is_whole_by_its_format_leaves_what_is_known_of_plain_ones(tmp_path, kind, end):
    shop = Shop(tmp_path)
    shop.put(FIRST + end, complete=False)
    shop.put(WHOLE[kind], complete=False)
    assert shop.put(NEXT.replace("21", "22") + end, complete=False).state is State.PUBLISHED
    assert (shop.put(NEXT, complete=False).state is State.UNFINISHED) == bool(end)


@pytest.mark.parametrize("kind", ["array", "lines"])
def test_json_that_stops_in_the_middle_is_unfinished_whatever_came_before(tmp_path, kind):
    shop = Shop(tmp_path)
    shop.put(FIRST, complete=False)
    assert shop.put(WHOLE[kind][:-3], complete=False).state is State.UNFINISHED


def test_a_packed_csv_whose_last_row_lacks_a_column_is_unfinished_still(tmp_path):
    shop = Shop(tmp_path)
    packed = gzip.compress(NEXT.rpartition(",")[0].encode())
    assert shop.put(packed, complete=False).state is State.UNFINISHED


HEADER, ROW = "sku,name,msrp", "A1,Lamp,10.50"


@pytest.mark.parametrize(
    ("above", "blank", "skipped"),
    [
        (["Prices 2026", ""], 1, 1),
        (["", " ", "Prices 2026,,", ",,"], 3, 1),
        (["a,b", "1,2", ""], 1, 2),
        ([], 0, 0),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "utf-16", "xlsx", "ods"])
def test_blank_lines_above_the_header_are_counted_so_that_all_records_add_up(tmp_path, above, blank, skipped, kind):
    lines = [*above, HEADER, ROW, "", ROW.replace("A1", "A2")]
    rows = [(*line.split(","), "", "")[:3] for line in lines]
    text = "\r\n".join([*lines, ""])
    sent = {"csv": text.encode(), "utf-16": text.encode("utf-16")}.get(kind) or workbook(kind, rows)
    outcome = Shop(tmp_path).put(sent, name=f"catalog.{kind}")
    counts = outcome.receipt["rows"]
    assert (counts["read"], counts["blank"], counts["skipped"]) == (2, blank + 1, skipped)
    assert counts["read"] + counts["blank"] + counts["skipped"] + 1 == len(lines)
    assert codes(outcome)["ROW_BLANK"] == 1


def test_a_short_table_padded_by_spaces_is_published_but_for_the_row_that_overflows_its_column(tmp_path):
    lines = [f"A{number:<4}{f'Lamp {number}':15}{number}.50" for number in range(1, 21)]
    lines.insert(9, "A99  Lamp of iron with shades  9.50")
    shop = Shop(tmp_path)
    outcome = shop.put("\n".join(["sku  name           msrp", *lines, ""]), name="catalog.txt")
    assert codes(outcome)["ROW_COLUMNS"] == outcome.receipt["rows"]["rejected"] == 1
    assert shop.products()["A20"] == shop.products()["A20"] | {"name": "Lamp 20", "msrp": "20.50"}
    assert len(shop.products()) == 20
