"""Cells of an ODS sheet that show an error, a number with leading zeros, a length of time, or lines, or say no type of what they show.

The library that opens workbooks gives a blank, the number, the time in its own words, the lines as one word, or a blank.

Each cell says its value and the text that is shown (OpenDocument 1.3 part 3, §19.385), so nothing need be known of styles.
"""

import html
import re

from sftp_gateway.catalog.read.sheets.tags import attributes

PART = "content.xml"
_UNTYPED = re.compile(rb"""(<table:table-cell)((?:\s++table:[\w-]++=(?:"[^"<]*+"|'[^'<]*+'))*+\s*+>\s*+<text:p\b)""")
_SIGNS = re.compile(rb"""value-type=["'](?:error|time)|<text:(?:p|span)\b[^<>]*+>0\d|<text:(?:line-break|tab)\b""")
_CELL = re.compile(
    rb"""<(table:(?:covered-)?table-cell)\b(?=[^<>]*(?:float|time|error))((?:[^<>"']*+(?:"[^"]*+"|'[^']*+'))*+)\s*+"""
    rb"""(?:/>|>((?:[^<]++|<(?!/?table:(?:table-c|covered)))*+)</\1>)"""
)
_ZEROS = re.compile(rb">0\d")
_SAYS_VALUE = re.compile(rb"""\s(?:office:(?:\w+-)?value(?:-type)?|calcext:value-type)\s*+=\s*+(?:"[^"]*+"|'[^']*+')""")
_NOTE = re.compile(rb"<office:annotation\b(?:[^<]++|<(?!/office:annotation>))*+")
_PARAGRAPH = re.compile(rb"<text:p\b[^<>]*+>((?:[^<]++|<(?!/text:p>))*+)")
_TAG = re.compile(rb"<[^<>]*+>")
_BREAK = re.compile(rb"<text:(line-break|tab)\b[^<>]*+(?:(?<=/)>|></text:\1>)")
_ROOM = re.compile(rb">\s++(?=</?table:(?:covered-)?table-(?:cell|row)\b)")
"""Between cells and rows, as a program writes it that indents what it writes; texts are deeper in them."""
_DURATION = re.compile(r"(-?)P(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})(?:[.,](\d{1,9}))?S)?)?")
_MOST_LETTERS = 64


def may_need(chunk: bytes) -> bool:
    """Whether a piece of the part may hold such a cell."""
    return _SIGNS.search(chunk) is not None or _UNTYPED.search(chunk) is not None


def mended(piece: bytes) -> bytes:
    """Give a piece of the part, which begins behind a tag, in which such cells say what is shown."""
    piece = _UNTYPED.sub(rb'\1 office:value-type="string"\2', _ROOM.sub(b">", b">" + piece)[1:])
    return _CELL.sub(_mended, _BREAK.sub(lambda found: b"\t" if found[1] == b"tab" else b"\n", piece))


def _mended(cell: re.Match[bytes]) -> bytes:
    name, said, content = cell.groups(b"")
    if not (b"error" in said or b"time" in said or _ZEROS.search(content)):
        return cell[0]  # most, at once
    shown = _shown(attributes(said), content)
    if shown is None:
        return cell[0]
    text = html.escape(shown).encode()
    return b'<%b%b office:value-type="string" office:string-value="%b"/>' % (name, _SAYS_VALUE.sub(b"", said), text)


def _shown(said: dict[bytes, bytes], content: bytes) -> str | None:
    """Give what a person sees in a cell; None where that is its value."""
    kind = said.get(b"office:value-type")
    if said.get(b"calcext:value-type") == b"error":
        text = _text(content)
        # `Err:502` and its kin are what other spreadsheets, and this one in other formats, call so
        return text if text.startswith("#") else "#VALUE!"
    if kind == b"time":
        return _clock(said.get(b"office:time-value", b"").decode(errors="replace"))
    number = said.get(b"office:value", b"").decode(errors="replace") if kind == b"float" else ""
    if not number.isdecimal():
        return None
    text = _text(content)
    same = text.isdecimal() and len(text) > len(number) and text.lstrip("0") == number.lstrip("0")
    return text if same else None


def _text(content: bytes) -> str:
    """Give the text that is shown, without notes beside it."""
    found = b"".join(_PARAGRAPH.findall(_NOTE.sub(b"", content)))
    return html.unescape(_TAG.sub(b"", found).decode(errors="replace"))[:_MOST_LETTERS]


def _clock(lasts: str) -> str | None:
    """Write a duration (ISO 8601) as sheets of other formats have it: 36:00:00; None for a time of day, which the library reads."""
    found = _DURATION.fullmatch(lasts)
    if found is None or lasts[-1] in "PT":
        return None
    sign, *parts, fraction = found.groups()
    days, hours, minutes, seconds = (int(part or 0) for part in parts)
    if not sign and parts[0] is None and None not in parts[1:] and hours < 24:
        return None
    minutes, seconds = minutes + seconds // 60, seconds % 60
    hours, minutes = 24 * days + hours + minutes // 60, minutes % 60
    rest = (fraction or "").rstrip("0")
    return f"{sign}{hours}:{minutes:02}:{seconds:02}" + f".{rest}" * bool(rest)
