"""Writes a workbook with one sheet of texts (ECMA-376), row by row: `openpyxl` takes twenty times as long."""

import html
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

_TYPES = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
    '<Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/>'
    "</Types>"
)
_ROOT = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/>'
    "</Relationships>"
)
_BOOK_PARTS = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/>'
    '<Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/>'
    "</Relationships>"
)
_BOOK = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
    '<sheets><sheet name="Corrections" sheetId="1" r:id="rId1"/></sheets></workbook>'
)
# Style 1 is number format 49, "@": what a person types into such a cell stays text.
_STYLES = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    '<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="2"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
_SHEET_BEGIN = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
)
_SHEET_END = "</sheetData></worksheet>"
SHEET = "xl/worksheets/sheet1.xml"
"""The part of the archive that holds the rows."""
_CELL_CHARACTERS = 32_767
"""Excel's limit for one cell."""
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|_x[0-9A-Fa-f]{4}_")


class Writer:
    """A workbook being written to `path`; `close` completes it."""

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        for name, text in (
            ("[Content_Types].xml", _TYPES),
            ("_rels/.rels", _ROOT),
            ("xl/workbook.xml", _BOOK),
            ("xl/_rels/workbook.xml.rels", _BOOK_PARTS),
            ("xl/styles.xml", _STYLES),
        ):
            self._archive.writestr(name, text)
        self._sheet = self._archive.open(SHEET, "w", force_zip64=True)
        self._sheet.write(_SHEET_BEGIN.encode())

    def row(self, cells: Sequence[str]) -> None:
        """Append a row of texts; a cell beyond what Excel holds is cut."""
        body = "".join(map(_cell, cells))
        self._sheet.write(f"<row>{body}</row>".encode(errors="replace"))

    def close(self) -> None:
        """Complete the file."""
        self._sheet.write(_SHEET_END.encode())
        self._sheet.close()
        self._archive.close()


def _cell(text: str) -> str:
    if not text:
        return '<c s="1"/>'
    text = html.escape(_FORBIDDEN.sub(_hidden, text[:_CELL_CHARACTERS]), quote=False).replace("\r", "_x000D_")
    return f'<c s="1" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _hidden(match: re.Match[str]) -> str:
    """Write a character that XML cannot hold as `_xHHHH_`, and such a text itself with its `_` hidden (ECMA-376 §22.9.2.19)."""
    text = match.group()
    return f"_x005F{text}" if len(text) > 1 else f"_x{ord(text):04X}_"
