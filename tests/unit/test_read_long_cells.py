"""A quoted cell over thousands of lines is one cell if it closes, wherever a block of the file ends, and no row stands in it."""

import pytest

from sftp_gateway.catalog.read import bounds
from tests.unit.reading import read

BEGIN = b"sku,name,note\n"
LONG = b"lorem ipsum, and so\n" * (bounds.QUOTE_LINES + 500)


def rows(count: int) -> bytes:
    return b"".join(b"A-%07d,Lamp,bright\n" % n for n in range(count))


@pytest.mark.parametrize("before", [3, bounds.BLOCK_BYTES // 22])
def test_a_cell_over_more_lines_than_an_open_quote_may_have_is_kept(tmp_path, before):
    found = read(tmp_path, BEGIN + rows(before) + b'B,Mug,"' + LONG + b'"\n' + rows(3))
    assert len(found.rows) == before + 4
    assert found.rows[before] == ("B", "Mug", LONG.decode())


def test_two_damaged_quotes_far_apart_cost_no_row_between_them(tmp_path):
    found = read(tmp_path, BEGIN + b'B,"Mug,x\n' + rows(bounds.QUOTE_LINES + 500) + b'C,Mug",x\n')
    assert len(found.rows) == bounds.QUOTE_LINES + 500


@pytest.mark.parametrize(("end", "code"), [(b'",bright\n', None), (b"", "ROW_QUOTE")])
def test_a_first_row_that_goes_on_beyond_what_is_looked_at_first_costs_no_more_than_itself(tmp_path, end, code):
    """The file was refused: its rows were said to have one column."""
    cell = (b"x" * 1000 + b"\n") * (bounds.SAMPLE_BYTES // 1000)
    found = read(tmp_path, BEGIN + b'B,"' + cell + end + rows(9))
    assert [row[0] for row in found.rows[-9:]] == [f"A-{n:07d}" for n in range(9)]
    assert found.rejects[0].finding.code == code if code else found.rows[0] == ("B", cell.decode(), "bright")
