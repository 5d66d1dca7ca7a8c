"""A backslash before a quote, where cells over several lines follow: each row ends where it ends."""

import itertools
import time

import pytest

from sftp_gateway.catalog.read.csv import careful
from sftp_gateway.catalog.read.csv.dialect import Dialect
from tests.unit.reading import read

BEGIN = b"sku,name,msrp,note\n"
ROWS = b"".join(b"A-%d,Lamp,%d.50,bright\n" % (n, n) for n in range(10, 18))


def test_two_rows_with_an_escaped_quote_and_a_text_over_lines_are_two_rows(tmp_path):
    two = b'A-1,"Mug 27\\" ash",9.50,"care, and\n\nroom"\nA-2,"Rug 20\\" oak",8.50,"made, a\n\nfresh"\n'
    found = read(tmp_path, BEGIN + ROWS + two + ROWS)
    assert found.rows[8:10] == [
        ("A-1", 'Mug 27" ash', "9.50", "care, and\n\nroom"),
        ("A-2", 'Rug 20" oak', "8.50", "made, a\n\nfresh"),
    ]
    assert len(found.rows) == 18


def test_an_escaped_quote_in_a_row_whose_quote_does_not_close_costs_that_row_only(tmp_path):
    found = read(tmp_path, BEGIN + ROWS + b'A-1,"Mug 27\\" ash,9.50,"care\n' + ROWS)
    assert len(found.rows) == 16
    assert found.codes == ["ROW_QUOTE"]


@pytest.mark.parametrize("first", [b"", b"sep=,\r\n"])
@pytest.mark.parametrize("space", [b"", b" "])
def test_two_damaged_rows_do_not_hide_the_backslashes_in_all_others(tmp_path, first, space):
    rows = [(str(number), f'{{"k": {number}, "t": ["a", null]}}', "x") for number in range(40)]
    text = [(b"," + space).join(b'"' + cell.replace('"', '\\"').encode() + b'"' for cell in row) for row in rows]
    text[9] = text[9][:-1]
    text[20] = (b"," + space).join([b"'20'", b'\'{"k": 20, "t": ["a", null]}\'', b"'x'"])
    data = first + b"\r\n".join([b"id,data,note".replace(b",", b"," + space), *text, b""])
    found = read(tmp_path, data, lenient=True, complete=True, known_headers=frozenset())
    assert found.source.headers == ("id", "data", "note")
    assert [row for row in found.rows if row[0] != "20"] == [row for row in rows if row[0] not in {"9", "20"}]


def test_one_row_between_apostrophes_makes_no_quote_of_them_where_others_have_backslashes_in_theirs(tmp_path):
    rows = [(str(number), "plain", "text") for number in range(30)]
    text = ["\t".join(row) for row in rows]
    for place in range(0, 30, 5):
        text[place] = f'{place}\t"a \\"b, c\\""\ttext'
    text[7] = "'7'\t'plain'\t'text'"
    found = read(tmp_path, "\n".join(["id\twhat\tnote", *text, ""]).encode(), lenient=True, complete=True)
    assert found.rows == [(no, 'a "b, c"' if int(no) % 5 == 0 else what, note) for no, what, note in rows]


def test_two_quotes_with_a_backslash_each_are_two(tmp_path):
    found = read(tmp_path, BEGIN + ROWS + b'A-1,"Mug, \\"\\" ash",9.50,"care ""so"" much"\n' + ROWS)
    assert found.rows[8] == ("A-1", 'Mug, "" ash', "9.50", 'care "so" much')


def test_a_backslash_stands_before_a_quote_in_the_second_line_of_a_row_too(tmp_path):
    rows = [("A-1", "Mug", "9.50", 'large\n<p>12" high</p>'), ("A-2", "Rug", "8.50", 'old\n<p>20" wide</p>')]
    text = "".join(",".join('"' + cell.replace('"', '\\"') + '"' for cell in row) + "\n" for row in rows)
    found = read(tmp_path, BEGIN + ROWS + text.encode() + ROWS)
    assert found.rows[8:10] == rows
    assert len(found.rows) == 18


def test_where_nobody_escapes_a_damaged_row_does_not_look_through_all_rows_behind_it():
    rows = [b'S-%05d,"broken text,1.50\n' % n if n % 2 else b'S-%05d,"plain, red",1.50\n' % n for n in range(40_000)]
    text = careful.Text(b"".join(rows) + b'A,"x\\"y",1\nB,"z",2\n', Dialect(","), 3, final=True)
    starts = list(itertools.accumulate((len(row) for row in rows), initial=0))
    begun = time.process_time()
    assert {text.escape_behind(start) for start in starts} == {starts[-1] + 4}
    assert text.escape_behind(starts[-1] + 5) == len(text.data)
    assert text.escape_behind(0) == starts[-1] + 4
    assert time.process_time() - begun < 1  # a minute otherwise
