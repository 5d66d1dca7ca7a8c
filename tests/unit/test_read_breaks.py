"""A line end without quotes in the first or the last cell of a row: neither half goes live as a whole row."""

import pytest

from sftp_gateway.catalog.read import bounds
from tests.unit.reading import read

BEGIN = b"sku,name,msrp,note\n"
ROWS = [b"A-%04d,Lamp,%d.50,Bright and warm\n" % (n, n) for n in range(10, 30)]


def with_row(row: bytes) -> bytes:
    return BEGIN + b"".join([*ROWS[:9], row, *ROWS[9:]])


@pytest.mark.parametrize(
    "row", [b"A-1\n234,Lamp,9.50,Bright\n", b"A-\n1234,Lamp,9.50,Bright\n", b"A\n-1234,Lamp,9.50,Bright\n"]
)
def test_a_row_that_lost_the_begin_of_its_key_to_the_line_above_is_rejected(tmp_path, row):
    found = read(tmp_path, with_row(row))
    assert len(found.rows) == 20
    assert found.codes == ["ROW_COLUMNS"] * 2
    assert found.rejects[1].cells == ()  # half a key is another product's


@pytest.mark.parametrize(
    "row",
    [
        b"A-1234,Lamp,9.50,Bright and\nwarm\n",
        b"A-1234,Lamp,9.50,Bright\n and warm\n",
        b"A-1234,Lamp,9.50,Bright.\nMade of oak and brass\n",
        b"A-1234,Lamp,9.50,Bright\nMade in Graz.\nand shipped\n",
    ],
)
def test_a_row_whose_last_text_goes_on_in_the_lines_below_is_rejected(tmp_path, row):
    found = read(tmp_path, with_row(row))
    assert len(found.rows) == 20
    assert set(found.codes) == {"ROW_COLUMNS"}
    assert found.rejects[0].cells[0] == "A-1234"


@pytest.mark.parametrize("line", [b"Shoes\n", b"Table lamps\n", b"# checked up to here by us\n", b"\nWinter:\n"])
def test_a_title_between_rows_costs_no_row(tmp_path, line):
    assert len(read(tmp_path, with_row(line)).rows) == 20


def test_a_key_alone_is_a_row_that_stops_early_not_the_half_of_another_key(tmp_path):
    found = read(tmp_path, with_row(b"A-1234\n"))
    assert (len(found.rows), found.codes) == (20, ["ROW_COLUMNS"])


def test_a_number_as_long_as_all_keys_is_not_the_half_of_another(tmp_path):
    rows = [b"%d,Lamp,%d.50,Bright and warm\n" % (n, n) for n in range(10010, 10030)]
    found = read(tmp_path, BEGIN + b"".join([*rows[:9], b"10099\n", *rows[9:]]))
    assert len(found.rows) == 20
    assert found.codes == ["ROW_COLUMNS"]


def test_half_a_key_is_told_behind_any_number_of_other_damaged_rows(tmp_path):
    others = b"A-0001,Lamp,9.50,Bright,and,warm\n" * 1500
    found = read(tmp_path, BEGIN + b"".join(ROWS) + others + b"A-1\n234,Lamp,9.50,Bright\n" + ROWS[0])
    assert (len(found.rows), len(found.rejects)) == (21, 1502)


def test_a_note_behind_the_last_row_costs_no_row(tmp_path):
    assert len(read(tmp_path, BEGIN + b"".join(ROWS) + b"and so on, as agreed.\n").rows) == 20


@pytest.mark.parametrize("row", [b"12-02,Nord,d\none\n", b"12-\n02,Nord,done\n"])
def test_half_an_answer_and_half_a_date_are_told_by_the_others(tmp_path, row):
    rows = [b"%d-02,Nord,%s\n" % (n, b"done" if n % 3 else b"open") for n in range(10, 30)]
    data = b"Day,Place,State\n" + b"".join([*rows[:9], row, *rows[9:]])
    assert len(read(tmp_path, data, lenient=True, complete=True).rows) == 20


def test_years_between_the_rows_are_titles_not_halves(tmp_path):
    rows = [b"%d-02,Nord,%d\n" % (n, n) for n in range(10, 30)]
    parts = [
        b"%d\n" % year + b"".join(rows[at : at + 5]) for year, at in ((2021, 0), (2022, 5), (2023, 10), (2024, 15))
    ]
    found = read(tmp_path, b"Day,Place,Count\n" + b"".join(parts), lenient=True, complete=True)
    assert len(found.rows) == 20


def test_half_a_key_is_told_wherever_a_block_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "BLOCK_BYTES", 24_000)
    rows = [b"A-%04d,Lamp,%d.50,Bright and warm\n" % (n, n) for n in range(1000, 2400)]
    for place in (*range(560, 660, 20), *range(662, 670)):  # the first block ends among them
        found = read(tmp_path, BEGIN + b"".join([*rows[:place], b"A-1\n234,Lamp,9.50,Bright\n", *rows[place:]]))
        assert (len(found.rows), found.codes) == (1400, ["ROW_COLUMNS"] * 2), place
