"""A mended row must look like the others: one cell too many or few makes most readings of the right width shifted ones."""

import pytest

from sftp_gateway.catalog.read.csv.profile import Profile, kind
from sftp_gateway.catalog.read.csv.sampling import Record
from tests.unit.reading import read

NOTES = b"sku,name,msrp,note\n" + b"".join(b"S%d,name %d,%d.50,\n" % (n, n, n) for n in range(5))
FULL = b"sku,name,msrp\n" + b"".join(b"S%d,name %d,%d.50\n" % (n, n, n) for n in range(5))


@pytest.mark.parametrize("row", [b"S9,,name 9,9.50,", b"S9,name 9,,9.50,", b",S9,name 9,9.50,", b"S9,name 9,9.50,,"])
def test_a_cell_too_many_before_a_last_column_that_is_often_blank_is_rejected(tmp_path, row):
    found = read(tmp_path, NOTES + row + b"\n")
    assert len(found.rows) == 5 + (row == b"S9,name 9,9.50,,")
    assert found.codes == ["ROW_COLUMNS"] * (row != b"S9,name 9,9.50,,")


def test_blank_cells_behind_the_last_column_are_left_out_where_it_is_always_filled(tmp_path):
    found = read(tmp_path, FULL + b"S9,name 9,9.50,,\n")
    assert found.rows[-1] == ("S9", "name 9", "9.50")


@pytest.mark.parametrize("row", [b"S9,zz,name 9,9.50,", b"zz,S9,name 9,9.50,"])
def test_without_a_header_and_with_a_delimiter_behind_each_row_a_cell_too_many_shifts_nothing(tmp_path, row):
    data = b"".join(b"S%d,name %d,%d.50,\n" % (n, n, n) for n in range(5)) + row + b"\n"
    found = read(tmp_path, data, lenient=True, complete=True)
    assert len(found.rows) == 5
    assert found.codes == ["ROW_COLUMNS"]


def test_a_row_too_short_is_not_filled_in_a_column_without_a_name_that_has_values(tmp_path):
    data = (
        b"sku,name,msrp,\n" + b"".join(b"S%d,name %d,%d.50,red\n" % (n, n, n) for n in range(5)) + b"S9,name 9,blue\n"
    )
    found = read(tmp_path, data)
    assert len(found.rows) == 5
    assert found.codes == ["ROW_COLUMNS"]


def test_a_row_with_another_delimiter_must_look_like_the_others(tmp_path):
    found = read(tmp_path, FULL + b"S8;name 8;8.50\nname 9;S9;x;9.50\n1;2;three\n")
    assert found.rows[-1] == ("S8", "name 8", "8.50")
    assert found.codes == ["ROW_COLUMNS"] * 2


@pytest.mark.parametrize(("file", "row"), [('"', "'"), ("'", '"')])
def test_a_row_in_the_other_quotes_is_taken_out_of_them_or_rejected(tmp_path, file, row):
    def line(quote, *cells):
        return ",".join(quote + cell + quote for cell in cells) + "\n"

    good = "".join(line(file, f"S{n}", f"name {n}", f"{n}.50") for n in range(6))
    data = line(file, "sku", "name", "msrp") + good + line(row, "S9", "name 9", "9.50")
    found = read(tmp_path, data.encode())
    assert found.rows[-1] == ("S9", "name 9", "9.50")
    assert [note.code for note in found.notes] == ["ROW_QUOTE_REPAIRED"]


@pytest.mark.parametrize("row", [b"S9, name 9, 9.50", b'S9, "name 9", 9.50', b'"S9", "name 9", "9.50"'])
def test_a_row_with_a_space_behind_each_delimiter_is_read_without(tmp_path, row):
    found = read(tmp_path, FULL + row + b"\nS10,name 10,1.50\n")
    assert found.rows[-2:] == [("S9", "name 9", "9.50"), ("S10", "name 10", "1.50")]
    assert [note.code for note in found.notes] == ["ROW_QUOTE_REPAIRED"]
    assert len(read(tmp_path, FULL + b"S9, name 9,9.50\n").notes) == 0


def test_the_last_line_of_a_cell_over_two_lines_is_no_row_where_the_whole_has_a_cell_too_many(tmp_path):
    data = b'sku,name,msrp\nS1,"two\nlines",1.50\nS2,"two\nlines",,2.50\nS3,"two\nlines",3.50\n'
    found = read(tmp_path, data)
    assert [row[0] for row in found.rows] == ["S1", "S3"]
    assert found.codes == ["ROW_COLUMNS"]


def test_a_cell_that_lost_its_opening_quote_among_quoted_ones_is_rejected(tmp_path):
    data = b'"sku","name","msrp"\n"S1","a","1"\n"S2",b","2"\n"S3","c","3"\n'
    found = read(tmp_path, data)
    assert [row[0] for row in found.rows] == ["S1", "S3"]
    assert found.codes == ["ROW_QUOTE"]
    assert read(tmp_path, b'sku,name,msrp\nS1,5",1\n').rows == [("S1", '5"', "1")]


def test_kinds_of_cells():
    told = {b"": "", b" ": "", b"1,5": "number", b"$9.50": "number", b"2026-01-02": "date", b"10:30": "time"}
    told |= {b"https://a.example": "link", b"S-1": "code", b"red": "text", b"a 5": "text"}
    assert {cell: kind(cell) for cell in told} == told


def test_a_profile_knows_what_a_column_may_hold():
    rows = [(b"S1", b"1.50", b""), (b"S2", b"2", b""), (b"S3", b"3", b"")]
    profile = Profile([Record(0, 0, 0, cells, strict=True) for cells in rows], 3)
    assert profile.fits((b"S9", b"9", b""))
    for row in ((b"S9", b"", b""), (b"S9", b"red", b""), (b"9", b"9", b""), (b"S9", b"9", b"red"), (b"S9", b"9")):
        assert not profile.fits(row)
    assert profile.is_blank(2)
    assert not profile.is_blank(1)
    assert Profile().fits((b"anything",))
