"""Titles above a header: with delimiters in them, many of them, above a table whose decimals have commas; and no header at all."""

import pytest

from tests.unit.reading import read

NUMBERS = b"id,x,y,z,count\n1,0.29,96.8,45898.5,426\n2,0.90,45.2,777002.0,288\n3,-0.49,30.0,788699.4,219\n"
SPARSE = (
    b"Ref,Name,Alt,Opened,Closed,Owner,A\n0424,Modern,,1966,,Dubois,\n0215,Vintage,,2005,2003,,\n0174,Old,,2010,,,\n"
)
TITLES = [
    b"Quarterly export",
    b"Prepared by: sales",
    b"Region; all",
    b"Filter: none, all items, active",
    b"Status: final",
]
STATIONS = b"Datum,Station,Wert,Saldo\n" + b"".join(
    b'1%d.03.2023,Nord %d,"1%d,4","-2%d,5"\n' % (n, n, n, n) for n in range(8)
)


def seen(tmp_path, data):
    return read(tmp_path, data, lenient=True, complete=True, known_headers=frozenset())


@pytest.mark.parametrize("table", [NUMBERS, SPARSE, b"Country,People\nPeru,33\nChad,17\nMali,22\n"])
@pytest.mark.parametrize("count", [4, 5])
def test_a_sentence_with_commas_is_a_title_not_the_header(tmp_path, table, count):
    found = seen(tmp_path, b"\n".join(TITLES[:count]) + b"\n" + table)
    header, *rows = table.decode().splitlines()
    assert found.source.headers == tuple(header.split(","))
    assert found.rows == [tuple(row.split(",")) for row in rows]


@pytest.mark.parametrize("table", [NUMBERS, SPARSE])
@pytest.mark.parametrize("filled_up", [False, True])
def test_titles_more_than_ten_hide_no_header_from_somebody_who_only_looks(tmp_path, table, filled_up):
    ending = b"," * (table.partition(b"\n")[0].count(b",") * filled_up) + b"\n"
    titles = b"".join(line + ending for line in TITLES * 3)
    assert seen(tmp_path, titles + table).source.headers == tuple(table.decode().partition("\n")[0].split(","))


def test_a_title_of_two_words_makes_no_delimiter_of_the_space_in_each_row(tmp_path):
    found = seen(tmp_path, b"Quarterly export\n" + STATIONS)
    assert found.source.headers == ("Datum", "Station", "Wert", "Saldo")
    assert found.rows[0] == ("10.03.2023", "Nord 0", "10,4", "-20,5")


@pytest.mark.parametrize("table", [b"Mail\na@x.example\nb@x.example\n", b"Country,People\nPeru,33\nChad,17\n"])
def test_a_bare_number_sign_ends_no_comment(tmp_path, table):
    found = seen(tmp_path, b"# made by an exporter\n# see docs, all\n#\n" + table)
    assert found.source.headers == tuple(table.decode().partition("\n")[0].split(","))
    assert len(found.rows) == 2


def test_a_header_of_years_may_have_units_below_it(tmp_path):
    found = seen(tmp_path, b"Area,Code,1960,1961,1962\n,,kg,kg,EUR\nNord,X1,5,6,7\nWest,X2,6,,8\nOst,X3,1,2,3\n")
    assert [row[0] for row in found.rows] == ["Nord", "West", "Ost"]


def test_a_header_of_years_that_stands_among_few_rows_again_is_still_the_header(tmp_path):
    found = seen(tmp_path, b"Area,Code,1960,1961\nNord,X1,5.5,\nArea,Code,1960,1961\nWest,X2,,8.5\n")
    assert found.source.headers == ("Area", "Code", "1960", "1961")
    assert [row[0] for row in found.rows] == ["Nord", "West"]


def test_first_rows_with_few_cells_are_rows_where_there_is_no_header(tmp_path):
    rows = [b"0259,Classic,,1962,,,,", b"0139,Blue,,2007,,,,", b"0120,Light,a,2015,,Kowal,x,1"]
    rows += [b"0%d,Name,a,2%03d,,Owner,x,1" % (481 + n, n) for n in range(9)]
    assert len(seen(tmp_path, b"\n".join(rows) + b"\n").rows) == 12


def test_a_first_row_whose_answers_stand_below_it_again_is_no_header(tmp_path):
    rows = [b"Anna,Graz,very,yes", b"Jan,Lyon,hardly,no", b"Mia,Graz,hardly,yes", b"Ida,Bath,very,no"]
    assert len(seen(tmp_path, b"\n".join(rows) + b"\n").rows) == 4
    named = seen(tmp_path, b"Who,Where,How,Again\n" + b"\n".join(rows) + b"\n")
    assert named.source.headers == ("Who", "Where", "How", "Again")


def test_addresses_of_mail_name_no_column(tmp_path):
    assert len(seen(tmp_path, b"dieter@mail.example\nines@mail.example\nbo@mail.example\n").rows) == 3


@pytest.mark.parametrize("sign", ["~", "^", "#"])
def test_commas_in_amounts_are_no_delimiter_where_another_sign_separates_the_header_too(tmp_path, sign):
    rows = [f"Parks|steel {n}|{n},946,227|7,{n}17,064|{n}4{',907' * (n % 3)}|1.{n}%" for n in range(1, 9)]
    data = "\n".join(["Department|Programme|2021|2022|2023|Change", *rows]).replace("|", sign)
    found = seen(tmp_path, data.encode() + b"\n")
    assert found.source.format.delimiter == sign
    assert found.rows[0] == ("Parks", "steel 1", "1,946,227", "7,117,064", "14,907", "1.1%")


def test_a_title_above_a_header_of_years_makes_no_delimiter_of_a_space(tmp_path):
    rows = b"".join(b'Parks,steel %d,"1,9%d6,227","7,217,064",(7.%d%%)\n' % (n, n, n) for n in range(9))
    found = seen(tmp_path, b"Quarterly export\nDepartment,Programme,2021,2022,Change\n" + rows)
    assert found.source.headers == ("Department", "Programme", "2021", "2022", "Change")


def test_a_sentence_behind_a_blank_line_is_a_note_in_a_table_of_two_columns(tmp_path):
    found = seen(tmp_path, b"Country,People\nPeru,33\nChad,17\nMali,22\n\n* provisional, see notes\n")
    assert [row[0] for row in found.rows] == ["Peru", "Chad", "Mali"]


def test_numbers_below_words_are_another_table_behind_a_table_of_texts(tmp_path):
    rows = b"".join(b"Lamp %s,Graz,hardly,yes\n" % word for word in (b"red", b"blue", b"old", b"new", b"big"))
    below = b"\nOld plan,Old cost,New plan,New cost\n352,968,456,597\n676,678,312,557\n"
    assert len(seen(tmp_path, b"What,Where,How,Again\n" + rows + below).rows) == 5


@pytest.mark.parametrize("between", [b"", b"Main list\n", b"\nMain list\n"])
def test_a_larger_table_below_one_of_another_width_may_have_a_name_with_a_digit(tmp_path, between):
    rows = b"".join(b"100.%d,M%dx1,%d,brass,%d.50,/d/%d.pdf\n" % (n, n, n, n, n) for n in range(9))
    above = b"Branch,Manager,Opened,Staff\nGraz,Ida,2001-02-11,33\nBath,Bo,1999-04-11,12\n"
    found = seen(tmp_path, above + between + b"PartNo,Thread,Length mm,Material,Per 100,Drawing\n" + rows)
    assert found.source.headers == ("PartNo", "Thread", "Length mm", "Material", "Per 100", "Drawing")
    assert len(found.rows) == 9


def test_decimal_commas_are_no_delimiter_where_another_separates_each_row_as_well(tmp_path):
    rows = [(str(2300 + number), f"19.17{number},4") for number in range(9)]
    assert seen(tmp_path, "\n".join("\t".join(row) for row in rows).encode()).rows == rows


@pytest.mark.parametrize("above", [b"The list of all", b"# \xc3\x96l, Holz; und mehr"])
def test_lines_in_quotes_as_a_whole_are_told_below_a_title_and_a_comment(tmp_path, above):
    table = b"".join(b'"%d,Bonn,""a, b"""\n' % number for number in range(9))
    found = seen(tmp_path, above + b'\n"id,town,note"\n' + table)
    assert (found.source.headers, found.rows[0]) == (("id", "town", "note"), ("0", "Bonn", "a, b"))


@pytest.mark.parametrize("cell", [b"S5", b'"S5, old"'])
def test_the_mark_of_a_file_that_was_put_behind_another_is_no_part_of_a_row(tmp_path, cell):
    rows = [b"S%d,Bonn,1\n" % number for number in range(9)]
    rows[5] = b"\xef\xbb\xbf" + cell + b",Bonn,1\n"
    found = read(tmp_path, b"sku,name,msrp\n" + b"".join(rows), complete=True)
    assert found.rows[5] == (cell.decode().strip('"'), "Bonn", "1")
    assert (len(found.rows), len(found.notes)) == (9, 1)
