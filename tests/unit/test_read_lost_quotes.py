"""A quote that ends a cell and opens none: an inch mark, or the rest of a quoted cell; and rows in quotes of the other kind."""

import pytest

from tests.unit.reading import read

BEGIN = b"sku,name,msrp,color\n"
ROWS = b"".join(b'A-%d,"Lamp, small",%d.50,red\n' % (n, n) for n in range(10, 18))


@pytest.mark.parametrize("row", [b'A-99",Lamp,9.50,red\n', b'A-99,Lamp",9.50,red\n', b'A-99,Lamp,9.50",red\n'])
def test_a_cell_that_ends_with_a_quote_is_not_kept_with_it_where_the_opening_one_may_be_lost(tmp_path, row):
    found = read(tmp_path, BEGIN + ROWS + row + ROWS)
    assert len(found.rows) == 16
    assert found.codes == ["ROW_QUOTE"]


@pytest.mark.parametrize("name", [b'Pipe 5"', 'Pipe 5½"'.encode(), b'5" pipe', b'12" Monitor'])
def test_an_inch_mark_in_a_text_is_kept(tmp_path, name):
    found = read(tmp_path, BEGIN + ROWS + b"A-99," + name + b",9.50,red\n" + ROWS)
    assert found.rows[8] == ("A-99", name.decode(), "9.50", "red")


@pytest.mark.parametrize("text", [b'said "never again"', b"it''s, well", b"O''Neil"])
def test_a_row_in_the_other_quotes_is_read_by_them_whatever_stands_in_them(tmp_path, text):
    row = b"'A-99','" + text + b"','9.50','red'\n"
    found = read(tmp_path, BEGIN + ROWS + row + ROWS)
    assert found.rows[8:-8] in ([("A-99", text.decode().replace("''", "'"), "9.50", "red")], [])


def test_texts_that_begin_with_a_word_in_quotes_do_not_hide_that_cells_stand_in_single_ones(tmp_path):
    texts = ["'light; dry'", '"nose" of oak', "'O''Neil;\nold'", '"hint" of rye']
    rows = [f"A-{n};Lamp;{n}.50;{texts[n % 4]}\n" for n in range(10, 30)]
    found = read(tmp_path, BEGIN.replace(b",", b";") + "".join(rows).encode())
    assert {row[3] for row in found.rows} == {"light; dry", '"nose" of oak', "O'Neil;\nold", '"hint" of rye'}
    assert len(found.rows) == 20


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_rows_between_one_that_lost_its_closing_and_one_that_lost_its_opening_quote_are_kept(tmp_path, end):
    plain = [b"A-%d,Lamp,%d.50,red" % (n, n) for n in range(10, 30)]
    rows = [*plain[:5], b'B-1,"Lamp,9.50,red', *plain[5:15], b'B-2,Lamp",9.50,red', *plain[15:]]
    found = read(tmp_path, end.join([BEGIN.rstrip(), *rows, b""]))
    assert [row[0] for row in found.rows if row[0] != "B-2"] == [row[:4].decode() for row in plain]
    assert set(found.codes) == {"ROW_QUOTE"}


@pytest.mark.parametrize("price", [b'9".50', b'"9"50"', b'9,"50'])
def test_a_quote_in_the_middle_of_a_number_is_no_part_of_it(tmp_path, price):
    rows = (BEGIN + ROWS).replace(b",", b";")
    found = read(tmp_path, rows + b"A-99;Lamp;" + price + b";red\n" + ROWS.replace(b",", b";"))
    assert len(found.rows) == 16
    assert found.codes == ["ROW_QUOTE"]
