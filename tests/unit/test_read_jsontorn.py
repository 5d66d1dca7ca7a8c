"""A product of a JSON array with a quote too many costs itself only: the others are told apart from it by how the array is laid out."""

import json

import pytest

from sftp_gateway import errors
from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.json import torn
from tests.catalog_shop import Shop, codes, sheet
from tests.unit.reading import read

TORN = '{"sku":"B","name":"5" disc"}'
SHAPES = {
    "close": "[%s]",
    "spaced": "[ %s ]\n",
    "wrapped": '{"version": {"n": 1}, "products": [%s], "end": true}',
    "deep": '{"data": {"items": [%s], "next": null}}',
}
BETWEEN = [",", ", ", ",\n  ", "\r\n,\r\n"]


def whole(number, **more):
    return json.dumps({"sku": f"A{number}", "name": f'n {number} }}, {{ "x": [1] }},{{', **more})


def array(items, shape="close", between=","):
    return (SHAPES[shape] % between.join(items)).encode()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("places", [[0], [3], [9], [2, 7], [1, 2], [0, 4, 9]])
def test_a_quote_too_many_costs_its_product_only(tmp_path, shape, between, places):
    if shape == "deep":
        places = [place for place in places if place > 0]  # such a list is known by its first product
    items = [TORN if number in places else whole(number) for number in range(10)]
    found = read(tmp_path, array(items, shape, between))
    assert [row[0] for row in found.rows] == [f"A{number}" for number in range(10) if number not in places]
    assert found.numbers == [number + 1 for number in range(10) if number not in places]
    assert found.raws == [item.encode() for item in items if item is not TORN]
    assert found.codes == ["ROW_JSON"] * len(places)
    assert [(reject.raw.decode(), reject.finding.row, reject.cells[0]) for reject in found.rejects] == [
        (TORN, place + 1, "B") for place in places
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("block", [64, 1000, 2**20])
def test_it_may_be_anywhere_in_a_longer_file(tmp_path, monkeypatch, encoding, block):
    monkeypatch.setattr(bounds, "JSON_BYTES", block)
    items = [whole(number, size=[{"é": 1}, {"b": 2}]) for number in range(200)]
    items[7] = items[120] = items[121] = TORN.replace("disc", "é [disc] {x}")
    found = read(tmp_path, array(items, "wrapped", ",\n").decode().encode(encoding))
    assert [row[0] for row in found.rows] == [f"A{number}" for number in range(200) if number not in (7, 120, 121)]
    assert [reject.finding.row for reject in found.rejects] == [8, 121, 122]
    assert [reject.finding.line for reject in found.rejects] == [8, 121, 122]


@pytest.mark.parametrize(
    "torn",
    [
        '{"sku":"B,"name":"b"}',
        '{"sku":"B","name":"b","cost":"1}',
        '{"sku":"B","name":"5" disc","more":[{"x":1},{"x":2}]}',
        '{"sku":"B","note":"[{"sku":"X","name":"x"},{"sku":"Y","name":"y"},{"sku":"Z","name":"z"}]"}',
        '{"sku":"B","note":"{"sku":"X","name":"x"},{"sku":"Y","name":"y"}"}',
    ],
)
def test_nothing_inside_a_torn_product_is_taken_for_another(tmp_path, torn):
    found = read(tmp_path, array([whole(1), torn, whole(2)]))
    assert [row[0] for row in found.rows] == ["A1", "A2"]
    assert [reject.raw.decode() for reject in found.rejects] == [torn]


@pytest.mark.parametrize(
    "text",
    [
        '[{"sku":"A"},{"sku":"B","name":"5" :-} x"},{"sku":"C"}]',
        '[{"sku":"A"},{"sku":"B","name":"5" {x"},{"sku":"C"}]',
        '[{"sku":"A"},{"sku":"B","name":"5" x"} {"sku":"C"}]',
        '[{"sku":"B","name":"5" x"}]',
        '[{"sku":"A"},{"sku":"B","name":"5" [x"},{"sku":"C"},{"sku":"D","name":"]"},{"sku":"E"}]',
        '[{"sku":"A"},{"sku":"B,"name":"{"},{"sku":"C"},{"sku":"D","name":"}"}]',
        "[" + ",".join([whole(1)] * 30 + [TORN] * 11) + "]",
    ],
)
def test_where_products_cannot_be_told_apart_the_file_is_refused(tmp_path, text):
    with pytest.raises(errors.Refused) as refused:
        read(tmp_path, text.encode(), complete=True)
    assert refused.value.code in {"FILE_FORMAT", "FILE_TRUNCATED"}


def test_a_torn_file_is_not_looked_through_for_the_end_of_what_is_too_long_for_a_product(tmp_path, monkeypatch):
    """Each look began at its beginning: 12 MB of brackets behind a torn product took minutes."""
    monkeypatch.setattr(torn, "STRETCH_BYTES", 1000)
    monkeypatch.setattr(bounds, "RECORD_BYTES", 10_000)
    looks = []
    find = torn.find
    monkeypatch.setattr(torn, "find", lambda text, *, final: looks.append(len(text)) or find(text, final=final))
    endless = '{"sku":"C","more":[' + "[]," * 20_000 + "1]}"
    with pytest.raises(errors.Refused):
        read(tmp_path, array([whole(1), TORN, endless]), complete=True)
    assert max(looks) <= 12_000
    assert sum(looks) <= 60_000


def test_what_is_in_a_torn_product_is_not_looked_through_for_each_bracket_in_it(tmp_path, monkeypatch):
    looked = []
    whole_end = torn._whole
    monkeypatch.setattr(torn, "_whole", lambda text, at: looked.append(len(text) - at) or whole_end(text, at))
    inside = '{"b":1},{"a":[' * 100 + "1," * 10_000 + "1" + "]}" * 100
    item = f'{{"sku":"C","name":"5" x","m":[{inside}]}}'
    read(tmp_path, array([whole(1), whole(2), item]))
    assert sum(looked) <= 40 * len(item)


def test_a_file_that_stops_in_the_middle_is_no_torn_one(tmp_path):
    data = array([whole(1), TORN, whole(2, more=[{"x": 1}]), whole(3)], "wrapped")
    for end in range(data.index(b"disc"), len(data)):
        with pytest.raises(errors.Incomplete):
            read(tmp_path, data[:end])
    assert len(read(tmp_path, data).rows) == 3


def test_the_product_stays_as_it_was(tmp_path):
    shop = Shop(tmp_path)
    shop.put(sheet([("A", "Old", "1.00"), ("B", "Old", "2.00"), ("C", "Old", "3.00")]))
    names = {"A": "New", "B": '5" disc', "C": "New"}
    items = [f'{{"sku":"{sku}","name":"{name}","msrp":"9.00"}}' for sku, name in names.items()]
    outcome = shop.put(array(items), name="catalog.json")
    assert {sku: row["name"] for sku, row in shop.products().items()} == {"A": "New", "B": "Old", "C": "New"}
    assert codes(outcome)["ROW_JSON"] == 1
    assert outcome.receipt["rows"]["rejected"] == 1
