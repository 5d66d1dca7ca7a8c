"""Correction files go and come back: unchanged they say the same again, mended they publish exactly the mended rows.

Every dialect, encoding and format, with cells that spreadsheets and CSV readers like to change.
"""

import csv
import io
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec import structs

from sftp_gateway.brand import BrandSettings
from sftp_gateway.upload import State
from tests.catalog_dialects import COLUMNS, OPEN, Dialect, correction, said
from tests.catalog_shop import Shop

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1252", "cp1250")
PLAIN = ("Chair", "007", "00012345678901234567890", "1e5", "12/05", "=1+1", "+cmd|x", "-5", "@home", "'=x", "'", "a=b")
AWKWARD = ('5" pipe', 'say "hi"', "a,b", "a;b", "a|b", "a\tb", "two\nlines", "two\r\nlines", " padded ", "été", "it's")
GTINS = ("4006381333931", "036000291452", "")
BAD = {"msrp": ("x", "-1", "1.2.3", "=9"), "gtin": ("4006381333930", "4.00638E+12"), "name": ("",), "sku": ("",)}

texts = st.sampled_from((*PLAIN, *AWKWARD))
good_rows = st.tuples(texts.filter(str.strip), st.sampled_from(("1.5", "10", "+4")), st.sampled_from(GTINS), texts)


@st.composite
def bad_rows(draw):
    """A good row with one or two of its cells made bad."""
    row = dict(zip(COLUMNS[1:], draw(good_rows), strict=True))
    for name in draw(st.lists(st.sampled_from(sorted(set(BAD) - {"sku"})), min_size=1, max_size=2, unique=True)):
        row[name] = draw(st.sampled_from(BAD[name]))
    return tuple(row.values())


TEXT = [
    Dialect("csv", delimiter, quote, encoding, end, every, packed)
    for delimiter in ",;\t|"
    for quote in "\"'"
    for at, encoding in enumerate(ENCODINGS)
    for end, every, packed in [(("\r\n", False, False), ("\n", True, False), ("\n", False, True))[at % 3]]
]
ALL = [*TEXT, Dialect("json"), Dialect("json", packed=True), Dialect("jsonl"), Dialect("xlsx"), Dialect("parquet")]


def go_round(dialect: Dialect, good, bad) -> None:
    folder = Path(tempfile.mkdtemp())
    if dialect.kind == "xlsx":  # XML knows one line end
        good, bad = ([tuple(cell.replace("\r\n", "\n") for cell in row) for row in rows] for rows in (good, bad))
    try:
        shop = Shop(folder, settings=dialect.settings(), guards=OPEN)
        rows = [(f"G{at:03}", *row) for at, row in enumerate(good)] + [
            (f"0{at:03}", *row) for at, row in enumerate(bad)
        ]
        sent = shop.put(dialect.write(rows), name=dialect.name)
        assert sent.state is State.PUBLISHED
        assert sent.receipt["rows"]["rejected"] == len(bad)
        before = shop.products()
        assert set(before) == {row[0] for row in rows[: len(good)]}

        again = shop.put(correction(sent))
        assert again.receipt["mode"] == "correction"
        kept = {row[0] for row in rows[: len(good)]}
        assert said(shop, again) == [item for item in said(shop, sent) if item[0] not in kept]

        mended = [
            row | {"msrp": "7.25", "name": row["name"] or "Mended", "gtin": ""}
            for row in dialect.read(correction(again))
        ]
        assert [dialect.shown(row["color"]) for row in mended] == [
            row[3] for row in bad
        ]  # nobody changed what was right
        done = shop.put(dialect.written(mended))
        assert done.state is State.PUBLISHED, done.reasons
        assert done.receipt["rows"]["rejected"] == 0
        after = shop.products()
        assert {key: after[key] for key in before} == before
        shown = [(dialect.shown(row["name"]), "7.25", dialect.shown(row["color"])) for row in mended]
        new = {
            key: (product["name"], product["msrp"], product.get("color"))
            for key, product in after.items()
            if key not in before
        }
        assert new == {f"0{at:03}": product for at, product in enumerate(shown)}
    finally:
        shutil.rmtree(folder)


def round_trips(dialect: Dialect, examples: int) -> None:
    encodable = [
        text for text in (*PLAIN, *AWKWARD) if text.encode(dialect.encoding, "ignore").decode(dialect.encoding) == text
    ]
    assert len(encodable) == len(PLAIN) + len(AWKWARD)

    @settings(
        derandomize=True, max_examples=examples, deadline=None, database=None,
        phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.lists(good_rows, min_size=3, max_size=6), st.lists(bad_rows(), min_size=1, max_size=6))
    def one(good, bad):
        go_round(dialect, good, bad)

    one()


def named(dialect: Dialect) -> str:
    return "-".join(
        ("tab" if dialect.delimiter == "\t" else dialect.delimiter, dialect.quote, dialect.encoding, dialect.name)
    )


@pytest.mark.parametrize("dialect", [*TEXT[::9], *ALL[len(TEXT) :]], ids=named)
def test_a_correction_file_goes_and_comes_back(dialect):
    round_trips(dialect, 5)


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("dialect", ALL, ids=named)
def test_a_correction_file_goes_and_comes_back_in_every_dialect(dialect):
    round_trips(dialect, 12)


# What only the whole of the first file tells is asked of that file, through every correction of a correction.


def again_and_again(
    dialect: Dialect, rows: list[tuple[str, ...]], folder: Path, settings: BrandSettings | None = None
) -> Shop:
    shop = Shop(folder, settings=settings, guards=OPEN)
    first = outcome = shop.put(dialect.write(rows))
    for _ in range(3):
        outcome = shop.put(correction(outcome))
        assert outcome.receipt["file"]["encoding"] == first.receipt["file"]["encoding"]
        assert said(shop, outcome) == [item for item in said(shop, first) if not item[0].startswith("G")]
    return shop


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("koi8-r", "Красный деревянный стул"),
        ("cp932", "赤い椅子と机の部屋"),
        ("cp1252", "Café crème brûlée für Müller"),
    ],
)
def test_a_correction_is_read_in_the_encoding_that_its_original_was_guessed_to_have(tmp_path, encoding, text):
    rows = [(f"G{at}", text, "1", "", "") for at in range(50)]
    shop = again_and_again(Dialect("csv", encoding=encoding), [*rows, ("B1", text[:7], "x", "", "")], tmp_path)
    mended = f"sku,name,msrp,_correction_of\nB1,{text[:7]},7,1\n".encode(encoding)
    assert shop.put(mended).state is State.PUBLISHED
    assert shop.products()["B1"]["name"] == text[:7]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_correction_of_a_unicode_file_may_be_saved_in_another_encoding(tmp_path, encoding):
    rows = [(f"G{at}", "Café crème brûlée", "1", "", "") for at in range(50)]
    shop = again_and_again(Dialect("csv", encoding=encoding), [*rows, ("B1", "Café für Müller", "x", "", "")], tmp_path)
    mended = "sku;name;msrp;_correction_of\nB1;Café für Müller;7;1\n".encode("cp1252")
    assert shop.put(mended).state is State.PUBLISHED
    assert shop.products()["B1"]["name"] == "Café für Müller"


def test_a_damaged_row_of_a_utf8_file_comes_back_damaged(tmp_path):
    rows = [(f"G{at}", "Café crème brûlée", "1", "", "") for at in range(50)]
    shop = Shop(tmp_path, guards=OPEN)
    first = shop.put(Dialect("csv").write(rows) + b"B1,Caf\xe9,1,,\n")
    assert [item[3] for item in said(shop, first) if item[0]] == ["ROW_ENCODING"]
    outcome = shop.put(correction(first))
    assert [item[3] for item in said(shop, outcome) if item[0]] == ["ROW_ENCODING"]


@pytest.mark.parametrize("sent", ["csv", "parquet", "xlsx"])
def test_a_correction_saved_as_a_workbook_has_the_cells_that_were_sent(tmp_path, sent):
    shop, kept = Shop(tmp_path, guards=OPEN), ("+49 1", "=q", "'=q")
    bad = [(f"-A{at}", text, "x", "", text) for at, text in enumerate(kept)]
    first = shop.put(Dialect(sent).write([("G1", "Chair", "1", "", ""), *bad]))
    for _ in range(2):  # the second time a workbook comes back as one
        rows = Dialect("csv" if correction(first)[:2] != b"PK" else "xlsx").read(correction(first))
        first = shop.put(Dialect("xlsx").written(rows))
        assert [item[0] for item in said(shop, first)] == ["-A0", "-A1", "-A2"]
    rows = [row | {"msrp": "7"} for row in Dialect("xlsx").read(correction(first))]
    assert shop.put(Dialect("xlsx").written(rows)).state is State.PUBLISHED
    assert [shop.products()[f"-A{at}"]["name"] for at in range(3)] == list(kept)


def test_a_workbook_saved_as_csv_has_the_cells_that_were_sent(tmp_path):
    shop, kept = Shop(tmp_path, guards=OPEN), ("'-5", "''=q", "=q", "-5", "'n", "'")
    bad = [(f"'-A{at}", text, "x", "", text) for at, text in enumerate(kept)]
    first = shop.put(Dialect("xlsx").write([("G1", "Chair", "1", "", ""), *bad]))
    again = shop.put(Dialect("csv").written(Dialect("xlsx").read(correction(first))))
    assert said(shop, again) == said(shop, first)
    rows = [row | {"msrp": "7"} for row in Dialect("xlsx").read(correction(first))]
    assert shop.put(Dialect("csv").written(rows)).state is State.PUBLISHED
    assert [shop.products()[f"'-A{at}"]["name"] for at in range(len(kept))] == list(kept)


def test_a_correction_writes_numbers_as_its_original_does(tmp_path):
    rows = [(f"G{at}", "n", "12,50", "", "") for at in range(50)]
    bad = [("B1", "", "1,234", "", ""), ("B2", "x", "1,234", "4006381333930", "")]
    shop = again_and_again(Dialect("csv", ";"), [*rows, *bad], tmp_path)
    assert shop.put("sku;name;msrp;_correction_of\nB1;x;1,234;1\n").state is State.PUBLISHED
    assert shop.products()["B1"]["msrp"] == "1.234"


def test_where_the_original_is_gone_a_correction_speaks_for_itself(tmp_path):
    shop = Shop(tmp_path, guards=OPEN)
    rows = [(f"G{at}", "n", "12,50", "", "") for at in range(5)]
    shop.put(Dialect("csv", ";").write([*rows, ("B1", "", "1,234", "", "")]))
    shop.past[1].job.source.unlink()
    shop.past[1].job = structs.replace(shop.past[1].job, source=None)
    told = said(shop, shop.put("sku;name;msrp;_correction_of\nB1;x;1,234;1\n"))
    assert [(item[1], item[3]) for item in told] == [("msrp", "FIELD_AMBIGUOUS")]


class Shielding(Dialect):
    """Quotes nothing: a delimiter or a quote inside a cell has a backslash before it."""

    def _csv(self, rows, columns) -> bytes:
        out = io.StringIO()
        how = {"quoting": csv.QUOTE_NONE, "escapechar": "\\", "lineterminator": self.end}
        csv.writer(out, delimiter=self.delimiter, **how).writerows([columns, *rows])
        return out.getvalue().encode()


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("bad", [1, 2, 5])
def test_a_correction_of_a_file_that_quotes_nothing_goes_and_comes_back(tmp_path, delimiter, bad):
    rows = [(f"G{at}", f"Chair{delimiter} {at}", "1.50", "", "red") for at in range(20)]
    wrong = [(f"B{at}", f"Lamp{delimiter} {at}", "x", "", 'the "c"') for at in range(bad)]
    shop = Shop(tmp_path, guards=OPEN)
    first = outcome = shop.put(Shielding("csv", delimiter).write([*rows, ("P", "plain", "2", "", ""), *wrong]))
    for _ in range(3):  # a correction of a correction is quoted as it should be: nothing is repaired in it any more
        outcome = shop.put(correction(outcome))
        assert [item for item in said(shop, outcome) if item[0]] == [item for item in said(shop, first) if item[0]]
    mended = correction(first).replace(f"{delimiter}x{delimiter}".encode(), f"{delimiter}7{delimiter}".encode())
    assert shop.put(mended).receipt["rows"]["accepted"] == bad
    made = shop.products()["B0"]
    assert (made["name"], made["msrp"], made["color"]) == (f"Lamp{delimiter} 0", "7.00", 'the "c"')


class Printing(Dialect):
    """Pads its cells to columns, under a rule."""

    def _csv(self, rows, columns) -> bytes:
        widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
        lines = [" | ".join(map(str.ljust, row, widths)) for row in [columns, *rows]]
        lines[1:1] = ["-+-".join("-" * width for width in widths)]
        return self.end.join([*lines, ""]).encode()


def test_a_correction_of_a_printed_table_is_a_file_of_commas_and_comes_back(tmp_path):
    rows = [(f"G{at}", f"Chair, {at}", "1.50", "", "red") for at in range(20)]
    shop = Shop(tmp_path, guards=OPEN)
    first = shop.put(Printing("csv", " ").write([*rows, ("B1", "Lamp, 1", "x", "", 'the "c"')]))
    assert first.receipt["rows"]["accepted"] == 20
    assert b'B1,"Lamp, 1",x,,"the ""c"""' in correction(first)
    again = shop.put(correction(first))
    assert [item for item in said(shop, again) if item[0]] == [item for item in said(shop, first) if item[0]]
    assert shop.put(correction(first).replace(b",x,", b",7,")).receipt["rows"]["accepted"] == 1
    assert shop.products()["B1"]["name"] == "Lamp, 1"
