"""A copy of a workbook in which cells say what a person sees of them, in a way that the library which opens workbooks knows.

That library gives a blank for an error and for a formula that was never reckoned, 37 for a number that is shown as
00037, the first text for a reference that is none. Of one cell that it does not know it refuses the whole file: of the
errors of later years and other makers (it knows the seven of ECMA-376 §18.17.3), of what is said to be a number or a
truth and is none, of a text that is not in the workbook, of an unknown type; and of a sheet that says in words which
are none how far it reaches, and room between the cells of an ODS sheet.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

from sftp_gateway.catalog.read.sheets import odscells, rounded, zerofill
from sftp_gateway.catalog.read.sheets.tags import END, TAG

NOT_RECKONED = b"#FORMULA!"
"""What stands for a formula whose result the workbook does not hold: programs write such, a spreadsheet reckons when it opens them."""
NO_TEXT = b"#TEXT!"
"""What stands for a text that the workbook does not have."""
UNKNOWN_ERROR = b"#VALUE!"
# Blanks are never given back (`*+`): a stranger may send millions of them.
_TYPE = rb"""t\s*+=\s*+["'](?P<kind>[^"'<>]*+)["']"""
_STYLE = rb"""s\s*+=\s*+["'](?P<style>\d{1,9}+)["']"""
_OTHER = rb"""[\w:.-]++\s*+=\s*+(?:"[^"<]*+"|'[^'<]*+')"""
_FORMULA = rb"(?:" + TAG + rb"f(?![\w:.-])[^<>]*+(?:(?<=/)>|>[^<]*+" + END + rb"f>)\s*+)?+"
_STYLED = rb"""(?=[^<>]*\ss\s*+=\s*+["'](?:%b)["'])"""


def _cell(has: bytes = b"") -> re.Pattern[bytes]:
    """Match a cell, but for texts within it (`is`): those have no end here. `has`: looks whether its tag has something."""
    attributes = rb"(?P<said>(?:\s++(?:" + _TYPE + rb"|" + _STYLE + rb"|" + _OTHER + rb"))*+\s*+)>\s*+"
    value = TAG + rb"v(?![\w:.-])[^<>]*+(?:(?<=/)>|>(?P<value>[^<]*+)" + END + rb"v>)\s*+"
    return re.compile(
        rb"(?P<begin>%bc)%b%b(?P<formula>%b)(?:%b)?+(?P<end>%bc>)?" % (TAG, has, attributes, _FORMULA, value, END)
    )


_CELL = _cell()
_SAYS_TYPE = re.compile(rb"""\st\s*+=\s*+(?:"[^"]*+"|'[^']*+')""")
_TYPES = {b"", b"s", b"str", b"inlineStr", b"d"}
_TRUTHS = {b"0", b"1", b"true", b"false", b""}
_NUMBER = re.compile(rb"\d{1,30}(?:\.\d*)?(?:[Ee]\+?\d{1,3})?")
_REACH = re.compile(TAG + rb"dimension\b[^<>]*+(?<=/)>")
_ERROR = re.compile(rb"""\st\s*+=\s*+(?:"e"|'e')""")
_NO_RESULT = re.compile(
    rb"""(?:[/:]f|"/)>\s*+(?:""" + TAG + rb"v\s*+/>|" + TAG + rb"v>\s*+" + END + rb"v>)?+\s*+" + END + rb"c>"
)
_BEHIND_FORMULAS = (b"f></", b"f><v/", b"f><v /", b"f><v></", b'"/></c>', b'"/><v/', b'"/><v /', b'"/><v></')
"""Where there is no result; are looked for in a tenth of the time."""
_NO_REFERENCE = re.compile(rb"""=["']s["'][^<>]*+>\s*+""" + _FORMULA + TAG + rb"v>(?!(?:\d{1,9})?+</)")
_UNUSUAL = re.compile(rb"""="s"(?![^<>]*+><v>\d{1,9}</)|='s'""")
"""Is looked for in a third of the time."""
_TEXTS = "xl/sharedstrings.xml"
_TEXT = re.compile(TAG + rb"si(?=[\s/>])")
_FEW = 100
_CHUNK = _REST = 1024**2
"""Read at a time, and longer than a cell."""


def may_need(chunk: bytes) -> bool:
    """Whether a piece of an XLSX part may hold a cell of which the library gives something else, without a word."""
    if any(sign in chunk for sign in _BEHIND_FORMULAS) and _NO_RESULT.search(chunk):
        return True
    if (b'"e"' in chunk or b"'e'" in chunk) and _ERROR.search(chunk):
        return True
    return _UNUSUAL.search(chunk) is not None and _NO_REFERENCE.search(chunk) is not None


def copy(path: Path, kind: str, *, unread: bool) -> io.BytesIO:
    """Give the mended copy of a workbook (`kind` xlsx or ods). `unread`: the library gave it up, and any cell may be why."""
    out = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        mend = odscells.mended if kind == "ods" else _mending(archive, unread=unread)
        for entry in archive.infolist():
            with archive.open(entry) as part, made.open(entry.filename, "w", force_zip64=True) as file:
                for piece in _pieces(part, b"cell>" if kind == "ods" else b"c>"):
                    file.write(mend(piece))
    out.seek(0)
    return out


def _pieces(part: IO[bytes], end: bytes) -> Iterator[bytes]:
    """Give a part in pieces that end behind a tag that ends so, where there is one."""
    rest = b""
    while chunk := part.read(_CHUNK):
        text = rest + chunk
        cut = text.rfind(end) + len(end) if end in text else 0
        if len(text) - cut > _REST:
            cut = len(text)
        yield text[:cut]
        rest = text[cut:]
    yield rest


def _mending(archive: zipfile.ZipFile, *, unread: bool) -> Callable[[bytes], bytes]:
    """Give what mends pieces of the parts of an XLSX workbook."""
    widths = zerofill.widths(archive)
    mended = partial(_mended, texts=_count(archive), widths=widths)
    styles = b"|".join(widths) if len(widths) < _FEW else rb"\d+"
    styled = _cell(_STYLED % styles) if widths else None

    def mend(piece: bytes) -> bytes:
        if unread or may_need(piece):
            return _CELL.sub(mended, _REACH.sub(b"", piece))
        return styled.sub(mended, piece) if styled else piece

    return mend


def _count(archive: zipfile.ZipFile) -> int | None:
    """Count the texts of a workbook; None if they are not where they usually are."""
    part = next((name for name in archive.namelist() if name.lower() == _TEXTS), None)
    if part is None:
        return None
    found, rest = 0, b""
    with archive.open(part) as file:
        while chunk := file.read(_CHUNK):
            text = rest + chunk
            cut = max(text.rfind(b"<"), 0)
            found += len(_TEXT.findall(text, 0, cut))
            rest = text[cut:][-_REST:]
    return found + len(_TEXT.findall(rest))


def _mended(cell: re.Match[bytes], texts: int | None, widths: dict[bytes, int]) -> bytes:
    begin, said, kind, style, formula, value, end = cell.groups(b"")
    shown = _shown(kind, value, formula and end, texts, widths.get(style, 0))
    if shown is not None:
        return b'%b%b t="str">%b<v>%b</v>%b' % (begin, _SAYS_TYPE.sub(b"", said), formula, shown, end)
    if kind in _TYPES or (kind == b"b" and value.lower() in _TRUTHS):
        return cell[0]
    # A cell that says no type is a number, or else a text.
    return begin + _SAYS_TYPE.sub(b"", said) + cell[0][len(begin + said) :]


def _shown(kind: bytes, value: bytes, formula: bytes, texts: int | None, digits: int) -> bytes | None:
    """Give what a person sees in a cell; None where that is what it holds. `digits`: a number is shown with so many at least."""
    if formula and not value.strip():
        return None if kind == b"str" else NOT_RECKONED  # an empty text is a result, too
    if not value:
        return None
    if kind == b"e":
        return value if value.startswith(b"#") else UNKNOWN_ERROR
    if kind == b"s":
        is_number = value.isdigit() and len(value) < 10
        return None if is_number and (texts is None or int(value) < texts) else NO_TEXT
    return _filled_up(value, digits) if digits and kind in {b"", b"n"} else None


def _filled_up(value: bytes, digits: int) -> bytes | None:
    if not _NUMBER.fullmatch(value):
        return None
    number = float(f"{float(value):.15g}")  # as it is shown
    return None if number % 1 or rounded.is_large(number) else b"%0*d" % (digits, number)
