"""Correction files: the rejected rows of an upload in the sender's own format, with our reasons beside them.

Written so that sending one back unchanged gives the same findings again: rows come back byte for
byte where a spreadsheet would execute nothing in them. What is escaped here is unescaped by `read`
when a file names the upload it corrects (spec §8).
"""

import re
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
import orjson

from sftp_gateway.catalog import xlsx
from sftp_gateway.catalog.read import escaping
from sftp_gateway.catalog.read.source import Block, Reject, Source

OURS = escaping.OURS
_TEXT_ENDINGS = {"csv", "tsv", "tab", "txt", "psv", "dat"}
_PACKED_ENDINGS = (".gz", ".gzip", ".zst", ".zstd", ".zip")
_FORBIDDEN = re.compile(r"[\r\n\"']+")


class _Form(Protocol):
    """A way to write rows: `cells` and `ours` are texts, `raw` the record as sent (b'' where there is none)."""

    def row(self, cells: Sequence[str], raw: bytes, ours: Sequence[str]) -> None: ...
    def unreadable(self, reject: Reject, ours: Sequence[str]) -> None: ...
    def close(self) -> None: ...


class CorrectionWriter:
    """Writes the correction file of one upload; nothing is made while no row is rejected."""

    def __init__(self, source: Source, upload: int, out: Path, base_name: str) -> None:
        self._source, self._upload = source, upload
        ending = _ending(source, base_name)
        self._path = out / f"{base_name}.{upload}.corrections.{ending}"
        self._form: _Form | None = None

    def add_rows(  # noqa: PLR0913, PLR0917 - rows and their three reasons
        self,
        block: Block,
        indices: npt.NDArray[np.int64],
        codes: Any,
        errors: Any,
        suggestions: Any,
        rejects: Sequence[Reject] = (),
    ) -> None:
        """Append rejected rows of a block with their reasons, three string arrays as long as `indices`.

        `rejects`: records between them that could not be read as rows; both come in the order of the file.
        """
        form = self._open()
        waiting = deque(rejects)
        columns = [column.take(indices).to_pylist() for column in block.cells]
        told = zip(codes.to_pylist(), errors.to_pylist(), suggestions.to_pylist(), strict=True)
        for place, (index, reasons) in enumerate(zip(indices.tolist(), told, strict=True)):
            while waiting and (waiting[0].finding.row or 0) < block.row[index]:
                self.add_reject(waiting.popleft())
            cells = [column[place] for column in columns]
            form.row(cells, block.raw(index), self._ours(int(block.row[index]), *reasons))
        for reject in waiting:
            self.add_reject(reject)

    def add_reject(self, reject: Reject) -> None:
        """Append a record that could not be read as a row."""
        finding = reject.finding
        self._open().unreadable(reject, self._ours(finding.row or 0, finding.code, finding.message, finding.suggestion))

    def finish(self) -> Path | None:
        """Close the file; its path, or None if no row was rejected."""
        if self._form is None:
            return None
        self._form.close()
        return self._path

    def _ours(self, row: int, codes: str | None, errors: str | None, suggestions: str | None) -> tuple[str, ...]:
        return (str(row), codes or "", errors or "", suggestions or "", str(self._upload))

    def _open(self) -> _Form:
        if self._form is None:
            kind = self._source.format.format
            if kind in ("json", "jsonl"):
                self._form = _JsonLines(self._path, self._source)
            elif kind in ("xlsx", "xls", "ods"):
                self._form = _Sheet(self._path, self._source)
            else:
                self._form = _Delimited(self._path, self._source)
        return self._form


def _ending(source: Source, base_name: str) -> str:
    kind = source.format.format
    if kind in ("json", "jsonl"):
        return "jsonl"
    if kind in ("xlsx", "xls", "ods"):
        return "xlsx"
    name = base_name.lower()
    for packed in _PACKED_ENDINGS:
        name = name.removesuffix(packed)
    ending = name.rpartition(".")[2]
    return ending if kind == "csv" and ending in _TEXT_ENDINGS else "csv"


def _own(source: Source) -> list[int]:
    """Positions of the sender's columns: those a correction file had from us are made anew."""
    return [place for place, name in enumerate(source.headers) if name.strip() not in OURS]


class _Delimited:
    """CSV in the sender's dialect, encoding and line ends."""

    def __init__(self, path: Path, source: Source) -> None:
        form = source.format
        self._delimiter, self._quote = form.delimiter or ",", form.quote or '"'
        self._encoding = form.encoding or "utf-8"
        self._own = _own(source)
        self._all = len(self._own) == len(source.headers)
        self._strip = 0 if self._all else len(source.headers) - len(self._own)
        self._end = source.line_end if form.format == "csv" else "\r\n"
        self._needs_quotes = re.compile(f"[{re.escape(self._delimiter + self._quote)}\r\n]|^\\s|\\s$")
        self._file: BinaryIO = path.open("wb")
        self._file.write(source.bom)
        if source.header_raw and self._all:
            self._file.write(source.header_raw + self._bytes(self._delimiter + self._joined(OURS) + self._end))
        else:
            names = [source.headers[place] for place in self._own]
            self._line([*names, *OURS])

    def row(self, cells: Sequence[str], raw: bytes, ours: Sequence[str]) -> None:
        """Write a row: as it was sent, unless a spreadsheet would execute a cell of it."""
        dangerous = any(map(escaping.is_dangerous, cells))
        if raw and self._all and not dangerous:
            self._file.write(raw + self._bytes(self._delimiter + self._joined(map(escaping.escape, ours)) + self._end))
            return
        mine = [cells[place] for place in self._own]
        self._line(map(escaping.escape, [*mine, *ours]))

    def unreadable(self, reject: Reject, ours: Sequence[str]) -> None:
        """Write a damaged record as it was sent; our texts lose what could be taken for its quotes."""
        if reject.finding.code == "ROW_COLUMNS" and reject.cells:
            self._line(map(escaping.escape, [*reject.cells, *ours]))
            return
        raw = reject.raw if self._all else _without(reject.raw, self._bytes(self._delimiter), self._strip)
        if self._encoding in ("utf-8", "cp1252"):
            raw = escaping.escape_raw(raw, self._delimiter, self._quote)
        plain = [_FORBIDDEN.sub(" ", text).replace(self._delimiter, " ") for text in map(escaping.escape_plain, ours)]
        self._file.write(raw + self._bytes(self._delimiter + self._delimiter.join(plain) + self._end))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _line(self, cells: Iterable[str]) -> None:
        self._file.write(self._bytes(self._joined(cells) + self._end))

    def _joined(self, cells: Iterable[str]) -> str:
        return self._delimiter.join(map(self._quoted, cells))

    def _quoted(self, cell: str) -> str:
        if not self._needs_quotes.search(cell):
            return cell
        return self._quote + cell.replace(self._quote, self._quote * 2) + self._quote

    def _bytes(self, text: str) -> bytes:
        return text.encode(self._encoding, "replace")


def _without(raw: bytes, delimiter: bytes, count: int) -> bytes:
    """Give a damaged record of a correction file without our columns at its end."""
    return delimiter.join(raw.split(delimiter)[:-count]) if count else raw


class _JsonLines:
    """JSON Lines; a product that is no JSON comes back as text under `_raw`."""

    def __init__(self, path: Path, source: Source) -> None:
        self._names = source.headers
        self._encoding = source.format.encoding or "utf-8"
        self._file: BinaryIO = path.open("wb")
        self._file.write(source.bom)

    def row(self, cells: Sequence[str], raw: bytes, ours: Sequence[str]) -> None:
        """Write a product with its own values, our keys after them."""
        text = self._decoded(raw).rstrip()
        own = ", ".join(f"{_json(name)}: {_json(value)}" for name, value in zip(OURS, ours, strict=True))
        if any(name in OURS for name in self._names):
            kept = {name: cell for name, cell in zip(self._names, cells, strict=True) if name not in OURS and cell}
            text = _json(kept)
        body = text[1:-1].strip()
        body = re.sub(r"[\r\n]+", " ", body)
        self._line("{" + body + (", " if body else "") + own + "}")

    def unreadable(self, reject: Reject, ours: Sequence[str]) -> None:
        """Write what was sent as a text under `_raw`."""
        own = dict(zip(OURS, ours, strict=True))
        self._line(_json({"_raw": self._decoded(reject.raw), **own}))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _decoded(self, raw: bytes) -> str:
        return raw.decode(self._encoding, "replace")

    def _line(self, text: str) -> None:
        self._file.write((text + "\n").encode(self._encoding, "replace"))


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


class _Sheet:
    """XLSX, every cell a text."""

    def __init__(self, path: Path, source: Source) -> None:
        self._own = _own(source)
        self._book = xlsx.Writer(path)
        self._book.row([*(source.headers[place] for place in self._own), *OURS])

    def row(self, cells: Sequence[str], raw: bytes, ours: Sequence[str]) -> None:  # noqa: ARG002  # cells say all
        """Write a row."""
        self._book.row([*(cells[place] for place in self._own), *ours])

    def unreadable(self, reject: Reject, ours: Sequence[str]) -> None:
        """Write what could be told of a record; sheets have none that cannot be read."""
        cells = [*reject.cells, *([""] * len(self._own))][: len(self._own)]
        self._book.row([*cells, *ours])

    def close(self) -> None:
        """Finish the workbook."""
        self._book.close()
