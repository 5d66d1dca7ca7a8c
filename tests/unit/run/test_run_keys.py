"""The key of a row: read where the row itself cannot be, and of several columns."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sftp_gateway.catalog import engine, keys
from sftp_gateway.catalog.comparing import diff
from sftp_gateway.catalog.rules import schema
from sftp_gateway.upload import Mode, State
from tests.catalog_shop import Shop, codes, put


@pytest.mark.parametrize("broken", ['{"sku":"A-7","name":"n","name":"n","price":1}', '{"sku":"A-7","name":"5" x"}'])
def test_a_known_product_that_comes_as_broken_json_is_retained_and_named(shop, broken):
    lines = [json.dumps({"sku": f"A-{number}", "name": "n", "price": 1}) for number in range(20)]
    shop.put("\n".join(lines) + "\n", name="catalog.jsonl")
    lines[7], lines[8] = broken, '{"sku":"A-8","name":"n","price":"?"}'
    outcome = shop.put("\n".join(lines) + "\n", name="catalog.jsonl")
    assert (outcome.receipt["rows"]["rejected"], outcome.receipt["rows"]["retained"]) == (2, 2)
    assert outcome.receipt["changes"]["removed"] == 0
    assert shop.products()["A-7"]["price"] == "1.00"
    [error, _] = shop.errors(outcome)
    assert (error["code"], error["key"], error["row"]) == ("ROW_JSON", "A-7", "8")
    again = shop.put(shop.file(outcome, "corrections"), name="fix.jsonl")
    assert again.state is State.REFUSED
    assert [error["key"] for error in shop.errors(again) if error["code"] == "ROW_JSON"] == ["A-7"]


def test_a_correction_file_of_broken_json_alone_may_come_back_as_it_is(shop):
    lines = [json.dumps({"sku": f"A-{number}", "name": "n", "price": 1}) for number in range(20)]
    shop.put("\n".join(lines) + "\n", name="catalog.jsonl")
    lines[7], lines[8] = '{"sku":"A-7","name":"5" x"}', '{"sku":"A-8",,}'
    outcome = shop.put("\n".join(lines) + "\n", name="catalog.jsonl")
    again = shop.put(shop.file(outcome, "corrections"), name="fix.jsonl")
    shown = ("key", "code", "severity", "message")
    before = [[error[name] for name in shown] for error in shop.errors(outcome)]
    assert [[error[name] for name in shown] for error in shop.errors(again)[-2:]] == before
    assert (again.state, again.reasons[0]["code"]) == (State.REFUSED, "FILE_NO_VALID_ROW")


TWO = """
key = ["sku", "size"]
[column.sku]
type = "text"
required = true
[column.size]
type = "text"
required = true
[column.price]
type = "money"
"""
ALIKE = [("x | y", "z"), ("x", "y | z"), ("x |", "y"), ("x", "| y"), ("x || y", "z"), ("x | y", "z |"), ("a|b", "c")]


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "two.toml"
    path.write_text(TWO)
    return Shop(tmp_path, schema.load(path))


def held(shop):
    rows = pq.read_table(shop.base.path).select(["sku", "size", "price"]).to_pylist()
    return {(row["sku"], row["size"]): str(row["price"]).partition(".")[0] for row in rows}


def priced(**prices):
    return [(*ALIKE[number], prices.get(f"n{number}", "1")) for number in range(len(ALIKE))]


def test_parts_of_a_key_that_hold_the_separator_make_products_of_their_own(pairs):
    columns = ("sku", "size", "price")
    first = put(pairs, priced(), columns)
    assert (first.receipt["rows"]["accepted"], codes(first)) == (len(ALIKE), {})
    second = put(pairs, priced(n1="2"), columns)
    changes = second.receipt["changes"]
    assert (changes["updated"], changes["unchanged"], changes["created"]) == (1, len(ALIKE) - 1, 0)
    assert [line["key"] for line in pairs.told(second)] == ["x | y || z"]
    third = put(pairs, priced(n0="?", n1="2", n3="?")[:-1], columns)
    assert third.receipt["rows"]["retained"] == 2
    assert [error["key"] for error in pairs.errors(third)] == ["x || y | z", "x | || y"]
    assert (third.receipt["changes"]["removed"], [line["key"] for line in pairs.told(third)]) == (1, ["a|b | c"])
    fourth = put(pairs, [("x |", "y", "7")], columns, mode=Mode.PARTIAL)
    assert fourth.receipt["changes"]["updated"] == 1
    assert held(pairs)["x |", "y"] == "7"
    assert held(pairs)["x", "| y"] == "1"


def test_a_correction_is_stale_only_for_the_product_that_changed(pairs):
    columns = ("sku", "size", "price")
    put(pairs, priced(), columns)
    first = put(pairs, priced(n0="?", n1="?"), columns)
    put(pairs, [(*ALIKE[0], "5")], columns, mode=Mode.PARTIAL)
    outcome = pairs.put(pairs.file(first, "corrections").replace("?", "9"), name="fix.csv")
    assert [error["key"] for error in pairs.errors(outcome)] == ["x || y | z"]
    assert (held(pairs)[ALIKE[0]], held(pairs)[ALIKE[1]]) == ("5", "9")


def test_a_broken_record_shows_the_same_key_as_a_row(pairs):
    lines = [json.dumps({"sku": sku, "size": size, "price": 1}) for sku, size in ALIKE]
    pairs.put("\n".join(lines) + "\n", name="catalog.jsonl")
    lines[0] = lines[0].replace('"price": 1', '"price": x')
    outcome = pairs.put("\n".join(lines) + "\n", name="catalog.jsonl")
    assert (outcome.receipt["rows"]["retained"], outcome.receipt["changes"]["removed"]) == (1, 0)


PARTS = st.text("a| ", min_size=1, max_size=6).map(str.strip).filter(bool)


@given(st.lists(st.tuples(PARTS, PARTS), min_size=1, max_size=8))
def test_no_two_keys_have_one_text_and_python_arrow_and_the_database_agree_on_it(found):
    parts = [pa.array(column, pa.string()) for column in zip(*found, strict=True)]
    texts = keys.joined(parts).to_pylist()
    assert len(set(texts)) == len(set(found))
    assert texts == [keys.text(each) for each in found]
    for each, text in zip(found, texts, strict=True):
        assert text == " | ".join(each) or any(part[0] == "|" or part[-1] == "|" or " |" in part for part in each)
    with engine.open_small() as connection:
        connection.register("sent", pa.table(parts, ["sku", "size"]))
        query = f"SELECT {diff.key_text(('sku', 'size'))} FROM sent"
        assert sorted(row for (row,) in connection.execute(query).fetchall()) == sorted(texts)


NUMBERED = """
key = ["number", "gtin"]
[column.number]
type = "integer"
[column.gtin]
type = "gtin"
[column.name]
type = "text"
"""


def numbered(tmp_path, key):
    path = tmp_path / "numbered.toml"
    path.write_text(NUMBERED.replace('["number", "gtin"]', json.dumps(key)))
    return Shop(tmp_path, schema.load(path))


@pytest.mark.parametrize("key", [["number"], ["gtin"], ["number", "gtin"]])
def test_a_record_that_is_no_row_keeps_its_product_however_its_key_is_written(tmp_path, key):
    shop = numbered(tmp_path, key)
    gtins = ("4006381333900", "4006381333917", "4006381333924", "4006381333931", "4006381333948", "4006381333955")
    given = [[f"00{number}", gtin, "n"] for number, gtin in enumerate(gtins)]
    columns = ("number", "gtin", "name")
    put(shop, given, columns)
    outcome = put(shop, [*given[:4], [*given[4], "one cell too many"], [" 5.0 ", "4006381-333955", "n", "x"]], columns)
    assert (outcome.receipt["rows"]["rejected"], outcome.receipt["rows"]["retained"]) == (2, 2)
    assert (outcome.receipt["changes"]["removed"], len(shop.products())) == (0, 6)
    shown = [
        " | ".join({"number": n, "gtin": g}[name] for name in key)
        for n, g in (("4", "04006381333948"), ("5", "04006381333955"))
    ]
    assert [error["key"] for error in shop.errors(outcome)] == shown


def test_a_record_that_is_no_row_has_no_key_where_that_is_none(tmp_path):
    shop = numbered(tmp_path, ["number"])
    given = [[str(number), "", "n"] for number in range(6)]
    put(shop, given, ("number", "gtin", "name"))
    outcome = put(shop, [*given[:5], ["five", "", "n", "one cell too many"]], ("number", "gtin", "name"))
    assert (outcome.receipt["rows"]["retained"], outcome.receipt["changes"]["removed"]) == (0, 1)
    assert [error["key"] for error in shop.errors(outcome)] == [""]
