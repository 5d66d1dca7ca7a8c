"""XLSX workbooks whose parts have other names than most programs give them: backslashes in them, or `xl/workbook2.xml`.

The package says what its parts are (ECMA-376 part 2, §6.5, and part 1, §12.3.23); the library that opens workbooks goes by names.
"""

import io
import posixpath
import re
import shutil
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib import parse

from sftp_gateway.catalog.read.packing import unpack
from sftp_gateway.catalog.read.sheets.tags import TAG, attributes
from sftp_gateway.catalog.read.source import Hints

_PACKAGE, _BOOK, _LINKS = "_rels/.rels", "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
_USUAL = {b"/sharedStrings": "xl/sharedStrings.xml", b"/styles": "xl/styles.xml"}
"""By the end of the type of the link that leads there."""
_LINK = re.compile(TAG + rb"Relationship(\s[^<>]*)>")
_TARGET = re.compile(rb"""(\bTarget\s*+=\s*+["'])([^"':<>]*+)(["'])""")
"""Of another file (`https://…`) it is none of ours."""
_ODD = re.compile(rb"\./|%|\\")
"""In a way that the library does not go: `./worksheets/sheet%31.xml`."""


def usual(path: Path, hints: Hints) -> unpack.Copy | None:
    """Give a copy of a workbook with usual names for its parts, and usual ways to them; None where it has them."""
    with unpack.zip_names(path, hints) as archive:
        names = archive.namelist()
        parts = {name.replace("\\", "/"): name for name in names}
        if _BOOK in names and not any("\\" in name for name in names) and not _is_odd(archive):
            return None
        book = next(_targets(archive, parts.get(_PACKAGE), "/", b"/officeDocument"), _BOOK)
        links = posixpath.join(posixpath.dirname(book), "_rels", posixpath.basename(book) + ".rels")
        renamed = {book: _BOOK, links: _LINKS}
        folder = posixpath.join("/", posixpath.dirname(book))
        for kind, name in _USUAL.items():
            renamed |= dict.fromkeys(_targets(archive, parts.get(links), folder, kind), name)
        return unpack.Copy([_copy(archive, parts, renamed, folder)])


def _is_odd(archive: zipfile.ZipFile) -> bool:
    text = archive.read(_LINKS) if _LINKS in archive.namelist() else b""
    return any(_ODD.search(target) for _, target, _ in _TARGET.findall(text))


def _targets(archive: zipfile.ZipFile, part: str | None, folder: str, kind: bytes) -> Iterator[str]:
    """Give the names of the parts to which links of this kind lead."""
    for found in _LINK.findall(archive.read(part)) if part else ():
        said = attributes(found)
        if said.get(b"Type", b"").endswith(kind):
            yield _way(said.get(b"Target", b""), folder)


def _copy(archive: zipfile.ZipFile, parts: dict[str, str], renamed: dict[str, str], folder: str) -> memoryview:
    """Write the parts under their new names; the links to them then lead there."""
    out = io.BytesIO()
    folders = {_PACKAGE: "/", _LINKS: folder}
    # Of two parts that would have one name, that counts to which the package leads.
    chosen = {renamed.get(name, name): parts[name] for name in sorted(parts, key=renamed.__contains__)}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy:
        for name, part in chosen.items():
            if name in folders:
                straight = partial(_straight, folder=folders[name], renamed=renamed)
                copy.writestr(name, _TARGET.sub(straight, archive.read(part)))
                continue
            with archive.open(part) as source, copy.open(name, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target)
    return out.getbuffer()


def _straight(link: re.Match[bytes], folder: str, renamed: dict[str, str]) -> bytes:
    """Say the way to a part from the root on, by its new name."""
    target = _way(link[2], folder)
    return link[1] + b"/" + renamed.get(target, target).encode() + link[3]


def _way(target: bytes, folder: str) -> str:
    """Give the name of the part to which a link leads from a folder (RFC 3986 §5.2, §6.2.2); old programs write backslashes."""
    said = parse.unquote(target.decode(errors="replace")).replace("\\", "/")
    return posixpath.normpath(posixpath.join(folder, said)).lstrip("/")
