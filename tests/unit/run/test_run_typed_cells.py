"""Cells that their format says are numbers: read as those numbers, whatever the decimal mark of texts beside them."""

import io
import json
from decimal import Decimal

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlwt

from sftp_gateway.brand import BrandSettings
from tests.catalog_shop import Shop, codes, small_rules

MORE = '[column.weight]\ntype = "measure"\ndimension = "weight"\n[column.size]\ntype = "text"\n'
HEADERS = ("sku", "price", "weight", "size")
PRODUCTS = [("A", 1.125, 0.875, 1.125), ("B", 2, 3.5, 2.125), ("C", 12.5, 123.456, 3)]
READ = {
    "A": {"sku": "A", "price": "1.125", "weight": "0.875", "size": "1.125"},
    "B": {"sku": "B", "price": "2.00", "weight": "3.5", "size": "2.125"},
    "C": {"sku": "C", "price": "12.50", "weight": "123.456", "size": "3"},
}


def as_json(products) -> bytes:
    return json.dumps([dict(zip(HEADERS, product, strict=True)) for product in products]).encode()


def as_lines(products) -> bytes:
    lines = (json.dumps(dict(zip(HEADERS, product, strict=True)) | {"more": ["x"]}) for product in products)
    return "\n".join(lines).encode() + b"\n"


def as_xlsx(products) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in (HEADERS, *products):
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def as_xls(products) -> bytes:
    book, out = xlwt.Workbook(), io.BytesIO()
    place = book.add_sheet("Products")
    for number, row in enumerate((HEADERS, *products)):
        for column, value in enumerate(row):
            place.write(number, column, value)
    book.save(out)
    return out.getvalue()


def as_ods(products) -> bytes:
    out = io.BytesIO()
    pd.DataFrame([HEADERS, *products]).to_excel(out, engine="odf", header=False, index=False)
    return out.getvalue()


def as_parquet(products) -> bytes:
    columns = list(zip(*products, strict=True))
    decimal = pa.array([Decimal(str(value)) for value in columns[1]], pa.decimal128(10, 3))
    doubles = pa.array([float(value) for value in columns[2]])
    held = pa.table([pa.array(columns[0]), decimal, doubles, pa.array([str(value) for value in columns[3]])], HEADERS)
    out = io.BytesIO()
    pq.write_table(held, out)
    return out.getvalue()


TYPED = [as_json, as_lines, as_xlsx, as_xls, as_ods]


@pytest.mark.parametrize("decimal", ["", ".", ","])
@pytest.mark.parametrize("write", [*TYPED, as_parquet])
def test_a_number_is_that_number_whatever_the_decimal_mark_of_the_brand(tmp_path, write, decimal):
    shop = Shop(tmp_path, small_rules(tmp_path, MORE), BrandSettings(decimal=decimal))
    assert codes(shop.put(write(PRODUCTS))).keys() <= {"FILE_HEADER_UNKNOWN"}
    assert shop.products() == READ


@pytest.mark.parametrize("write", TYPED)
def test_texts_beside_numbers_do_not_change_them_nor_numbers_the_texts(tmp_path, write):
    shop = Shop(tmp_path, small_rules(tmp_path, MORE))
    shop.put(write([*PRODUCTS, ("D", "2,50", "1.125 kg", "1.125"), ("E", "1.125", "2,5 kg", "x")]))
    products = shop.products()
    assert {key: products[key] for key in READ} == READ
    assert products["D"] == {"sku": "D", "price": "2.50", "weight": "1125 kg", "size": "1.125"}
    assert (products["E"]["price"], products["E"]["weight"]) == ("1125.00", "2.5 kg")


@pytest.mark.parametrize("write", TYPED)
def test_numbers_prove_nothing_of_how_texts_are_written(tmp_path, write):
    shop = Shop(tmp_path, small_rules(tmp_path, MORE))
    outcome = shop.put(write([*PRODUCTS, ("D", "1,234", "1 kg", "x")]))
    assert codes(outcome)["FIELD_AMBIGUOUS"] == 1
    assert shop.products() == READ


def test_a_number_in_merged_cells_or_under_a_second_header_is_one_too(tmp_path):
    shop = Shop(
        tmp_path,
        small_rules(tmp_path, '[column.cost]\ntype = "money"\naliases = ["net"]\n'),
        BrandSettings(decimal=","),
    )
    book, out = openpyxl.Workbook(), io.BytesIO()
    rows = [
        ("sku", "price", "cost", "net"),
        ("A", 1.125, "1.125", 2.125),
        ("B", None, None, 2.125),
        ("C", "1.125", "", ""),
    ]
    for row in rows:
        book.active.append(row)
    book.active.merge_cells("B2:B3")
    book.save(out)
    assert codes(shop.put(out.getvalue())).keys() <= {"FILE_HEADER_ALIAS"}
    assert {key: (one["price"], one.get("cost")) for key, one in shop.products().items()} == {
        "A": ("1.125", "1125.00"),
        "B": ("1.125", "2.125"),
        "C": ("1125.00", None),
    }


@pytest.mark.parametrize("decimal", ["", ".", ","])
@pytest.mark.parametrize("write", [as_json, as_xlsx, as_xls, as_ods, as_parquet])
def test_a_correction_of_numbers_never_makes_others_of_them(tmp_path, write, decimal):
    rules = small_rules(tmp_path, MORE.replace('"text"', '"text"\nmax_length = 8'))
    shop = Shop(tmp_path, rules, BrandSettings(decimal=decimal))
    outcome = shop.put(write([*PRODUCTS, ("D", 1.125, 101.375, "far too long")]))
    back = next(made.path for made in outcome.made if made.kind == "corrections").read_bytes()
    if write in {as_json, as_parquet}:
        shop.put(back.replace(b"far too long", b"short"))
    else:
        book, out = openpyxl.load_workbook(io.BytesIO(back)), io.BytesIO()
        for row in book.active.iter_rows():
            for cell in row:
                cell.value = "short" if cell.value == "far too long" else cell.value
        book.save(out)
        shop.put(out.getvalue())
    assert shop.products() == READ | {"D": {"sku": "D", "price": "1.125", "weight": "101.375", "size": "short"}}


@pytest.mark.parametrize("write", [as_xlsx, as_ods, as_parquet])
def test_a_correction_of_numbers_says_the_same_again_and_leaves_texts_as_they_are(tmp_path, write):
    rules = '[column.size]\ntype = "text"\n[column.count]\ntype = "integer"\naliases = ["weight"]\n'
    shop = Shop(tmp_path, small_rules(tmp_path, rules), BrandSettings(decimal=","))
    sent = shop.put(write([*PRODUCTS, ("D", 1, 7.125, "2.125")]))
    back = next(made.path for made in sent.made if made.kind == "corrections").read_bytes()
    again = shop.put(back, name="again.csv")
    said = [(row["key"], row["column"], row["code"]) for row in shop.errors(sent)]
    assert len(said) >= 3
    assert [(row["key"], row["column"], row["code"]) for row in shop.errors(again)] == said
    assert write is not as_parquet or b",2.125," in back
