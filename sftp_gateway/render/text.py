"""What the files of a brand's home say: README.txt, template.csv, history.csv, receipts. Pure: values in, text out."""

import csv
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from sftp_gateway import outcome, receipt
from sftp_gateway.brand import BY_POSITION, Brand
from sftp_gateway.catalog.rules.column import Column
from sftp_gateway.catalog.rules.schema import Schema
from sftp_gateway.store.frontdoor import Address
from sftp_gateway.upload import State, Upload

HISTORY = (
    *("upload", "received_at", "name", "mode", "state", "reason", "read", "accepted", "rejected"),
    *("created", "updated", "removed", "withheld", "version", "error_file"),
)
DANGEROUS = re.compile(r"'*[=+\-@\t\r]")
PLAIN_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?")


def cell(value: object) -> str:
    """Print a value for a CSV of ours; one `'` goes before what a spreadsheet would execute (spec §8)."""
    if value is None or isinstance(value, int):
        return "" if value is None else str(value)
    text = str(value)
    return f"'{text}" if DANGEROUS.match(text) and not PLAIN_NUMBER.fullmatch(text) else text


def lines(rows: Iterable[Sequence[object]]) -> bytes:
    """Print rows as CSV: UTF-8, CRLF, escaped cells."""
    return b"".join(_printed(rows))


def _printed(rows: Iterable[Sequence[object]]) -> list[bytes]:
    out = _Lines()
    csv.writer(out, lineterminator="\r\n").writerows([cell(value) for value in row] for row in rows)
    return [line.encode() for line in out]


class _Lines(list[str]):
    """What a writer of CSV wrote: it hands over a row at a time."""

    def write(self, line: str) -> None:
        self.append(line)


def history(printed: Iterable[bytes]) -> bytes:
    """Print the upload history of its lines, newest first."""
    return b"".join((lines([HISTORY]), *printed))


def history_lines(uploads: Sequence[Upload]) -> dict[int, bytes]:
    """Print what the history tells of each upload, by its id."""
    return dict(zip([upload.id for upload in uploads], _printed(map(_history_row, uploads)), strict=True))


def _history_row(upload: Upload) -> tuple[object, ...]:
    found = receipt.seen(upload)
    rows, changes = found["rows"], found["changes"]
    error_file = next((file["name"] for file in found["files"] if file["name"].endswith(".errors.csv")), None)
    return (
        upload.id,
        found["times"]["received"],
        upload.path,
        found["mode"],
        found["state"],
        reason(found),
        *(rows[name] for name in ("read", "accepted", "rejected")),
        *(changes["created"], changes["updated"], changes["removed"] + changes["deleted"], changes["withheld"]),
        found["version"],
        error_file,
    )


def reason(found: receipt.Receipt) -> str:
    """Say why an upload ended as it did: the texts of its reasons, else what its state means; '' if all is well."""
    said = "; ".join(str(each.get("text") or each["code"]) for each in found["reasons"])
    if said or State(found["state"]) not in {State.REFUSED, State.HELD, State.FAILED, State.UNFINISHED}:
        return said
    return outcome.sentence(found)


def printed_receipt(upload: Upload) -> bytes:
    """Print a receipt for the home: JSON that a person can read."""
    return (json.dumps(receipt.of(upload), indent=1, ensure_ascii=False) + "\n").encode()


def template(brand: Brand, schema: Schema) -> bytes:
    """Print the header row to start from: the brand's own headers where it named some, and its own places."""
    placed = _places(brand)
    header = [""] * max(placed.values(), default=0)
    for name, place in placed.items():
        header[place - 1] = name
    return lines([header + [_header(brand, column) for column in schema.columns if column.name not in placed]])


def _header(brand: Brand, column: Column) -> str:
    own = brand.settings.columns.get(column.name, "")
    if own and column.name not in _places(brand):
        return own
    return f"{column.name}:" if column.type == "map" else column.name


def _places(brand: Brand) -> dict[str, int]:
    """Tell which columns the brand's files have at which place, from 1 on: those that it maps as `#1`."""
    return {name: int(own[1:]) for name, own in brand.settings.columns.items() if BY_POSITION.fullmatch(own)}


def readme(brand: Brand, schema: Schema, front: Address) -> bytes:
    """Print the instructions: how to connect, what to send, this gateway's columns and rules."""
    limits = brand.settings
    inbox = "changes only (nothing is removed)" if limits.mode == "partial" else "full catalogs"
    text = README.format(
        brand=brand.name,
        host=front.host,
        port=front.port,
        fingerprints="".join(f"  host key    {each}\n" for each in front.fingerprints),
        inbox=inbox,
        key=", ".join(schema.key),
        columns=_columns(brand, schema),
        rules="".join(f"* {rule.message} ({rule.severity})\n" for rule in schema.rules) or "none\n",
        timezone=limits.timezone or "UTC",
        marker=_marker(limits.marker),
        naming=ORDERED.format(pattern=limits.name_pattern) if limits.name_pattern else ANY_NAME,
    )
    return text.replace("\n", "\r\n").encode()


def _marker(ending: str) -> str:
    return f"A file is taken when its marker is there, too: NAME{ending} beside NAME.\n" if ending else ""


def _columns(brand: Brand, schema: Schema) -> str:
    wide, placed = max(len(_header(brand, column)) for column in schema.columns), _places(brand)
    place = {name: f"column {number}; " for name, number in placed.items()}
    listed = (f"{_header(brand, one):{wide}}  {place.get(one.name, '')}{_rule(one)}\n" for one in schema.columns)
    return (PLACED if placed else "") + "".join(listed)


def _rule(column: Column) -> str:
    words: list[Any] = [f"{column.type}{', required' if column.required else ''}"]
    words += [f"one of {' '.join(column.values)}"] if column.values else []
    words += [f"at least {column.min}"] if column.min is not None else []
    words += [f"more than {column.exclusive_min}"] if column.exclusive_min is not None else []
    words += [f"at most {column.max}"] if column.max is not None else []
    words += _lengths(column.min_length, column.max_length)
    words += [f"written as {column.pattern} says (a regular expression)"] if column.pattern is not None else []
    words += [_decimals(column.scale)] if column.scale is not None else []
    words += ["no two products the same"] if column.unique else []
    words += [f"also called {', '.join(column.aliases[:4])}"] if column.aliases else []
    return "; ".join(words)


def _lengths(least: int | None, most: int | None) -> list[str]:
    """Say how long a text may be; nothing if that is not limited."""
    if most is None:
        return [f"at least {outcome.count(least, 'character')}"] if least else []
    if least == most:
        return [outcome.count(most, "character")]
    return [f"{least:,} to {most:,} characters" if least else f"at most {outcome.count(most, 'character')}"]


def _decimals(scale: int) -> str:
    return f"at most {outcome.count(scale, 'decimal place')}" if scale else "no decimal places"


PLACED = """\
Your files may come without a header row: where a column is numbered here, it is known by its place in
the row. The other columns need a header row.
"""
ANY_NAME = "Any name will do.\n"
ORDERED = """\
Any name will do, but the date (year, month, day) and the number in it count
where the name is written as this says (a regular expression; it matches the whole name):
  {pattern}
Files that wait go live in that order: by date, then by number, 10 after 9. A file that comes later than one with
a newer date or number is not read (superseded); send it under a newer name if it is to replace that one. A name
written otherwise goes by arrival. Files in /partial/ are compared among themselves.
"""
README = """\
Catalog of {brand}
==================

Connect
  sftp -P {port} {brand}@{host}
{fingerprints}
Send
  / or /inbox/   {inbox}
  /partial/      rows in the file are created or updated, nothing is removed; \\N clears a cell,
                 a column _op with the word delete removes a product
  /test/         dry run: everything but the publish
{marker}
CSV (comma, semicolon, tab, pipe), XLSX, XLS, ODS, JSON, JSON Lines or Parquet; plain, gzip, zstd or a
zip of one file. UTF-8 is best. You may upload as NAME.part and rename. Times without a zone are read as
{timezone}. {naming}
Read
  /receipts/NAME.UPLOAD.json           the result of each upload; it comes last
  /errors/NAME.UPLOAD.errors.csv       every problem: row, column, value, what to do
  /errors/NAME.UPLOAD.corrections.*    only the rejected rows, in your format: fix them, leave the columns
                                       that start with _ as they are, and send the file back to /inbox
  /errors/NAME.UPLOAD.withheld.csv     products whose removal waits for a confirmation
  /catalog/current.csv .parquet        what is live. current.csv is exact: cells are NOT escaped against
                                       spreadsheets that run formulas
  /catalog/v000012.changes.csv         what a version changed
  /history.csv                         the last 10,000 uploads, their state and the reason
  /template.csv                        the header to start from

A rejected row never stops the others: its product keeps its last good version. States: published (live),
unchanged, tested, held (a person must decide), refused (you must act), unfinished (stops in the middle:
resume it or send it again), failed (our fault; your file is kept), superseded (a later file took its place).

Columns (a product is known by {key})
-------
{columns}
Rules
-----
{rules}"""
