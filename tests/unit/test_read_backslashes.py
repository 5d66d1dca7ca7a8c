"""A backslash before a quote, where cells over several lines follow: each row ends where it ends."""

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
