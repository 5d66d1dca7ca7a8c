"""What separates and quotes the cells of a delimited file, and how one record of it is told apart strictly."""

import re
from dataclasses import dataclass
from functools import cached_property

DELIMITERS = (",", ";", "\t", "|")
QUOTES = ('"', "'")


@dataclass(frozen=True)
class Dialect:
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
    def record(self) -> re.Pattern[bytes]:
        """Match one strict record (RFC 4180 §2) with its line end, or up to the end of the text.

        Possessive throughout: it never tries twice, so that damage costs no time.
        """
        d, q = re.escape(self.delimiter.encode()), re.escape(self.quote.encode())
        plain = rb"[^%b%b\r\n]*+" % (q, d)
        cell = rb"(?>%b[^%b]*+(?:%b%b[^%b]*+)*+%b|%b)" % (q, q, q, q, q, q, plain) if q else plain
        return re.compile(rb"%b((?:%b%b)*+)(?:\r\n|\n|\r|\Z)" % (cell, d, cell))

    @cached_property
    def spaced(self) -> re.Pattern[bytes]:
        """Match a record as `record` does, but that blanks may stand around a cell in quotes."""
        d, q = re.escape(self.delimiter.encode()), re.escape(self.quote.encode())
        if not q:
            return self.record
        blanks = rb"(?:(?!%b) )*+" % d
        cell = rb"(?>%b%b[^%b]*+(?:%b%b[^%b]*+)*+%b%b|[^%b%b\r\n]*+)" % (blanks, q, q, q, q, q, q, blanks, q, d)
        return re.compile(rb"%b((?:%b%b)*+)(?:\r\n|\n|\r|\Z)" % (cell, d, cell))

    @cached_property
    def escaped(self) -> re.Pattern[bytes]:
        """Match a record as `record` does, but that a backslash may stand before a quote in a quoted cell."""
        d, q = re.escape(self.delimiter.encode()), re.escape(self.quote.encode())
        cell = rb"(?>%b(?:[^%b\\]|\\.|%b%b)*+%b|[^%b%b\r\n]*+)" % (q, q, q, q, q, q, d)
        return re.compile(rb"%b((?:%b%b)*+)(?:\r\n|\n|\r|\Z)" % (cell, d, cell), re.DOTALL)

    @cached_property
    def cell(self) -> re.Pattern[bytes]:
        """Match one strict cell from where it begins: group 1 the quoted content, group 2 the plain one."""
        d, q = re.escape(self.delimiter.encode()), re.escape(self.quote.encode())
        if not q:
            return re.compile(rb"(?:(?!)())?([^%b\r\n]*+)(?=%b|[\r\n]|\Z)" % (d, d))
        return re.compile(
            rb"(?:%b([^%b]*+(?:%b%b[^%b]*+)*+)%b|([^%b%b\r\n]*+))(?=%b|[\r\n]|\Z)" % (q, q, q, q, q, q, q, d, d)
        )

    def cells(self, record: bytes) -> list[bytes] | None:
        """Take a strict record apart (without its line end); None if it is none."""
        if (not self.quote or self._single not in record) and b"\n" not in record and b"\r" not in record:
            return record.split(self._separator)
        found: list[bytes] = []
        position = 0
        while True:
            match = self.cell.match(record, position)
            if match is None:
                return None
            quoted, plain = match.groups()
            found.append(plain if quoted is None else quoted.replace(self._doubled, self._single))
            position = match.end()
            if position >= len(record):
                return found
            if record[position] != self.delimiter_byte:
                return None
            position += 1

    @cached_property
    def _separator(self) -> bytes:
        return self.delimiter.encode()

    @cached_property
    def _single(self) -> bytes:
        return self.quote.encode()

    @cached_property
    def _doubled(self) -> bytes:
        return self._single * 2
