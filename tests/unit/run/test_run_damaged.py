"""Rows that are damaged in a file whose products are live: whose key is known keeps its product, no other key is told."""

from pathlib import Path

import pytest

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog.rules import schema
from sftp_gateway.upload import Mode, State
from tests.catalog_shop import Shop, codes

QUOTED = [b'"sku","name","msrp"\n', *(b'"S%d","name, %d","%d.50"\n' % (n, n, n) for n in range(60))]
SECOND = [b"name,sku,msrp\n", *(b'"name, %d",S%d,%d.50\n' % (n, n, n) for n in range(60))]
BRANDED = [b"brand,sku,name,msrp\n", *(b'Acme,S%d,"shirt, %d",%d.50\n' % (n, n, n) for n in range(60))]
NUMBERED = [b"brand,sku,name,msrp\n", *(b'Acme,%d,"shirt, %d",%d.50\n' % (n, n, n) for n in range(60))]


def send(tmp_path, file, bad):
    """Send a file, then the same with another row of S9: (the key that is told, the rows retained, those removed, whether S9 is live)."""
    shop = Shop(tmp_path)
    shop.put(b"".join(file))
    outcome = shop.put(b"".join([*file[:10], bad, *file[11:]]))
    [error] = [error for error in shop.errors(outcome) if error["severity"] == "error"]
    live = {"S9", "9"} & shop.products().keys()
    return error["key"], outcome.receipt["rows"]["retained"], outcome.receipt["changes"]["removed"], bool(live)


@pytest.mark.parametrize(
    ("file", "bad", "key"),
    [
        (QUOTED, b'"S9","name 9","9.50\n', "S9"),
        (QUOTED, b'"S9","name 9,"9.50"\n', "S9"),
        (QUOTED, b'"S9",name 9","9.50"\n', "S9"),
        (QUOTED, b'"S9","a"b","c","9.50"\n', "S9"),
        (QUOTED, b'"S9","name, 9","9.50"x\n', "S9"),
        (QUOTED, b'"S9","name, 9","9.50","x"\n', "S9"),
        (SECOND, b'"name, 9",S9,"9.50\n', "S9"),
        (BRANDED, b"Acme,S9,shirt, blue,9.50\n", "S9"),
        (BRANDED, b"Acme,S9,shirt, blue,unknown\n", "S9"),
        (BRANDED, b"Acme,S9,shirt\n", "S9"),
        (BRANDED, b'Acme,S9,5" shirt, blue,9.50\n', "S9"),
        (NUMBERED, b"Acme,9,shirt, blue,9.50\n", "9"),
    ],
)
def test_a_damaged_row_keeps_its_product_if_its_key_stands_before_the_damage(tmp_path, file, bad, key):
    assert send(tmp_path, file, bad) == (key, 1, 0, True)


@pytest.mark.parametrize(
    ("file", "bad"),
    [
        (QUOTED, b'"S9,"name 9","9.50"\n'),
        (QUOTED, b'S9","name 9","9.50"\n'),
        (SECOND, b'"name, 9,S9,9.50\n'),
        (SECOND, b'name, 9",S9,9.50\n'),
        (SECOND, b'name, 9, blue",S9,9.50\n'),
        (SECOND, b"name, 9,S9,9.50\n"),
        (SECOND, b"name, B9,S9,9.50\n"),
        (SECOND, b"S9,9.50\n"),
        (BRANDED, b"A, B9,S9,shirt,9.50\n"),
    ],
)
def test_of_a_row_that_is_damaged_before_its_key_no_key_is_told(tmp_path, file, bad):
    assert send(tmp_path, file, bad) == ("", 0, 1, False)


@pytest.mark.parametrize("size", [4_400_000, 14_000_000])
@pytest.mark.parametrize(("file", "bad"), [(QUOTED, b'"S9","name, %b","9.50"\n'), (SECOND, b'"name, 9",S9,%b9.50\n')])
def test_a_row_that_is_too_large_keeps_its_product(tmp_path, file, bad, size):
    assert send(tmp_path, file, bad % (b"x" * size)) == ("S9", 1, 0, True)


def test_a_row_that_is_too_large_keeps_its_product_where_the_delimiter_has_two_signs(tmp_path):
    file = [b"sku||name||msrp\n", *(b"S||%d||name, %d||%d.50\n" % (n, n, n) for n in range(60))]
    file = [line.replace(b"S||", b"S|") for line in file]
    assert send(tmp_path, file, b"S|9||" + b"x" * 14_000_000 + b"||9.50\n")[0] == "S|9"


def test_a_line_of_many_megabytes_in_a_first_file_costs_itself_only(tmp_path):
    outcome = Shop(tmp_path).put(b"".join([*QUOTED, b'"X","' + b"x" * 14_000_000 + b'","1"\n']))
    assert (outcome.state, outcome.receipt["rows"]["rejected"], outcome.products) == (State.PUBLISHED, 1, 60)


@pytest.mark.parametrize("form", ["[%s]", '{"products": [%s]}'])
def test_json_of_which_every_product_is_broken_tells_of_each(tmp_path, form):
    shop = Shop(tmp_path)
    shop.put('[{"sku":"S0","name":"n","msrp":1}]')
    outcome = shop.put(form % ",".join(f'{{"sku":"S{n}","name":"n" "msrp":1}}' for n in range(3)))
    assert (outcome.state, outcome.receipt["reasons"][0]["code"]) == (State.REFUSED, "FILE_NO_VALID_ROW")
    assert (outcome.receipt["rows"]["read"], outcome.receipt["rows"]["rejected"]) == (3, 3)
    errors = [error for error in shop.errors(outcome) if error["code"] == "ROW_JSON"]
    assert [(error["row"], error["key"]) for error in errors] == [("1", "S0"), ("2", "S1"), ("3", "S2")]
    assert list(shop.products()) == ["S0"]


def test_what_is_refused_half_way_through_kept_no_row_with_a_warning(tmp_path):
    shop = Shop(tmp_path, settings=BrandSettings(duplicates="refuse"))
    outcome = shop.put("sku,name,msrp,gtin\nA,n,1.50,2000000000008\nB,n,2.50,\nB,n,3.50,\n")
    assert (outcome.state, codes(outcome)["FIELD_GTIN_RESTRICTED"]) == (State.REFUSED, 1)
    assert (outcome.receipt["rows"]["warned"], outcome.receipt["rows"]["accepted"]) == (0, 0)


def test_json_of_which_no_product_has_anything_lacks_columns(tmp_path):
    outcome = Shop(tmp_path).put("[{}, {}]")
    assert outcome.receipt["reasons"][0]["code"] == "FILE_HEADER_MISSING"


HEAD = "sku,name,msrp,size,upc,ean,noted by\n"


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("S9,name 9,9.50,M,,,a\0b", "noted by"),
        ("S9,name 9,9.50,M,4006381333931,\x001,x", "gtin"),
        ("S9,name\x009,9.50,M,,,x", "name"),
        ("S9,name 9,9.50,M\0,,,x", "size"),
    ],
)
@pytest.mark.parametrize("unknown", ["ignore", "keep"])
def test_a_nul_in_any_cell_rejects_its_row(tmp_path, row, column, unknown):
    """Also in a column that nothing is taken from, or of which a bad value costs no row: the row is damaged (spec §4)."""
    rules = tmp_path / "rules.toml"
    text = (Path(__file__).parents[3] / "config" / "catalog.toml").read_text()
    rules.write_text(text.replace("[column.size]", '[column.size]\nseverity = "warning"'))
    shop = Shop(tmp_path, schema.load(rules), BrandSettings(unknown_columns=unknown))
    others = "".join(f"S{n},name {n},{n}.50,M,,,x\n" for n in range(9))
    shop.put(f"{HEAD}{others}S9,name 9,9.50,M,,,x\n")
    outcome = shop.put(f"{HEAD}{others}{row}\n")
    assert (outcome.receipt["rows"]["rejected"], outcome.receipt["rows"]["retained"]) == (1, 1)
    told = [error for error in shop.errors(outcome) if error["severity"] == "error"]
    assert [(error["row"], error["key"], error["column"], error["code"]) for error in told] == [
        ("11", "S9", column, "FIELD_CONTROL_CHAR")
    ]
    assert row in shop.file(outcome, "corrections")
    assert "S9" in shop.products()


def test_a_nul_rejects_a_row_of_a_partial_file_and_one_that_deletes(tmp_path):
    shop = Shop(tmp_path)
    shop.put("sku,name,msrp\nA,a,1.50\nB,b,2.50\nC,c,3.50\n")
    outcome = shop.put("sku,name,_op,other\nA,a,delete,x\0\nB,b\0,delete,x\nC,,delete,x\n", Mode.PARTIAL)
    assert (outcome.receipt["rows"]["rejected"], outcome.receipt["changes"]["deleted"]) == (2, 1)
    assert sorted(shop.products()) == ["A", "B"]


def test_a_nul_in_a_product_of_json_rejects_it(tmp_path):
    shop = Shop(tmp_path)
    outcome = shop.put('[{"sku": "A", "name": "a", "msrp": 1}, {"sku": "B", "name": "b", "msrp": 1, "x": "\\u0000"}]')
    assert (outcome.state, outcome.receipt["rows"]["rejected"]) == (State.PUBLISHED, 1)
    assert sorted(shop.products()) == ["A"]
