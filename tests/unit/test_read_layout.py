"""Where the products are in a delimited file: several tables, headers over several rows or none, odd delimiters."""

import pytest

from sftp_gateway import errors
from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog.checking import headers
from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.rules import schema
from sftp_gateway.upload import Mode
from tests.unit.reading import read

HEADER = b"sku,name,msrp\n"
ROWS = b"".join(b"S%d,name %d,%d.50\n" % (n, n, n) for n in range(8))
WIDE = b"sku,msrp,cost\n" + b"".join(b"S%d,%d.50,%d\n" % (n, n, n) for n in range(8))
STORES = b"Store,City\nNorth,Berlin\nSouth,Paris\n"
PEOPLE = b"Person,Town,Age\nAnn,Berlin,40\nBob,Paris,50\n"


def late(found):
    return [finding.code for finding in found.source.tally.late]


def said(found):
    return [finding.code for finding in found.source.findings]


@pytest.mark.parametrize("other", [STORES, PEOPLE, b"Our people\n" + STORES])
@pytest.mark.parametrize("block", [60, 4 * 1024**2])  # as wide as the products, it is told by the rows around it
def test_a_table_of_something_else_behind_the_products_is_skipped_and_said(tmp_path, monkeypatch, other, block):
    monkeypatch.setattr(bounds, "BLOCK_BYTES", block if other is not PEOPLE else 4 * 1024**2)
    found = read(tmp_path, (WIDE if other is PEOPLE else HEADER + ROWS) + b"\n" + other)
    assert [row[0] for row in found.rows] == [f"S{n}" for n in range(8)]
    assert [item.finding.code for item in found.rejects] in ([], ["ROW_COLUMNS"])  # the title, if a block ends there
    assert "FILE_FOOTER" in late(found)
    assert found.source.tally.skipped + found.source.tally.rejected == other.count(b"\n")


@pytest.mark.parametrize("other", [STORES, PEOPLE, PEOPLE * 1 + b"Cid,Rome,60\n" * 2])
def test_a_smaller_table_above_the_products_is_skipped_and_said(tmp_path, other):
    found = read(tmp_path, other + b"\n" + HEADER + ROWS)
    assert found.source.headers == ("sku", "name", "msrp")
    assert len(found.rows) == 8
    assert found.numbers[0] == other.count(b"\n") + 3
    assert said(found) == ["FILE_PREAMBLE"]
    assert found.source.tally.skipped == other.count(b"\n")


def test_of_two_tables_with_known_headers_the_larger_is_read(tmp_path):
    small, large = b"sku,cost\nA,1\nB,2\n", HEADER + ROWS
    assert len(read(tmp_path, small + b"\n" + large).rows) == 8
    found = read(tmp_path, large + b"\n" + small)
    assert len(found.rows) == 8
    assert found.source.tally.skipped == 3


def test_products_go_on_behind_another_table(tmp_path):
    found = read(tmp_path, HEADER + ROWS + b"\n" + STORES + HEADER + b"Z,z,9\n")
    assert found.rows[-1] == ("Z", "z", "9")


@pytest.mark.parametrize(
    "rows",
    [
        b"\nA-1,Runner\nA-2,Boots\n",  # short products behind a blank line: each is told, none is skipped
        b"\nRed,Runner,call us\nBlue,Boots,7\n",
        b"\nZ,z,9\n\nY,y,8\n",
    ],
)
def test_products_are_never_taken_for_another_table(tmp_path, rows):
    found = read(tmp_path, HEADER + ROWS + rows)
    assert found.source.tally.skipped == 0
    assert len(found.rows) + len(found.rejects) == 8 + rows.replace(b"\n\n", b"\n").count(b"\n") - 1


@pytest.mark.parametrize(
    "first",
    [
        "sku,name,msrp,quantity\nMUG,Mug,TBD,sold out\n",
        "sku,cost,quantity,msrp\nMUG,\\N,\\N,\\N\n",
        "sku,_op,msrp,quantity\nMUG,delete,\\N,\\N\n",
        "sku,name,Cost Price,Stock\nMUG,Mug,on request,none left\n",
    ],
)
def test_a_first_product_of_words_alone_is_no_header(tmp_path, first):
    """It would be lost without a word, and be removed from the catalog if it was there."""
    rows = "".join(f"S{number},{number},{number},{number}\n" for number in range(1, 20))
    found = read(tmp_path, (first + rows).encode())
    header, product = first.splitlines()
    assert found.source.headers == tuple(header.split(",")) and found.rows[0] == tuple(product.split(","))


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (b"sku,name,msrp,cost\n,,retail,wholesale\n", ("sku", "name", "msrp", "cost")),
        (b"sku,name,Price,\n,,retail,wholesale\n", ("sku", "name", "Price retail", "Price wholesale")),
        (b"Product,,Price,\nsku,name,msrp,cost\n", ("sku", "name", "msrp", "cost")),
        (b"sku,name,msrp,Weight\ntext,text,number,kg\n", ("sku", "name", "msrp", "Weight (kg)")),
        (b"sku,name,msrp,cost\ntext,text,money,money\nkey,any,EUR,EUR\n", ("sku", "name", "msrp", "cost")),
        (b"sku,name,msrp,cost\n(unique),(as shown),(retail),(for us)\n", ("sku", "name", "msrp", "cost")),
        (b"SKU,Name,MSRP,Lead Time\nsku,name,msrp,lead_time\n", ("SKU", "Name", "MSRP", "Lead Time")),
    ],
)
def test_a_header_over_several_rows_is_read_as_one(tmp_path, header, names):
    rows = b"".join(b"S%d,name,%d.50,%d\n" % (n, n, n) for n in range(5))
    found = read(tmp_path, header + rows)
    assert found.source.headers == names
    assert len(found.rows) == 5
    assert "FILE_PREAMBLE" in said(found)


@pytest.mark.parametrize("first", [b"Runner,Red,free\n", b"Runner,Red,\n", b"A1,Red,call us\n"])
def test_a_first_product_without_a_number_is_no_header(tmp_path, first):
    found = read(tmp_path, HEADER + first + ROWS)
    assert len(found.rows) == 9


def test_without_a_header_the_brand_maps_by_position(tmp_path):
    settings = BrandSettings(columns={"sku": "#1", "name": "#2", "msrp": "#3"})
    rules = schema.load()
    found = read(tmp_path, ROWS, known_headers=headers.known(rules, settings))
    assert found.source.headers == ("#1", "#2", "#3")
    assert found.numbers == list(range(1, 9))
    mapping = headers.match(found.source.headers, rules, settings, Mode.FULL)
    assert (mapping.columns["sku"], mapping.columns["msrp"]) == ((0,), (2,))
    named = read(tmp_path, HEADER + ROWS, known_headers=headers.known(rules, settings))
    assert named.source.headers == ("sku", "name", "msrp")
    assert headers.match(named.source.headers, rules, settings, Mode.FULL).columns["name"] == (1,)


def test_without_a_header_and_a_mapping_the_refusal_says_both_ways_out(tmp_path):
    found = read(tmp_path, ROWS)
    with pytest.raises(errors.Refused, match="no header") as refused:
        headers.match(found.source.headers, schema.load(), BrandSettings(), Mode.FULL)
    assert refused.value.code == "FILE_HEADER_MISSING"
    assert "columns.sku=#1" in refused.value.suggestion


@pytest.mark.parametrize("end", [b",", b",,", b", "])
def test_delimiters_too_many_behind_every_row_or_the_header_cost_nothing(tmp_path, end):
    found = read(tmp_path, HEADER + ROWS.replace(b"\n", end + b"\n"))
    assert found.source.headers == ("sku", "name", "msrp", *[""] * end.count(b","))
    assert [row[:3] for row in found.rows] == read(tmp_path, HEADER + ROWS).rows
    assert not found.notes
    found = read(tmp_path, HEADER.replace(b"\n", end + b"\n") + ROWS)
    assert found.source.headers == ("sku", "name", "msrp")
    assert len(found.rows) == 8


@pytest.mark.parametrize(
    ("row", "reading"),
    [
        (b"X,x,1,", ("X", "x", "1")),
        (b'X,"x, y",1,,', ("X", "x, y", "1")),
        (b"X;x;1", ("X", "x", "1")),
        (b"X\tx, y\t1", ("X", "x, y", "1")),
        (b'X|"x, y|z"|1', ("X", "x, y|z", "1")),
        (b"X;x|1", None),
        (b"X,x;1", None),
        (b"X,x,1,y", None),
    ],
)
def test_a_row_with_other_delimiters_is_kept_where_it_has_one_reading_only(tmp_path, row, reading):
    found = read(tmp_path, HEADER + ROWS + row + b"\nZ,z,9\n")
    kept = [cells for cells in found.rows if cells[0].startswith("X")]
    if reading is None:
        assert found.codes == ["ROW_COLUMNS"]
        return
    assert kept == [reading]
    assert [note.code for note in found.notes] == ["ROW_QUOTE_REPAIRED"]
    assert found.raws[8] == b""  # as it was sent it would not fit under the header of a correction file


def test_rows_may_lack_columns_without_a_name(tmp_path):
    found = read(tmp_path, b"sku,name,msrp,\nA,a,1,\nB,b,2\n")
    assert found.rows == [("A", "a", "1", ""), ("B", "b", "2", "")]
    assert [note.row for note in found.notes] == [3]


def test_every_row_of_a_correction_file_that_is_too_short_is_told_of_itself(tmp_path):
    found = read(tmp_path, b"sku,name,msrp,_row,_codes,_correction_of\nA,a\nB,b\n")
    assert found.codes == ["ROW_COLUMNS", "ROW_COLUMNS"]


def test_the_correction_file_of_a_brand_without_headers_is_read_by_its_own(tmp_path):
    rules, settings = schema.load(), BrandSettings(columns={"sku": "#1", "name": "#2", "msrp": "#3"})
    data = b"#1,#2,#3,_row,_codes,_errors,_suggestions,_correction_of\nA,a,1,1,,,,7\n"
    found = read(tmp_path, data, known_headers=headers.known(rules, settings))
    assert found.source.correction_of
    mapping = headers.match(found.source.headers, rules, settings, Mode.CORRECTION)
    assert mapping.columns["sku"] == (0,)
    assert mapping.ours["_correction_of"] == 7


STRANGE = "Artikel,Preis,Farbe\n" + "".join(f"S{number},{number}.50,red\n" for number in range(8))


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ("Store,City,Land,\nNorth,Berlin,DE,\nSouth,Paris,FR,\n\n", STRANGE.replace("\n", ",\n")),
        (
            "Store,City,Land\nNorth,Berlin,DE\nSouth,Paris,FR\n\n",
            STRANGE.replace("Farbe\n", "Farbe\n,in,in\n,netto,Worten\n"),
        ),
        ("Store,City,Land\nNorth,Berlin,DE\nSouth,Paris,FR\n\n", STRANGE.replace("Farbe\n", "Farbe\n\n")),
    ],
    ids=["a delimiter ends every row", "a header over three rows", "a blank line under the header"],
)
def test_a_smaller_table_as_wide_above_is_skipped(tmp_path, above, below):
    found = read(tmp_path, (above + below).encode(), lenient=True)
    assert found.source.headers[0] == "Artikel"
    assert [row[0] for row in found.rows] == [f"S{number}" for number in range(8)]


@pytest.mark.parametrize("row", ["S9,red,\n", "S9,extra,9.50,red,\n"], ids=["a cell too few", "a cell too many"])
def test_where_a_delimiter_ends_every_row_one_is_not_guessed_at(tmp_path, row):
    text = STRANGE.replace("\n", ",\n") + row
    found = read(tmp_path, text.encode(), lenient=True, complete=True)
    assert found.codes == ["ROW_COLUMNS"]
    assert len(found.rows) == 8


def test_one_damaged_row_does_not_hide_that_there_is_no_header(tmp_path):
    rows = [f"S{number},{number}.50,red\n" for number in range(8)]
    found = read(tmp_path, "".join([*rows[:4], "S4,'4.50',red\n", *rows[4:]]).encode(), lenient=True)
    assert found.source.headers == ("#1", "#2", "#3")


@pytest.mark.parametrize("first", [0, 1])
def test_rows_that_are_numbered_under_a_header_that_does_not_say_so_keep_their_columns(tmp_path, first):
    rows = [f"{number},S{number},Name,{number}.50\n" for number in range(first, first + 9)]
    found = read(tmp_path, ("sku,name,msrp\n" + "".join(rows)).encode())
    assert found.source.headers == ("", "sku", "name", "msrp")
    assert found.rows[0] == (str(first), f"S{first}", "Name", f"{first}.50")


def test_numbers_that_are_no_count_do_not_move_the_header(tmp_path):
    rows = [f"{number * 3},Name,{number}.50,more\n" for number in range(9)]
    found = read(tmp_path, ("sku,name,msrp\n" + "".join(rows)).encode(), lenient=True)
    assert found.source.headers == ("sku", "name", "msrp", "")


@pytest.mark.parametrize("names", ["Artikel,Preis,Note (1-5),Farbe", "Artikel,Preis,Note,Farbe,"])
def test_a_larger_table_below_is_read_though_its_header_has_a_digit_or_a_delimiter_too_many(tmp_path, names):
    rows = "".join(f"S{number},{number}.50,{number % 5},red\n" for number in range(8))
    for above in ("Store,City,Land\nNorth,Berlin,DE\nSouth,Paris,FR\n\n", "Store,City\nNorth,Berlin\nSouth,Paris\n\n"):
        found = read(tmp_path, f"{above}{names}\n{rows}".encode(), lenient=True)
        assert [header for header in found.source.headers if header] == [name for name in names.split(",") if name]
        assert [row[0] for row in found.rows] == [f"S{number}" for number in range(8)]
        assert not found.rejects


def test_a_row_after_a_blank_line_with_a_digit_in_a_text_is_no_header(tmp_path):
    rows = [f"Chair {number} of 9,oak,red,{number}\n" for number in range(4)]
    below = [f"Table top {number},oak,red,wood,x\n" for number in range(6)]
    found = read(tmp_path, "".join(["Artikel,Holz,Farbe,Zahl\n", *rows, "\n", *below]).encode(), lenient=True)
    assert [row[0] for row in found.rows] == [f"Chair {number} of 9" for number in range(4)]
    assert len(found.rejects) == 6


YEARS = [f"north {number},{number + 100},{number + 200},{number + 300}" for number in range(10)]


@pytest.mark.parametrize(
    ("header", "row"),
    [(",2018,2019,2020", ""), ("region,2018,2019,2020", ","), ("region,2018,2019,2020,", ""), (",2018,2019,2020", ",")],
    ids=["an empty corner", "a delimiter ends each row", "a delimiter ends the header", "both"],
)
def test_years_are_a_header(tmp_path, header, row):
    found = read(tmp_path, "\n".join([header, *(line + row for line in YEARS), ""]).encode(), lenient=True)
    assert found.source.headers[:4] == tuple(header.split(","))[:4]
    assert [cells[:4] for cells in found.rows] == [tuple(line.split(",")) for line in YEARS]


def test_years_in_columns_of_years_are_still_a_row(tmp_path):
    rows = [f",{year},{year + 1},{year + 2}\n" for year in range(1990, 2010)]
    found = read(tmp_path, "".join(rows).encode(), lenient=True)
    assert found.source.headers == ("#1", "#2", "#3", "#4")
    assert len(found.rows) == 20


@pytest.mark.parametrize("units", [",(text),(unit),(unit)", "[text],[name],[cm],[cm]"])
def test_a_row_in_brackets_under_the_names_is_none_of_the_rows_though_all_are_texts(tmp_path, units):
    rows = [f"{colour},cat,calm,oak\n" for colour in ("red", "blue", "pink")]
    found = read(tmp_path, f"Farbe,Tier,Laune,Holz\n{units}\n{''.join(rows)}".encode(), lenient=True)
    assert [row[0] for row in found.rows] == ["red", "blue", "pink"]
    assert found.source.headers[1].startswith("Tier ")


@pytest.mark.parametrize("line", ["sep=,", "sep=;", '"sep=,"'])
def test_a_line_that_says_the_separator_is_no_header_of_one_column(tmp_path, line):
    found = read(tmp_path, f"{line}\nWort\nalpha\nbeta\ngamma\n".encode(), lenient=True)
    assert (found.source.headers, found.rows) == (("Wort",), [("alpha",), ("beta",), ("gamma",)])


def test_rows_in_brackets_are_rows(tmp_path):
    found = read(tmp_path, b"Farbe,Tier\n(red),(cat)\n(blue),(dog)\n(pink),(owl)\n", lenient=True)
    assert len(found.rows) == 3


@pytest.mark.parametrize("kinds", ["Required,Optional", "(text),(EUR)", "text,decimal"])
@pytest.mark.parametrize("count", [2, 5, 40])
def test_what_templates_say_of_columns_is_no_row_of_a_narrow_table(tmp_path, kinds, count):
    rows = [(f"S-{number}", f"{number}.50") for number in range(count)]
    text = "\n".join(["sku,msrp", kinds, *map(",".join, rows), ""])
    found = read(tmp_path, text.encode(), lenient=True)
    assert found.rows == rows


@pytest.mark.parametrize("blank", [" , , ", '"","",""', '"",,', ",,,,", " ,"])
def test_a_row_of_blank_cells_is_blank_however_it_is_written(tmp_path, blank):
    rows = ["S1,Coat,1.50", blank, "S2,Hat,2.50", "S3,Vest,3.50"]
    found = read(tmp_path, "\n".join(["sku,name,msrp", *rows, ""]).encode())
    assert [row[0] for row in found.rows] == ["S1", "S2", "S3"]
    assert not found.codes
    assert [note.code for note in found.notes] == ["ROW_BLANK"]
