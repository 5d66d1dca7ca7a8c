"""Correction files: the rejected rows of an upload in the sender's own format, with our reasons beside them.

Written so that sending one back unchanged gives the same findings again: rows come back byte for
byte where a spreadsheet would execute nothing in them. What is escaped here is unescaped by `read`
when a file names the upload it corrects (spec §8).
"""

import json
import re
import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Protocol

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from sftp_gateway import disk
from sftp_gateway.catalog.checking import sender
from sftp_gateway.catalog.read import escaping
from sftp_gateway.catalog.read.csv import returned
from sftp_gateway.catalog.read.rejects import NONE as NO_REJECTS
from sftp_gateway.catalog.read.rejects import Reject, Rejects, listed
from sftp_gateway.catalog.read.source import Block, Rows, Source
from sftp_gateway.catalog.results import corrections_csv, xlsx
from sftp_gateway.catalog.results.rejected import Ours, Rejected

OURS = escaping.OURS
_TEXT_ENDINGS = {"csv", "tsv", "tab", "txt", "psv", "dat"}
_PACKED_ENDINGS = (".gz", ".gzip", ".zst", ".zstd", ".zip")


class _Form(Protocol):
    """A way to write rejected records: `make` prepares what `add` writes; several may be made at once."""

    def make(self, rejected: Rejected) -> Any: ...
    def add(self, made: Any) -> None: ...
    def close(self) -> None: ...


class CorrectionWriter:
    """Writes the correction file of one upload; nothing is made while no row is rejected.

    `marked`: places of the columns in which a text may be read with another decimal mark than a number is.
    """

    def __init__(
        self, source: Source, upload: int, out: Path, base_name: str, marked: Collection[int] = frozenset()
    ) -> None:
        self._source, self._upload, self._marked = source, upload, marked
        form = ending(source.format.format, base_name)
        self._path = out / f"{base_name}.{upload}.corrections.{form}"
        self._form: _Form | None = None
        self._lock = threading.Lock()

    def make(self, block: Block, indices: Rows, reasons: Sequence[Any], broken: Rejects = NO_REJECTS) -> Any:
        """Prepare rejected rows of a block, and records that could not be read as rows, for `add`; None if there are none.

        `reasons`: codes, errors and suggestions of the rows, three string arrays as long as `indices`. Thread-safe.
        """
        if not len(indices) and not broken:
            return None
        rows = pc.cast(pa.array(block.row[indices]), pa.string())
        texts = [pc.fill_null(column, "") for column in reasons]
        ours = (rows, *texts, pa.repeat(str(self._upload), len(indices)))
        numbers = pc.cast(pa.array(broken.row), pa.string())
        upload = pa.repeat(str(self._upload), len(broken))
        told = (numbers, broken.code, broken.message, broken.suggestion, upload)
        return self._open().make(Rejected(self._as_texts(block), indices, ours, broken, told))

    def add(self, made: Any) -> None:
        """Append what was made of the next block."""
        if made is not None:
            self._open().add(made)

    def finish(self) -> Path | None:
        """Close the file; its path, or None if no row was rejected."""
        if self._form is None:
            return None
        self._form.close()
        return self._path

    def _as_texts(self, block: Block) -> Block:
        """Let the numbers of a typed format be the same ones as texts, which all cells of a CSV file or our sheets are."""
        if not self._marked or all(numbers is None for numbers in block.numbers):
            return block
        columns = zip(block.cells, block.numbers, strict=True)
        cells = (
            column if numbers is None or place not in self._marked else sender.unmistakable(column, numbers)
            for place, (column, numbers) in enumerate(columns)
        )
        return replace(block, cells=tuple(cells))

    def _open(self) -> _Form:
        with self._lock:
            if self._form is None:
                _, form = _FORMS.get(self._source.format.format, ("", corrections_csv.Delimited))
                self._form = form(self._path, self._source)
            return self._form


def ending(kind: str, base_name: str) -> str:
    """Give the ending of the correction file of a file of this format and name."""
    if kind in _FORMS:
        return _FORMS[kind][0]
    name = base_name.lower()
    for packed in _PACKED_ENDINGS:
        name = name.removesuffix(packed)
    ending = name.rpartition(".")[2]
    return ending if kind == "csv" and ending in _TEXT_ENDINGS else "csv"


class _JsonLines:
    """JSON Lines; a product that is no JSON comes back as text under `_raw`."""

    def __init__(self, path: Path, source: Source) -> None:
        self._names = source.headers
        self._encoding = source.format.encoding or "utf-8"
        self._file = path.open("wb", buffering=0)
        self._behind = disk.Behind(self._file.fileno())
        self._behind.write(source.bom)

    def make(self, rejected: Rejected) -> bytes:
        """Give products as lines, each with its own values and our keys after them."""
        lines = [
            self._unreadable(raw, ours) if isinstance(sent, Reject) else self._product(raw, ours)
            for sent, raw, ours in rejected.in_order()
        ]
        return "".join(lines).encode(self._encoding, "replace")

    def add(self, made: bytes) -> None:
        self._behind.write(made)

    def _product(self, raw: bytes, ours: Ours) -> str:
        text = self._decoded(raw).rstrip()
        own = ", ".join(f"{_json(name)}: {_json(value)}" for name, value in zip(OURS, ours, strict=True))
        if any(name in OURS for name in self._names):
            text = _json({name: value for name, value in _parsed(text).items() if name not in OURS})
        body = text[1:-1].strip()
        body = re.sub(r"[\r\n]+", " ", body)
        return "{" + body + (", " if body else "") + own + "}\n"

    def _unreadable(self, raw: bytes, ours: Ours) -> str:
        own = dict(zip(OURS, ours, strict=True))
        return _json({"_raw": self._decoded(raw), **own}) + "\n"

    def close(self) -> None:
        self._file.close()

    def _decoded(self, raw: bytes) -> str:
        return raw.decode(self._encoding, "replace")


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _parsed(text: str) -> dict[str, Any]:
    """Read a product, its numbers as they are written: `1.50` stays `1.50`, a long number loses no digit."""
    as_written = orjson.Fragment
    found = json.loads(text, parse_float=as_written, parse_int=as_written, parse_constant=as_written)
    return dict(found)


class _Sheet:
    """XLSX, every cell a text, so that nothing in it is executed; but a person may save it as CSV.

    A sign that a sender put before a cell gets one of ours: `read` takes one, whatever the file is saved as.
    """

    def __init__(self, path: Path, source: Source) -> None:
        self._layout = returned.Layout(source.headers)
        self._own = self._layout.own
        self._book = xlsx.Writer(path)
        self.add([[*(source.headers[place] for place in self._own), *OURS]])

    def make(self, rejected: Rejected) -> list[list[str]]:
        """Give rows; of one that is none because of its form, the cells that it has."""
        made = []
        for sent, _, ours in rejected.in_order():
            if isinstance(sent, Reject):
                [cells], missing = self._layout.own_cells(listed([sent.cells]))
                cells = [*(cells.as_py() or [""]), *[""] * int(missing[0])]
            else:
                cells = [sent[place] for place in self._own]
            made.append([*cells, *ours])
        return made

    def add(self, made: list[list[str]]) -> None:
        for row in made:
            self._book.row([escaping.escape(cell) if cell[:1] == "'" else cell for cell in row])

    def close(self) -> None:
        self._book.close()


_FORMS: dict[str, tuple[str, Callable[[Path, Source], _Form]]] = {
    **dict.fromkeys(("json", "jsonl"), ("jsonl", _JsonLines)),
    **dict.fromkeys(("xlsx", "xls", "ods"), ("xlsx", _Sheet)),
}
"""By format of what was sent: ending and form of the correction file; of all others it is CSV."""
