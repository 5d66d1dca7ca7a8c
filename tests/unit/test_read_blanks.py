"""Blanks around cells in quotes, which the rules do not allow: the quotes are still quotes, over several lines, too."""

import pytest

from sftp_gateway.catalog.read import bounds
from sftp_gateway.upload import State
from tests.catalog_shop import Shop
from tests.unit.reading import read

ROWS = [(f"S{number}", f"Name; {number}", f"line\nbreak {number}") for number in range(1, 30)]


def lines(before, *, first=True, behind=""):
    def cell(text):
        return f'{before}"{text}"{behind}'

    return [f"{sku};{cell(name) if first else name.replace('; ', ' ')};{cell(text)}\n" for sku, name, text in ROWS]


@pytest.mark.parametrize("before", [" ", "  "])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("behind", ["", " "])
def test_a_cell_over_two_lines_may_have_blanks_before_its_quote(tmp_path, monkeypatch, before, first, behind):
    monkeypatch.setattr(bounds, "BLOCK_BYTES", 100)  # a record may be cut where a block ends
    text = "sku;name;description\n" + "".join(lines(before, first=first, behind=behind))
    found = read(tmp_path, text.encode())
    assert not found.codes
    assert found.rows == [(sku, name if first else name.replace("; ", " "), text) for sku, name, text in ROWS]
    assert {note.code for note in found.notes} == {"ROW_QUOTE_REPAIRED"}


def test_few_rows_over_two_lines_show_their_columns(tmp_path):
    found = read(tmp_path, b'sku;text;n\n0;  "line\nbreak";0\n1;  "line\nbreak";1\n')
    assert found.source.headers == ("sku", "text", "n")
    assert found.rows == [("0", "line\nbreak", "0"), ("1", "line\nbreak", "1")]


@pytest.mark.parametrize(
    "odd", ['X1, "open,1.50,red\n', 'X1, "open,1.50,"red\n', ' "X1,open,1.50,red\n', 'X1,open,1.50, "red\n']
)
@pytest.mark.parametrize("behind", ['S9,Name 9,9.50,5"\n', 'S9,"Name",9.50,red\n', 'S9, "Name",9.50,red\n'])
def test_a_quote_behind_a_blank_that_does_not_close_costs_no_other_row(tmp_path, odd, behind):
    rows = [f"S{number},Name {number},{number}.50,red\n" for number in range(1, 9)]
    text = "".join(["sku,name,msrp,size\n", *rows, odd, behind, *(row.replace("S", "T") for row in rows)])
    found = read(tmp_path, text.encode())
    assert len(found.codes) == 1
    assert [row[0] for row in found.rows] == [f"S{n}" for n in range(1, 10)] + [f"T{n}" for n in range(1, 9)]


def test_an_upload_with_blanks_before_quotes_goes_live(tmp_path):
    shop = Shop(tmp_path)
    outcome = shop.put("sku;name;description;msrp\n" + "".join(line.replace('"\n', '";9.50\n') for line in lines(" ")))
    assert outcome.state is State.PUBLISHED
    assert {product["description"] for product in shop.products().values()} == {text for _, _, text in ROWS}


@pytest.mark.parametrize("delimiter", [",", "\t"])
@pytest.mark.parametrize("behind", ["  ", ""])
@pytest.mark.parametrize("count", [1, 3, 9, 300])
def test_cells_between_apostrophes_may_have_blanks_behind_them_at_the_end_of_the_line(
    tmp_path, delimiter, behind, count
):
    rows = [(f"S{number}", f"Name {number}", f"red{delimiter} {number}") for number in range(count)]
    lines = [delimiter.join((sku, name, f"'{text}'{behind}\n")) for sku, name, text in rows]
    found = read(tmp_path, (delimiter.join(("code", "what", "text\n")) + "".join(lines)).encode(), lenient=True)
    assert found.source.headers == ("code", "what", "text")
    assert found.rows == rows


def test_one_row_with_blanks_behind_its_apostrophe_is_kept(tmp_path):
    rows = "".join(f"S{number},Name,{number}.50,red\n" for number in range(9))
    found = read(tmp_path, f"sku,name,msrp,color\n{rows}S9,Name,9.50,'red, dark'  \n".encode())
    assert found.rows[-1] == ("S9", "Name", "9.50", "red, dark")
