import csv
import io
import json

import pyarrow.parquet as pq
import pytest

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog import export
from tests.catalog_shop import RULES, Shop, sheet

COLUMNS = (
    "Odd one",
    "sku",
    "msrp",
    "name",
    "quantity",
    "tags",
    "variation:Size",
    "is_visible",
    "shipping_weight",
    "updated_at",
)
GIVEN = [
    ("=kept", "a", "5", 'say "hi",\nall', "7", "x|y", "L", "no", "2 lb", "2026-01-02"),
    ("", "b", "12.3450", "=1+1", "", "", "", "", "", ""),
]


@pytest.fixture
def parquet(tmp_path):
    shop = Shop(tmp_path, settings=BrandSettings(unknown_columns="keep"))
    shop.put(sheet(GIVEN, COLUMNS))
    return shop.base.path


def test_csv_has_the_columns_of_the_rules_then_kept_ones_and_is_not_escaped(parquet, tmp_path):
    assert export.write(parquet, RULES, "csv", tmp_path / "current.csv") == 2
    raw = (tmp_path / "current.csv").read_bytes()
    header, first, second = csv.reader(io.StringIO(raw.decode(), newline=""))
    assert header == [*(column.name for column in RULES.columns), "Odd one"]
    row = dict(zip(header, first, strict=True))
    assert (row["msrp"], row["name"], row["quantity"]) == ("5.00", 'say "hi",\nall', "7")
    assert (row["is_visible"], row["updated_at"], row["Odd one"]) == ("false", "2026-01-02T00:00:00Z", "=kept")
    assert json.loads(row["variation"]) == {"Size": "L"}
    assert dict(zip(header, second, strict=True))["msrp"] == "12.345"
    assert b"=1+1" in raw
    assert not any(name.startswith("_") for name in header)


def test_json_lines_have_numbers_lists_and_objects(parquet):
    out = io.BytesIO()
    export.write(parquet, RULES, "jsonl", out)
    first, second = [json.loads(line) for line in out.getvalue().decode().splitlines()]
    assert (first["sku"], first["quantity"], first["is_visible"], first["tags"]) == ("a", 7, False, ["x", "y"])
    assert first["variation"] == {"Size": "L"}
    assert first["msrp"] == 5
    assert (second["tags"], second["quantity"], second["name"]) == (None, None, "=1+1")


def test_parquet_has_no_hidden_columns(parquet, tmp_path):
    assert any(name.startswith("_base.") for name in pq.read_schema(parquet).names)
    assert export.write(parquet, RULES, "parquet", tmp_path / "out.parquet") == 2
    assert not any(name.startswith("_") for name in pq.read_schema(tmp_path / "out.parquet").names)
    assert pq.read_table(tmp_path / "out.parquet")["sku"].to_pylist() == ["a", "b"]
