"""How many columns a file has where its header and its rows do not agree: what most rows say counts."""

import pytest

from sftp_gateway import errors
from sftp_gateway.upload import State
from tests.catalog_shop import Shop
from tests.unit.reading import read

HEADER = "sku,name,msrp,size,color\n"
ROWS = [f"S{number},Name {number},{number}.50,{number},red\n" for number in range(1, 20)]


def trailed(lines):
    return [line.replace("\n", ",\n") for line in lines]


def numbered(lines, numbers):
    return [f"{number},{line}" for number, line in zip(numbers, lines, strict=False)]


def among(header, rows, odd, place=9):
    return "".join([header, *rows[:place], odd, *rows[place:]]).encode()


@pytest.mark.parametrize(
    "odd",
    [
        "X1,Name,9.50,red,\n",  # a cell is lost
        'X1,Name,9.50,"4" x,"red, 10",\n',  # a quote is not doubled
        "X1,Name,9.50,4,5,red\n",  # a cell too many, and the delimiter behind it is lost
    ],
)
@pytest.mark.parametrize("lenient", [False, True])
def test_one_damaged_row_does_not_cost_the_others_where_a_delimiter_ends_every_row(tmp_path, odd, lenient):
    found = read(tmp_path, among(HEADER, trailed(ROWS), odd), lenient=lenient)
    assert found.source.headers == ("sku", "name", "msrp", "size", "color", "")
    assert [row[0] for row in found.rows] == [f"S{number}" for number in range(1, 20)]
    assert len(found.codes) == 1


def test_a_row_that_lacks_the_delimiter_behind_all_others_is_kept(tmp_path):
    found = read(tmp_path, among(HEADER, trailed(ROWS), "X1,Name,9.50,4,red\n"))
    assert found.rows[9] == ("X1", "Name", "9.50", "4", "red", "")
    assert not found.codes


def test_one_damaged_row_does_not_cost_the_others_where_a_delimiter_ends_the_header(tmp_path):
    found = read(tmp_path, among(HEADER.replace("\n", ",\n"), ROWS, "X1,Name,x,9.50,4,red\n"))
    assert found.source.headers == ("sku", "name", "msrp", "size", "color")
    assert len(found.rows) == 19
    assert found.codes == ["ROW_COLUMNS"]


@pytest.mark.parametrize("odd", ["10,X1,Name,9.50,red\n", "10,X1,Name,x,9.50,4,red\n", "10;X1;Name;9.50;4;red\n"])
def test_one_damaged_row_does_not_cost_the_others_where_rows_are_numbered(tmp_path, odd):
    rows = numbered(ROWS, [*range(1, 10), *range(11, 30)])
    found = read(tmp_path, among(HEADER, rows, odd))
    assert found.source.headers == ("", "sku", "name", "msrp", "size", "color")
    assert len(found.rows) + len(found.codes) == 20
    assert len(found.codes) == (";" not in odd)


def test_some_of_the_numbered_rows_keep_their_columns(tmp_path):
    numbers = [number for number in range(1, 40) if number % 4]
    found = read(tmp_path, "".join([HEADER, *numbered(ROWS, numbers)]).encode())
    assert found.source.headers[:2] == ("", "sku")
    assert len(found.rows) == 19


@pytest.mark.parametrize("numbers", [range(1000, 1019), range(1, 60, 3), [2, 1, *range(3, 20)], [1, 2, 4]])
def test_codes_that_rise_are_no_count(tmp_path, numbers):
    text = "".join([HEADER, *numbered(ROWS, numbers)])
    with pytest.raises(errors.Refused) as refused:
        read(tmp_path, text.encode())
    assert refused.value.code == "FILE_HEADER_COLUMNS"


def test_where_as_many_rows_have_the_width_of_the_header_it_counts(tmp_path):
    found = read(tmp_path, "".join([HEADER, *ROWS[:3], *trailed(ROWS[3:6])]).encode())
    assert found.source.headers == ("sku", "name", "msrp", "size", "color")
    assert len(found.rows) == 6


def test_columns_of_a_header_stay_where_most_rows_leave_their_last_cells_off(tmp_path):
    text = "".join([HEADER, *ROWS[:2], *(line.replace(",red", "") for line in ROWS[2:])])
    found = read(tmp_path, text.encode())
    assert found.source.headers == ("sku", "name", "msrp", "size", "color")


@pytest.mark.parametrize(
    ("header", "end", "odd"),
    [("", ",", "A5,Name 5,5.50,red,"), (",", "", "A5,Name 5,x,5.50,5,red")],
    ids=["behind the rows", "behind the header"],
)
def test_an_upload_with_a_delimiter_too_many_goes_live_but_for_its_damaged_row(tmp_path, header, end, odd):
    rows = [f"A{number},Name {number},{number}.50,{number},red{end}" for number in range(1, 10)]
    shop = Shop(tmp_path)
    outcome = shop.put("\n".join([f"sku,name,msrp,size,color{header}", *rows[:4], odd, *rows[5:]]) + "\n")
    assert outcome.state is State.PUBLISHED
    assert [error["code"] for error in shop.errors(outcome) if error["code"].startswith("ROW_")] == ["ROW_COLUMNS"]
    assert {sku: product["name"] for sku, product in shop.products().items()} == {
        f"A{number}": f"Name {number}" for number in range(1, 10) if number != 5
    }


ENDS = (",2027-01-01,4", "", ",2027-01-01")
RELEASES = [f"1.{n},Name {n},2026-01-0{n}{ENDS[n % 3]}\n" for n in range(1, 10)]


def test_last_cells_that_many_rows_leave_off_are_blank_to_somebody_who_only_looks_at_the_file(tmp_path):
    text = "sku,name,from,until,size\n" + "".join(RELEASES)
    found = read(tmp_path, text.encode(), lenient=True)
    assert not found.codes
    assert found.rows[:3] == [
        ("1.1", "Name 1", "2026-01-01", "", ""),
        ("1.2", "Name 2", "2026-01-02", "2027-01-01", ""),
        ("1.3", "Name 3", "2026-01-03", "2027-01-01", "4"),
    ]
    assert len(found.notes) == 6
    assert "an upload rejects it" in found.notes[0].message
    assert read(tmp_path, text.encode()).codes == ["ROW_COLUMNS"] * 6


def test_a_damaged_row_among_short_ones_is_not_filled_up(tmp_path):
    text = "sku,name,from,until,size\n" + "".join([*RELEASES, "1.9,2026-01-09,2027-01-01\n"])
    assert read(tmp_path, text.encode(), lenient=True).codes == ["ROW_COLUMNS"]


def test_a_short_row_among_whole_ones_is_damaged_whoever_looks(tmp_path):
    text = among(HEADER, ROWS, "X1,Name,9.50\n")
    assert read(tmp_path, text, lenient=True).codes == ["ROW_COLUMNS"]


def test_tabs_between_names_that_a_person_aligned_are_one_delimiter_to_somebody_who_only_looks(tmp_path):
    text = "#code\tplace\tzone\t\t\tcomments\n" + "".join(f"A{n}\t+4{n}\tEurope/X{n}\n" for n in range(9))
    found = read(tmp_path, (text + "B1\t+42\tEurope/Y\tolder\n").encode(), lenient=True)
    assert found.source.headers == ("#code", "place", "zone", "comments")
    assert len(found.rows) == 10


def test_a_delimiter_behind_each_row_makes_no_delimiter_of_the_colons_in_their_times(tmp_path):
    rows = [(str(number), f"0:59:{number + 10}", f"2:{number + 10}:45", "Rome") for number in range(24)]
    data = "\n".join(["NUMBER,FROM,TO,PLACE", *(",".join(row) + "," for row in rows), ""]).encode()
    found = read(tmp_path, data, lenient=True, complete=True, known_headers=frozenset())
    assert [row[:4] for row in found.rows] == rows


@pytest.mark.parametrize(("header", "rows", "name"), [(",", ";", "semicolon"), (";", ",", "comma"), (",", "\t", "tab")])
def test_rows_that_another_delimiter_separates_than_the_header_are_named(tmp_path, header, rows, name):
    lines = [header.join(("sku", "name", "msrp")), *(rows.join((f"A{n}", "Lamp", "1")) for n in range(3))]
    with pytest.raises(errors.Refused, match=f"the rows have 1. They are separated by {name}, it seems") as caught:
        read(tmp_path, "\n".join(lines).encode())
    assert caught.value.code == "FILE_HEADER_COLUMNS"


def test_a_delimiter_that_is_set_and_separates_nothing_is_named_not_the_columns_that_lack(tmp_path):
    with pytest.raises(
        errors.Refused, match="The semicolon, which is set as this brand's delimiter, does not"
    ) as caught:
        read(tmp_path, b"sku,name,msrp\nA,Lamp,1\n", delimiter=";")
    assert caught.value.code == "FILE_DELIMITER"
