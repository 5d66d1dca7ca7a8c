"""Tables unlike products: logs, codes, years, sparse ones, rows of words among which some are names of our columns."""

import pytest

from tests.unit.reading import KNOWN, read

WORDS = b"north river stone light winter bridge garden paper voice signal".split()


def seen(tmp_path, data, known=frozenset()):
    return read(tmp_path, data, lenient=True, complete=True, known_headers=known)


def rows_of(data, delimiter=","):
    return [tuple(line.split(delimiter)) for line in data.decode().splitlines()]


def test_words_that_are_names_of_ours_make_no_header_of_a_row_among_rows(tmp_path):
    data = b"Role,Team,Mood,Kind\n" + b"".join(b",".join(WORDS[n : n + 4]) + b"\n" for n in range(6))
    data += b"name,size,stone,river\nvoice,color,cost,light\n" + b"".join(
        b",".join(WORDS[n : n + 4]) + b"\n" for n in range(6)
    )
    found = seen(tmp_path, data, KNOWN)
    assert [found.source.headers, *found.rows] == rows_of(data)


def test_a_word_twice_in_a_row_is_one_name_of_ours(tmp_path):
    data = b"Role,Team,Mood\nname,name,stone\nriver,light,paper\nvoice,paper,river\n"
    assert seen(tmp_path, data, KNOWN).source.headers == ("Role", "Team", "Mood")


def test_our_names_below_three_titles_as_wide_are_the_header(tmp_path):
    data = b"Shop,Export,,\nAll,goods,,\nBy,us,,\nsku,name,cost,msrp\nA1,Lamp,1,2\nA2,Chair,2,3\n"
    assert seen(tmp_path, data, KNOWN).source.headers == ("sku", "name", "cost", "msrp")


@pytest.mark.parametrize(
    "title", [b"", b"Signal answer\n", b"Author,Anna Grau\nDate,2013-01-20\n\n", b"One\nTwo\nThree\n"]
)
@pytest.mark.parametrize("header", [b"id,note,flag,alias,comment,ref\n", b""])
def test_the_commas_of_cells_that_are_blank_are_no_delimiter_of_two(tmp_path, title, header):
    table = b"".join(b"%d,,%b,,%b,\n" % (n, b"north" * (n % 5 == 0), b"stone" * (n % 7 == 0)) for n in range(30, 60))
    found = seen(tmp_path, title + header + table)
    assert found.rows == rows_of(table)


def test_rows_of_two_columns_without_a_header_begin_with_the_first_though_half_is_blank(tmp_path):
    table = b"".join(b"%d,%b\n" % (n * 7, b"stone" * (n > 14)) for n in range(10, 30))
    assert seen(tmp_path, table).rows == rows_of(table)


@pytest.mark.parametrize("mark", ["^", "~", "#"])
def test_colons_in_each_time_do_not_outdo_the_sign_that_separates_all_lines(tmp_path, mark):
    table = "timestamp,device\n" + "".join(f"2021-02-15T16:{n}:19Z,s-{n}\n" for n in range(10, 30))
    found = seen(tmp_path, table.replace(",", mark).encode())
    assert [found.source.headers, *found.rows] == rows_of(table.encode())


@pytest.mark.parametrize("mark", ["~", "¦"])
def test_a_sentence_with_commas_hides_no_other_sign(tmp_path, mark):
    table = "v0,v1,v2\n" + "".join(f"0.{n},0.{n + 7},1.{n}\n" for n in range(10, 30))
    data = "This table lists the one, two and three of 1994, as of 2020-09-28.\n" + table.replace(",", mark)
    found = seen(tmp_path, data.encode())
    assert [found.source.headers, *found.rows] == rows_of(table.encode())


def test_a_title_of_three_words_makes_no_delimiter_of_the_spaces_in_rows(tmp_path):
    table = b"Flight,From,To,Dep,Arr,Flight 2\n" + b"".join(
        b"TV 2%d,XRR,NJX,10:%d,11:%d,XM 8%d\n" % (n, n, n, n) for n in range(10, 30)
    )
    found = seen(tmp_path, b"Source: north bureau\n" + table)
    assert [found.source.headers, *found.rows] == rows_of(table)


@pytest.mark.parametrize("header", [b"Full name\n", b""])
def test_a_column_of_two_words_is_one(tmp_path, header):
    names = [b"%b %b" % pair for pair in zip(WORDS, WORDS[3:] + WORDS[:3], strict=True)]
    found = seen(tmp_path, header + b"\n".join(names) + b"\n")
    assert [*found.source.headers, *(cell for row in found.rows for cell in row)][-10:] == [
        name.decode() for name in names
    ]


@pytest.mark.parametrize(
    "row",
    [b"Title,a,b,1910,eng,9", b"Title,a,1910,eng", b"x", b"Title,a,b,1910,engTitle,a,b,1910,eng", b"T|a|b|1910|eng"],
)
def test_one_row_of_another_width_is_damaged_not_the_header(tmp_path, row):
    found = seen(tmp_path, b"Name,Author,Subject,Year,Language\n" + row + b"\n")
    assert found.source.headers == ("Name", "Author", "Subject", "Year", "Language")
    assert found.rows in ([], [("T", "a", "b", "1910", "eng")])


@pytest.mark.parametrize(
    "header",
    [
        "geo\\time,1990,1991,1992,1993",
        "Country,2001,2002,2003,2003",
        "STOP,BUS 10,BUS 12,BUS 14,BUS 16",
        "x1,x2,x3,x4,x5",
    ],
)
@pytest.mark.parametrize("count", [1, 2, 20])
def test_years_and_numbered_names_are_names_over_numbers_that_may_be_years(tmp_path, header, count):
    table = "".join(f"YT{n},{2123 + n},{1216 + n},5240,925\n" for n in range(count))
    if header[0] == "x":
        table = table.replace("YT", "")
    found = seen(tmp_path, f"{header}\n{table}".encode())
    assert [found.source.headers, *found.rows] == rows_of(f"{header}\n{table}".encode())


@pytest.mark.parametrize("upper", [b"Paper,,Common,Stone\n", b"Paper,History,Common,\n"])
@pytest.mark.parametrize("names", [b"gene,chr,start,code\n", b"v0,v1,v2,v3\n", b"Country,2001,2002,2003\n"])
def test_names_below_groups_that_leave_some_columns_out_are_no_row(tmp_path, upper, names):
    table = b"".join(b"AB%d,%d,%d.5,X%d\n" % (n, n, n, n) for n in range(10, 20))
    found = seen(tmp_path, upper + names + table)
    assert found.rows == rows_of(table)
    assert all(name in joined for name, joined in zip(rows_of(names)[0], found.source.headers, strict=True))


@pytest.mark.parametrize("count", [1, 2, 20])
@pytest.mark.parametrize("row", [b"AB,12.5,,x\n", b"river,stone,light,north\n"])
def test_a_footnote_is_no_row_however_few_there_are(tmp_path, count, row):
    found = seen(tmp_path, b"a,b,c,d\n" + row * count + b"* bridge signal stone,,,\n")
    assert len(found.rows) == count


def test_blank_lines_between_all_rows_part_no_tables(tmp_path):
    table = b"from,to,via\nNA,SV,\nNE,RT,\nFS,SV,MT\nZD,XG,\nVN,OB,\nSH,OG,YW\nZJ,RP,\n"
    found = seen(tmp_path, table.replace(b"\n", b"\n\n"))
    assert [found.source.headers, *found.rows] == rows_of(table)


def test_a_larger_table_of_numbered_names_is_told_below_another(tmp_path):
    table = b"q1,q2,q3\n" + b"Y,N,N\nN,N,Y\nY,Y,N\nN,Y,Y\n" * 4
    found = seen(tmp_path, b"Surname,Given name\nGrau,Faye\nCosta,Ugo\n\n" + table)
    assert [found.source.headers, *found.rows] == rows_of(table)


def test_a_long_cell_in_quotes_that_close_is_believed_though_its_lines_look_like_rows(tmp_path):
    text = "\n".join(f"{n},x{n},y" for n in range(3000))
    found = seen(tmp_path, f'a,b,c\n1,"{text}",z\n2,k,z\n'.encode())
    assert found.rows == [("1", text, "z"), ("2", "k", "z")]


def test_two_lost_quotes_far_apart_join_no_rows(tmp_path):
    rows = "".join(f"{n},x{n},y\n" for n in range(3000))
    found = seen(tmp_path, f'a,b,c\n1,"x,y\n{rows}2,x",y\n'.encode())
    assert len(found.rows) == 3000


@pytest.mark.parametrize("line", ["été", "tem", "софи"])
def test_a_line_that_begins_small_may_be_a_half_of_the_row_above_or_below(tmp_path, line):
    table = "".join(f"{a.decode()},{n},{b.decode()}\n" for n, (a, b) in enumerate(zip(WORDS, WORDS[2:], strict=False)))
    found = seen(tmp_path, f"a,b,c\n{table}river,8,pa\n{line}\nper sheet,9,stone\n{table}".encode())
    assert ("river", "8", "pa") not in found.rows
    assert ("per sheet", "9", "stone") not in found.rows
    assert len(found.rows) == 16


@pytest.mark.parametrize("titles", [b"", b"Source: letter bureau\nExported 2015-10-25 09:32\n"])
def test_three_words_in_each_row_hide_no_sign_of_the_header(tmp_path, titles):
    table = b"HD,RA,Dec\n" + b"".join(b"981%d,08h %dm,+69 22'\n" % (n, n) for n in range(10, 40))
    found = seen(tmp_path, titles + table)
    assert [found.source.headers, *found.rows] == rows_of(table)


@pytest.mark.parametrize("cell", ["Petrov v. Horvat", "Grau, Goran", "8,457,538", "one, two, three"])
@pytest.mark.parametrize("mark", ["#", "¦", "~"])
def test_a_sign_in_every_line_beats_what_stands_in_cells_only(tmp_path, cell, mark):
    table = [("Case no.", "Parties", "Filed"), *((f"{n}-AI", cell, f"5/{n}/2011") for n in range(10, 30))]
    found = seen(tmp_path, "".join(mark.join(row) + "\n" for row in table).encode())
    assert [found.source.headers, *found.rows] == table


def test_a_row_of_another_delimiter_with_numbers_in_quotes_is_not_cut_at_their_commas(tmp_path):
    rows = "".join(f'Oslo,"{n},801,970",note\n' for n in range(1, 20))
    found = seen(tmp_path, f'Place,People,Note\n{rows}Bari;"2,802,970";paper\n'.encode())
    assert len(found.rows) == 19
    assert all(row[0] == "Oslo" for row in found.rows)


def test_names_of_which_each_comes_twice_head_the_larger_table(tmp_path):
    table = b"lemma,pos,gloss,lemma 2,pos 2\n" + b"river,n,stone,light,v\n" * 9
    found = seen(tmp_path, b"Surname,Given name\nGrau,Faye\nCosta,Ugo\n\n" + table)
    assert [found.source.headers, *found.rows] == rows_of(table)


def test_notes_of_two_cells_above_a_blank_line_are_titles(tmp_path):
    table = b"hash,bits,sum\n" + b"".join(b"ef0e%d,%d,juqm\n" % (n, n) for n in range(10, 30))
    found = seen(tmp_path, b"Author,Emil Yilmaz\nDate,2020-05-23\n\n" + table)
    assert [found.source.headers, *found.rows] == rows_of(table)


@pytest.mark.parametrize("sign", ["^", "~"])
@pytest.mark.parametrize("quoted", [False, True])
def test_a_sign_is_told_below_a_title_where_no_usual_delimiter_separates_anything(tmp_path, sign, quoted):
    mark = '"' if quoted else ""
    rows = [("country", "capital"), ("Cloud", "Silver"), ("Cloud", "Stone"), ("Bridge", "Paper"), ("Table", "Coffee")]
    lines = [sign.join(f"{mark}{cell}{mark}" for cell in row) for row in rows]
    found = read(tmp_path, "\n".join(["Silver report cloud", *lines, ""]).encode(), complete=True, lenient=True)
    assert (found.source.headers, found.rows) == (rows[0], rows[1:])


@pytest.mark.parametrize("quoted", [False, True])
def test_a_header_of_two_words_over_rows_of_two_words_is_one_where_it_is_repeated(tmp_path, quoted):
    mark = '"' if quoted else ""
    rows = [
        ("country", "capital"),
        ("Silver", "Winter"),
        ("Garden", "Table"),
        ("country", "capital"),
        ("Cloud", "Table"),
    ]
    lines = [f"{mark}{first}{mark} {mark}{last}{mark}\n" for first, last in rows]
    found = read(tmp_path, "".join(lines).encode(), complete=True, lenient=True)
    assert found.source.headers == rows[0]
    assert found.rows == [rows[1], rows[2], rows[4]]


def test_rows_of_nothing_below_a_header_do_not_make_the_note_above_it_the_table(tmp_path):
    text = "made by hand, for you\n" * 3 + "\nArtikel,Bezeichnung,Preis,Farbe\n" + ",,,\n" * 3 + "S0,Parka,74.50,red\n"
    found = read(tmp_path, text.encode(), complete=True, lenient=True)
    assert (found.source.headers[0], found.rows) == ("Artikel", [("S0", "Parka", "74.50", "red")])
