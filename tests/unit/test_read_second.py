"""The larger of two tables where its header has digits, a blank name, counted columns or delimiters at its end."""

import time

import pytest

from sftp_gateway.catalog.read.header import ournames
from tests.unit.reading import read

SMALL = b"Store,City,Land,Chef\nNorth,Bonn,DE,Ann\nSouth,Rome,IT,Bob\n\n"
TABLES = {
    "digits": (b"ID,Q1,Q2_1,Q3,Q4,Q5a,Q6a\n", b"%d,2,-99,3,,9,.\n"),
    "blank name": (b"Code,Name,Beds,Rate,,Notes\n", b"R%d,HILL WARD,12,30%%,,\n"),
    "plate": (b",1,2,3,4,5\n", b"A%d,0.5,1.5,2,,3\n"),
    "odds": (b"Div,Home,Away,FTHG,B365H,B365D,B365A\n", b"E%d,Ajax,Bonn,2,1.5,3.4,6\n"),
    "ended": (b"No,Source,Target,Length,Info,,\n", b"%d,10.0.0.1,8.8.8.8,748,Query A,,\n"),
}


@pytest.mark.parametrize("parted", [b"", b"\n", b"Part two\n"])
@pytest.mark.parametrize(("header", "row"), TABLES.values(), ids=TABLES)
def test_the_larger_table_below_is_read_though_its_header_is_no_row_of_plain_words(tmp_path, header, row, parted):
    table = header + b"".join(row % number for number in range(10, 30))
    found = read(tmp_path, SMALL + parted + table, lenient=True, complete=True, known_headers=frozenset())
    told = [tuple(line.split(",")) for line in table.decode().splitlines()]
    assert [found.source.headers, *found.rows] == told


def test_a_row_of_another_width_below_a_blank_line_begins_no_table(tmp_path):
    rows = [b"%d,Bonn,DE,Ann\n" % number for number in range(10, 30)]
    data = b"id,City,Land,Chef\n" + b"".join(rows[:10]) + b"\n40,Rome,IT,Bob,x\n" + b"".join(rows[10:])
    found = read(tmp_path, data, lenient=True, complete=True, known_headers=frozenset())
    assert found.source.headers == ("id", "City", "Land", "Chef")
    assert len(found.rows) == 20


def test_brackets_with_digits_below_names_belong_to_the_header(tmp_path):
    data = b"Respondent,How satisfied,What did,Any other\nID,(1-5),you like?,comments?\n"
    data += b"".join(b"50%d,%d,The staff,none\n" % (n, n % 5) for n in range(10, 30))
    found = read(tmp_path, data, lenient=True, complete=True, known_headers=frozenset())
    assert found.source.headers == ("Respondent ID", "How satisfied (1-5)", "What did you like?", "Any other comments?")
    assert len(found.rows) == 20


def test_rows_of_a_narrower_table_below_are_not_filled_up_to_be_ours(tmp_path):
    rows = [b"%d,Bonn,DE,Ann,x\n" % number for number in range(10, 30)]
    other = b"".join(b"%d,7,8\n" % number for number in range(15))
    data = b"id,City,Land,Chef,More\n" + b"".join(rows) + b"\nLand 1,two,three\n" + other
    found = read(tmp_path, data, lenient=True, complete=True, known_headers=frozenset())
    assert [row[0] for row in found.rows] == [str(number) for number in range(10, 30)]


@pytest.mark.parametrize("title", [b"", b"Description\n"])
@pytest.mark.parametrize("below", [b"name,color", b"sku,name"])
def test_the_larger_table_is_the_one_to_look_at_though_the_smaller_one_has_names_of_ours_but_the_key(
    tmp_path, title, below
):
    rows = b"".join(b"%d,Lamp no. %d,%d\n" % (n, n, n * 7) for n in range(30))
    data = (
        b"place,title,votes\n" + rows + b"\n" + title + below + b"\n" + b"".join(b"A-%d,Lamp\n" % n for n in range(5))
    )
    looked = read(tmp_path, data, lenient=True, keys=(frozenset({"sku"}),)).source.headers
    assert looked == (("sku", "name") if b"sku" in below else ("place", "title", "votes"))
    assert read(tmp_path, data).source.headers == tuple(below.decode().split(","))


def test_a_title_of_a_table_below_is_no_header_of_one_column(tmp_path):
    rows = b"".join(b"%d,Lamp no. %d,%d\n" % (n, n, n * 7) for n in range(30))
    found = read(tmp_path, b"place,title,votes\n" + rows + b"\nDescription\nx,y\n1,2\n", lenient=True)
    assert found.source.headers == ("place", "title", "votes")


@pytest.mark.parametrize(
    "second", [b"sku,name,cost,price", b"sku,name,msrp,size", b"SKU,Name,Size,MSRP", b"code,name,msrp,size"]
)
def test_rows_below_names_of_ours_with_another_name_or_spelling_in_another_order_are_another_tables(tmp_path, second):
    """They went live under the first header's names: a cost as the price."""
    rows = b"".join(b"A%d,Lamp,%d.50,red\n" % (n, n) for n in range(9))
    found = read(
        tmp_path, b"sku,name,msrp,color\n" + rows + second + b"\n" + b"B1,Lamp,5.00,10.00\nB2,Hat,5.00,10.00\n"
    )
    if second[:4] == b"SKU,":
        found = read(tmp_path, b"sku,name,msrp,size\n" + rows + second + b"\n" + b"B1,Lamp,L,10.00\nB2,Hat,M,10.00\n")
    assert [row[0] for row in found.rows] == [f"A{n}" for n in range(9)]
    [told] = found.source.tally.late
    named = second.decode().replace(",", ", ")
    assert (told.code, told.message) == ("FILE_FOOTER", f"Another table, from row 11 on ({named}), was skipped.")


def test_the_header_once_more_may_be_spelled_otherwise(tmp_path):
    data = b"sku,name,msrp,color\nA,a,1,red\nB,b,2,red\n" + b'"SKU","Name","MSRP","Color"\nC,c,3,red\n'
    found = read(tmp_path, data)
    assert [row[0] for row in found.rows] == ["A", "B", "C"]
    assert [told.message for told in found.source.tally.late] == ["Row 4 is the header again; it was skipped."]


def test_names_of_columns_among_words_alone_are_rows(tmp_path):
    data = b"name,type,description\nsku,text,key\nname,text,description\ntype,text,none\nlast,type,name\n"
    assert len(read(tmp_path, data, known_headers=frozenset({"name"})).rows) == 4


def test_a_table_is_not_skipped_for_a_smaller_one_right_below_it_with_more_names(tmp_path):
    rows = b"".join(b"A%d,Lamp,%d.50\n" % (n, n) for n in range(5))
    found = read(tmp_path, b"sku,name,msrp\n" + rows + b"sku,name,msrp,color\nB1,Hat,5.00,red\n")
    assert [row[0] for row in found.rows] == [f"A{n}" for n in range(5)]
    assert found.codes == ["ROW_COLUMNS", "ROW_COLUMNS"]
    larger = read(tmp_path, b"sku,name,msrp\nA,a,1\nsku,name,msrp,color\n" + rows.replace(b"0\n", b"0,red\n"))
    assert [row[0] for row in larger.rows] == [f"A{n}" for n in range(5)]
    assert "a smaller table, above the header skipped (sku, name, msrp)" in larger.source.findings[0].message


def test_very_many_small_tables_take_no_longer_than_as_many_rows(tmp_path):
    """Each was looked for among all records: 20,000 of them took 19 seconds."""
    rows = "".join(f"{key}%d,Lamp,%d.50,red\n" for key in "ABC")
    some = "".join(rows % ((n,) * 6) + "\nstore,city,x\nA,B,c\n\n" for n in range(20_000))
    begun = time.perf_counter()
    found = read(tmp_path, f"sku,name,msrp,color\n{some}".encode())
    assert time.perf_counter() - begun < 8
    assert (len(found.rows), found.source.tally.skipped) == (60_000, 40_000)


@pytest.mark.parametrize("again", [b"SKU,Name,MSRP,Color", b'"sku","Name","msrp","color"', b"sku,name,msrp,color,"])
def test_the_rows_above_the_header_spelled_otherwise_are_no_smaller_table(tmp_path, again):
    """A file of two that were joined lost the smaller one."""
    some, more = (
        b"".join(b"%s%d,Lamp,%d.50,red\n" % (key, n, n) for n in range(of)) for key, of in ((b"A", 3), (b"B", 5))
    )
    found = read(tmp_path, b"sku,name,msrp,color\n" + some + again + b"\n" + more)
    assert len(found.rows) == 8
    assert not found.source.findings


COLUMNS = tuple(map(frozenset, ({"sku", "itemnumber"}, {"name", "title"}, {"msrp", "price"}, {"color"})))


@pytest.mark.parametrize(("some", "more"), [(3, 9), (9, 3)])
@pytest.mark.parametrize("second", ["Item Number,Title,Price,Color", "sku,name,price,color"])
def test_other_names_for_the_same_columns_in_the_same_order_are_the_header_again(tmp_path, some, more, second):
    rows, below = ("".join(f"{key}{n},Lamp,{n}.50,red\n" for n in range(of)) for key, of in (("A", some), ("B", more)))
    data = f"sku,name,msrp,color\n{rows}{second}\n{below}".encode()
    found = read(tmp_path, data, columns=COLUMNS, known_headers=frozenset().union(*COLUMNS))
    assert (len(found.rows), found.source.headers[2]) == (12, "msrp")
    assert [told.message for told in found.source.tally.late] == [
        f"Row {some + 2} is the header again; it was skipped."
    ]


def test_other_names_for_the_same_columns_in_another_order_head_another_table(tmp_path):
    """Names went live as keys, and keys as names."""
    rows = "".join(f"A{n},Lamp,{n}.50,red\n" for n in range(9))
    data = f"sku,name,msrp,color\n{rows}Title,Item Number,Price,Color\nHat,B1,2.50,red\n".encode()
    found = read(tmp_path, data, columns=COLUMNS, known_headers=frozenset().union(*COLUMNS))
    assert [row[0] for row in found.rows] == [f"A{n}" for n in range(9)]
    assert found.source.tally.skipped == 2


def test_values_that_are_called_like_columns_are_products_and_cost_no_look_each(tmp_path, monkeypatch):
    """A million of them took 15 seconds."""
    looked, real = [], ournames.are_same
    monkeypatch.setattr(ournames, "are_same", lambda *those: looked.append(those) or real(*those))
    rows = "".join(f"color,name {number},{'free' if number % 50 else '1.50'},size\n" for number in range(2000))
    found = read(tmp_path, f"type,name,msrp,color\n{rows}".encode())
    assert len(found.rows) == 2000 and not found.source.tally.late
    assert len(looked) < 100
