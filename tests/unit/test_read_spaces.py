"""Spaces, and other signs that stand in every text, as the delimiter: under titles, comments, and a line that tells it."""

import pytest

from tests.unit.reading import read

WORDS = ["river", "stone", "cloud", "window", "market", "garden", "paper", "silver", "winter", "summer"]
TIMES = [(f"{hour:02d}:10:00", f"{hour:02d}:45:30", f"R{hour}") for hour in range(9)]
PEOPLE = [
    (f"Stone, {word}", f"{word}@example.org", f"+49 30 {number}", f"{number} Long St, North", f"2026-01-0{number + 1}")
    for number, word in enumerate(WORDS[:9])
]
NAMES = ("Name", "Mail", "Phone", "Address", "Born")


def lines(delimiter, rows, quote=""):
    return [delimiter.join(f"{quote}{cell}{quote}" for cell in row) for row in rows]


def table(tmp_path, text, **hints):
    found = read(tmp_path, "\n".join(text).encode(), complete=True, lenient=True, **hints)
    return found.source.headers, found.rows


@pytest.mark.parametrize("quote", ["", '"', "'"])
@pytest.mark.parametrize(
    "above", [[], ["# all rooms", "# made 2026-01-01"], ["Rooms"], ["All the rooms of the house", ""]]
)
def test_times_are_separated_by_spaces_not_at_their_colons(tmp_path, quote, above):
    names = ("start", "end", "room")
    assert table(tmp_path, [*above, *lines(" ", [names, *TIMES], quote)]) == (names, TIMES)


def test_a_comment_of_as_many_words_as_columns_is_no_header(tmp_path):
    names = ("start", "end", "room")
    assert table(tmp_path, ["# all rooms", *lines(" ", [names, *TIMES])]) == (names, TIMES)


def test_a_comment_among_the_rows_does_not_hide_the_spaces(tmp_path):
    names = ("start", "end", "room")
    text = lines(" ", [names, *TIMES])
    found = read(tmp_path, "\n".join([*text[:5], "# afternoon", *text[5:]]).encode(), complete=True, lenient=True)
    assert (found.source.headers, found.rows) == (names, TIMES)


def test_decimal_commas_between_spaces_stay_in_their_cells(tmp_path):
    rows = [(f"{number}", f"{number}.100,50", f"'{WORDS[number]} stone'") for number in range(9)]
    expected = [(*row[:2], row[2].strip("'")) for row in rows]
    names = ("account", "amount", "purpose")
    assert table(tmp_path, [*lines(" ", [names, *rows]), "Source: bank"]) == (names, expected)


@pytest.mark.parametrize("delimiter", [":", "^", "~", "||"])
@pytest.mark.parametrize("above", [[], ["All people of the house"], ["# people", ""]])
def test_what_separates_the_header_is_the_delimiter_not_the_commas_in_each_row(tmp_path, delimiter, above):
    assert table(tmp_path, [*above, *lines(delimiter, [NAMES, *PEOPLE])]) == (NAMES, PEOPLE)


@pytest.mark.parametrize("delimiter", ["~", "^"])
def test_lines_in_quotes_as_a_whole_may_have_any_delimiter_inside(tmp_path, delimiter):
    text = [f'"{line}"' for line in lines(delimiter, [NAMES, *PEOPLE])]
    assert table(tmp_path, text) == (NAMES, PEOPLE)


@pytest.mark.parametrize("delimiter", [" ", ":", ";", "^", "|", "\t"])
def test_a_first_line_tells_the_delimiter_as_spreadsheets_write_it(tmp_path, delimiter):
    rows = [
        (f"'2026-01-0{number + 1}T10:2{number}:00Z'", "a;b|c,d" if delimiter != ";" else "a|b,c") for number in range(5)
    ]
    rows = [(stamp, f"'{text}'") for stamp, text in rows]
    found = table(tmp_path, [f"sep={delimiter}", *lines(delimiter, [("when", "what"), *rows])])
    assert found == (("when", "what"), [tuple(cell.strip("'") for cell in row) for row in rows])


def test_a_first_line_that_tells_a_sign_of_no_row_is_a_title(tmp_path):
    assert table(tmp_path, ["sep=;", "a,b", "1,2;3", "4,5"]) == (("a", "b"), [("1", "2;3"), ("4", "5")])


@pytest.mark.parametrize("delimiter", ["||", "\t\t"])
def test_a_doubled_delimiter_may_separate_two_columns(tmp_path, delimiter):
    rows = [(word.title(), word) for word in WORDS]
    assert table(tmp_path, lines(delimiter, [("country", "capital"), *rows])) == (("country", "capital"), rows)


def test_columns_that_are_blank_in_all_rows_are_no_doubled_delimiter_where_the_header_names_them(tmp_path):
    rows = [(word, "", f"{number}", "", "") for number, word in enumerate(WORDS * 12)]
    names = ("a", "b", "c", "d", "")
    assert table(tmp_path, lines("\t", [names, *rows])) == (names, rows)


def test_names_that_are_numbers_may_be_underlined(tmp_path):
    rows = [(word, f"{number}", f"-{number}1") for number, word in enumerate(WORDS)]
    found = table(tmp_path, lines(";", [("region", "2019", "2020"), ("------", "----", "----"), *rows]))
    assert found == (("region", "2019", "2020"), rows)


def test_a_comma_and_a_space_between_two_quoted_columns_belong_together(tmp_path):
    rows = [(word, word.upper()) for word in WORDS]
    text = lines(", ", [("country", "capital"), *rows], '"')
    assert table(tmp_path, [*text[:4], text[0], *text[4:]]) == (("country", "capital"), rows)


def test_another_table_of_words_as_wide_as_ours_is_left_out_for_who_only_looks(tmp_path):
    rows = [(str(number), WORDS[number], f"{number}.5") for number in range(9)]
    other = ["", "Store,City,Chief", "North,Berlin,Ann", "South,Paris,Bob"]
    assert table(tmp_path, [*lines(",", [("id", "what", "size"), *rows]), *other]) == (("id", "what", "size"), rows)


def test_products_with_words_for_prices_under_a_blank_line_are_told_of_not_left_out(tmp_path):
    text = [
        "sku,name,msrp",
        *(f"S{number},{WORDS[number]},{number}.5" for number in range(9)),
        "",
        "X,Tea,TBA",
        "Y,Cup,TBA",
    ]
    found = read(tmp_path, "\n".join(text).encode(), complete=True)
    assert found.rows[-2:] == [("X", "Tea", "TBA"), ("Y", "Cup", "TBA")]


def test_a_note_in_the_first_cell_is_left_out_but_not_where_others_stand_so(tmp_path):
    rows = [(f"{number}", WORDS[number], "") for number in range(9)]
    assert table(tmp_path, [*lines(",", [("id", "what", "more"), *rows]), "all of them are old,,"])[1] == rows
    rows = [("North", "1", "2"), ("South", "", ""), ("East", "3", "4"), ("West", "", "")]
    assert table(tmp_path, lines(",", [("place", "May", "June"), *rows]))[1] == rows


@pytest.mark.parametrize("every", [True, False])
def test_commas_and_spaces_within_quotes_separate_nothing(tmp_path, every):
    rows = [(f'{{"k": {number}, "t": ["a", null]}}', f"{word} stone") for number, word in enumerate(WORDS)]
    names = ("data", "note")
    text = [" ".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    assert table(tmp_path, [" ".join(names) if not every else '"data" "note"', *text]) == (names, rows)


def test_a_damaged_row_in_ten_does_not_hide_the_spaces_between_many_columns(tmp_path):
    rows = [(f"S{number}", f"{word} of stone, old", f"9,20{number}.93") for number, word in enumerate(WORDS * 3)]
    text = [f'{sku} "{name}" {amount}' for sku, name, amount in rows]
    text[4], text[11], text[20] = f"7 {text[4]}", f"{text[11]} more", "# those below, they are new"
    names = ("sku", "name", "amount")
    kept = [row for place, row in enumerate(rows) if place not in {4, 11, 20}]
    assert table(tmp_path, [" ".join(names), *text]) == (names, kept)


def test_a_comment_of_as_many_words_as_columns_is_no_row(tmp_path):
    text = lines(" ", [("start", "end", "room"), *TIMES])
    assert table(tmp_path, [*text[:5], "# der Nachmittag", *text[5:]])[1] == TIMES


def test_a_thousand_amounts_with_a_comma_and_spaces_around_them_are_cells_in_quotes(tmp_path):
    rows = b"".join(b'A-%04d , Lamp , "%d,50" , red\n' % (n, n) for n in range(1200))
    found = read(tmp_path, b"sku,name,msrp,color\n" + rows)
    assert len(found.rows) == 1200
    assert [cell.strip() for cell in found.rows[7]] == ["A-0007", "Lamp", "7,50", "red"]
