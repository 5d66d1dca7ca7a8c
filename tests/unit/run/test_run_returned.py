"""Corrections whose rows are of a wrong width, as programs and people send them back: nothing of ours is ever published."""

import csv
import io

import openpyxl
import pytest

from sftp_gateway.upload import State
from tests.catalog_dialects import OPEN, correction, said
from tests.catalog_shop import Shop, table

HEADER = "sku,name,msrp"
GOOD = "".join(f"G{number},n,{number + 1}\n" for number in range(30))
OURS = "_row,_codes,_errors,_suggestions,_correction_of"
SHORT = '33,ROW_COLUMNS,"The row has 2 cells, the header 3.",Look for 1 missing.,1'
LONG = '33,ROW_COLUMNS,"The row has 4 cells, the header 3.",Look for 1 too many.,1'


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path, guards=OPEN)


def send(shop, bad, header=HEADER, good=GOOD):
    """Send good rows and bad ones; what became of them, and the correction file."""
    outcome = shop.put(f"{header}\n{good}{bad}")
    return outcome, correction(outcome).decode()


def saved(text, *, workbook=False):
    """Open a CSV file in a spreadsheet and save it: all rows are padded, at their end, to the widest."""
    rows = list(csv.reader(io.StringIO(text)))
    width = max(map(len, rows))
    padded = [[*row, *[""] * (width - len(row))] for row in rows]
    if workbook:
        book, out = openpyxl.Workbook(), io.BytesIO()
        for row in padded:
            book.active.append([int(cell) if cell.isdigit() else cell or None for cell in row])
        book.save(out)
        return out.getvalue()
    out = io.StringIO()
    csv.writer(out).writerows(padded)
    return out.getvalue()


def keyed(shop, outcome):
    return [item for item in said(shop, outcome) if item[0]]


@pytest.mark.parametrize(
    "bad", ["B1,,5\nB2,Na\n", "B2,Na\n", "B2\n", "B1,Black,5,3\n", "B1,Black,5,3\nB2,Na\nB3,,5\n", "B1,a,b,\n"]
)
@pytest.mark.parametrize("way", [str, saved, lambda text: saved(text, workbook=True)], ids=["as is", "csv", "xlsx"])
def test_rows_of_a_wrong_width_say_the_same_again_however_often_they_are_saved(shop, bad, way):
    first, text = send(shop, bad)
    before = shop.products()
    outcome = first
    for _ in range(3):
        outcome = shop.put(way(text), name="c.xlsx" if isinstance(way(text), bytes) else "c.csv")
        assert keyed(shop, outcome) == keyed(shop, first)
        assert shop.products() == before
        made = correction(outcome)
        if made.startswith(b"PK"):
            break
        text = made.decode()


def test_a_short_row_stands_under_its_headers(shop):
    _, text = send(shop, "B1,,5\nB2,Na\nB4\n")
    lines = table(text)
    assert [line["_row"] for line in lines] == ["32", "33", "34"]
    assert [line["_correction_of"] for line in lines] == ["1"] * 3
    assert [line["msrp"] for line in lines] == ["5", "", ""]


@pytest.mark.parametrize(
    ("sent", "mended", "product"),
    [
        ("B2,Na", "B2,Na,33", ("Na", "33.00")),
        ("B2,33", "B2,Na,33", ("Na", "33.00")),
        ("B2,33", "B2,Na,33,", ("Na", "33.00")),
    ],
)
def test_a_short_row_that_was_filled_in_is_published(shop, sent, mended, product):
    _, text = send(shop, f"{sent}\n")
    assert f"\n{sent},,32" in text
    outcome = shop.put(text.replace(f"{sent},,32", f"{mended.rstrip(',')},32"))
    assert outcome.receipt["rows"]["accepted"] == 1
    made = shop.products()["B2"]
    assert (made["name"], made["msrp"]) == product


def test_a_short_row_that_lacks_nothing_is_published_once_its_code_is_taken_away(shop):
    _, text = send(shop, "B2,Na,3\n", "sku,name,msrp,color", GOOD.replace("\n", ",red\n"))
    *_, error = shop.errors(shop.put(text))
    assert "empty its _codes cell" in error["suggestion"]
    assert shop.put(text.replace("ROW_COLUMNS", "")).receipt["rows"]["accepted"] == 1
    assert shop.products()["B2"]["msrp"] == "3.00"


@pytest.mark.parametrize(
    ("way", "sent", "mended", "name"),
    [(str, "Black,shiny", '"Black,shiny"', "Black,shiny"), (saved, "Black,shiny,5,", "Matt,5,", "Matt")],
)
def test_a_long_row_that_was_mended_is_published(shop, way, sent, mended, name):
    _, text = send(shop, "B1,Black,shiny,5\n")
    assert shop.put(way(way(text).replace(sent, mended))).receipt["rows"]["accepted"] == 1
    assert (shop.products()["B1"]["name"], shop.products()["B1"]["msrp"]) == (name, "5.00")


@pytest.mark.parametrize(
    "line", [f"B2,Na,{SHORT},", f"B2,{SHORT},,", f"{SHORT},,,", SHORT, f"B2,Na,12,,{SHORT}", f"B2,Na,,,{LONG}"]
)
@pytest.mark.parametrize("beside", ["", "B9,Right,7,31,FIELD_TYPE,x,,1\n"])
def test_our_columns_in_the_senders_are_never_published(shop, line, beside):
    send(shop, "B2,Na\n")
    outcome = shop.put(f"{HEADER},{OURS}\n{beside}{line}\n")
    assert {item[3] for item in said(shop, outcome)} == {"ROW_COLUMNS"}
    assert outcome.receipt["rows"] | {"accepted": bool(beside), "rejected": 1} == outcome.receipt["rows"]
    assert outcome.state is (State.PUBLISHED if beside else State.REFUSED)
    assert "B2" not in shop.products()
    for _ in range(2):
        made = correction(outcome)
        assert b"33," not in made  # ours of before
        again = shop.put(made)
        assert [item[1:] for item in said(shop, again)] == [item[1:] for item in said(shop, outcome)]
        outcome = again


def test_our_columns_that_an_open_quote_took_in_are_never_published(shop):
    send(shop, 'B2,"open,7\n')
    swallowed = 'B2,"open,7,33,ROW_QUOTE,A quote opens,,1",5'
    outcome = shop.put(f"{HEADER},{OURS}\n{swallowed},,,,,1\nB9,Right,7,31,FIELD_TYPE,x,,1\n")
    assert [item[3] for item in said(shop, outcome)] == ["ROW_COLUMNS"]
    assert keyed(shop, shop.put(correction(outcome))) == keyed(shop, outcome)
    assert {"B9"} == set(shop.products()) - {f"G{number}" for number in range(30)}


def test_a_row_whose_quotes_were_repaired_comes_back_quoted_as_it_should_be(shop):
    header, good = f"{HEADER},description", GOOD.replace("\n", ",d\n")
    first, text = send(shop, 'B1,,5,x\nQ2,"pipe 12"",abc,d\n', header, good)
    [line] = [line for line in table(text) if line["sku"] == "Q2"]
    assert (line["name"], line["msrp"], line["_codes"], line["_correction_of"]) == (
        'pipe 12"',
        "abc",
        "FIELD_TYPE",
        "1",
    )
    for way in (str, saved):
        assert said(shop, shop.put(way(text))) == keyed(shop, first)
    assert shop.put(saved(text).replace(",abc,", ",9,")).receipt["rows"]["accepted"] == 1
    made = shop.products()["Q2"]
    assert (made["name"], made["msrp"], made["description"]) == ('pipe 12"', "9.00", "d")


@pytest.mark.parametrize("cell", [r'"5\" pipe, long"', r"Lamp\, big"])
def test_rows_of_a_file_that_puts_a_backslash_before_quotes_or_delimiters_come_back_quoted(shop, cell):
    good = "".join(f"G{number},{cell},{number + 1},red\n" for number in range(30))
    first, text = send(shop, f"B1,{cell},x,red\nB2,{cell},y,blue\n", f"{HEADER},color", good)
    assert [line["_codes"] for line in table(text)] == ["FIELD_TYPE"] * 2
    for way in (str, saved):
        assert keyed(shop, shop.put(way(text))) == keyed(shop, first)
    assert shop.put(saved(text).replace(",x,", ",9,")).receipt["rows"]["accepted"] == 1
    assert shop.products()["B1"]["name"] == shop.products()["G1"]["name"]


def test_a_row_that_somebody_added_without_our_columns_keeps_all_its_cells(shop):
    header, good = f"{HEADER},cost,color,description", GOOD.replace("\n", ",1,red,d\n")
    _, text = send(shop, "B1,,3,1,,\n", header, good)
    outcome = shop.put(f"{text}B9,New one,3,1,,hi\n")
    assert ("B9", "", "", "ROW_COLUMNS", "error", "The row has 6 cells, the header 11.") in said(shop, outcome)
    again = correction(outcome).decode()
    assert "\nB9,New one,3,1,,hi,3,ROW_COLUMNS," in again
    assert keyed(shop, shop.put(again)) == keyed(shop, outcome)
    assert shop.put(f"{text}B9,New one,3,1,,hi,,,,,\n").receipt["rows"]["accepted"] == 1


def test_a_short_row_behind_our_column_loses_none_of_its_cells(shop):
    send(shop, "B2,Fixed\n")
    outcome = shop.put("_correction_of,sku,name,msrp\n1,B2,Fixed\n1,B3,n,3\n")
    assert said(shop, outcome) == [("B2", "", "", "ROW_COLUMNS", "error", "The row has 2 cells, the header 3.")]
    text = correction(outcome).decode()
    assert text.splitlines()[1].startswith("B2,Fixed,,2,ROW_COLUMNS,")
    assert said(shop, shop.put(text)) == said(shop, outcome)
    assert shop.put(text.replace("Fixed,,", "Fixed,4,")).receipt["rows"]["accepted"] == 1


@pytest.mark.parametrize("columns", [100, 102, 300])
def test_a_row_that_lacks_very_many_cells_is_not_padded_and_says_the_same_again(shop, columns):
    more = "".join(f",c{number}" for number in range(columns - 3))
    first, text = send(shop, "B2,Na\n", HEADER + more, GOOD.replace("\n", "," * (columns - 3) + "\n"))
    assert len(text.splitlines()[1]) < 300
    assert text.splitlines()[1].startswith("B2,Na,,") == (columns <= 102)
    for way in (str, saved, saved):
        assert keyed(shop, shop.put(way(text))) == keyed(shop, first)


def test_the_columns_of_the_sender_that_have_no_name_stay(shop):
    send(shop, "B2,Fixed\n")
    text = correction(shop.put("_correction_of,sku,name,,msrp\n1,B2,n,mine,x\n1,B3,n,mine\n")).decode()
    assert [line.split(",")[:4] for line in text.splitlines()] == [
        ["sku", "name", "", "msrp"],
        ["B2", "n", "mine", "x"],
        ["B3", "n", "mine", ""],
    ]


def test_a_damaged_row_of_a_correction_loses_only_what_is_ours(shop):
    _, text = send(shop, 'B1,,3\nB2,"open,7\n')
    outcome = shop.put(f'{text}B9,"New,one,3\n')
    assert keyed(shop, outcome)[-1][0] == "B9"
    lines = correction(outcome).decode().splitlines()
    assert lines[-1].startswith('B9,"New,one,3,4,ROW_QUOTE,')
    assert [line.count("ROW_QUOTE") for line in lines] == [0, 0, 1, 1]


def test_a_damaged_row_behind_our_column_loses_only_what_is_ours(shop):
    send(shop, 'B2,"open,7\n')
    outcome = shop.put('_correction_of,sku,name,msrp\n1,B3,n,3\n1,B2,"open,7\n1,B4,n,4\n')
    assert correction(outcome).decode().splitlines()[1].startswith('B2,"open,7,3,ROW_QUOTE,')


def test_a_row_of_a_sheet_has_no_line(shop):
    _, text = send(shop, "B2,Na\n")
    *_, error = shop.errors(shop.put(saved(text, workbook=True), name="c.xlsx"))
    assert [error[name] for name in ("row", "line", "byte_offset", "code")] == ["2", "", "", "ROW_COLUMNS"]


def test_a_row_of_formulas_for_texts_comes_back_as_texts_that_no_spreadsheet_runs(shop):
    first = shop.put('="sku";"name";"msrp"\n="0012";"Hat";"10"\n="0013";"Cap";"x"\n')
    header, row = correction(first).decode().splitlines()
    assert header.startswith("sku;name;msrp;_row")
    assert row.startswith("0013;Cap;x;3;")
    shop.put(f"{header}\n{row.replace(';x;', ';11;', 1)}\n")
    assert [*shop.products()] == ["0012", "0013"]
