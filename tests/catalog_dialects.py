"""Ways in which senders write files: each writes rows, and reads and writes correction files as its own program would."""

import csv
import gzip
import io
from dataclasses import dataclass

import openpyxl
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from sftp_gateway.brand import BrandSettings, Guards
from tests.catalog_shop import Shop

COLUMNS = ("sku", "name", "msrp", "gtin", "color")
OPEN = Guards(reject_share=1.0, key_overlap=0.0, column_emptied=1.0, price_share=1.0, removal_share=1.0)
"""No guard acts: the file may be as bad as it likes."""


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
        """Give a cell of a correction file as the sender wrote it: CSV and workbooks have a `'` of ours before some."""
        return unescaped(cell) if self.kind in ("csv", "parquet", "xlsx") else cell

    def written(self, rows: list[dict[str, str]]) -> bytes:
        """Write a mended correction file back, in the form in which it came."""
        form = {"json": "jsonl", "parquet": "csv"}.get(self.kind, self.kind)
        how = Dialect(form, self.delimiter, self.quote, self.encoding, self.end, self.every)
        names = tuple(rows[0])
        return how.write([tuple(row.values()) for row in rows], names)


def unescaped(cell: str) -> str:
    bare = cell.lstrip("'")
    return cell[1:] if cell != bare and bare[:1] in ("=", "+", "-", "@", "\t", "\r") and bare else cell


def said(shop: Shop, outcome) -> list[tuple[str, ...]]:
    """What an upload's error file says of rows, places aside."""
    lines = [path.path for path in outcome.made if path.kind == "errors_json"]
    items = [orjson.loads(line) for path in lines for line in gzip.decompress(path.read_bytes()).splitlines()]
    names = ("key", "column", "value", "code", "severity", "message")
    return sorted(tuple(item[name] for name in names) for item in items if item["row"])


def correction(outcome) -> bytes:
    [path] = [made.path for made in outcome.made if made.kind == "corrections"]
    return path.read_bytes()
