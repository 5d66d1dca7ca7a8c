"""Unusual ways to separate cells: any sign, several signs, each line in quotes as a whole."""

import csv
import io

import pytest

from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.csv import separators
from tests.unit.reading import read

ROWS = [
    ("S1", "a chair, red", "1.50", "https://x.example/a?b=1;c=2|3"),
    ("S2", "", "2.50", '{"a": [1, 2]}'),
    ("S3", "two\nlines", "3.50", ""),
    ("S4", '5" pipe', "4.50", "~ and ^"),
]
HEADER = ("Code", "What it is", "Price", "More")


def text(delimiter, rows, *, every=False):
    def cell(value):
        needed = every or any(part in value for part in (delimiter, '"', "\n")) or value.startswith(delimiter[-1])
        return '"' + value.replace('"', '""') + '"' if needed else value

    return "".join(delimiter.join(map(cell, row)) + "\n" for row in rows)


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize(
    "delimiter", ["||", "::", ";;", "\t\t", ", ", "\\t", "~|~", "^", "~", ":", "\x01", "\x1f", "¦", "§"]
)
def test_any_sign_or_several_may_separate_the_cells(tmp_path, monkeypatch, delimiter, every):
    monkeypatch.setattr(bounds, "BLOCK_BYTES", 100)  # a delimiter may be cut in two where a block ends
    data = text(delimiter, [HEADER, *ROWS * 5], every=every).encode()
    found = read(tmp_path, data)
    assert found.source.format.delimiter == delimiter
    assert found.source.headers == HEADER
    assert found.rows == ROWS * 5
    assert not found.rejects
    assert found.raws[0] == text(delimiter, ROWS[:1], every=every).encode().rstrip(b"\n")


def test_a_row_with_a_cell_too_many_between_several_signs_is_rejected_as_it_was_sent(tmp_path):
    data = text("||", [HEADER, *ROWS]).encode() + b'S5||"x||y"||5||z||6\n'
    found = read(tmp_path, data)
    assert found.rows == ROWS
    assert found.codes == ["ROW_COLUMNS"]
    assert found.rejects[0].raw == b'S5||"x||y"||5||z||6'
    assert found.rejects[0].cells == ("S5", "x||y", "5", "z", "6")


def test_every_second_column_may_be_empty_where_the_header_names_it(tmp_path):
    found = read(tmp_path, b"a,b,c\n1,,3\n4,,6\n")
    assert found.source.headers == ("a", "b", "c")
    assert found.rows == [("1", "", "3"), ("4", "", "6")]


def test_a_usual_delimiter_that_fits_is_not_doubted(tmp_path):
    found = read(tmp_path, b"a:b,c:d\n1:2,3:4\n5:6,7:8\n")
    assert found.source.headers == ("a:b", "c:d")


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("header", [True, False])
def test_lines_in_quotes_as_a_whole_are_taken_out_of_them_and_that_is_said(tmp_path, delimiter, header):
    lines = [text(delimiter, [row]).rstrip("\n") for row in [HEADER, *ROWS]]
    wrapped = ['"' + line.replace('"', '""') + '"' for line in lines]
    if not header:
        wrapped[0] = lines[0]
    data = "\r\n".join(wrapped).encode()
    found = read(tmp_path, data, complete=True)
    assert found.source.headers == HEADER
    assert found.rows == ROWS
    assert [finding.code for finding in found.source.findings] == ["ROW_QUOTE_REPAIRED"]
    assert found.raws == [b""] * 4  # they are no rows under the header


def test_one_column_of_quoted_sentences_is_no_wrapped_table(tmp_path):
    data = b'name\n"a chair, red"\n"a table, and a lamp, blue"\n"a lamp, green"\n'
    found = read(tmp_path, data)
    assert found.source.headers == ("name",)
    assert found.rows == [("a chair, red",), ("a table, and a lamp, blue",), ("a lamp, green",)]


def test_backslashes_before_quotes_are_told_though_they_make_one_cell_of_two_in_each_row(tmp_path):
    rows = b"".join(b'P%d,"tube %d\\"","red, long",%d\n' % (n, n, n) for n in range(5))
    found = read(tmp_path, b"Part,What,Colour,Pieces\n" + rows)
    assert found.source.headers == ("Part", "What", "Colour", "Pieces")
    assert found.rows == [(f"P{n}", f'tube {n}"', "red, long", str(n)) for n in range(5)]
    assert [finding.code for finding in found.source.findings] == ["ROW_QUOTE_REPAIRED"]
    assert found.raws[1] == b'P1,"tube 1\\"","red, long",1'


def test_one_row_is_enough_to_tell_backslashes_under_a_header_that_it_does_not_fit(tmp_path):
    found = read(tmp_path, b'Part,What,Colour,Pieces\nP1,"tube 5\\"","red, long",1\n')
    assert found.rows == [("P1", 'tube 5"', "red, long", "1")]


def test_a_comma_in_a_single_line_is_no_delimiter_where_another_sign_makes_the_header_and_its_row(tmp_path):
    data = (
        "As of: today\nAs of: today\n'Part'¦'What'¦'Text'¦'Colour'¦'Pieces'\n'P1'¦'tube'¦'a, b'¦'red'¦'1'\n\n1 rows\n"
    )
    found = read(tmp_path, data.encode(), complete=True)
    assert found.source.headers == ("Part", "What", "Text", "Colour", "Pieces")
    assert found.rows == [("P1", "tube", "a, b", "red", "1")]


@pytest.mark.parametrize("delimiter", ["||", "::", "\t\t", ";;"])
@pytest.mark.parametrize("header", [True, False])
def test_a_doubled_delimiter_is_told_below_another_table_and_without_a_header(tmp_path, delimiter, header):
    rows = [("P1", "tube", "a-b", "red", "1"), ("P2", "pipe", "c d", "", "2"), ("P3", "bolt", "e f", "red", "3")]
    above = [("Shop", "City", "Land"), ("North", "Berlin", "DE")] if header else []
    names = [("Part", "What", "Text", "Colour", "Pieces")] if header else []
    lines = [*map(delimiter.join, above), *([""] if above else []), *map(delimiter.join, names + rows)]
    found = read(tmp_path, "\r\n".join(lines).encode(), complete=True, lenient=True)
    assert found.rows == rows
    if header:
        assert found.source.headers == names[0]


@pytest.mark.parametrize("delimiter", ["^", "~", "::", "~|~", "¦"])
@pytest.mark.parametrize("titles", [2, 3])
def test_a_single_product_below_titles_is_found_whatever_separates_its_cells(tmp_path, delimiter, titles):
    said = ["Made by hand, for you", "As of: today", "Every part"][:titles]
    rows = [("Part", "What", "Price", "Colour", "Pieces"), ("P1", "tube", "4.50", "dark red", "7")]
    found = read(tmp_path, "\n".join([*said, *map(delimiter.join, rows), ""]).encode(), complete=True)
    assert found.source.headers == rows[0]
    assert found.rows == rows[1:]


@pytest.mark.parametrize("delimiter", ["^", "~", "¦", "::"])
def test_as_many_spaces_in_each_line_are_no_delimiter_where_a_sign_gives_more_columns(tmp_path, delimiter):
    rows = [(f"P{n}", f"{what} cap", f"{n}.50", "dark red", "2026-01-0{n}") for n, what in enumerate(("a", "b", "c"))]
    found = read(tmp_path, "\n".join(map(delimiter.join, rows)).encode(), complete=True, lenient=True)
    assert found.rows == rows


def test_words_between_spaces_are_columns_where_no_sign_gives_more(tmp_path):
    found = read(tmp_path, b"P1 10:30 red\nP2 11:45 blue\nP3 12:00 green\n", complete=True, lenient=True)
    assert found.rows == [("P1", "10:30", "red"), ("P2", "11:45", "blue"), ("P3", "12:00", "green")]


def test_the_colon_of_each_address_separates_nothing_where_another_sign_nearly_fits(tmp_path):
    rows = [(f"P{number}", "tube", "4.50", "red", f"https://x.example/{number}") for number in range(20)]
    lines = ["~".join(row) for row in rows]
    lines[6] = "P6~tube~more~4.50~red~https://x.example/6"
    found = read(tmp_path, "\r".join(lines).encode(), complete=True, lenient=True)
    assert found.rows == rows[:6] + rows[7:]
    assert found.codes == ["ROW_COLUMNS"]


def test_several_signs_that_always_stand_together_are_one_delimiter_though_rows_are_damaged(tmp_path):
    above = [("Shop", "City", "Land"), ("North", "Berlin", "DE"), ("South", "Paris", "FR")]
    rows = [(f"P{number}", "tube", "4.50", "red", f"{number}") for number in range(12)]
    lines = ["~|~".join(row) for row in [*above, ("Part", "What", "Price", "Colour", "Pieces"), *rows]]
    lines.insert(3, "")
    lines[6] = lines[6].replace("tube", 'tu"be')
    lines[8] = lines[8].replace("~|~red", '~|~"red')
    found = read(tmp_path, "\n".join(lines).encode(), complete=True, lenient=True)
    assert found.source.headers == ("Part", "What", "Price", "Colour", "Pieces")
    assert found.rows == [rows[0], ("P1", 'tu"be', *rows[1][2:]), rows[2], *rows[4:]]
    assert [found.rejects[0].cells[0], len(found.rejects)] == ["P3", 1]


@pytest.mark.parametrize("titles", [[], ["Stand: heute"]])
def test_a_doubled_delimiter_is_told_beside_the_single_one_of_each_address(tmp_path, titles):
    rows = [(f"P{number}", "tube", "", "red", f"https://x.example/{number}") for number in range(8)]
    lines = ["::".join(row) for row in rows]
    lines[2] = lines[2].replace("::tube", "")
    found = read(tmp_path, "\n".join([*titles, *lines]).encode(), complete=True, lenient=True)
    assert found.rows == rows[:2] + rows[3:]


def test_columns_by_a_single_sign_are_kept_where_some_lines_have_blank_ones(tmp_path):
    found = read(tmp_path, b"a:b:c:d:e\n1::3::5\n1:2:3:4:5\n1::3:4:5\n", complete=True, lenient=True)
    assert found.rows == [("1", "", "3", "", "5"), ("1", "2", "3", "4", "5"), ("1", "", "3", "4", "5")]


@pytest.mark.parametrize("quote", ["'", '"'])
def test_cells_quoted_behind_a_space_are_taken_out_of_their_quotes_below_another_table(tmp_path, quote):
    above = [("Shop", "City"), ("North", "Berlin"), ("South", "Paris")]
    rows = [(f"P{number}", "tube, red", "4.50", f"{number}") for number in range(4)]
    table = [("Part", "What", "Price", "Pieces"), *rows]
    lines = [", ".join(f"{quote}{cell}{quote}" for cell in row) for row in [*above, *table]]
    found = read(tmp_path, "\n".join([*lines[:3], "", *lines[3:]]).encode(), complete=True, lenient=True)
    assert found.source.headers == table[0]
    assert found.rows == rows


@pytest.mark.parametrize(
    ("header", "row", "delimiter"),
    [
        ("x;y", "{0},5;{0},25", ";"),
        ("url\ttitle", "http://shop.example/?x=1,2;3|{0}\tTitle, {0}; x", "\t"),
        ("id,tags,n", "{0},a;b;c;d,{0}", ","),
        ("id;data", '{0};{{"a": {0}, "b": [1, 2]}}', ";"),
    ],
    ids=["decimal commas", "addresses", "lists", "JSON"],
)
def test_what_separates_the_header_and_all_rows_is_the_delimiter(tmp_path, header, row, delimiter):
    rows = [row.format(number) for number in range(12)]
    found = read(tmp_path, "\n".join([header, *rows]).encode(), complete=True, lenient=True)
    assert found.source.headers == tuple(header.split(delimiter))
    assert found.rows == [tuple(line.split(delimiter)) for line in rows]


def test_a_title_with_another_delimiter_does_not_make_it_the_delimiter(tmp_path):
    text = "Prices; of 2026\n" + "".join(f"S{number},Name {number},{number}.50\n" for number in range(12))
    found = read(tmp_path, text.encode(), complete=True, lenient=True)
    assert found.source.format.delimiter == ","
    assert len(found.rows) == 12


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_backslash_before_a_delimiter_keeps_it_in_its_cell(tmp_path, delimiter):
    rows = [
        [f"S{number}", f"Name{delimiter} {number}" if number % 3 else "Name", f"{number}.50"] for number in range(30)
    ]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_NONE, escapechar="\\", lineterminator="\n").writerows(
        [["sku", "name", "msrp"], *rows]
    )
    found = read(tmp_path, out.getvalue().encode(), complete=True)
    assert found.rows == list(map(tuple, rows))
    assert [finding.code for finding in found.source.findings] == ["ROW_QUOTE_REPAIRED"]
    assert found.raws == [line.encode() for line in out.getvalue().splitlines()[1:]]


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize(
    "cells", [("x y", "\\,a", "b\\,"), ("x, y", "2 \\, a", "3 \\, c"), ("x", "1\\, 2\\, 3", "5\\,")]
)
def test_a_backslash_before_a_delimiter_in_a_quoted_cell_is_text(tmp_path, cells, quote):
    rows = [(f"S{number}", cell, "1") for number, cell in enumerate((*cells, *("n" * 40)))]
    lines = [",".join(f"{quote}{cell}{quote}" for cell in row) for row in [("sku", "name", "msrp"), *rows]]
    found = read(tmp_path, "\n".join(lines).encode(), complete=True)
    assert (found.rows, found.source.findings) == (rows, ())


def test_backslashes_at_the_end_of_cells_shield_no_delimiter(tmp_path):
    rows = [(f"S{number}", "C:\\dir\\", f"{number}.50") for number in range(12)]
    text = "sku,name,msrp\n" + "".join(",".join(row) + "\n" for row in rows)
    assert read(tmp_path, text.encode(), complete=True).rows == rows


@pytest.mark.parametrize("count", [3, 8])
def test_a_notice_with_a_space_behind_each_comma_does_not_separate_the_few_rows_below_it(tmp_path, count):
    notice = [", ".join(["Notice", *(f"word{chr(97 + line + place)}" for place in range(3))]) for line in range(count)]
    rows = [(f"S{number}", f"Coat {number}", f"{number}.50", "red") for number in range(5)]
    text = "\n".join([*notice, "sku,name,msrp,color", *map(",".join, rows), ""])
    found = read(tmp_path, text.encode(), lenient=True)
    assert found.source.headers == ("sku", "name", "msrp", "color")
    assert found.rows == rows


@pytest.mark.parametrize("count", [2, 3])
def test_a_blank_cell_in_a_few_rows_of_two_columns_does_not_double_the_delimiter(tmp_path, count):
    rows = [(f"S{number}", f"{number}.50") for number in range(20)]
    lines = [",,".join(row) if place < count else ",".join(row) for place, row in enumerate(rows)]
    found = read(tmp_path, "\n".join(["sku,msrp", *lines, ""]).encode(), lenient=True)
    assert found.source.headers == ("sku", "msrp")
    assert found.rows == rows[count:]
    assert found.codes == ["ROW_COLUMNS"] * count


def test_what_stands_between_two_delimiters_may_be_no_text():
    assert all(delimiter.isprintable() for delimiter in separators.longer(b"sku|\xa9|1.50\nS1|a|2\n", "|"))
