"""The reader's promises over generated and mutated files: bytes add up, nothing is dropped, all engines agree where they must."""

import contextlib
import csv
import io
import json
import random

import duckdb
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sftp_gateway import errors
from sftp_gateway.catalog.read import bounds
from tests.property import fuzzing
from tests.unit.reading import read

HEADER = ["sku", "name", "msrp", "description"]
ALPHABET = "ab1 .,;|\t\"'\r\né漢=-"
CELL = st.text(ALPHABET, max_size=12)


def written(rows, delimiter, end, quoting):
    if any("\r" in cell for row in rows for cell in row[1:]):
        quoting = csv.QUOTE_ALL  # left to itself, Python writes a lone CR bare, which nothing can read back
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows([HEADER, *rows])
    return out.getvalue().encode()


@settings(derandomize=True, max_examples=100, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 999), CELL, CELL, CELL), min_size=1, max_size=30),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    how=st.tuples(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]), st.sampled_from([100, 4 * 1024**2])),
)
def test_what_python_writes_is_read_cell_for_cell(tmp_path_factory, rows, delimiter, end, how):
    quoting, block = how
    rows = [(f"S{number}", *cells) for number, *cells in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "BLOCK_BYTES", block)
        found = read(
            tmp_path_factory.mktemp("r"),
            written(rows, delimiter, end, quoting),
            delimiter=delimiter,
            quote='"',
            complete=True,
        )
    assert found.rows == rows
    assert not found.rejects
    assert found.numbers == list(range(2, len(rows) + 2))


def regular(seed):
    chance = random.Random(seed)
    cells = ("plain", 'a, "b"', "two\nlines", "é漢", "007", "1.50", "x;y|z")
    return [(f"S{n}", *(chance.choice(cells) for _ in range(3))) for n in range(200)]


@pytest.mark.parametrize("seed", range(5))
def test_csv_arrow_and_duckdb_agree_with_us_on_regular_files(tmp_path, seed):
    rows = regular(seed)
    found = read(tmp_path, written(rows, ",", "\n", csv.QUOTE_MINIMAL))
    path = tmp_path / "file"
    arrow = pyarrow.csv.read_csv(
        path,
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(HEADER, "string")),
    )
    duck = duckdb.connect().execute(
        f"select * from read_csv('{path}', all_varchar = true, header = true, delim = ',', quote = '\"', escape = '\"')"
    )
    with path.open(encoding="utf-8", newline="") as file:
        python = [tuple(row) for row in csv.reader(file)][1:]
    assert found.rows == rows == python
    assert found.rows == list(zip(*(column.to_pylist() for column in arrow.columns), strict=True))
    assert found.rows == duck.fetchall()


@pytest.mark.parametrize("kind", fuzzing.KINDS)
@pytest.mark.parametrize("block", [300, 4 * 1024**2])
def test_no_mutation_crashes_hangs_or_drops_a_byte(tmp_path, monkeypatch, kind, block):
    monkeypatch.setattr(bounds, "BLOCK_BYTES", block)
    monkeypatch.setattr(bounds, "SHEET_CELLS", fuzzing.CELLS)
    fuzzing.run(tmp_path, [kind], 0, 60)


SEVERAL = [300, 4 * 1024**2]


@pytest.mark.parametrize("cut", [*range(1, 5632, 331), 4608, 5627, 5631])
def test_a_workbook_cut_anywhere_is_no_crash_and_stays_closed(tmp_path, cut):
    data = fuzzing.workbook("xls", random.Random(0))
    with contextlib.suppress(errors.Refused):
        read(tmp_path, data[: len(data) - cut], complete=True)


@pytest.mark.parametrize("block", SEVERAL)
def test_json_lines_in_characters_of_several_bytes_lose_no_byte(tmp_path, monkeypatch, block):
    monkeypatch.setattr(bounds, "BLOCK_BYTES", block)
    items = [json.dumps({"sku": f"S{n}", "name": "表ソ能é"}, ensure_ascii=False) for n in range(25)]
    data = "\n".join(items).encode("cp932", "ignore").replace(b"S5", b"S\x845").replace(b"S6", b"S6\xa1")
    found = read(tmp_path, data, encoding="cp932", complete=True)
    assert len(found.rows) + len(found.rejects) == 25


@pytest.mark.parametrize("block", SEVERAL)
def test_no_mutation_ends_the_process_that_reads_it(tmp_path, block):
    assert fuzzing.apart(0, 1_500, block, seconds=110, place=tmp_path / "seed") == 1_500


PARTS, MANY = 5, 500_000


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("block", SEVERAL)
def test_no_mutation_of_half_a_million_does(tmp_path, block, part):
    share = MANY // PARTS
    assert fuzzing.apart(1_000_000 + part * share, share, block, seconds=1100, place=tmp_path / "seed") == share


@settings(derandomize=True, max_examples=100, deadline=None)
@given(place=st.integers(0, 59), damage=st.sampled_from(['"', 'x"', '"x" y']), quoted=st.booleans())
def test_one_bad_quote_costs_one_row_at_most(tmp_path_factory, place, damage, quoted):
    rows = [
        (f"S{n}", 'a, "b"' if quoted else "a", "1", "two\nlines" if n % 7 == 3 and quoted else "d") for n in range(60)
    ]
    lines = [written([row], ",", "\n", csv.QUOTE_MINIMAL).split(b"\n", 1)[1] for row in rows]
    cells = lines[place].split(b",", 1)
    lines[place] = cells[0] + b"," + damage.encode() + b"," + b",".join([b"1", b"d"]) + b"\n"
    data = ",".join(HEADER).encode() + b"\n" + b"".join(lines)
    found = read(tmp_path_factory.mktemp("q"), data, complete=True)
    kept = {row[0] for row in found.rows}
    assert {row[0] for number, row in enumerate(rows) if number != place} <= kept


def ragged_file(chance, delimiter):
    spare = chance.choice([0, 0, 2])
    header = delimiter.join([*HEADER, *[""] * spare])
    plain = ["a", "b c", "", " ", "é漢", "x;y|z,w", "\x0b", "=1", "1\t2", "p|q|r"]
    odd = ['"q; x"', 'the 5" one', '"two\nlines"', "\r", "\0"]
    rows = [delimiter.join(["S", "n", "1", "d", *[""] * spare])] * 20
    for _ in range(900):
        cells = [*plain, *odd] if chance.random() < 0.1 else plain
        row = delimiter.join(chance.choices(cells, k=chance.randrange(1, 9)))
        rows.append(row + chance.choice(["", "", delimiter, delimiter * 2]))
    return chance.choice(["\n", "\n", "\r\n"]).join([header, *rows, rows[0], ""]).encode()


@pytest.mark.parametrize("seed", [*range(15), *(pytest.param(seed, marks=pytest.mark.full) for seed in range(15, 40))])
def test_ragged_rows_told_at_once_are_told_as_one_by_one(tmp_path, monkeypatch, seed):
    chance = random.Random(seed)
    delimiter = chance.choice(",;\t|")
    data = ragged_file(chance, delimiter)
    if chance.random() < 0.2:
        data = data.replace(b"b c", b"b \xff\xe9")
    pinned = {"delimiter": delimiter, "quote": chance.choice(['"', '"', "'"]), "complete": True}
    at_once = read(tmp_path, data, **pinned)
    monkeypatch.setattr(bounds, "RAGGED_RECORDS", len(data))
    one_by_one = read(tmp_path, data, **pinned)
    assert len(one_by_one.rejects) > 200
    assert at_once.rejects == one_by_one.rejects
    assert at_once.notes == one_by_one.notes
    assert (at_once.rows, at_once.numbers, at_once.raws) == (one_by_one.rows, one_by_one.numbers, one_by_one.raws)
    assert at_once.source.tally == one_by_one.source.tally
