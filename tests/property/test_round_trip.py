"""Correction files go and come back: unchanged they say the same again, mended they publish exactly the mended rows.

Every dialect, encoding and format, with cells that spreadsheets and CSV readers like to change.
"""

import csv
import dataclasses
import gzip
import io
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1]))
from catalog_shop import Shop

from sftp_gateway.brand import BrandSettings, Guards
from sftp_gateway.upload import State

COLUMNS = ("sku", "name", "msrp", "gtin", "color")
OPEN = Guards(reject_share=1.0, key_overlap=0.0, column_emptied=1.0, price_share=1.0, removal_share=1.0)
"""No guard acts: the file may be as bad as it likes."""
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


@dataclass(frozen=True)
class Dialect:
    """How a sender writes files."""

    kind: str
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    end: str = "\r\n"
    every: bool = False
    packed: bool = False

    @property
    def name(self) -> str:
        return f"catalog.{self.kind}" + ".gz" * self.packed

    def settings(self) -> BrandSettings:
        own = self.encoding if self.encoding.startswith("cp") else ""
        return (
            BrandSettings(encoding=own, quote=self.quote, delimiter=self.delimiter)
            if self.kind == "csv"
            else BrandSettings()
        )

    def write(self, rows: list[tuple[str, ...]], columns=COLUMNS) -> bytes:
        data = getattr(self, f"_{self.kind}")(rows, columns)
        return gzip.compress(data) if self.packed else data

    def _csv(self, rows, columns) -> bytes:
        out = io.StringIO()
        how = csv.QUOTE_ALL if self.every else csv.QUOTE_MINIMAL
        writer = csv.writer(out, delimiter=self.delimiter, quotechar=self.quote, lineterminator=self.end, quoting=how)
        writer.writerows([columns, *rows])
        return out.getvalue().encode(self.encoding)

    def _json(self, rows, columns) -> bytes:
        return orjson.dumps([dict(zip(columns, row, strict=True)) for row in rows])

    def _jsonl(self, rows, columns) -> bytes:
        return b"\n".join(orjson.dumps(dict(zip(columns, row, strict=True))) for row in rows) + b"\n"

    def _xlsx(self, rows, columns) -> bytes:
        book = openpyxl.Workbook()
        for at, row in enumerate([columns, *rows], start=1):
            for place, cell in enumerate(row, start=1):
                if cell:
                    book.active.cell(at, place).value = cell
                    book.active.cell(at, place).data_type = "s"  # a text, whatever it looks like
        out = io.BytesIO()
        book.save(out)
        return out.getvalue()

    def _parquet(self, rows, columns) -> bytes:
        out = io.BytesIO()
        pq.write_table(
            pa.table({name: list(cells) for name, cells in zip(columns, zip(*rows, strict=True), strict=True)}), out
        )
        return out.getvalue()

    def read(self, data: bytes) -> list[dict[str, str]]:
        """Read a correction file as the sender's own program would."""
        if self.kind == "xlsx":
            names, *rows = openpyxl.load_workbook(io.BytesIO(data)).active.iter_rows(values_only=True)
            return [dict(zip(names, (cell or "" for cell in row), strict=True)) for row in rows]
        if self.kind.startswith("json"):
            return [orjson.loads(line) for line in data.splitlines()]
        own = self if self.kind == "csv" else Dialect("csv")
        text = io.StringIO(data.decode("utf-8-sig" if own.encoding == "utf-8" else own.encoding), newline="")
        return list(csv.DictReader(text, delimiter=own.delimiter, quotechar=own.quote))

    def shown(self, cell: str) -> str:
        """Give a cell of a correction file as the sender wrote it: CSV has a `'` before what would be executed."""
        return unescaped(cell) if self.kind in ("csv", "parquet") else cell

    def written(self, rows: list[dict[str, str]]) -> bytes:
        """Write a mended correction file back, in the form in which it came."""
        form = {"json": "jsonl", "parquet": "csv"}.get(self.kind, self.kind)
        how = Dialect(form, self.delimiter, self.quote, self.encoding, self.end, self.every)
        names = tuple(rows[0])
        return how.write([tuple(row.values()) for row in rows], names)


def unescaped(cell: str) -> str:
    bare = cell.lstrip("'")
    return cell[1:] if cell != bare and bare[:1] in ("=", "+", "-", "@", "\t", "\r") and bare else cell


TEXT = [
    Dialect("csv", delimiter, quote, encoding, end, every, packed)
    for delimiter in ",;\t|"
    for quote in "\"'"
    for at, encoding in enumerate(ENCODINGS)
    for end, every, packed in [(("\r\n", False, False), ("\n", True, False), ("\n", False, True))[at % 3]]
]
ALL = [*TEXT, Dialect("json"), Dialect("json", packed=True), Dialect("jsonl"), Dialect("xlsx"), Dialect("parquet")]


def said(shop: Shop, outcome) -> list[tuple[str, ...]]:
    """What an upload's error file says of rows, places aside."""
    lines = [path.path for path in outcome.made if path.kind == "errors_json"]
    items = [orjson.loads(line) for path in lines for line in gzip.decompress(path.read_bytes()).splitlines()]
    names = ("key", "column", "value", "code", "severity", "message")
    return sorted(tuple(item[name] for name in names) for item in items if item["row"])


def correction(outcome) -> bytes:
    [path] = [made.path for made in outcome.made if made.kind == "corrections"]
    return path.read_bytes()


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
    shop.past[1].job = dataclasses.replace(shop.past[1].job, source=None)
    told = said(shop, shop.put("sku;name;msrp;_correction_of\nB1;x;1,234;1\n"))
    assert [(item[1], item[3]) for item in told] == [("msrp", "FIELD_AMBIGUOUS")]
