"""Cells that show a formula instead of its value are told as that, whatever the column's type, and are no value."""

import pyarrow as pa
import pytest

from sftp_gateway.catalog.rules.column import Column
from sftp_gateway.catalog.types import reading
from sftp_gateway.catalog.types.cells import Cells
from sftp_gateway.catalog.types.typing import Dialect
from tests.catalog_shop import Shop, codes, sheet

DIALECT = Dialect(".", "ymd", "UTC")
GOOD = {
    "text": "# 7", "integer": "7", "decimal": "7.5", "money": "7.50", "measure": "7 cm", "boolean": "yes", "date": "2026-01-31",
    "datetime": "2026-01-31T12:00:00Z", "gtin": "4006381333931", "currency": "EUR", "country": "DE", "url": "https://a.example/b",
    "list": "a|b", "enum": "a",
}  # fmt: skip


def of(kind):
    return Column("cost", kind, dimension="length" if kind == "measure" else None)


OF_OTHERS = [
    "#ERROR!",
    "#FIELD!",
    "#CONNECT!",
    "#BLOCKED!",
    "#UNKNOWN!",
    "#BUSY!",
    "#PYTHON!",
    "#EXTERNAL!",
    "#TIMEOUT!",
    "#GETTING_DATA",
]


@pytest.mark.parametrize(
    "value", ["#N/A", " #REF! ", "#DIV/0!", "#NAME?", "#VALUE!", "#FORMULA!", *OF_OTHERS, "Err:502", "Err:509"]
)
@pytest.mark.parametrize("kind", GOOD)
def test_a_cell_that_shows_a_formula_is_no_value_of_any_type(kind, value):
    column = of(kind)
    found = reading.read(Cells(pa.array([GOOD[kind], value, GOOD[kind]])), column, DIALECT)
    assert [text is None for text in found.values.to_pylist()] == [False, True, False]
    [fault] = found.faults
    assert (fault.code, fault.rows.tolist()) == ("FIELD_VALUE", [1])
    assert "formula" in fault.message


def test_excel_says_it_in_the_language_of_its_user():
    signs = "#WERT! #NV #BEZUG! #VALEUR! #NOM? #¡VALOR! #¿NOMBRE? #RIF! #N/D #WAARDE! #NAZWA? #SAKNAS! #I/T #ARVO! #ODKAZ! #ÉRTÉK! #DEĞER! #ЗНАЧ!"
    found = reading.read(Cells(pa.array(signs.split())), of("text"), DIALECT)
    assert found.values.null_count == len(signs.split())
    assert [fault.code for fault in found.faults] == ["FIELD_VALUE"]


@pytest.mark.parametrize("key", [False, True])
def test_what_only_begins_like_one_stays_text(key):
    sent = [
        "# 7",
        "#N/A or so",
        "#ff0000",
        "#NEW!",
        "#SALE!",
        "#NVA",
        "Err:50",
        "Err:5022",
        "Err:50x",
        "EVR:502",
        "Errors!",
        "#N/A",
    ]
    found = reading.read(Cells(pa.array(sent)), of("text"), DIALECT, key=key)
    assert found.values.to_pylist() == [*sent[:-1], None]


def test_what_a_spreadsheet_shows_for_an_error_is_never_published(tmp_path):
    shop = Shop(tmp_path)
    rows = [("A", "Lamp", "1.50", "red"), ("B", "#ERROR!", "2.50", "red"), ("C", "Err:508", "3.50", "red")]
    outcome = shop.put(sheet([*rows, ("D", "Chair", "4.50", "#BUSY!")], ("sku", "name", "msrp", "color")))
    assert sorted(shop.products()) == ["A"]
    assert codes(outcome)["FIELD_VALUE"] == 3
