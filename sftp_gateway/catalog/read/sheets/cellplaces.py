"""Where the cells of an XLSX sheet say they stand, and where those stand that say nothing: behind the one before.

ECMA-376 §18.3.1.4 lets a cell leave its place out (`r`); the library that opens workbooks counts them as is done here.
"""

import re

TAG = rb"<(?:[\w.-]+:)?"
END = rb"</(?:[\w.-]+:)?"
_ATTRIBUTE = re.compile(rb"""(?<![\w:.-])([\w:.-]++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)')""")
_PLACE = re.compile(rb"([A-Za-z]{1,3})(\d{1,7})")
_STEP = re.compile(rb"<(/?)((?:[\w.-]+:)?)(row|c)(\s[^<>]*|/)?>")
_PREFIXED_BARE = re.compile(rb"<[\w.-]+:c(?!\s++r=)\b")
_REACH = 65536
"""The last cell before a piece is in so many bytes."""


def attributes(tag: bytes) -> dict[bytes, bytes]:
    """Give the attributes of a tag by name, as they are written."""
    return {name: double or single for name, double, single in _ATTRIBUTE.findall(tag)}


def placed(tag: bytes) -> tuple[dict[bytes, bytes], tuple[int, int] | None]:
    """Give what a cell says of itself, and its row and column from 0."""
    said = attributes(tag)
    place = _PLACE.fullmatch(said.get(b"r", b""))
    return said, None if place is None else (int(place[2]) - 1, column(place[1]) - 1)


class Places:
    """Goes along a part of a workbook and writes into the tags of cells where they stand, if they do not say it."""

    def __init__(self) -> None:
        self._row = self._column = 0
        self._counts = False
        self._before = self._rest = b""

    def put_into(self, chunk: bytes) -> bytes:
        """Give the next bytes of the part, up to the end of a tag; nearly always as they are, for nearly all cells say it."""
        text = self._rest + chunk
        cut = text.rfind(b">") + 1
        text, self._rest = text[:cut], text[cut:][-_REACH:]
        if not self._counts and not _may_lack(text):
            self._before = (self._before + text[-_REACH:])[-_REACH:]
            return text
        if not self._counts:
            _STEP.sub(self._step, self._before)
            self._counts = True
        return _STEP.sub(self._step, text)

    def _step(self, tag: re.Match[bytes]) -> bytes:
        ends, prefix, name, said = tag[1], tag[2], tag[3], tag[4] or b""
        if name == b"row":
            if not ends:
                self._begin_row(attributes(said).get(b"r", b""))
            if ends or said.endswith(b"/"):
                self._row, self._column = self._row + 1, 0
            return tag[0]
        if ends:
            return tag[0]
        _, place = placed(said)
        if place is not None:
            self._row, self._column = place[0], place[1] + 1
            return tag[0]
        self._column += 1
        return b'<%bc r="%b%d"%b>' % (prefix, _letters(self._column), self._row + 1, said)

    def _begin_row(self, number: bytes) -> None:
        if number.isdigit() and len(number) < 8:
            self._row = int(number) - 1


def _may_lack(text: bytes) -> bool:
    """Whether a cell may not say its place; programs that write it do so first."""
    plain = text.count(b"<c ") + text.count(b"<c>") + text.count(b"<c/")
    return plain > text.count(b"<c r=") or (b":c" in text and _PREFIXED_BARE.search(text) is not None)


def column(letters: bytes) -> int:
    """Count a column: `A` and `a` are 1, `XFD` 16,384; without letters 0."""
    place = 0
    for letter in letters.upper():
        place = place * 26 + letter - 64
    return place


def _letters(number: int) -> bytes:
    """Name a column by its number from 1."""
    name = b""
    while number:
        number, rest = divmod(number - 1, 26)
        name = b"%c" % (65 + rest) + name
    return name
