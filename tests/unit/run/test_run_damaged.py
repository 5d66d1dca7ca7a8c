"""Rows that are damaged in a file whose products are live: whose key is known keeps its product, no other key is told."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from catalog_shop import Shop

from sftp_gateway.upload import State

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


def test_json_of_which_no_product_has_anything_lacks_columns(tmp_path):
    outcome = Shop(tmp_path).put("[{}, {}]")
    assert outcome.receipt["reasons"][0]["code"] == "FILE_HEADER_MISSING"
