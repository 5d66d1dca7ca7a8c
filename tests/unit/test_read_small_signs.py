"""Small signs that tell much: a pound before a figure, apostrophes doubled inside apostrophes, notes below a blank line, spaces."""

import pytest

from tests.unit.reading import read


def seen(tmp_path, data):
    data = data if isinstance(data, bytes) else data.encode()
    found = read(tmp_path, data, lenient=True, complete=True, known_headers=frozenset())
    return [found.source.headers, *found.rows]


@pytest.mark.parametrize("text", ["Crêpes", "François", "Zoë", "São Paulo", "Łódź"])
@pytest.mark.parametrize("price", ["£12", "£ 480,635"])
def test_a_pound_before_figures_is_no_letter(tmp_path, text, price):
    rows = [("dish", "price"), (text, price), ("Goulash", "£7"), (text, "9")]
    data = "".join("|".join(row) + "\n" for row in rows)
    if "ź" in text:
        data, rows = data.replace("£", ""), [tuple(cell.replace("£", "") for cell in row) for row in rows]
    encoding = "cp1250" if "ź" in text else "cp1252"
    assert [tuple(cell.strip() for cell in row) for row in seen(tmp_path, data.encode(encoding))] == [
        tuple(cell.strip() for cell in row) for row in rows
    ]


@pytest.mark.parametrize("sign", ["£", "€", "$", "°"])
def test_a_currency_in_all_rows_is_no_delimiter(tmp_path, sign):
    rows = [("15 Aug 2015", "SHOP 32, LONDON", f"{sign}3.00", "", f"{sign}5.{n}") for n in range(10, 22)]
    data = "Date\tText\tOut\tIn\tBalance\n" + "".join("\t".join(row) + "\t\t\n" for row in rows)
    assert [row[:5] for row in seen(tmp_path, data)] == [("Date", "Text", "Out", "In", "Balance"), *rows]


@pytest.mark.parametrize("escaped", ["''", "\\'"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|", "^"])
@pytest.mark.parametrize("quoted", [1, 5])
def test_apostrophes_escaped_between_apostrophes_tell_that_these_quote(tmp_path, delimiter, escaped, quoted):
    rows = [("St. John's" if n < quoted else "Oslo", f"{n} Elm Ave", str(n)) for n in range(12)]
    lines = [
        delimiter.join(row).replace("St. John's", f"'St. John{escaped}s'") for row in [("Ort", "Str", "Nr"), *rows]
    ]
    assert seen(tmp_path, "\n".join([*lines, ""])) == [("Ort", "Str", "Nr"), *rows]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_notes_padded_to_all_columns_below_a_blank_line_are_no_rows_of_a_short_table(tmp_path, count):
    rows = [(str(n), "Ben", "Academy", "48.9") for n in range(count)]
    data = "No;Head;Type;Rate\n" + "".join(";".join(row) + "\n" for row in rows)
    assert seen(tmp_path, f"{data}\nNotes;;;\n1. rounded figures only;;;\n") == [("No", "Head", "Type", "Rate"), *rows]


def test_quoted_sentences_with_commas_are_separated_by_the_spaces_between_them(tmp_path):
    rows = [(f"Market {word}", f"A {word}, used for {word} and {word}; see also that.") for word in "abcdefgh"]
    data = "Term Definition\n" + "".join(" ".join(f'"{cell}"' for cell in row) + "\n" for row in rows)
    assert seen(tmp_path, data) == [("Term", "Definition"), *rows]


def test_decimal_commas_in_most_rows_do_not_outdo_spaces_in_all(tmp_path):
    rows = [(f"0{n}/03/2014", "00.00.00", "-200", f"{n},5", f"4,{n}" if n % 3 else "-200", "7") for n in range(1, 10)]
    table = [("Date", "Time", "CO", "T", "RH", "AH"), *rows]
    assert seen(tmp_path, "".join(" ".join(row) + "\n" for row in table)) == table


@pytest.mark.parametrize("delimiter", ["\t", "|", "~|~"])
@pytest.mark.parametrize("short", ["Eve{}Flat 2, 6 High Street, Bonn, D", "Smith, Eve{}Flat 2, 6 High Street, Bonn"])
def test_commas_in_a_row_that_is_too_short_are_not_another_delimiter(tmp_path, delimiter, short):
    rows = [(f"Ann {n}", f"{n} Elm Ave, Rome", ("00501", "SW1A 1AA")[n % 2], "Italy") for n in range(12)]
    lines = [delimiter.join(row) for row in [("Name", "Address", "Code", "Land"), *rows]]
    lines.insert(5, short.format(delimiter))
    assert [row for row in seen(tmp_path, "\n".join([*lines, ""])) if row[2].strip()][1:] == rows


def test_titles_do_not_hide_the_spaces_between_decimal_commas(tmp_path):
    rows = [(f"0{n}.03.2014", "Amt_Nord", f"-{n}8,81", "EUR", f"1.{n}00,4{n}", "ja") for n in range(1, 10)]
    table = [("Tag", "Wer", "Betrag", "Art", "Saldo", "ok"), *rows]
    data = "List of silver by zebra\nSource: the bureau\n\n" + "".join(" ".join(row) + "\n" for row in table)
    assert seen(tmp_path, data) == table


def test_quotes_doubled_in_cells_separated_by_spaces_are_told(tmp_path):
    rows = [(str(n), f"Ann {n}", f"3:2{n}:14.3", f"+7'1{n}\"") for n in range(1, 8)]
    data = "Pos Name Time Gap\n" + "".join(f'{a} "{b}" {c} "{d}""\n' for a, b, c, d in rows)
    assert seen(tmp_path, data) == [("Pos", "Name", "Time", "Gap"), *rows]


def test_bars_between_spaces_are_the_delimiter_of_cells_over_lines(tmp_path):
    rows = [(str(n), "north star", f"Ann {n}\n{n} Elm Ave\nRome") for n in range(1, 5)]
    data = "id | label | postal address\n" + "".join(f'{a} | {b} | "{c}"\n' for a, b, c in rows)
    assert seen(tmp_path, data) == [("id", "label", "postal address"), *rows]


def test_a_semicolon_before_each_quoted_text_outdoes_the_spaces_of_titles(tmp_path):
    rows = [(f"§ {n}", f"(2) Sit ut; labore {n}") for n in range(1, 20)]
    data = "List of letter quiet by candle\nSource: Bureau\nSection; Text\n" + "".join(f'{a}; "{b}"\n' for a, b in rows)
    assert seen(tmp_path, data) == [("Section", "Text"), *rows]
