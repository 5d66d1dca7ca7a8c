"""Numbers of a sheet that are shown with leading zeros by their format (`00000`): item numbers, GTINs, postcodes.

The library that opens workbooks gives the number, so that 00037 would come as 37: another key.
"""

import re
import zipfile

from sftp_gateway.catalog.read.sheets.tags import TAG, attributes

_STYLES = "xl/styles.xml"
_MOST_STYLES_BYTES = 16 * 1024**2
_FORMAT, _XF = re.compile(TAG + rb"numFmt(\s[^<>]*)>"), re.compile(TAG + rb"xf(\s[^<>]*|/?)>")
_CODE = re.compile(r"(?:\[[^\[\]]*\])*(0{2,64})")


def width(code: str) -> int:
    """Give how many digits a number has at least in this format; 0 if it does more than fill up with zeros (ECMA-376 §18.8.31)."""
    found = _CODE.fullmatch(code.partition(";")[0])
    return len(found[1]) if found else 0


def widths(archive: zipfile.ZipFile) -> dict[bytes, int]:
    """Give the styles of cells that fill up, each by its number as cells name it."""
    if _STYLES not in archive.namelist() or archive.getinfo(_STYLES).file_size > _MOST_STYLES_BYTES:
        return {}
    with archive.open(_STYLES) as file:
        text = file.read(_MOST_STYLES_BYTES)
    formats = {}
    for tag in _FORMAT.findall(_inside(text, b"numFmts")):
        said = attributes(tag)
        formats[said.get(b"numFmtId")] = width(said.get(b"formatCode", b"").decode(errors="replace"))
    cells = _inside(text, b"cellXfs")
    styles = [attributes(tag).get(b"numFmtId") for tag in _XF.findall(cells)]
    return {b"%d" % number: formats[kind] for number, kind in enumerate(styles) if formats.get(kind)}


def _inside(text: bytes, name: bytes) -> bytes:
    """Give what stands between the tags of an element that comes once; other parts of a style sheet have formats, too."""
    begin = text.find(name)
    return text[begin : text.find(name, begin + 1)] if begin >= 0 else b""
