"""Texts, words, links and maps: what is kept as sent, what is named, what is put in order."""

import json

import pyarrow as pa
import pytest

from sftp_gateway.catalog.types import links, maps, text, words
from sftp_gateway.catalog.types.cells import Cells
from sftp_gateway.catalog.types.typing import Reading


def cells(*texts: str) -> Cells:
    return Cells(pa.array(texts, pa.string()))


def codes(reading: Reading) -> dict[int, str]:
    return {int(row): fault.code for fault in reading.faults for row in fault.rows}


@pytest.mark.parametrize(
    "value", ["NA", "null", "007", "true", " Blue ", "a\nb", "a\r\nb\tc", "4006381333931", "=1+1", "茶壶", "-"]
)
def test_text_is_kept_as_sent(value):
    assert text.read(cells(value)).values.to_pylist() == [value]


@pytest.mark.parametrize("value", ["", " ", "\t\n", "\u00a0", "\u3000 "])
def test_white_space_is_blank(value):
    assert text.read(cells(value)).values.to_pylist() == [None]
    assert text.read(cells(value), key=True).values.to_pylist() == [None]


def test_keys_are_trimmed_and_composed_and_keep_their_case():
    reading = text.read(cells(" A-1\u00a0", "cafe\u0301", "a-1"), key=True)
    assert reading.values.to_pylist() == ["A-1", "café", "a-1"]


def test_control_characters_are_left_out_and_nul_is_an_error():
    reading = text.read(cells("a\x0bb", "c\x00d", "e", "f\x7f"))
    assert reading.values.to_pylist() == ["ab", None, "e", "f"]
    assert codes(reading) == {0: "FIELD_CONTROL_CHAR", 1: "FIELD_CONTROL_CHAR", 3: "FIELD_CONTROL_CHAR"}
    assert {fault.severity for fault in reading.faults} == {"error", "warning"}
    assert text.read(cells("a\x0bb"), key=True).values.to_pylist() == [None]


@pytest.mark.parametrize(
    ("value", "meant"),
    [("CafÃ©", "Café"), ("itâ€™s", "it’s"), ("20Â°", "20°"), ("MÃ¼ller", "Müller"), ("Ã‰tÃ©", "Été")],
)
def test_broken_letters_are_warned_of_and_never_repaired(value, meant):
    reading = text.read(cells(value, "fine"))
    assert reading.values.to_pylist() == [value, "fine"]
    assert codes(reading) == {0: "FIELD_MOJIBAKE"}
    assert meant in reading.faults[0].suggestion[0]


@pytest.mark.parametrize("value", ["SÃO PAULO", "Château", "it’s", "20°", "naïve «quote»", "PÂTE", "€ 5"])
def test_letters_that_only_look_strange_are_fine(value):
    assert text.read(cells(value)).faults == []


def test_the_replacement_character_is_a_broken_letter():
    assert codes(text.read(cells("Caf\ufffd"))) == {0: "FIELD_MOJIBAKE"}


def test_scientific_notation_is_damage_only_where_article_numbers_stand():
    assert codes(text.read(cells("4.00638E+12", "1E+05"), identifier=True)) == dict.fromkeys(
        (0, 1), "FIELD_EXCEL_SCIENTIFIC"
    )
    assert text.read(cells("2E10", "E+12", "A1E+05"), identifier=True).faults == []
    assert text.read(cells("4.00638E+12")).faults == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("true", True),
        ("FALSE", False),
        ("Yes", True),
        ("n", False),
        ("1", True),
        ("0", False),
        ("WAHR", True),
        ("si\u0301", True),
        ("ВКЛ", None),
        ("SÌ", True),
        ("si\u0300", True),
        ("nein", False),
        ("да", True),
        ("Нет", False),
        ("是", True),
        ("否", False),
        ("はい", True),
        ("HAYIR", False),
        ("ne", None),  # no to Czechs and Croats, yes to Koreans and Greeks
        ("-1", None),
    ],
)
def test_booleans_in_the_words_people_and_spreadsheets_use(value, expected):
    reading = words.read_boolean(cells(value, " "))
    assert reading.values.to_pylist() == [expected, None]
    assert codes(reading) == ({} if expected is not None else {0: "FIELD_TYPE"})


def test_minus_one_may_be_a_draft_or_a_yes_and_is_told_so():
    [fault] = words.read_boolean(cells("1", "-1", "perhaps")).faults
    said = fault.suggestion.to_pylist()
    assert "draft" in said[0]
    assert said[1] == "write true or false"


def test_currencies_and_countries_are_codes_and_suggest_the_nearest():
    reading = words.read_currency(cells("usd", "EUR", "€", "EURR"))
    assert reading.values.to_pylist() == ["USD", "EUR", None, None]
    assert reading.faults[0].suggestion.to_pylist() == ["write EUR", "did you mean EUR?"]
    reading = words.read_country(cells("us", "Germany", "XX"))
    assert reading.values.to_pylist() == ["US", None, None]
    assert reading.faults[0].suggestion.to_pylist() == ["write DE", "write a code like US or DE"]


def test_allowed_values_suggest_the_nearest():
    faults = words.outside(pa.array(["new", "New", "usd", None, "xyzzy"]), ("new", "used"))
    assert faults[0].rows.tolist() == [1, 2, 4]
    assert faults[0].suggestion.to_pylist() == ["did you mean new?", "did you mean used?", ""]
    assert "new, used" in faults[0].message


A, B = "https://img.example.com/a.jpg", "https://img.example.com/b.jpg"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (A, A),
        (f"{A} {B}", f"{A}|{B}"),
        (f"{A},{B}", f"{A}|{B}"),
        (f"{A} , {B}", f"{A}|{B}"),
        (f"{A}|{B}", f"{A}|{B}"),
        (f"{A};\n{B}", f"{A}|{B}"),
        ("/m/h/a.jpg,/m/h/b.jpg", "/m/h/a.jpg|/m/h/b.jpg"),
        (f"{A}|/b.jpg", f"{A}|/b.jpg"),
        (f"{A}|", A),
        ("http://e.com/a,b.jpg", "http://e.com/a,b.jpg"),
        ("HTTP://e.com/a.jpg", "HTTP://e.com/a.jpg"),
        ("https://e.com/é.jpg", "https://e.com/é.jpg"),
    ],
)
def test_pictures_are_split_only_before_an_address_or_a_path(value, expected):
    for others in ((), (A,), (f"{A} {B}",)):
        reading = links.read_links(cells(value, *others, ""))
        assert reading.values.to_pylist()[0] == expected
        assert reading.values.to_pylist()[-1] is None
        assert reading.faults == []


@pytest.mark.parametrize(
    ("value", "left", "bad"),
    [
        ("a.jpg", None, ["a.jpg"]),
        (f"{A} b.jpg", None, [f"{A} b.jpg"]),
        (f"b.jpg|{A}", A, ["b.jpg"]),
        (f"{A}|b.jpg|{B}", f"{A}|{B}", ["b.jpg"]),
        (f"{A} | b.jpg", A, ["b.jpg"]),
        (f"a.jpg,{A}|ftp://e.com/a|/c.jpg", f"{A}|/c.jpg", ["a.jpg", "ftp://e.com/a"]),
        ("https://", None, ["https://"]),
        (f"https:///x.jpg|{A}", A, ["https:///x.jpg"]),
        ("ftp://e.com/a.jpg", None, ["ftp://e.com/a.jpg"]),
    ],
)
def test_a_bad_picture_is_left_out_with_a_warning(value, left, bad):
    reading = links.read_links(cells(A, value))
    assert reading.values.to_pylist() == [A, left]
    assert [item for fault in reading.faults for item in fault.values.to_pylist()] == bad
    assert set(codes(reading).values()) == {"FIELD_ITEM"}


def test_other_lists_are_split_at_bars_and_commas_and_keep_their_order():
    assert links.read_words(cells("b, a|c", ",,", "x", "", " y , ")).values.to_pylist() == [
        "b|a|c",
        None,
        "x",
        None,
        "y",
    ]


@pytest.mark.parametrize(
    ("cell", "items"),
    [
        ('["Home, Garden", "Sale"]', "Home, Garden|Sale"),
        (' [" a ", "", null, "b,c", 1.50, true, ","]\n', "a|b,c|1.50|true|,"),
        ("[]", None),
        ('["", null]', None),
        ('["a\\u0007b"]', "ab"),
        ('["[x]"]', "[x]"),
        ("[x, y]", "[x|y]"),
        ('["x", ["y"]]', '["x"|["y"]]'),
        ('["\\ud800"]', '["\\ud800"]'),
        ("[" * 60_000 + "]" * 60_000, "[" * 60_000 + "]" * 60_000),
    ],
)
def test_an_array_of_words_says_where_its_items_end(cell, items):
    reading = links.read_words(cells("a, b", cell, "", "c|d"))
    assert reading.values.to_pylist() == ["a|b", items, None, "c|d"]
    assert set(codes(reading)) <= {1}


def test_a_word_with_a_bar_is_told_for_a_list_is_written_with_bars():
    reading = links.read_words(cells("a|b", '["a|b", "c"]', '["d", "e|f"]'))
    assert reading.values.to_pylist() == ["a|b", "a|b|c", "d|e|f"]
    [fault] = reading.faults
    assert (fault.code, fault.severity, fault.rows.tolist()) == ("FIELD_ITEM", "warning", [1, 2])
    assert fault.values.to_pylist() == ["a|b", "e|f"]


def test_a_word_of_an_array_with_a_nul_is_an_error_of_its_row():
    reading = links.read_words(cells("a", '["b\\u0000", "c, d"]'))
    assert codes(reading) == {1: "FIELD_CONTROL_CHAR"}
    assert reading.faults[0].severity == "error"


def test_an_array_of_pictures_is_not_split_inside_an_address():
    urls = ["https://e.com/w_1,/a b.jpg", "https://e.com/a,/b.jpg", "/c.jpg"]
    reading = links.read_links(cells("https://e.com/1.jpg, /2.jpg", json.dumps(urls)))
    assert reading.values.to_pylist() == ["https://e.com/1.jpg|/2.jpg", "https://e.com/a,/b.jpg|/c.jpg"]
    assert [(fault.code, fault.rows.tolist(), fault.values.to_pylist()) for fault in reading.faults] == [
        ("FIELD_ITEM", [1], urls[:1])
    ]


def test_what_a_picture_lacks_is_told_as_it_is():
    """A path with a space starts with /."""
    reading = links.read_links(cells(json.dumps(["/a b.jpg", f"{A}|x", "b c.jpg", "ftp://e.com/a"])))
    told = {value: fault.message for fault in reading.faults for value in fault.values.to_pylist()}
    assert [("holds a space" in told[bad], "neither" in told[bad]) for bad in ("/a b.jpg", f"{A}|x")] == [
        (True, False)
    ] * 2
    assert [("holds a space" in told[bad], "neither" in told[bad]) for bad in ("b c.jpg", "ftp://e.com/a")] == [
        (False, True)
    ] * 2


def test_urls_must_be_whole():
    reading = links.read_url(cells("https://e.com/x", "www.e.com/y", "x y", "", "HTTP://E.COM"))
    assert reading.values.to_pylist() == ["https://e.com/x", None, None, None, "HTTP://E.COM"]
    assert codes(reading) == {1: "FIELD_TYPE", 2: "FIELD_TYPE"}
    assert reading.faults[0].suggestion[0].as_py() == "write https://www.e.com/y"


def test_maps_from_named_columns_are_json_with_sorted_names():
    named = {"Width": cells("Regular", "", 'a"b\\'), "Color": cells("Red", "Blue", "")}
    values = maps.read(named, [], [], 3).values.to_pylist()
    assert values == ['{"Color": "Red", "Width": "Regular"}', '{"Color": "Blue"}', '{"Width": "a\\"b\\\\"}']


def test_all_ways_of_writing_a_map_give_one_text():
    bare = maps.read({}, [cells("Width: Regular|Color: Red")], [], 1).values.to_pylist()
    pairs = maps.read(
        {}, [], [(cells("Color"), cells("Red")), (cells("Width"), cells("Regular"))], 1
    ).values.to_pylist()
    named = maps.read({"Width": cells("Regular"), "Color": cells("Red")}, [], [], 1).values.to_pylist()
    mixed = maps.read({"Color": cells("Red")}, [cells("Width: Regular; Color: Blue")], [], 1).values.to_pylist()
    sent_as_json = maps.read({}, [cells('{"Width": "Regular", "Color": "Red", "Fit": null}')], [], 1).values.to_pylist()
    assert bare == pairs == named == mixed == sent_as_json == ['{"Color": "Red", "Width": "Regular"}']


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("Width: Regular", {"Width": "Regular"}),
        ("a=1,b=2|3,c=x y", {"a": "1", "b": "2|3", "c": "x y"}),
        ("Material: cotton, wool", {"Material": "cotton, wool"}),
        ("Link: http://e.com/x", {"Link": "http://e.com/x"}),
        ("Fit:", {}),
        ("Regular", None),
        ('{"a": {"b": 1}}', None),
        ('{"a": 1.50}', {"a": "1.50"}),
        (
            '{"n": 123456789.123456789123, "big": 1e400, "on": true}',
            {"n": "123456789.123456789123", "big": "1e400", "on": "true"},
        ),
        ('{"a": NaN}', None),
        ('{"Color": "red"', None),
        (
            '[{"name": "Color", "value": "red"}, {"id": 7, "name": "Size", "option": "L"}]',
            {"Color": "red", "Size": "L"},
        ),
        ('[{"name": "Color", "options": ["red", "blue"]}, {"name": "Fit", "options": []}]', {"Color": "red, blue"}),
        ('[{"name": "Color", "options": [["red"]]}]', None),
        ('[{"name": "Color", "options": {"red": 1}}]', None),
        ('[{"name": "Color", "value": null}]', {}),
        ('[{"name": "Color"}]', None),
        ('[{"name": "Color", "value": ["red", "blue"]}]', None),
        ('["Color", "red"]', None),
        ("[[]]", None),
        ("[Color: red]", None),
        ('{"a": "x\\u0000"}', None),
        ('{"a": "\\ud800"}', None),
        ("Aspect ratio: 16:9, 4:3", {"Aspect ratio": "16:9, 4:3"}),
        ("Time: 10:30, 11:30; Color: red", {"Time": "10:30, 11:30", "Color": "red"}),
        ("Size: L, 3D: yes", {"Size": "L", "3D": "yes"}),
        ("Manual: a.pdf, https://e.com/b", {"Manual": "a.pdf, https://e.com/b"}),
        ("https://e.com/b", None),
        ("Color: red, Color: red", {"Color": "red"}),
    ],
)
def test_a_bare_cell_says_names_and_values(cell, expected):
    assert maps.parse(cell) == expected


def test_of_several_bare_columns_the_first_that_names_an_entry_counts():
    found = maps.read({}, [cells("Color: red", ""), cells("Color=blue, Fit=L", "Color=blue")], [], 2)
    assert found.values.to_pylist() == ['{"Color": "red", "Fit": "L"}', '{"Color": "blue"}']


def test_a_bare_cell_without_a_name_is_an_error():
    reading = maps.read({}, [cells("Width: Regular", "Regular")], [], 2)
    assert codes(reading) == {1: "FIELD_TYPE"}


@pytest.mark.parametrize("cell", ["Color: red, Color: blue", '{"Color": "red", "Color": "blue"}'])
def test_a_bare_cell_that_says_two_values_of_one_name_is_an_error(cell):
    reading = maps.read({}, [cells("Color: red", cell)], [], 2)
    assert codes(reading) == {1: "FIELD_TYPE"}
    assert reading.faults[0].message == "says two values of one name"
    assert reading.faults[0].values.to_pylist() == [cell]


def test_control_characters_leave_maps_and_addresses_as_they_leave_text():
    bare = maps.read({}, [cells("Color: re\x07d", "Color: re\x00d")], [], 2)
    pairs = maps.read({}, [], [(cells("Co\x07lor", "Color"), cells("red", "re\x00d"))], 2)
    for reading in (bare, pairs):
        assert reading.values.to_pylist() == ['{"Color": "red"}', None]
        told = {int(row): (fault.code, fault.severity) for fault in reading.faults for row in fault.rows}
        assert told == {0: ("FIELD_CONTROL_CHAR", "warning"), 1: ("FIELD_CONTROL_CHAR", "error")}
    url = links.read_url(cells("https://e.com/a\x07b", "https://e.com/a\x00b", "https://e.com/\x7fc"))
    assert url.values.to_pylist() == ["https://e.com/ab", None, "https://e.com/c"]
    assert [(fault.code, fault.rows.tolist()) for fault in url.faults] == [
        ("FIELD_CONTROL_CHAR", [1]),
        ("FIELD_CONTROL_CHAR", [0, 2]),
    ]


def test_shopifys_placeholder_for_no_options_is_no_entry():
    pairs = [(cells("Title"), cells("Default Title"))]
    assert maps.read({}, [], pairs, 1).values.to_pylist() == [None]


def test_a_partial_map_changes_only_the_entries_sent():
    sent = maps.read({"Color": cells("Blue", "\\N", "")}, [], [], 3, clear="\\N").values
    assert sent.to_pylist() == ['{"Color": "Blue"}', '{"Color": null}', None]
    current = pa.array(['{"Color": "Red", "Width": "R"}', '{"Color": "Red"}', '{"Width": "R"}'])
    once_text = maps.merge(pa.array(["Color: red, Color: blue"]), pa.array(['{"Width": "R"}']))
    assert once_text.to_pylist() == ['{"Width": "R"}']
    merged = [None if value is None else json.loads(value) for value in maps.merge(current, sent).to_pylist()]
    assert merged == [{"Color": "Blue", "Width": "R"}, None, {"Width": "R"}]
