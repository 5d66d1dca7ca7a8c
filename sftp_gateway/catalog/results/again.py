"""What was found in an upload, told again of the same bytes under the number of a later one: nothing is read or checked.

Our own files say the number once for each finding and rejected row. It is put in place of the old one where that stands
exactly so often as there are findings and rows; a value of the sender's that only looks like ours makes one too many.
"""

import gzip
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from isal import igzip

from sftp_gateway import upload_name
from sftp_gateway.catalog.job import Made, Results
from sftp_gateway.catalog.read import escaping
from sftp_gateway.catalog.results import corrections, report, xlsx

CHUNK_BYTES = 4 * 1024**2
_HEADER_BYTES = 16 * 1024**2
"""No header of a file that was read is longer."""
_DAMAGED = (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, UnicodeError)
_JSON, _SHEETS = ("json", "jsonl"), ("xlsx", "xls", "ods")


@dataclass(frozen=True, slots=True)
class _Change:
    """What one number is written as, and what it becomes."""

    old: bytes
    new: bytes

    @classmethod
    def of(cls, before: str, numbers: tuple[int, int], behind: str, encoding: str = "utf-8") -> "_Change":
        old, new = (f"{before}{number}{behind}".encode(encoding) for number in numbers)
        return cls(old, new)


class _Bytes(Protocol):
    def read(self, size: int, /) -> bytes: ...


def files(before: Results, upload: int, name: str, out: Path) -> tuple[Made, ...] | None:
    """Write the files of upload `upload`, sent as `name`, into `out`; None: what was sent has to be read."""
    base, numbers = upload_name.safe(name), (before.upload, upload)
    ending = corrections.ending(before.format, base)
    made: list[Made] = []
    for kind, path in before.files.items():
        end = {"errors": "errors.csv", "errors_json": "errors.jsonl.gz"}.get(kind, f"corrections.{ending}")
        if kind == "corrections" and path.suffix != f".{ending}":
            return None  # another name may say another form
        target = out / f"{base}.{upload}.{end}"
        try:
            if not _copied(kind, before, numbers, path, target):
                return None
        except _DAMAGED:
            return None
        made.append(report.made(kind, target))
    return tuple(made)


def _copied(kind: str, before: Results, numbers: tuple[int, int], path: Path, target: Path) -> bool:
    if kind == "errors":
        return _plainly(path, target, _Change.of("\r\n", numbers, ","), before.findings)
    if kind == "errors_json":
        return _packed(path, target, _Change.of('{"upload":', numbers, ',"row":'), before.findings)
    if before.format in _JSON:
        return _plainly(path, target, _Change.of('"', numbers, '"}\n', before.encoding), before.rejected)
    if before.format in _SHEETS:
        return _sheet(path, target, _Change.of(">", numbers, xlsx.ROW_END), before.rejected)
    end = _line_end(path, before.encoding)
    if end is None:
        return False
    return _plainly(path, target, _Change.of(before.delimiter, numbers, end, before.encoding), before.rejected)


def _line_end(path: Path, encoding: str) -> str | None:
    """Give how the lines of a correction file end: as its header does, of which ours are the last names."""
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    last = escaping.OURS[-1].encode(encoding)
    for end in ("\r\n", "\n", "\r"):
        if last + end.encode(encoding) in head:
            return end
    return None


def _plainly(path: Path, target: Path, change: _Change, times: int) -> bool:
    with path.open("rb") as old, target.open("wb") as new:
        return _changed(old, new.write, change) == times


def _packed(path: Path, target: Path, change: _Change, times: int) -> bool:
    with gzip.open(path, "rb") as old, igzip.open(target, "wb", compresslevel=1) as new:  # type: ignore[no-untyped-call]  # isal ships no types for it
        return _changed(old, new.write, change) == times


def _sheet(path: Path, target: Path, change: _Change, times: int) -> bool:
    found = 0
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for name in old.namelist():
            with old.open(name) as part, new.open(name, "w", force_zip64=name == xlsx.SHEET) as copy:
                if name == xlsx.SHEET:
                    found = _changed(part, copy.write, change)
                else:
                    shutil.copyfileobj(part, copy)
    return found == times


def _changed(old: _Bytes, write: Callable[[bytes], object], change: _Change) -> int:
    """Copy with every old number replaced; gives how many there were."""
    found, rest = 0, b""
    room = len(change.old) - 1
    while chunk := old.read(CHUNK_BYTES):
        *parts, last = (rest + chunk).split(change.old)
        found += len(parts)
        rest = last[-room:]  # an old number may begin here
        write(change.new.join([*parts, last[: len(last) - len(rest)]]))
    write(rest)
    return found
