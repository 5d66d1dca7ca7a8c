"""Unusual delimiters that a usual one inside cells outdid, or a part of them: told by the header, or by their whole."""

import pytest

from tests.unit.reading import read


def seen(tmp_path, data):
    found = read(tmp_path, data.encode(), lenient=True, complete=True, known_headers=frozenset())
    return [found.source.headers, *found.rows]


def rows_of(data, delimiter):
    return [tuple(line.split(delimiter)) for line in data.splitlines()]


@pytest.mark.parametrize("mark", ["\x1f", "\x01", "~", "^"])
def test_a_header_that_begins_as_a_comment_names_the_columns_of_its_sign(tmp_path, mark):
    table = "#CHROM,POS,ID,INFO,NA1\n" + "".join(
        f"chr{n},1{n}4,rs{n},DP={n};DB,{n % 2}|0:{n}:4\n" for n in range(1, 20)
    )
    data = table.replace(",", mark)
    assert seen(tmp_path, data) == rows_of(data, mark)


@pytest.mark.parametrize("count", [9, 30])
def test_a_sign_that_gives_all_lines_two_columns_outdoes_commas_in_most(tmp_path, count):
    data = "Section~Text\n" + "".join(f"§ {n}~(1) Sed ut, provided, that {n}\n" for n in range(1, count))
    assert seen(tmp_path, data) == rows_of(data, "~")
    torn = data.replace("§ 4~(1) Sed", '§ 4~"(1) Sed')
    found = seen(tmp_path, torn)
    assert [row for row in found if row[0] != "§ 4"] == [row for row in rows_of(data, "~") if row[0] != "§ 4"]


@pytest.mark.parametrize("mark", ["|~|", "~|~"])
@pytest.mark.parametrize("rows", [2, 12])
def test_a_title_padded_with_a_delimiter_of_three_signs_hides_it_not(tmp_path, mark, rows):
    table = "id,label,address\n" + "".join(f"{n},north star,{n} Main St\n" for n in range(1, rows + 1))
    data = table.replace(",", mark)
    assert seen(tmp_path, f"Station data{mark * 2}\n{data}") == rows_of(data, mark)


@pytest.mark.parametrize("header", ["name; from; to", "name; from; to;"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_delimiter_without_its_space_at_the_end_of_rows_is_no_part_of_a_cell(tmp_path, header, quote):
    rows = [(f"S{n}", f"0{n}:15", f"0{n}:45") for n in range(1, 9)]
    body = "".join("; ".join(f"{quote}{cell}{quote}" for cell in row) + ";\n" for row in rows)
    found = seen(tmp_path, f"{header}\n{body}")
    assert [row[:3] for row in found] == [("name", "from", "to"), *rows]


def test_a_sign_that_begins_each_line_separates_nothing(tmp_path):
    data = "Section; Text\n" + "".join(f'§ {n}; "Sed ut; labore {n}"\n' for n in range(1, 20))
    assert seen(tmp_path, data)[:2] == [("Section", "Text"), ("§ 1", "Sed ut; labore 1")]
