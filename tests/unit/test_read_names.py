"""Which record names the columns where names have digits, comments stand above them, or tables follow one another at once."""

import pytest

from sftp_gateway.catalog.read.header import naming
from tests.unit.reading import read

ROWS = b"".join(b"Land %d,%d.5,%d.25,%d.75\n" % (n, n, n, n) for n in range(8))
PARTS = b"".join(b"P-%d,part %d\n" % (n, n) for n in range(8))


def look(tmp_path, data):
    return read(tmp_path, data, lenient=True, complete=True)


@pytest.mark.parametrize(
    "names", ["Country,1990,1991,1992", "Country,2026-01,2026-02,2026-03", "Country,Share,2020,2021"]
)
def test_years_and_dates_over_other_numbers_name_columns(tmp_path, names):
    found = look(tmp_path, names.encode() + b"\n" + ROWS)
    assert found.source.headers == tuple(names.split(","))
    assert len(found.rows) == 8


def test_years_over_years_are_a_row(tmp_path):
    data = b"".join(b"Person %d,%d,%d\n" % (n, 1950 + n, 1970 + 2 * n) for n in range(8))
    assert len(look(tmp_path, data).rows) == 8


def test_codes_of_one_shape_tell_a_first_row_from_a_header(tmp_path):
    assert look(tmp_path, PARTS).source.headers == ("#1", "#2")
    assert look(tmp_path, b"Part,Label\n" + PARTS).source.headers == ("Part", "Label")


@pytest.mark.parametrize(
    "comment", [b"# made by us, yesterday\n# version two\n", b"# made by us\n", b"#a, b, c, d, e\n"]
)
def test_comments_above_the_header_are_skipped(tmp_path, comment):
    found = look(tmp_path, comment + b"Country,Area,People,Share\n" + ROWS)
    assert found.source.headers == ("Country", "Area", "People", "Share")
    assert len(found.rows) == 8


@pytest.mark.parametrize("header", [b"#Country,Area,People,Share\n", b"# Country,Area,People,Share\n"])
def test_a_header_may_begin_with_a_number_sign(tmp_path, header):
    found = look(tmp_path, header + ROWS)
    assert found.source.headers == tuple(header.decode().strip().split(","))
    assert len(found.rows) == 8


def test_one_word_under_the_header_where_all_rows_have_a_first_cell_is_more_of_it(tmp_path):
    found = look(tmp_path, b"Country,Area,People,Share\n,,millions,\n" + ROWS)
    assert found.source.headers == ("Country", "Area", "People millions", "Share")
    assert len(found.rows) == 8


def test_what_is_drawn_under_the_names_is_no_row(tmp_path):
    found = look(tmp_path, b"Country|Area|People|Share\n-------|---:|:--:|---\n" + ROWS.replace(b",", b"|"))
    assert found.source.headers == ("Country", "Area", "People", "Share")
    assert len(found.rows) == 8


def test_a_row_of_units_is_more_header(tmp_path):
    found = look(tmp_path, b"Part,Label,Weight\n,,kg\n" + PARTS.replace(b"\n", b",1\n"))
    assert found.source.headers == ("Part", "Label", "Weight (kg)")
    assert len(found.rows) == 8


@pytest.mark.parametrize("other", [b"Person,Town\nAnn,Rome\nBob,Oslo\n", b"A,B,C,D,E\na,1,2,3,4\nb,1,2,3,4\n"])
def test_a_smaller_table_right_above_is_skipped_if_all_its_rows_have_its_width(tmp_path, other):
    found = look(tmp_path, other + b"Country,Area,People,Share\n" + ROWS)
    assert found.source.headers == ("Country", "Area", "People", "Share")
    assert len(found.rows) == 8
    assert found.source.tally.skipped == other.count(b"\n")


@pytest.mark.parametrize("notes", [b"FOOTNOTE,,,\n", b"NOTE,,,\n" * 3, b",,,\nseen in May,,,\nby us,,,\n"])
def test_a_text_alone_behind_dated_rows_is_a_note(tmp_path, notes):
    data = b"Date,Area,People,Share\n" + b"".join(b"2026-01-0%d,%d,%d,%d\n" % (n, n, n, n) for n in range(1, 9)) + notes
    found = look(tmp_path, data)
    assert len(found.rows) == 8
    assert [finding.code for finding in found.source.tally.late] == ["FILE_FOOTER"]


@pytest.mark.parametrize("last", [b"Land 9,,,\n", b"Atlantis,,,\n", b"Atlantis,,,1\n"])
def test_a_last_row_that_may_be_one_is_none(tmp_path, last):
    rows = b"".join(b"Country of %s,%d,%d,%d\n" % (b"abcdefgh"[n : n + 1], n, n, n) for n in range(8))
    found = read(tmp_path, b"Country,Area,People,Share\n" + rows + last)
    assert len(found.rows) == 9
    note = last.endswith(b",,,\n")  # of inspect, which may guess
    assert len(look(tmp_path, b"Country,Area,People,Share\n" + rows + last).rows) == 9 - note


def test_a_comment_with_as_many_cells_as_a_row_is_skipped_and_said(tmp_path):
    found = look(tmp_path, b"Country,Area,People,Share\n" + ROWS + b"# checked, by, Ann, twice\n" + ROWS)
    assert len(found.rows) == 16
    assert [finding.code for finding in found.source.tally.late] == ["FILE_PREAMBLE"]


def test_a_first_cell_may_begin_with_a_number_sign(tmp_path):
    rows = b"".join(b"# %d,%d,%d,%d\n" % (n, n, n, n) for n in range(8))
    assert len(look(tmp_path, b"Place,Area,People,Share\n" + rows).rows) == 8
    found = look(tmp_path, b"Country,Area,People,Share\n" + ROWS + b"# 9,1,2,3\n")
    assert len(found.rows) == 9


def test_a_key_that_begins_with_a_number_sign_makes_no_comment_of_an_upload(tmp_path):
    rows = b"".join(b"A-%d,Lamp,%d.50,9\n" % (n, n) for n in range(20))
    data = b"sku,name,msrp,cost\n" + rows + b"#TBD,Lamp,9.50,9\n#New,Lamp,free,9\n" + rows
    assert len(read(tmp_path, data).rows) == 42


def test_a_total_over_numbers_alone_is_no_row(tmp_path):
    found = look(tmp_path, b"Country,Area,People,Share\n" + ROWS + b"Total,28.0,28.0,28.0\n")
    assert len(found.rows) == 8
    found = look(tmp_path, b"sku,name,msrp\nA,a,1\nTotal,red,5\n")
    assert len(found.rows) == 2


def test_numbers_alone_are_a_row_not_a_header(tmp_path):
    assert look(tmp_path, b"1,2.5,3\n").rows == [("1", "2.5", "3")]


def test_what_begins_a_table():
    assert naming.begins_table((b"sku", b"image 1", b"image 2"))
    assert naming.begins_table((b"Country", b"1990", b"1991"))
    assert not naming.begins_table((b"S-1", b"Chair", b"red"))
    assert not naming.begins_table((b"1990", b"1991"))
    assert not naming.begins_table((b"Chair", b"1990", b"12.50"))
