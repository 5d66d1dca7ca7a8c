"""Where in a sheet the products stand: under headers of several rows, among other tables, with room around them."""

import io

import openpyxl
import pytest

from tests.unit.reading import read

HEADER = ["sku", "name", "msrp", "color"]
BODY = [[f"S{number}", f"Name {number}", number + 0.5, "red"] for number in range(1, 9)]
TEXTS = [tuple(map(str, row)) for row in BODY]
STORES = [["Store", "City"], ["North", "Berlin"], ["South", "Paris"], ["West", "Rome"]]
STRANGE = ["Artikel", "Bezeichnung", "Preis", "Farbe"]


def sheet(*places):
    """A sheet with rows at places: (row, column, rows)."""
    book = openpyxl.Workbook()
    for top, left, rows in places:
        for number, cells in enumerate(rows):
            for column, value in enumerate(cells):
                if value is not None:
                    book.active.cell(top + number, left + column).value = value
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def products(folder, *places, header=HEADER, **hints):
    found = read(folder, sheet(*places), **hints)
    assert list(found.source.headers) == header
    assert found.rows == TEXTS
    return found


def told(found):
    return [(item.code, item.message) for item in (*found.source.findings, *found.source.tally.late)]


def names(strange):
    return {"header": STRANGE, "lenient": True} if strange else {"header": HEADER}


@pytest.mark.parametrize("strange", [False, True])
def test_blank_rows_and_columns_around_a_table_are_no_part_of_it(tmp_path, strange):
    how = names(strange)
    found = products(tmp_path, (5, 3, [how["header"], *BODY]), **how)
    assert found.numbers == list(range(6, 14))


@pytest.mark.parametrize("strange", [False, True])
def test_a_title_left_of_the_table_gives_no_column(tmp_path, strange):
    how = names(strange)
    found = products(tmp_path, (1, 1, [["Catalog 2026"], ["made by hand"]]), (4, 3, [how["header"], *BODY]), **how)
    assert ("FILE_PREAMBLE", "2 rows were skipped above the header.") in told(found)


@pytest.mark.parametrize("strange", [False, True])
@pytest.mark.parametrize("left", [1, 3])
def test_a_smaller_table_below_is_skipped(tmp_path, strange, left):
    how = names(strange)
    found = products(tmp_path, (1, 1, [how["header"], *BODY]), (11, left, STORES), **how)
    assert ("FILE_FOOTER", "Another table, from row 11 on (Store, City), was skipped.") in told(found)
    assert found.source.tally.skipped == 4


def test_rows_without_anything_around_the_tables_of_a_sheet_are_counted_as_blank(tmp_path):
    found = products(tmp_path, (2, 1, [["Catalog"]]), (4, 1, [HEADER, *BODY]), (14, 1, STORES), (20, 1, STORES))
    tally = found.source.tally
    assert (tally.skipped, tally.blank) == (1 + 2 * len(STORES), 5)
    assert tally.readable + tally.blank + tally.skipped + 1 == 23


@pytest.mark.parametrize("strange", [False, True])
def test_a_smaller_table_with_a_title_above_is_skipped(tmp_path, strange):
    how = names(strange)
    found = products(tmp_path, (1, 1, [["Stores"], *STORES]), (8, 1, [["Products"], how["header"], *BODY]), **how)
    assert found.numbers == list(range(10, 18))


@pytest.mark.parametrize("strange", [False, True])
@pytest.mark.parametrize("first", ["products", "stores"])
def test_a_smaller_table_beside_is_skipped(tmp_path, strange, first):
    how = names(strange)
    ours, theirs = (1, 4) if first == "products" else (4, 1)
    if first == "products":
        theirs = 6
    found = products(tmp_path, (1, ours, [how["header"], *BODY]), (1, theirs, STORES), **how)
    assert any("beside" in message and "Store, City" in message for _, message in told(found))


def test_a_table_beside_that_begins_lower_and_goes_on_further_is_skipped(tmp_path):
    stores = [["Store", "City"], *[[f"Shop {number}", "Berlin"] for number in range(20)]]
    products(tmp_path, (1, 1, [HEADER, *BODY]), (4, 6, stores))


def test_the_table_that_matches_counts_even_if_one_beside_it_is_larger(tmp_path):
    other = [["Store", "City"], *[[f"Shop {number}", "Berlin"] for number in range(20)]]
    products(tmp_path, (1, 1, other), (1, 4, [HEADER, *BODY]))


def test_an_empty_column_within_a_table_does_not_end_it(tmp_path):
    found = read(
        tmp_path,
        sheet(
            (1, 1, [["sku", "name"], *[row[:2] for row in BODY]]),
            (1, 4, [["msrp", "color"], *[row[2:] for row in BODY]]),
        ),
    )
    assert found.source.headers == ("sku", "name", "", "msrp", "color")
    assert [(row[0], row[3]) for row in found.rows] == [(row[0], row[2]) for row in TEXTS]


def test_notes_beside_the_products_lose_no_product_and_no_column(tmp_path):
    notes = [["Remark"], [None], ["ask Tom"], [None], ["new"]]
    found = read(tmp_path, sheet((1, 1, [HEADER, *BODY]), (1, 6, notes)))
    assert [row[:4] for row in found.rows] == TEXTS
    assert found.source.headers[-1] == "Remark"


def test_groups_of_products_between_blank_rows_are_all_products(tmp_path):
    found = read(tmp_path, sheet((1, 1, [HEADER, *BODY[:3]]), (6, 1, BODY[3:5]), (9, 1, BODY[5:6]), (11, 1, BODY[6:])))
    assert found.rows == TEXTS


def test_a_group_that_leaves_its_last_columns_empty_is_of_products(tmp_path):
    group = [["AB", "Coat", 9.5], ["CD", "Belt", 8.5]]
    found = read(tmp_path, sheet((1, 1, [HEADER, *BODY]), (11, 1, group)))
    assert found.rows == [*TEXTS, ("AB", "Coat", "9.5", ""), ("CD", "Belt", "8.5", "")]


def test_products_go_on_behind_another_table(tmp_path):
    found = read(tmp_path, sheet((1, 1, [HEADER, *BODY[:5]]), (8, 1, STORES), (13, 1, BODY[5:])))
    assert found.rows == TEXTS


def test_totals_stand_between_the_products_and_another_table(tmp_path):
    found = products(tmp_path, (1, 1, [HEADER, *BODY, ["Total", None, 40]]), (12, 1, STORES))
    assert [code for code, _ in told(found)].count("FILE_FOOTER") == 2


@pytest.mark.parametrize("names", [["sku", "name"], ["Artikel", "Bezeichnung"]])
def test_a_header_over_five_rows_is_read_as_one(tmp_path, names):
    header = [
        [*names, "Price", None],
        ["our", "shown", "per", "per"],
        ["own", "to", "piece", "piece"],
        [None, None, "retail", "wholesale"],
        ["short", "people", "gross", "net"],
    ]
    rows = [[f"S{number}", f"Name {number}", 2.5, 1.5] for number in range(6)]
    found = read(tmp_path, sheet((2, 1, [["Our catalog"]]), (4, 1, [*header, *rows])), lenient=True)
    assert found.source.headers[2:] == ("Price per piece retail gross", "Price per piece wholesale net")
    assert found.numbers == list(range(9, 15))
    assert "The header takes 5 rows" in " ".join(message for _, message in told(found))


def test_a_header_whose_groups_stand_over_two_rows_takes_what_tells_its_columns_apart(tmp_path):
    header = [
        [None, None, "Europe", None, "Asia", None],
        [None, None, "list", "sale", "list", "sale"],
        ["sku", "name", "price", "price", "price", "price"],
    ]
    rows = [[f"S{number}", "x", 1.5, 2.5, 3.5, 4.5] for number in range(4)]
    found = read(tmp_path, sheet((1, 1, [*header, *rows])))
    assert found.source.headers == (
        "sku",
        "name",
        "Europe list price",
        "Europe sale price",
        "Asia list price",
        "Asia sale price",
    )
    assert len(found.rows) == 4


TOWNS = [
    ["Town", "People", "Area"],
    *([f"Town {letter}", 1000 + place, place] for place, letter in enumerate("abcdefgh")),
]


def test_tables_beside_one_another_of_one_height_are_two_if_each_has_a_key(tmp_path):
    found = products(tmp_path, (1, 1, [STRANGE, *BODY]), (1, 6, TOWNS), header=STRANGE, lenient=True)
    assert any("Town, People, Area" in message for _, message in told(found))


@pytest.mark.parametrize("more", [["Preis", "Farbe"], ["Farbe", "Lager"]])
def test_a_blank_column_in_a_table_is_no_border_where_what_follows_has_no_key(tmp_path, more):
    values = {"Preis": lambda n: n + 0.5, "Farbe": lambda _: "red", "Lager": lambda n: f"Lager {n}"}
    right = [more, *([values[name](n) for name in more] for n in range(1, 9))]
    found = read(tmp_path, sheet((1, 1, [STRANGE[:2], *(row[:2] for row in BODY)]), (1, 4, right)), lenient=True)
    assert found.source.headers == ("Artikel", "Bezeichnung", "", *more)
    assert len(found.rows) == 8


@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize("labels", [["2026-01-01", "2026-02-01"], ["2025", "2026"], [2025, 2026]])
def test_a_larger_table_whose_header_has_dates_is_read(tmp_path, above, labels):
    large = [["Land", *labels], *([f"Land {n}", n, n + 0.5] for n in range(1, 9))]
    small = [["Store", "City", "Owner"], *([f"Shop {letter}", "Rome", "Ann"] for letter in "abc")]
    places = [(1, 1, small), (6, 1, large)] if above else [(1, 1, large), (1, 5, small)]
    found = read(tmp_path, sheet(*places), lenient=True)
    assert found.source.headers == ("Land", *map(str, labels))
    assert len(found.rows) == 8


def test_a_product_without_a_number_behind_a_blank_row_heads_no_table(tmp_path):
    group = [["LAMP-RED", "Red lamp", "on request", "red"], ["B-1", "Sofa", 1.5, "red"], ["B-2", "Sofa", 2.5, "red"]]
    body = [[f"A-{number}", f"Lamp {number}", number + 0.5, "red"] for number in range(1, 9)]
    found = read(tmp_path, sheet((1, 1, [HEADER, *body]), (11, 1, group)))
    assert [row[0] for row in found.rows[8:]] == ["LAMP-RED", "B-1", "B-2"]


def test_a_table_as_wide_with_one_column_of_numbers_is_still_skipped(tmp_path):
    stores = [["Store", "City", "Street", "Staff"], *[[f"Shop {n}", "Berlin", "Allee", n] for n in range(1, 4)]]
    found = products(tmp_path, (1, 1, [HEADER, *BODY]), (11, 1, stores))
    assert any("Store, City" in message for _, message in told(found))


@pytest.mark.parametrize("blank", [0, 1])
@pytest.mark.parametrize("strange", [False, True])
def test_rows_under_the_header_in_another_order_are_skipped_up_to_the_header_itself(tmp_path, strange, blank):
    how = names(strange)
    turned = [row[::-1] for row in ([*how["header"]], *BODY[:1])]
    top = 9 + blank
    again = top + len(turned)
    rows = (1, 1, [how["header"], *BODY[:7]]), (top, 1, turned), (again, 1, [how["header"], *BODY[7:]])
    found = products(tmp_path, *rows, **how)
    assert found.numbers == [*range(2, 9), again + 1]
    assert any(code == "FILE_FOOTER" and ", ".join(turned[0]) in text for code, text in told(found))


@pytest.mark.parametrize("blank", [0, 1])
@pytest.mark.parametrize("strange", [False, True])
def test_rows_under_a_header_with_another_name_in_it_are_skipped_too(tmp_path, strange, blank):
    """What stands under `size` would go live as a colour."""
    how = names(strange)
    other = [[*how["header"][:3], "Width"], ["X-1", "Shelf", 12.5, "80"], ["X-2", "Shelf", 13.5, "90"]]
    found = products(tmp_path, (1, 1, [how["header"], *BODY]), (10 + blank, 1, other), **how)
    assert any(code == "FILE_FOOTER" and ", ".join(other[0]) in text for code, text in told(found))


def test_a_header_that_is_only_written_in_another_way_ends_no_table(tmp_path):
    found = read(tmp_path, sheet((1, 1, [HEADER, *BODY[:4], [name.upper() for name in HEADER], *BODY[4:]])))
    assert [row[0] for row in found.rows if row[0].lower() != HEADER[0]] == [row[0] for row in BODY]
