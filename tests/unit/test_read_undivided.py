"""Texts of one column: answers of a survey, sentences, names, in which delimiters stand by chance."""

import pytest

from tests.unit.reading import read

ANSWERS = [
    "ok",
    "Too slow; staff were rude",
    "Why was the 10:15 cancelled?",
    "none",
    "I don't know",
    "Better signage; more seats; cheaper tickets",
    "Good",
    "More parking please!",
    "Open earlier / close later",
]


def seen(tmp_path, data):
    found = read(tmp_path, data.encode(), lenient=True, complete=True, known_headers=frozenset())
    return found.source.headers, [row[0] for row in found.rows], len(found.rejects)


@pytest.mark.parametrize(
    "answers", [ANSWERS, [*ANSWERS, *ANSWERS], ANSWERS[2:], ANSWERS[:2], ["ok", ANSWERS[1], ANSWERS[1], "none", "Good"]]
)
def test_semicolons_in_a_few_lines_divide_no_text_of_one_column(tmp_path, answers):
    assert seen(tmp_path, "\n".join(["Comment", *answers, ""])) == (("Comment",), answers, 0)


def test_commas_in_quotes_leave_a_text_of_one_column(tmp_path):
    quoted = ['"Cleaner toilets, more staff"', *ANSWERS, '"Très bien, merci"']
    found = seen(tmp_path, "\n".join(["Comment", *quoted, ""]))
    assert found == (("Comment",), ["Cleaner toilets, more staff", *ANSWERS, "Très bien, merci"], 0)


def test_commas_and_semicolons_in_some_lines_divide_no_text_of_one_column(tmp_path):
    answers = [*ANSWERS, "All good, thank you", "Less noise, more staff, more seats", "Fine"]
    assert seen(tmp_path, "\n".join(["Comment", *answers, ""])) == (("Comment",), answers, 0)


def test_a_table_below_many_lines_of_prose_is_still_divided(tmp_path):
    lines = [*ANSWERS[:4], "", "id; name; place", "1; Ann; Rome", "2; Bob; Oslo", "3; Eve; Bonn", "", "Notes", "one"]
    headers, rows, _ = seen(tmp_path, "\n".join([*lines, ""]))
    assert (headers, rows) == (("id", "name", "place"), ["1", "2", "3"])


def test_sentences_with_commas_in_most_lines_are_one_column_though_some_are_quoted(tmp_path):
    texts = [", ".join([f"Part {part} of {number}" for part in range(number % 4 + 1)]) for number in range(30)]
    texts[7] = 'Said "one, two", and went; so be it'
    lines = [f'"{text}"' if ";" not in text and place % 3 == 0 else text for place, text in enumerate(texts)]
    assert seen(tmp_path, "\n".join(["Text", *lines, ""])) == (("Text",), texts, 0)


def test_comments_with_commas_divide_no_column_of_numbers(tmp_path):
    numbers = [f"{number}.5" for number in range(20)]
    lines = ["Value", *numbers[:9], "# from here on, all, are new", *numbers[9:]]
    headers, rows, _ = seen(tmp_path, "\n".join([*lines, ""]))
    assert (headers, [row for row in rows if row[:1] != "#"]) == (("Value",), numbers)


def test_a_sign_in_each_line_divides_sentences_with_commas_and_quotes(tmp_path):
    lines = [f"A{number}^" + ", ".join(['The "old" stone'] * (number % 4 + 1)) for number in range(30)]
    headers, rows, _ = seen(tmp_path, "\n".join(["code^text", *lines, ""]))
    assert (headers, rows) == (("code", "text"), [f"A{number}" for number in range(30)])
