"""Which quote a sender uses, if any: told from the file as a whole."""

import pytest

from tests.catalog_shop import Shop
from tests.unit.reading import read

HEADER = "sku,name,msrp,color\n"
PLAIN = [f"S{number},Name {number},{number}.50,red\n" for number in range(40)]


def test_a_header_in_quotes_shows_what_the_quote_is(tmp_path):
    found = read(tmp_path, b"\"a,d,e,f\"\n'1',2,3,4\n'2',3,4,5\n'b'", lenient=True, complete=True)
    assert found.source.format.quote == '"'
    assert found.source.headers == ("a", "d", "e", "f")
    assert found.rows[:2] == [("'1'", "2", "3", "4"), ("'2'", "3", "4", "5")]


def test_a_row_that_stands_in_quotes_as_a_whole_is_read_and_said(tmp_path):
    found = read(tmp_path, (HEADER + "".join([*PLAIN[:9], '"T1,Name,1.50,red"\n', *PLAIN[9:]])).encode())
    assert ("T1", "Name", "1.50", "red") in found.rows
    assert [note.code for note in found.notes] == ["ROW_QUOTE_REPAIRED"]


@pytest.mark.parametrize(
    ("row", "reading"),
    [
        ('T1,"Big" coat,5.50,red\n', ("T1", '"Big" coat', "5.50", "red")),
        ('T1,"Big,5.50,red\n', ("T1", '"Big', "5.50", "red")),
        ('T1,"Big" or "Small",5.50,red\n', ("T1", '"Big" or "Small"', "5.50", "red")),
        ('T1, "Big" coat,5.50,"dark" red\n', ("T1", ' "Big" coat', "5.50", '"dark" red')),
        ('T1,"Big",5.50,red\n', ("T1", "Big", "5.50", "red")),
    ],
)
def test_a_sender_that_never_quotes_may_have_quotes_in_cells(tmp_path, row, reading):
    rows = [*PLAIN[:10], row, *PLAIN[10:30], 'T2,"Tall" coat,6.50,red\n', 'T3,"Tall,6.50,red\n', *PLAIN[30:]]
    found = read(tmp_path, (HEADER + "".join(rows)).encode())
    assert not found.codes
    assert reading in found.rows
    assert ("T3", '"Tall', "6.50", "red") in found.rows
    assert len(found.rows) == 43
    assert {note.code for note in found.notes} == {"ROW_QUOTE_REPAIRED"}


@pytest.mark.parametrize(
    "other",
    [
        'T4,"a, b",1.50,red\n',
        'T4,"a ""b"" c",1.50,red\n',
        'T4,"a\nb",1.50,red\n',
    ],
    ids=["delimiter", "doubled", "line end"],
)
def test_a_sender_that_quotes_is_not_guessed_at(tmp_path, other):
    rows = [*PLAIN[:9], other, *PLAIN[9:30], 'T2,"Tall" coat,6.50,red\n', 'T3,"Tall,6.50,red\n', *PLAIN[30:]]
    found = read(tmp_path, (HEADER + "".join(rows)).encode())
    assert found.codes == ["ROW_QUOTE", "ROW_QUOTE"]
    assert len(found.rows) == 41


def test_one_damaged_row_makes_no_sender_that_never_quotes(tmp_path):
    found = read(tmp_path, (HEADER + "".join([*PLAIN[:10], 'T3,"Tall,6.50,red\n', *PLAIN[10:]])).encode())
    assert found.codes == ["ROW_QUOTE"]
    assert len(found.rows) == 40


def test_a_guess_at_the_encoding_of_a_few_letters_says_that_they_are_few(tmp_path):
    text = HEADER + "S1,Παπούτσι,1.50,κόκκινο\nS2,Ζώνη,2.50,μαύρο\n"
    [finding] = read(tmp_path, text.encode("iso8859_7")).source.findings
    assert finding.code == "FILE_ENCODING_GUESSED"
    assert "only 24 letters" in finding.message
    [finding] = read(tmp_path, (text + text[len(HEADER) :] * 40).encode("iso8859_7")).source.findings
    assert "only" not in finding.message


@pytest.mark.parametrize(
    "rows",
    [
        "'T1','a','1.50','red'\n'T2','5'' rod','2.50','red'\n",
        "'T1','a','1.50','red'\n'T2','5\\' rod','2.50','red'\n",
        "T1,a,1.50,red\nT2,'5'' rod',2.50,red\n",
        "T1,a,1.50,red\nT2,'two\nlines',2.50,red\n",
        "".join(f"'T{n}','a','1.50','red'\n" for n in range(9)) + '"T2","a","1.50","red"\n',
    ],
    ids=["doubled", "backslash", "one cell", "two lines", "one row in the other quote"],
)
def test_a_sender_that_quotes_with_apostrophes_is_found_by_few_rows(tmp_path, rows):
    found = read(tmp_path, ("Artikel,Bezeichnung,Preis,Farbe\n" + rows).encode(), lenient=True)
    assert found.source.format.quote == "'"
    assert found.rows[0][0].startswith("T")
    assert "'" not in "".join(found.rows[1]).replace("5' rod", "")


@pytest.mark.parametrize(
    "rows",
    [
        "T1,'tis,1.50,red\nT2,dogs',2.50,red\n",
        'T1,\'y\',1.50,red\nT2,"a "b" c",2.50,red\n',
        "T1,5',1.50,5'\nT2,6',1.50,6'\n",
    ],
    ids=["elision and plural", "one word", "feet"],
)
def test_apostrophes_are_part_of_their_cells(tmp_path, rows):
    found = read(tmp_path, (HEADER + rows).encode())
    assert found.source.format.quote == '"'
    assert "'" in "".join(found.rows[0])


def test_rows_of_delimiters_alone_do_not_count_against_cells_between_apostrophes(tmp_path):
    names = ("Artikel", "Bezeichnung", "Preis", "Text", "Farbe")
    rows = [names, ("S0", "Parka", "22.50", r"5\' rod", "blue"), ("S1", "Socke", "65.50", "", "green")]
    lines = ["\t".join(f"'{cell}'" for cell in row) for row in rows]
    blank = "\t" * 4
    text = "\n".join([lines[0], blank, lines[1], blank, blank, lines[2], "Generated on 2026-11-28", ""])
    assert read(tmp_path, text.encode(), lenient=True, complete=True).source.headers == names


def test_quotes_in_every_row_do_not_make_spaces_the_delimiter(tmp_path):
    text = "".join(f'S{number},Red hat,{number}.50,the "best" one\n' for number in range(3))
    found = read(tmp_path, text.encode(), lenient=True, complete=True)
    assert found.source.format.delimiter == ","


QUOTED = [f'S{number},"Name, {number}",{number}.50,red\n' for number in range(40)]


@pytest.mark.parametrize(
    ("row", "reading"),
    [
        (r"T1,Chair \"Oslo\" oak,5.50,red", ("T1", 'Chair "Oslo" oak', "5.50", "red")),
        (r'T1,\"Oslo\",5.50,"red, \"dark\""', ("T1", '"Oslo"', "5.50", 'red, "dark"')),
        (r'T1,C:\dir,5.50,re"d', ("T1", r"C:\dir", "5.50", 're"d')),
    ],
)
def test_a_backslash_before_a_quote_goes_away_outside_of_quotes_too(tmp_path, row, reading):
    found = read(tmp_path, (HEADER + "".join([*QUOTED[:9], row + "\n", *QUOTED[9:]])).encode())
    assert reading in found.rows
    assert [note.code for note in found.notes] == ["ROW_QUOTE_REPAIRED"]


@pytest.mark.parametrize("row", ['T1,Chair"Toys, Games",red\n', 'T1,Chair "Toys, Games",red\n', 'T1 "6,50",7.50,red\n'])
def test_a_quote_that_opens_behind_text_and_closes_a_later_cell_may_lack_its_delimiter(tmp_path, row):
    found = read(tmp_path, (HEADER + "".join([*QUOTED[:9], row, *QUOTED[9:]])).encode())
    assert found.codes == ["ROW_QUOTE"]
    assert len(found.rows) == 40


@pytest.mark.parametrize("row", ['T1,Tit"a ""b"", then",red\n', 'T1,Tit"a, ""b""",red\n', 'T1,"x, y"a, ""b"" c",red\n'])
def test_a_cell_with_doubled_quotes_may_lack_the_delimiter_before_it_too(tmp_path, row):
    found = read(tmp_path, (HEADER + "".join([*QUOTED[:9], row, *QUOTED[9:]])).encode())
    assert found.codes[0].startswith("ROW_")
    assert len(found.rows) == 40


def test_inch_marks_at_the_end_of_two_cells_are_no_lost_delimiter(tmp_path):
    found = read(tmp_path, (HEADER + "".join([*QUOTED[:9], 'T1,5" rod,7.50,3"\n', *QUOTED[9:]])).encode())
    assert ("T1", '5" rod', "7.50", '3"') in found.rows


@pytest.mark.parametrize(
    "row", ['T1,Name,5.50"dark, deep",M\n', 'T1,"Big" coat,5.50"dark, deep",M\n', 'T1,Name,5.50"a, b, c",\n']
)
def test_a_delimiter_between_two_stray_quotes_may_be_text_so_the_row_is_rejected(tmp_path, row):
    rows = [line.replace("\n", ",M\n") for line in PLAIN]
    found = read(tmp_path, (HEADER.replace("\n", ",size\n") + "".join([*rows[:9], row, *rows[9:]])).encode())
    assert found.codes[0] in ("ROW_QUOTE", "ROW_COLUMNS")
    assert len(found.rows) == 40


def test_inches_in_two_cells_enclose_nothing(tmp_path):
    found = read(tmp_path, (HEADER + PLAIN[0] + 'T1,5" pipe and 6",1.50,a 7"\n' + PLAIN[1]).encode())
    assert found.rows[1] == ("T1", '5" pipe and 6"', "1.50", 'a 7"')


def test_a_quote_with_a_backslash_is_one_in_a_cell_without_quotes_too(tmp_path):
    rows = ['T1,Chair \\"Oslo\\" oak,1.50,red\n', 'T2,"Chair \\"Oslo\\", oak",1.50,red\n', 'T3,5\\" pipe,1.50,red\n']
    found = read(tmp_path, (HEADER + "".join([*rows, *PLAIN])).encode(), complete=True)
    assert not found.codes
    assert [row[1] for row in found.rows[:3]] == ['Chair "Oslo" oak', 'Chair "Oslo", oak', '5" pipe']


def test_a_delimiter_with_a_backslash_before_it_is_text_where_a_row_has_too_many_cells_else(tmp_path):
    rows = ["T1,a\\, b\\, c,1.50,red\n", *PLAIN]  # one row only: the file as a whole shows no such habit
    found = read(tmp_path, (HEADER + "".join(rows)).encode(), complete=True)
    assert not found.codes
    assert found.rows[0][1] == "a, b, c"
    assert [note.code for note in found.notes] == ["ROW_QUOTE_REPAIRED"]


@pytest.mark.parametrize(
    "row",
    [
        "T1,a\\, b\\, c,d,1.50,red\n",
        "T1,a\\\\, b,1.50,red\n",
        "T1,C:\\dir\\,x,1.50,red\n",
        "T1,a\\, b,1.50\\,red,x,y\n",
    ],
)
def test_a_backslash_that_can_be_read_in_two_ways_is_not_guessed_at(tmp_path, row):
    found = read(tmp_path, (HEADER + "".join([*PLAIN[:9], row, *PLAIN[9:]])).encode(), complete=True)
    assert found.codes == ["ROW_COLUMNS"]
    assert len(found.rows) == 40


def test_a_backslash_at_the_end_of_a_cell_stays(tmp_path):
    found = read(tmp_path, (HEADER + "T1,C:\\dir\\,1.50,red\n" + "".join(PLAIN)).encode(), complete=True)
    assert found.rows[0] == ("T1", "C:\\dir\\", "1.50", "red")


@pytest.mark.parametrize("count", [5, 20, 60, 400])
@pytest.mark.parametrize("title", ["", "Invoices of May\n"])
def test_delimiters_in_cells_between_apostrophes_are_text_in_a_file_of_any_length(tmp_path, count, title):
    rows = "".join(f"INV-{n},Meyer,'{n} Main St., Oslo, 10001',08.04.2024,'2.101,80'\n" for n in range(count))
    text = title + "No,Customer,Address,Date,Amount\n" + rows
    found = read(tmp_path, text.encode(), lenient=True)
    assert found.source.headers == ("No", "Customer", "Address", "Date", "Amount")
    assert found.rows[1] == ("INV-1", "Meyer", "1 Main St., Oslo, 10001", "08.04.2024", "2.101,80")
    assert len(found.rows) == count


def test_one_damaged_row_does_not_hide_what_stands_between_apostrophes(tmp_path):
    rows = [f"S{n},'Main St., Oslo',{n}.50,red\n" for n in range(100)]
    text = HEADER + "".join([*rows[:50], "T1,Main,Oslo,4,5,6\n", *rows[50:]])
    found = read(tmp_path, text.encode())
    assert found.rows[0] == ("S0", "Main St., Oslo", "0.50", "red")
    assert (len(found.rows), found.codes) == (100, ["ROW_COLUMNS"])


def test_an_upload_with_commas_between_apostrophes_in_each_row_goes_live_under_the_right_names(tmp_path):
    rows = "".join(f"S{n},'Lamp {n}, oak','1,234.50','red, dark'\n" for n in range(100))
    shop = Shop(tmp_path)
    shop.put(HEADER + rows)
    assert {product["name"] for product in shop.products().values()} == {f"Lamp {n}, oak" for n in range(100)}


@pytest.mark.parametrize(
    "row",
    [
        'T1,"Coat,"5,50 ""net""",red\n',
        'T1,Coat,"red,"says ""hi"", friend"\n',
    ],
)
def test_a_cell_that_begins_inside_quotes_shows_that_those_before_it_did_not_close(tmp_path, row):
    rows = [*PLAIN[:9], 'T0,"Coat, ""warm""",5.50,"dark, red"\n', row, *PLAIN[9:]]
    found = read(tmp_path, (HEADER + "".join(rows)).encode())
    assert found.codes == ["ROW_QUOTE"]
    assert len(found.rows) == 41


@pytest.mark.parametrize("count", [2, 40])
def test_quotes_that_open_and_never_close_make_no_sender_that_never_quotes(tmp_path, count):
    rows = [line.replace(",Name", ',"Name') if place < count else line for place, line in enumerate(PLAIN)]
    found = read(tmp_path, (HEADER + "".join(rows)).encode(), lenient=True, complete=True)
    assert found.codes == ["ROW_QUOTE"] * count
    assert len(found.rows) == 40 - count


def test_a_long_file_of_which_every_row_opens_a_quote_is_told_row_by_row_at_once(tmp_path):
    """The lines behind a quote are looked through once, not anew for each of the 12,000 rows above them."""
    rows = [f'S{number},"Name {number},{number}.50,red\n' for number in range(12_000)]
    good = ['G1,"Coat, ""warm""",5.50,red\n', "G2,Coat,6.50,blue\n"]
    found = read(tmp_path, (HEADER + "".join([good[0], *rows, good[1]])).encode())
    assert [row[0] for row in found.rows] == ["G1", "G2"]
    assert found.codes == ["ROW_QUOTE"] * 12_000


def test_a_quote_with_a_backslash_at_the_end_of_a_cell_does_not_hide_that_the_row_goes_on(tmp_path):
    rows = 'T1,"Round 48\\"","A vest\nfor cold",red\nT2,"Hat \\"big\\"","Plain, warm",red\nT3,Hat,Warm,red\n'
    found = read(tmp_path, ("sku,name,description,color\n" + rows * 4).encode(), lenient=True)
    assert not found.codes
    assert found.rows[:2] == [("T1", 'Round 48"', "A vest\nfor cold", "red"), ("T2", 'Hat "big"', "Plain, warm", "red")]
    assert len(found.rows) == 12


WIDE = ",".join(["sku", "name", "msrp", *(f"more {letter}" for letter in "abcdefg")]) + "\n"


def wide(number, name="Coat", last="x"):
    return f"S{number},{name},{number}.50,,,,1,,{last},true\n"


def test_two_rows_under_one_another_of_which_one_opens_and_one_closes_a_quote_are_not_one_row(tmp_path):
    rows = [wide(1), wide(2, '"Coat'), wide(3, last='5"'), wide(4), wide(5, '"Coat, ""warm"""'), wide(6)]
    found = read(tmp_path, (WIDE + "".join(rows)).encode())
    assert [row[0] for row in found.rows] == ["S1", "S3", "S4", "S5", "S6"]
    assert found.rows[1][8] == '5"'
    assert found.codes == ["ROW_QUOTE"]


def test_a_quote_between_two_delimiters_opens_no_cell_over_lines(tmp_path):
    rows = [*PLAIN[:9], 'T1,",5.50,red\n', 'T2,Hat,",blue\n', 'T3,"Hat, ""warm""",6.50,blue\n', *PLAIN[9:]]
    found = read(tmp_path, (HEADER + "".join(rows)).encode())
    assert found.codes == ["ROW_QUOTE", "ROW_QUOTE"]
    assert len(found.rows) == 41


def test_a_text_over_lines_may_end_with_a_delimiter(tmp_path):
    found = read(tmp_path, (HEADER + "".join([*PLAIN[:9], 'T1,"warm,\nred,",5.50,red\n', *PLAIN[9:]])).encode())
    assert found.rows[9] == ("T1", "warm,\nred,", "5.50", "red")
    assert not found.notes


def test_a_text_over_two_lines_is_one_cell_whatever_stands_in_it(tmp_path):
    rows = [wide(1), wide(2, '"Coat, warm,\nred, blue, green and, and"'), wide(3, '"Coat,\nwarm"')]
    found = read(tmp_path, (WIDE + "".join(rows)).encode())
    assert [row[1] for row in found.rows] == ["Coat", "Coat, warm,\nred, blue, green and, and", "Coat,\nwarm"]


def test_the_end_of_a_row_whose_quotes_are_damaged_is_no_row_by_itself(tmp_path):
    header = "sku,name,description,color\n"
    good = 'T2,"Hat\nand cap","warm, soft",red\n'
    damaged = 'T3,Hat"Coat, warm","of wool\nand silk",a"b=1,c=2,d"\n'
    found = read(tmp_path, (header + good * 9 + damaged + good * 9).encode())
    assert {row[0] for row in found.rows} == {"T2"}
    assert len(found.rows) == 18


@pytest.mark.parametrize("cell", [",\r", ",\n", ",\nlast"])
def test_a_text_over_lines_that_begins_with_a_delimiter_is_kept_where_its_lines_are_no_rows(tmp_path, cell):
    data = f'sku,name,msrp,color\nS1,,"{cell}",\nS2,a,1,b\n'.encode()
    found = read(tmp_path, data, delimiter=",", quote='"', complete=True)
    assert found.rows == [("S1", "", cell, ""), ("S2", "a", "1", "b")]


def test_a_first_row_of_values_is_no_header_where_two_of_the_few_rows_below_it_kept_their_quotes(tmp_path):
    lines = [
        f'"S{place}";"Coat";"{place}.50";"red";"2026-05-1{place}";"https://x.example/{place}"' for place in range(7)
    ]
    lines[1] = lines[1].replace('"red"', '"red""')
    lines[4] = lines[4].replace('"', "'")
    found = read(tmp_path, "\n".join([*lines, ""]).encode(), complete=True, lenient=True)
    assert "S0" not in found.source.headers
    assert "S0" in [row[0] for row in found.rows]
