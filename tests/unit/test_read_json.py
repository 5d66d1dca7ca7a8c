import json
import time

import pytest

from sftp_gateway import errors
from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.json import remnant
from sftp_gateway.catalog.read.opening import open_source
from sftp_gateway.catalog.read.source import Hints
from tests.unit.reading import KNOWN, read

SHAPES = {
    "array": lambda items: "[" + ", ".join(items) + "]",
    "array over lines": lambda items: "[\n  " + ",\n  ".join(items) + "\n]\n",
    "wrapped": lambda items: '{"version": {"n": 1}, "products": [' + ",".join(items) + '], "end": true}',
    "lines": lambda items: "\n".join(items) + "\n",
    "lines with CRLF and no last end": "\r\n".join,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_shape_gives_products_with_row_line_and_bytes(tmp_path, shape, encoding, monkeypatch):
    items = [f'{{"sku": "S{n}", "name": "é漢😀 \\"{n}]}}\\" \\\\", "msrp": {n}.50}}' for n in range(40)]
    text = SHAPES[shape](items)
    for size in (200, 4 * 1024**2):
        monkeypatch.setattr(bounds, "BLOCK_BYTES", size)
        found = read(tmp_path, text.encode(encoding))
        assert found.rows == [(f"S{n}", f'é漢😀 "{n}]}}" \\', f"{n}.50") for n in range(40)]
        assert found.numbers == list(range(1, 41))
        spelt = "utf-16-le" if encoding == "utf-16" else "utf-8"
        assert found.raws == [item.encode(spelt) for item in items]
        assert found.source.format.format == ("jsonl" if "lines" in shape and "array" not in shape else "json")


def test_values_keep_their_digits_and_lists_and_objects_become_cells(tmp_path):
    item = '{"sku":"007","a":1.50,"b":12345678901234567890,"c":true,"d":null,"e":["x",2],"f":{"W":"1"},"g":[{"h":1}],"i":1e+2}'
    found = read(tmp_path, f"[{item}]".encode())
    assert found.source.headers == ("sku", "a", "b", "c", "d", "e", "f:W", "g", "i")
    assert found.rows == [("007", "1.50", "12345678901234567890", "true", "", "x|2", "1", '[{"h": 1}]', "100")]


def test_a_column_that_only_a_late_product_has_is_a_header(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "BLOCK_BYTES", 100)
    data = b'{"sku":"a"}\n' * 50 + b'{"sku":"b","late":"x"}\n'
    found = read(tmp_path, data)
    assert found.source.headers == ("sku", "late")
    assert found.rows[-1] == ("b", "x")


@pytest.mark.parametrize(
    "broken", ['{"sku":"b",}', "nonsense", "[1]", '"x"', '{"sku":"b","sku":"c"}', '{"sku":NaN}', '{"sku":"\\ud800"}',
               '{"sku":' + "[" * 40 + "]" * 40 + "}"]
)  # fmt: skip
def test_a_broken_product_costs_itself_only(tmp_path, broken):
    found = read(tmp_path, f'{{"sku":"a"}}\n{broken}\n\n{{"sku":"c"}}\n'.encode())
    assert [row[0] for row in found.rows] == ["a", "c"]
    assert found.codes == ["ROW_JSON"]
    assert (found.rejects[0].raw.decode(), found.rejects[0].finding.row) == (broken, 2)
    assert found.numbers == [1, 4]


@pytest.mark.parametrize("scalar", ["null", "17", '"a, \\"b\\", ]"', "true", "-1.5e3"])
@pytest.mark.parametrize("size", [40, 4 * 1024**2])
def test_an_element_that_is_no_object_costs_itself_only(tmp_path, scalar, size, monkeypatch):
    monkeypatch.setattr(bounds, "BLOCK_BYTES", size)
    for text, rejected in (
        ('[{{"sku":"a"}}, {0} ,{{"sku":"b"}}]', [2]),
        ('[ {0},{{"sku":"a"}},{0},\n{0},{{"sku":"b"}}]', [1, 3, 4]),
        ('{{"products":[{{"sku":"a"}},{{"sku":"b"}},{0},{0} ]}}', [3, 4]),
    ):
        found = read(tmp_path, text.format(scalar).encode())
        assert [row[0] for row in found.rows] == ["a", "b"]
        assert found.codes == ["ROW_JSON"] * len(rejected)
        assert [item.finding.row for item in found.rejects] == rejected
        assert {item.raw.decode() for item in found.rejects} == {scalar}


@pytest.mark.parametrize(
    "data", ['[{"sku":"a"},{"sku":"b"', '[{"sku":"a"},', '{"products":[{"sku":"a"}]', '{"sku":"a"}\n{"sku']
)
def test_json_that_stops_in_the_middle_is_incomplete(tmp_path, data):
    with pytest.raises(errors.Incomplete):
        read(tmp_path, data.encode())
    with pytest.raises(errors.Refused) as refused:
        read(tmp_path, data.encode(), complete=True)
    assert refused.value.code == "FILE_TRUNCATED"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("[]", "FILE_EMPTY"),
        ('{"products": []}', "FILE_EMPTY"),
        ("[1,2]", "FILE_FORMAT"),
        ('[{"sku":"a"} {"sku":"b"}]', "FILE_FORMAT"),
        ("[,]", "FILE_FORMAT"),
        ('[{"sku":"a"},,]', "FILE_FORMAT"),
        ('[{"sku":"a"},nul,{"sku":"b"}]', "FILE_FORMAT"),
        ('[{"sku":"a"},,{"sku":"b"}]', "FILE_FORMAT"),
        ('[{"sku":"a"} null,{"sku":"b"}]', "FILE_FORMAT"),
        ('[{"sku":"a"},null]]', "FILE_FORMAT"),
        ('[{"sku":"a"}] x', "FILE_FORMAT"),
        ('{"products":[{"sku":"a"}]} x', "FILE_FORMAT"),
        ('{"products":[{"sku":"a"}]}{"products":[{"sku":"b"}]}', "FILE_FORMAT"),
        ('{"products":[{"sku":"a"}],"total":1,}', "FILE_FORMAT"),
        ('{"total":NaN,"products":[{"sku":"a"}]}', "FILE_FORMAT"),
    ],
)
def test_broken_json_is_refused_with_its_reason(tmp_path, data, code):
    with pytest.raises(errors.Refused) as refused:
        read(tmp_path, data.encode())
    assert refused.value.code == code
    assert not isinstance(refused.value, errors.Incomplete), "nobody waits for the rest of a whole file"


@pytest.mark.parametrize("mark", ["\x1a", "\0\0\n", "\x0c\r\n"])
def test_a_mark_that_the_file_ends_may_follow_an_object_around_the_products(tmp_path, mark):
    assert read(tmp_path, b'{"products":[{"sku":"a"}]}\n' + mark.encode()).rows == [("a",)]


@pytest.mark.parametrize("columns", [b"", b',"attribute":{"Width":"1"}'])
def test_a_list_in_an_object_is_a_cell_of_its_own(tmp_path, columns):
    text = b'[{"sku":"A","variation":{"Color":"red","Size":["S",4.50]}%b}]' % columns
    found = read(tmp_path, text)
    assert found.source.headers[:3] == ("sku", "variation:Color", "variation:Size")
    assert found.rows[0][:3] == ("A", "red", "S|4.50")


@pytest.mark.parametrize("text", ['[{"sku":"a"},\n{"sku":"b"},\n]', '{"products":[{"sku":"a"},{"sku":"b"} , ]}'])
@pytest.mark.parametrize("block", [13, 2**20])
def test_a_comma_behind_the_last_product_is_none_more(tmp_path, monkeypatch, text, block):
    monkeypatch.setattr(bounds, "JSON_BYTES", block)
    assert read(tmp_path, text.encode()).rows == [("a",), ("b",)]


@pytest.mark.parametrize("data", ["[]", '{"products": []}', "[ ]\n"])
def test_json_without_products_is_empty_before_anyone_asks_for_its_columns(tmp_path, data):
    (tmp_path / "file").write_text(data)
    with pytest.raises(errors.Refused) as refused:
        open_source(tmp_path / "file", Hints(known_headers=KNOWN))
    assert refused.value.code == "FILE_EMPTY"


WRITTEN_OUT = {"1e3": "1000", "-1.5E-7": "-0.00000015", "1.2E7": "12000000", "1.50e1": "15.0", "5e-05": "0.00005"}
WRITTEN_OUT |= {"1E+2": "100", "-1.5E+1": "-15", "1.50E+3": "1500"}  # Java's BigDecimal
WRITTEN_OUT |= {"1e+2": "100", "1.5e+1": "15", "1E+02": "100", "1e+02": "100", "-3E+09": "-3000000000"}


@pytest.mark.parametrize(
    "number",
    [
        "1.50",
        "-0.10",
        "12345678901234567890",
        "0.1",
        "4.00638E+12",
        "1.00E+02",
        "4E+12",
        "1e+06",
        "1.23457e+06",
        "1e100",
        "-1e300",
        "1E-300",
        *WRITTEN_OUT,
    ],
)
@pytest.mark.parametrize("gap", ["", " ", "\t"])
def test_a_number_keeps_its_digits_wherever_it_stands(tmp_path, number, gap):
    for text in (
        f'{{"sku":"A","name":"a","msrp":{gap}{number}}}',
        f'{{"msrp":{gap}{number}{gap},"sku":"A","name":"a"}}',
        f'{{"sku":"A","name":"a","msrp":{gap}{number},"x":["b"]}}',
        f'{{"sku":"A","name":"a","msrp":{gap}{number},"x":{{"y":1}}}}',
        f'{{"sku":"A","name":"say \\":9.5,","msrp":{gap}{number}}}',
    ):
        found = read(tmp_path, text.encode() + b"\n")
        row = dict(zip(found.source.headers, found.rows[0], strict=True))
        assert row["msrp"] == WRITTEN_OUT.get(number, number)
        assert row["name"] in ("a", 'say ":9.5,')


@pytest.mark.parametrize("number", ["01.5", "1.", ".5", "1.5.5", "+1.5", "1.5x", "--1.5", "1.5e", "NaN"])
def test_what_is_no_number_is_no_product(tmp_path, number):
    found = read(tmp_path, f'{{"sku":"A","msrp":1.5}}\n{{"sku":"B","msrp":{number},"cost":1.5}}\n'.encode())
    assert found.codes == ["ROW_JSON"]


def test_a_text_that_looks_like_a_field_is_left_alone(tmp_path):
    text = '{"sku":"A","name":"x: 1.5, y","msrp":1.50,"description":"z:2.5"}\n'
    found = read(tmp_path, text.encode())
    assert found.rows == [("A", "x: 1.5, y", "1.50", "z:2.5")]
    assert read(tmp_path, b'{"sku":"A","msrp":1.5,"msrp":2.5}\n{"sku":"B"}\n').codes == ["ROW_JSON"]


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("behind", ["", ',"images":["a"],"cost":1.5'])
def test_a_number_that_is_none_is_named(tmp_path, name, behind):
    """A JSON validator of the program that wrote it may find it good."""
    found = read(tmp_path, f'[{{"sku":"A"}},{{"sku":"B","name":"NaN","msrp": {name}{behind}}}]'.encode())
    assert found.rejects[0].finding.message == f"The product cannot be read. {name} is no JSON value."


@pytest.mark.parametrize(
    ("nested", "kept"),
    [
        ('[{"w":1.50}]', '[{"w": 1.50}]'),
        (
            '{"a":{"b":12345678901234567890,"c":[1,1e3,"1.5",null,true]}}',
            '{"a": {"b": 12345678901234567890, "c": [1, 1000, "1.5", null, true]}}',
        ),
        ('[[1,2.50],["é \\" 1.5"]]', '[[1, 2.50], ["é \\" 1.5"]]'),
        ('[{"w":1}]', '[{"w": 1}]'),
    ],
)
def test_numbers_inside_nested_values_stay_numbers(tmp_path, nested, kept):
    for more in ("", ',"name":"a"', ',"msrp" : 1.50'):
        found = read(tmp_path, f'{{"sku":"A","x":{nested}{more}}}\n'.encode())
        assert found.rows[0][1] == kept
        assert json.loads(found.rows[0][1]) == json.loads(nested)


@pytest.mark.parametrize(
    "text",
    [
        '{"sku":"A","name":"a","name" :"b"}',
        '{"sku":"A","name" :"a","name":"b"}',
        '{"sku":"A","name"\t:"a","name":"b"}',
        '{"sku":"A","name":"a","n\\u0061me":"b"}',
        '{"sku":"A","note":"x\\":y","name" :"a","name":"b"}',
        '{"sku":"A","a":{"b":"one"},"a:b":"two"}',
        '{"sku":"A","a:b":"two","a":{"b":"one"}}',
        '{"sku":"A","a":{"b":"","b":"one"}}',
    ],
)
def test_of_two_values_for_one_column_none_is_lost_without_a_word(tmp_path, text):
    found = read(tmp_path, f'{text}\n{{"sku":"B"}}\n'.encode())
    assert (found.codes, [row[0] for row in found.rows]) == (["ROW_JSON"], ["B"])
    assert "comes twice" in found.rejects[0].finding.message


def test_a_column_may_come_twice_with_one_value(tmp_path):
    found = read(tmp_path, b'{"sku":"A","a":{"b":"one"},"a:b":"one"}\n{"sku":"B","a":{"b":"two"},"a:b":""}\n')
    assert found.rows == [("A", "one"), ("B", "two")]


DAMAGED = '{{"sku": "S{n}", "name": "{name}", "cost": 1.5}}'


@pytest.mark.parametrize("block", [300, 4 * 1024**2])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("letters", ["", "漢字", "é"])
def test_damaged_bytes_cost_their_products_only_and_make_no_other_encoding(
    tmp_path, monkeypatch, shape, letters, block
):
    monkeypatch.setattr(bounds, "BLOCK_BYTES", block)
    names = ["plain", "\udcc3", "c\udcc2", "plain", "\udc83\udc9c\udcf3\udc81\udcfe\udc81\udcfe\udc82 ", letters]
    items = [DAMAGED.format(n=n, name=names[n % 6]) for n in range(30)]
    data = SHAPES[shape](items).encode("utf-8", "surrogateescape")
    found = read(tmp_path, data)
    assert [row[0] for row in found.rows] == [f"S{n}" for n in range(30) if n % 6 in (0, 3, 5)]
    assert [item.finding.row for item in found.rejects] == [n + 1 for n in range(30) if n % 6 not in (0, 3, 5)]
    assert {item.finding.message for item in found.rejects} == {
        "The product cannot be read. It has bytes that are no text in UTF-8."
    }
    assert found.source.format.encoding == "utf-8"
    assert not found.source.findings


def test_json_in_the_encoding_that_the_brand_set_is_read(tmp_path):
    data = '[{"sku": "S1", "name": "表ソ"}]'.encode("cp932")
    assert read(tmp_path, data, encoding="cp932").rows == [("S1", "表ソ")]


def test_a_file_in_another_encoding_that_only_looks_like_json_is_read_as_what_it_is(tmp_path):
    data = "{sku},name\nS1,ä ö ü ß é è à ç\nS2,b\n".encode("cp1252")
    found = read(tmp_path, data, known_headers=frozenset({"{sku}", "name"}))
    assert found.rows == [("S1", "ä ö ü ß é è à ç"), ("S2", "b")]
    assert found.source.format.encoding == "cp1252"


@pytest.mark.parametrize(
    "text",
    [
        '{\n "sku": "A",\n "name": "a"\n}\n',
        '{\n "articles": [\n  {"sku": "A"}\n ]\n}\n',
        '{\n "sku": "A", "variants": [{"sku": "B"}]}',
        '{"sku":{"0":"A","1":"B"},"name":{"0":"a","1":"b"}}\n',
        '{"sku": {' + ", ".join(f'"{n}": "A-{n}"' for n in range(100_000)) + "}}",
    ],
)
def test_json_of_another_layout_is_told_so(tmp_path, text):
    (tmp_path / "file").write_text(text)
    with pytest.raises(errors.Refused, match="neither a list of products") as refused:
        open_source(tmp_path / "file", Hints(known_headers=KNOWN))
    assert (refused.value.code, "array" in refused.value.suggestion) == ("FILE_FORMAT", True)


KEYED = {
    '{"sku":"A7","name":"n","name":"m","msrp":1}': "A7",
    '{"sku":"A7","name":"n"': "A7",
    '{"sku":"A7","na': "A7",
    '{"sku":"A7"': "A7",
    '{ "name" : "n" , "sku" : "A7" , "msrp" : 01.5}': "A7",
    '{"msrp":NaN,"sku":17}': "17",
    '{"msrp":1.5.5,"sku":"A7","more":[1,{"sku":"B"}],"name":"n" "x"}': "A7",
    '{"more":{"sku":"B","deep":["}",{"sku":"C"}]},"sku":"A7","name":"5" x"}': "A7",
    '{"more":[1,2,[3]],"sku":"\\u0041\\"7","name":tru e}': 'A"7',
    '{"sku":"A7","sku":"A7","name":"n","name":"n"}': "A7",
    '{"sku":"A7"}{"sku":"A8"}': "A7",
}
DOUBTFUL = [
    '{"sku":"A7","sku":"A8"}',
    '{"sku":"A7","sku":"A8","sku":"A7"}',
    '{"sku":"A7" x","name":"n"}',
    '{"sku":"A"7","name":"n"}',
    '{"sku":"A","B","name":"n"}',
    '{"sku":"A7',
    '{"name":"5" wide","sku":"A7"}',
    '{"name":"see "sku":"A7" here","msrp":1}',
    '{"name":"see ","sku":"A7" here","msrp":1}',
    '{"more":{"sku":"A7"},"more":1}',
    '{"more":{"sku":"A7","x":1',
    '{"more":[{"sku":"A7"}],"name":"n"',
    '{"more":{"x":"5" y","sku":"A7"},"z":1}',
    '{"more":[],"msrp":',
    '{"sku":{"sku":"A7"},"name":"n",}',
    '{"sku":null,"name":1,}',
    '{"sku":"A\\q7","name":1}',
    '{"sku":"\\ud800","name":1}',
    '["sku","A7"]',
    '"sku":"A7"}',
]


@pytest.mark.parametrize(("broken", "key"), [*KEYED.items(), *((text, "") for text in DOUBTFUL)])
@pytest.mark.parametrize("shape", ["lines", "handed back"])
def test_a_broken_product_shows_its_key_where_it_stands_at_the_top_without_a_doubt(tmp_path, broken, key, shape):
    line = broken if shape == "lines" else json.dumps({"_raw": broken, "_row": "2", "_correction_of": "1"})
    found = read(tmp_path, f'{{"name":"x","sku":"a","msrp":1}}\n{line}\n{{"sku":"c"}}\n'.encode())
    assert found.codes == ["ROW_JSON"]
    told = dict(zip(found.source.headers, found.rejects[0].cells, strict=False))
    assert told.get("sku", "") == key


@pytest.mark.parametrize(
    "filling",
    [b'"' * 4, b'"\\', b"[", b"{", b"[]", b'{"a":', b'"a":1,', b'"a" ', b'"a",', b" ", b"\\", b"a", b'\\"', b"\xff"],
)
@pytest.mark.parametrize("before", [b'{"sku":"A7",', b'{"x":"', b'{"x":', b'{"x":[', b'{"x":"y" '])
def test_a_hostile_product_is_looked_at_once(filling, before):
    size = 1024**2
    begun = time.process_time()
    found = remnant.of(before + filling * (size // len(filling)))
    assert time.process_time() - begun < 1  # a second look at every byte from every byte would take hours
    assert set(found) <= {"sku", "a", "x"}


def test_many_broken_products_under_many_columns_keep_no_more_cells_than_bytes(tmp_path):
    names = ",".join(f'"c{number}":1' for number in range(4000))
    found = read(tmp_path, f'{{{names},"sku":"A"}}\n'.encode() + b'{"sku":"B"\n' * 1000 + b'{"sku":"C"}\n')
    assert len(found.rejects) == 1000
    assert sum(len(reject.cells) for reject in found.rejects) <= 11_000
