"""Which encoding a file is in, and its bytes as UTF-8 with the way back to the sender's own offsets.

The order is spec §4: BOM, strict UTF-8 over the whole file, UTF-16 by its NULs, the brand's setting,
a detector's best guess (reported). Line ends keep their ordinal number whatever the encoding, so
the k-th one in our UTF-8 is the k-th in the source: that is the whole map between the two.
"""

import codecs
import re
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from sftp_gateway import errors
from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.packing.unpack import Packed
from sftp_gateway.catalog.read.source import Hints
from sftp_gateway.catalog.read.text import detector, survey, unmarked
from sftp_gateway.catalog.read.text.survey import Survey

Positions = npt.NDArray[np.int64]

_BOMS = (  # UTF-32 first: its little-endian BOM begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_FEW_LETTERS = 100
"""With fewer bytes beyond ASCII an encoding is told wrongly now and then."""
_ACCENTED = re.compile(rb"(?:[\xc3-\xc5\xce-\xd1]|[\xe1-\xec][\x80-\xbf])[\x80-\xbf]")
"""Letters of Europe and Asia in UTF-8: a capital with an accent before signs, were it another encoding. A few do to tell it."""
_SPELLED = re.compile(rb"[\xc3-\xc5\xce-\xd1][\x80-\xbf]|[\xe3-\xe9][\x80-\xbf][\x80-\xbf]")
"""The same without scripts that few write in: in the old Russian of MS-DOS they are short words."""
_BAD = "\udcff"
_BYTE = np.dtype("u1")


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Put one undecodable mark; encoded with surrogateescape it is a byte that is no UTF-8."""
    assert isinstance(error, UnicodeDecodeError)
    return _BAD, max(error.end, error.start + 1)


codecs.register_error("sftp_gateway.mark", _mark)


class Encoding(Struct, frozen=True):
    """`name` as Python calls it; `bom` bytes to skip; how the file ends and how long it is."""

    name: str
    bom: int = 0
    findings: tuple[Finding, ...] = ()
    total_bytes: int = 0
    ends_with_newline: bool = False
    clean: bool = False
    """The whole file is strict UTF-8: nobody need look again."""
    presumed: bool = False
    """Only the beginning was looked at, see `presumed`."""

    @property
    def utf8(self) -> bool:
        """Whether the source bytes are our bytes."""
        return self.name == "utf-8"

    @property
    def is_sound(self) -> bool:
        """Whether the file is Unicode, and nothing in it seems to be anything else."""
        return self.clean or self.name.startswith(("utf-16", "utf-32"))

    @property
    def mark(self) -> bytes:
        """The byte order mark that the file begins with."""
        return next((mark for mark, name in _BOMS if name == self.name), b"") if self.bom else b""

    @property
    def unit(self) -> np.dtype[Any]:
        """One code unit."""
        size = {"utf-16": 2, "utf-32": 4}.get(self.name[:6], 1)
        return np.dtype(f"{'>' if self.name.endswith('be') else '<'}u{size}")


def detect(packed: Packed, hints: Hints) -> Encoding:
    """Find a file's encoding, reading it whole; Refused FILE_ENCODING where the pinned name is unknown."""
    return told(survey.of(packed.blocks()), hints)


def told(seen: Survey, hints: Hints) -> Encoding:
    """Give the encoding of a text by what was seen of it; Refused FILE_ENCODING where the pinned name is unknown."""
    name, bom, findings = _decide(seen, hints)
    encoding = Encoding(name, bom, findings, seen.total)
    newline = seen.tail[-encoding.unit.itemsize :] in {"\n".encode(name), "\r".encode(name)}
    return replace(encoding, ends_with_newline=newline, clean=name == "utf-8" and not seen.broken)


def unguessed(encoding: Encoding) -> Encoding:
    """Give UTF-8 with damage where an encoding is only a guess, else the encoding itself."""
    return replace(encoding, name="utf-8", findings=()) if encoding.findings else encoding


def _decide(seen: Survey, hints: Hints) -> tuple[str, int, tuple[Finding, ...]]:
    for bom, name in _BOMS:
        if seen.head.startswith(bom):
            return name, _marks(seen.head, bom), ()
    if name := unmarked.unicode(seen.head):
        return name, 0, ()
    if not seen.broken:
        name = "" if hints.encoding else unmarked.seven_bits(seen.head)
        return (name, 0, (_guessed(name),)) if name else ("utf-8", 0, ())
    if hints.encoding:
        return _pinned(hints.encoding), 0, ()
    return ("utf-8", 0, ()) if _is_damaged(seen) or _is_joined(seen) else _guess(seen)


def _is_damaged(seen: Survey) -> bool:
    """Whether there are real accents in UTF-8 and a few damaged rows: other encodings hardly ever form valid sequences."""
    return seen.wide > 4 * seen.broken or len(_ACCENTED.findall(seen.strange)) >= max(2, 2 * seen.broken)


def _is_joined(seen: Survey) -> bool:
    """Whether a file was joined from others, at least a quarter of it in UTF-8: in another encoding hardly a line is by chance.

    Read in that, its UTF-8 would become other letters; the rows that are none are damage, which is told.
    """
    lines = seen.strange.split(b"\n")
    letters = [set(_SPELLED.findall(line)) for line in lines if survey.is_utf8(line)]
    ours = sum(map(bool, letters))
    is_one_word = len(set().union(*letters)) < 2  # of Chinese, maybe: 女 in GBK is Ů
    return ours >= max(2, len(lines) / 4) and not is_one_word and seen.wide > seen.broken / 4


def _marks(head: bytes, bom: bytes) -> int:
    """How many bytes of marks a file begins with: programs that join files, or write twice, leave several."""
    size = len(bom)
    while head.startswith(bom, size):
        size += len(bom)
    return size


def _pinned(name: str) -> str:
    try:
        found = codecs.lookup(name).name
        "\n".encode(found)
    except (LookupError, UnicodeError) as error:
        raise errors.Refused(
            "FILE_ENCODING", f"The encoding {name!r} that is set for this brand is unknown.", "Set another `encoding`."
        ) from error
    return {"ascii": "cp1252", "utf-16": "utf-16-le", "utf-8-sig": "utf-8"}.get(found, found)


def _guess(seen: Survey) -> tuple[str, int, tuple[Finding, ...]]:
    text = seen.strange or seen.head
    name = detector.guess(text)
    letters = detector.count_beyond_ascii(text)
    seen_of_it = "one letter" if letters == 1 else f"{letters} letters"
    few = f", a guess from only {seen_of_it}: see whether it is right" * (letters < _FEW_LETTERS)
    return name, 0, (_guessed(name, few),)


def _guessed(name: str, few: str = "") -> Finding:
    return Finding(
        "FILE_ENCODING_GUESSED",
        f"The file is not UTF-8; it was read as {name}{few}.",
        f"Send UTF-8, or set `encoding = {name}` for this brand.",
    )


class Recoded(Struct, frozen=True):
    """A stretch of a file: `raw` as sent, `text` the same in UTF-8 (the same object where raw is UTF-8)."""

    raw: bytes
    text: bytes
    unit: np.dtype[Any] = _BYTE

    def raw_positions(self, positions: Positions) -> Positions:
        """Map positions in `text` (at a line end, right after one, or at an edge) to positions in `raw`."""
        if self.raw is self.text:
            return positions
        ours, theirs = _line_ends(self.text, _BYTE), _line_ends(self.raw, self.unit)
        before = np.searchsorted(ours, positions)
        after_end = np.concatenate([[0], theirs + self.unit.itemsize])[before]
        at_end = np.append(ours, -1)[before] == positions
        mapped = np.where(at_end, np.append(theirs, 0)[before], after_end)
        return np.where(positions >= len(self.text), len(self.raw), mapped).astype(np.int64)

    def raw_anywhere(self, positions: Positions) -> Positions:
        """Map any character positions in `text`, by counting characters from the nearer end of their line.

        Exact where every character has one code unit, or two in UTF-16; else where only ASCII stands between.
        """
        if self.raw is self.text:
            return positions
        codes, size = np.frombuffer(self.text, np.uint8), self.unit.itemsize
        units = ((codes & 0xC0) != 0x80).astype(np.int64)
        if size == 2:
            units += codes >= 0xF0
        count = np.concatenate([[0], np.cumsum(units)]) * size
        ours, theirs = _line_ends(self.text, _BYTE), _line_ends(self.raw, self.unit)
        line = np.searchsorted(ours, positions)
        start, end = np.append(0, ours + 1)[line], np.append(ours, len(self.text))[line]
        ahead = np.append(0, theirs + size)[line] + count[positions] - count[start]
        back = np.append(theirs, len(self.raw))[line] - (count[end] - count[positions])
        found: Positions = np.where(positions - start <= end - positions, ahead, back)
        return found


def positions(*places: int) -> Positions:
    """Put a few positions into an array."""
    return np.array(places, np.int64)


def recode(raw: bytes, encoding: Encoding, *, final: bool) -> tuple[Recoded, bytes]:
    """Decode a stretch to UTF-8; gives it and the bytes of a character cut at the end, to be read again with more.

    What cannot be decoded becomes a byte that is no UTF-8, so that its row is found and rejected.
    """
    if encoding.utf8:
        return Recoded(raw, raw), b""
    used = raw if final or not unmarked.is_stateful(encoding.name) else _whole_lines(raw)
    decoder = codecs.getincrementaldecoder(encoding.name)("sftp_gateway.mark")
    text = decoder.decode(used, final)
    rest = raw[len(used) :] if final or used is not raw else decoder.getstate()[0]
    used = raw[: len(raw) - len(rest)]
    recoded = Recoded(used, text.encode("utf-8", "surrogateescape"), encoding.unit)
    if len(_line_ends(recoded.text, _BYTE)) != len(_line_ends(used, encoding.unit)):
        recoded = Recoded(used, _by_line(used, encoding), encoding.unit)
    return recoded, rest


def _whole_lines(raw: bytes) -> bytes:
    """Give the bytes up to the last line end, unless the line behind it is longer than a record may be."""
    end = max(raw.rfind(b"\n"), raw.rfind(b"\r")) + 1
    return raw[:end] if 0 < end < len(raw) <= end + bounds.RECORD_BYTES else raw


def _by_line(raw: bytes, encoding: Encoding) -> bytes:
    """Decode line by line: a damaged character must not swallow a line end."""
    parts, start, size = [], 0, encoding.unit.itemsize
    for end in _line_ends(raw, encoding.unit):
        parts.append(_one_line(raw[start:end], encoding))
        parts.append(raw[end : end + size].strip(b"\0"))
        start = int(end) + size
    parts.append(_one_line(raw[start:], encoding))
    return b"".join(parts)


def _one_line(raw: bytes, encoding: Encoding) -> bytes:
    text = raw.decode(encoding.name, "sftp_gateway.mark")
    return text.replace("\n", _BAD).replace("\r", _BAD).encode("utf-8", "surrogateescape")


def _line_ends(data: bytes, unit: np.dtype[Any]) -> Positions:
    """Positions of CR and LF code units. Neither is a later byte of any character of `detector.COMMON`."""
    codes = np.frombuffer(data[: len(data) // unit.itemsize * unit.itemsize], unit)
    return np.flatnonzero((codes == 10) | (codes == 13)) * unit.itemsize
