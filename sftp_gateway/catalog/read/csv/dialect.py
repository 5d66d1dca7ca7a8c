"""What separates and quotes the cells of a delimited file, and how one record of it is told apart strictly."""

import re
from functools import cached_property

from msgspec import Struct

NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
DELIMITERS = tuple(NAMES)
QUOTES = ('"', "'")


class Dialect(Struct, frozen=True, dict=True):
    """Delimiter and quote, one ASCII character each; an empty quote: cells are never quoted.

    `padded`: one space after each delimiter belongs to it. `literal`: the sender quotes nothing, so that a
    quote which stands where none may is part of its cell.
    """

    delimiter: str
    quote: str = '"'
    padded: bool = False
    literal: bool = False

    @cached_property
    def delimiter_byte(self) -> int:
        """The delimiter as it stands in UTF-8."""
        return ord(self.delimiter)

    @cached_property
    def quote_byte(self) -> int:
        """The quote as it stands in UTF-8; -1, which no byte is, where there is none."""
        return ord(self.quote) if self.quote else -1

    @cached_property
    def mark(self) -> bytes:
        """The delimiter in UTF-8."""
        return self.delimiter.encode()

    @cached_property
    def sign(self) -> bytes:
        """The quote in UTF-8; nothing where there is none."""
        return self.quote.encode()

    @cached_property
    def _pieces(self) -> tuple[bytes, bytes, bytes, bytes]:
        """Delimiter, quote, what stands in quotes and a plain cell, as pieces of patterns.

        Possessive throughout: they never try twice, so that damage costs no time.
        """
        d, q = re.escape(self.mark), re.escape(self.sign)
        return d, q, rb"[^%b]*+(?:%b%b[^%b]*+)*+" % (q, q, q, q), rb"[^%b%b\r\n]*+" % (q, d)

    def _record_of(self, cell: bytes) -> re.Pattern[bytes]:
        """Match cells up to a line end or the end of the text."""
        return re.compile(rb"(?s)%b(?:%b%b)*+(?:\r\n|\n|\r|\Z)" % (cell, self._pieces[0], cell))

    @cached_property
    def record(self) -> re.Pattern[bytes]:
        """Match one strict record (RFC 4180 §2) with its line end, or up to the end of the text."""
        _, q, content, plain = self._pieces
        return self._record_of(rb"(?>%b%b%b|%b)" % (q, content, q, plain) if q else plain)

    @cached_property
    def spaced(self) -> re.Pattern[bytes]:
        """Match a record as `record` does, but that blanks may stand around a cell in quotes."""
        d, q, content, plain = self._pieces
        blanks = rb"(?:(?!%b) )*+" % d
        return self._record_of(rb"(?>%b%b%b%b%b|%b)" % (blanks, q, content, q, blanks, plain)) if q else self.record

    @cached_property
    def escaped(self) -> re.Pattern[bytes]:
        """Match a record as `record` does, but that a backslash may stand before a quote in a quoted cell."""
        _, q, _, plain = self._pieces
        return self._record_of(rb"(?>%b(?:[^%b\\]|\\.|%b%b)*+%b|%b)" % (q, q, q, q, q, plain))

    @cached_property
    def cell(self) -> re.Pattern[bytes]:
        """Match one strict cell from where it begins: group 1 the quoted content, group 2 the plain one."""
        d, q, content, plain = self._pieces
        quoted = rb"%b(%b)%b" % (q, content, q) if q else rb"(?!)()"
        return re.compile(rb"(?:%b|(%b))(?=%b|[\r\n]|\Z)" % (quoted, plain, d))

    def cells(self, record: bytes) -> list[bytes] | None:
        """Take a strict record apart (without its line end); None if it is none."""
        if (not self.quote or self.sign not in record) and b"\n" not in record and b"\r" not in record:
            return record.split(self.mark)
        found: list[bytes] = []
        position, doubled = 0, self.sign * 2
        while True:
            match = self.cell.match(record, position)
            if match is None:
                return None
            quoted, plain = match.groups()
            found.append(plain if quoted is None else quoted.replace(doubled, self.sign))
            position = match.end()
            if position >= len(record):
                return found
            if record[position] != self.delimiter_byte:
                return None
            position += 1
