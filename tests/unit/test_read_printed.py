"""Tables printed for the eye: cells padded to columns, under a rule or under their names."""

import time

import pytest

from sftp_gateway import errors
from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.csv import printing
from tests.unit.reading import read

HEADER = ("sku", "name", "msrp")
ROWS = [("S1", "Chair, red", "1.50"), ("S2", "", "12.50"), ("S3", 'Pipe 5"', "3.50"), ("S4", "Lamp of iron", "")]
BARS = (
    " sku |     name     | msrp  \n-----+--------------+-------\n S1  | Chair, red   |  1.50\n"
    ' S2  |              | 12.50\n S3  | Pipe 5"      |  3.50\n S4  | Lamp of iron |      \n(4 rows)\n\n'
)
RULE = (
    "sku  name          msrp\n---- ------------ -----\nS1   Chair, red    1.50\n"
    'S2                12.50\nS3   Pipe 5"       3.50\nS4   Lamp of iron\n'
)
DOUBLE = (
    "===  ============  =====\nsku  name           msrp\n===  ============  =====\nS1   Chair, red     1.50\n"
    'S2                 12.50\nS3   Pipe 5"        3.50\nS4   Lamp of iron\n===  ============  =====\n'
)
NAMES = (
    "sku  name           msrp\nS1   Chair, red     1.50\n"
    'S2                 12.50\nS3   Pipe 5"        3.50\nS4   Lamp of iron\n'
)


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("text", [BARS, RULE, DOUBLE, NAMES], ids=["bars", "rule", "double", "names"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_table_padded_to_columns_is_read_without_its_rules_and_spaces(tmp_path, monkeypatch, text, end, lenient):
    monkeypatch.setattr(bounds, "BLOCK_BYTES", 60)
    found = read(tmp_path, text.replace("\n", end).encode(), lenient=lenient, complete=True)
    assert found.source.headers == HEADER
    assert found.rows == ROWS
    assert not found.rejects
    assert any("padded to 3 columns" in said.message for said in found.source.findings)


@pytest.mark.parametrize("wide", [False, True])
def test_characters_that_take_two_places_may_be_counted_so_or_not(tmp_path, wide):
    rows = [("S1", "東京", "1.50"), ("S2", "ソウル", "2.50"), ("S3", "Oslo", "3.50")]
    pad = [8 - sum(2 if wide and ord(letter) > 255 else 1 for letter in name) for _, name, _ in rows]
    lines = [f"{sku}   {name}{' ' * more}  {msrp}" for (sku, name, msrp), more in zip(rows, pad, strict=True)]
    found = read(tmp_path, "\n".join(["sku  name      msrp", "---- --------- ----", *lines, ""]).encode())
    assert (found.source.headers, found.rows) == (HEADER, rows)


def test_a_row_that_does_not_keep_to_the_columns_is_rejected_as_it_was_sent(tmp_path):
    rows = "".join(f"S{number:02d}  Chair         {number + 10}.50\n" for number in range(40))
    found = read(
        tmp_path, ("sku  name          msrp\n---- ------------ -----\n" + rows + "S99 out of the columns\n").encode()
    )
    assert len(found.rows) == 40
    assert [reject.raw for reject in found.rejects] == [b"S99 out of the columns"]


@pytest.mark.parametrize("count", [3, 8, 31, 60])
@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("odd", ["S99  Garden-chair-of-oak9.50", "S99  Chair of oak with arms  9.50"])
def test_a_row_that_overflows_its_column_costs_itself_only(tmp_path, count, lenient, odd):
    lines = [f"S{number:<4}{f'Chair {number}':15}{number}.50" for number in range(count)]
    lines.insert(count // 2, odd)
    found = read(tmp_path, "\n".join(["sku  name           msrp", *lines, ""]).encode(), lenient=lenient)
    assert found.source.headers == HEADER
    assert found.rows == [(f"S{number}", f"Chair {number}", f"{number}.50") for number in range(count)]
    assert [reject.raw for reject in found.rejects] == [odd.encode()]


def test_a_row_that_overflows_up_to_the_begin_of_the_next_column_is_no_reason_to_guess(tmp_path):
    text = (
        "sku  name           msrp\n"
        + "".join(f"S{number}   Chair {number}        {number}.50\n" for number in range(6))
        + "S9   An oak chair w 12 arms  9.50\n"
    )
    with pytest.raises(errors.Refused, match="No delimiter"):
        read(tmp_path, text.encode())


def test_words_that_stand_above_each_other_but_for_a_line_are_no_table():
    text = (
        b"once upon  a time there\nlived a king who had\nthree sons of whom the\nyoungest was the one\nwho went away\n"
    )
    assert printing.columns(text, ruled=False) is None


def test_names_of_one_column_in_the_row_are_no_columns(tmp_path):
    text = b"a list of\nall things\nwe do here\nand there\n"
    assert printing.columns(text, ruled=False) is None


@pytest.mark.parametrize(
    "text",
    [
        b"sku|name|msrp\n---|----|----\nS1|a|1\nS2|chair|2\nS33|b|3\n",
        b"sku name msrp\n--- ---- ----\nS1 a 1\nS222 b 2\n",
    ],
)
def test_a_delimiter_between_cells_that_are_not_padded_is_one(tmp_path, text):
    found = read(tmp_path, text)
    assert found.source.headers == HEADER
    assert [row[0] for row in found.rows][:1] == ["S1"]
    assert not found.rejects


def test_columns_take_time_by_the_length_of_the_text():
    began = time.process_time()
    for text in (
        b"- " * 500_000,
        b"a  b\n" * 200_000,
        b"a" + b" " * 1_000_000 + b"b\n" * 9,
        b"-=" * 250_000 + b"\n" + b"- x" * 99_999,
    ):
        for ruled in (True, False):
            found = printing.columns(text, ruled=ruled)
            if found is not None:
                found.cut(text.decode())
    assert time.process_time() - began < 4


STAFF = [(f"S{number:02d}", ("Bonn", "Rome")[number % 2], f"{number}.50") for number in range(60)]


def padded(rows, *, names=("sku", "town", "msrp")):
    return [f"{sku:6}{town:40}{msrp:8}" for sku, town, msrp in ([names, *rows] if names else rows)]


def seen(tmp_path, lines):
    data = "\n".join([*lines, ""]).encode()
    found = read(tmp_path, data, lenient=True, complete=True, known_headers=frozenset())
    return found.source.headers, found.rows


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ([], []),
        (["All chairs, and where they are", "of this house"], ["Source: the house"]),
        (["# Öl, Stühle und mehr"], []),
        (["# 椅子, 東京"], []),
    ],
)
@pytest.mark.parametrize("long", ["Bonn", "a town by the river, and far away"])
def test_titles_notes_and_few_long_cells_hide_no_columns(tmp_path, above, below, long):
    rows = [*STAFF[:30], ("S99", long, "7.50"), *STAFF[30:]]
    text = padded(rows)
    found = seen(tmp_path, [*above, *text[:9], *above[:1], *text[9:], *below])
    assert found == (("sku", "town", "msrp"), rows)


def test_columns_are_told_without_names_and_where_the_first_row_lacks_a_value(tmp_path):
    rows = [("S99", "", "7"), *STAFF]
    assert seen(tmp_path, padded(rows, names=None)) == (("#1", "#2", "#3"), rows)


def test_cells_between_gaps_need_not_stand_below_each_other_for_somebody_who_looks(tmp_path):
    rows = [(f"S{10**place}", "Rome, Italy" * (place + 1), f"{place}.50") for place in range(9)]
    lines = ["   ".join(row) for row in [("sku", "town", "msrp"), *rows]]
    assert seen(tmp_path, ["Chairs", *lines]) == (("sku", "town", "msrp"), rows)
    with pytest.raises(errors.Refused, match="No delimiter"):
        read(tmp_path, "\n".join(lines).replace(",", "").encode(), complete=True)


def test_commas_within_amounts_separate_no_padded_columns(tmp_path):
    rows = [(str(1990 + place), f"{place + 1},867,213", "2,040" if place % 2 else "7") for place in range(9)]
    assert seen(tmp_path, padded(rows, names=None)) == (("#1", "#2", "#3"), rows)


def test_the_mark_of_a_file_that_was_put_behind_another_takes_no_place(tmp_path):
    text = padded(STAFF)
    assert seen(tmp_path, [*text[:9], f"\ufeff{text[9]}", *text[10:]]) == (("sku", "town", "msrp"), STAFF)
