"""Clean tables polluted at random as senders do it, the clean version known: whole files, and single rows of them."""

import csv
import io
from dataclasses import dataclass, field
from random import Random

NAMES = {
    "known": ["sku", "name", "msrp", "description", "color", "updated", "url"],
    "strange": ["Artikel", "Bezeichnung", "Preis", "Text", "Farbe", "Datum", "Verweis"],
}
_WORDS = ["Jacke", "Schuh", "Socke", "Hemd", "Boots", "Parka", "Gürtel", "Mütze", "Sweater", "Short"]
_MORE = {2: ["netto", "in", "je", "ab"], 5: ["Tag", "mit", "ohne", "und"], 6: ["Netz", "ganz", "voll", "fest"]}
"""What more rows of a header hold, by column."""
_TITLES = ("Our catalog of 2026", "Export of all products", "made by hand, for you", "Stand: heute")
_FOOTERS = ("Total: {count} products", "Generated on 2026-11-28", "{count} rows")


@dataclass
class Polluted:
    """A file and what a perfect reader makes of it."""

    data: bytes
    header: list[str]
    rows: list[list[str]]
    damaged: dict[int, list[list[str]]] = field(default_factory=dict)
    """Rows that may be rejected, each with what else than the clean row it may be read as."""
    what: list[str] = field(default_factory=list)

    def score(self, header: list[str], got: list[list[str]]) -> tuple[int, int, bool]:
        """(rows put out that are wrong, undamaged rows lost, whether the header was found)."""
        allowed = [*self.rows, *(row for other in self.damaged.values() for row in other)]
        wrong = sum(row not in allowed for row in got)
        lost = sum(row not in got for place, row in enumerate(self.rows) if place not in self.damaged)
        return wrong, lost, header == self.header


def pollute(random: Random) -> Polluted:
    """Make one file, with up to three pollutions of the whole and up to two of its rows."""
    return _File(random).made()


def pollute_strangely(random: Random) -> Polluted:
    """Make one file whose cells are separated by another sign, or by several, or whose last column is blank."""
    return _Strange(random).made()


def pollute_framed(random: Random) -> Polluted:
    """Make one file whose lines stand between bars, with or without spaces beside them."""
    return _Framed(random).made()


class _File:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.what: list[str] = []
        self.damaged: dict[int, list[list[str]]] = {}
        self.names = NAMES[random.choice(list(NAMES))]
        self.header = list(self.names)
        self.delimiter = random.choice(",,;\t|")
        self.end = random.choice(["\n", "\n", "\r\n", "\r"])
        self.quoting = random.choice(["minimal", "minimal", "all", "none"])
        self.quote = random.choice('"""\'') if self.quoting != "none" else '"'
        self.backslash = self.quoting == "all" and random.random() < 0.25
        self.encoding = random.choice(["utf-8"] * 4 + ["utf-8-sig", "utf-16", "cp1252"])
        count = random.choice([1, 2, 3, 8, 20, 60])
        self.rows = [self._product(number) for number in range(count)]

    def _product(self, number: int) -> list[str]:
        random = self.random
        plain = f"{random.choice(_WORDS)} {random.choice(_WORDS)}"
        hard = [
            "a, b; c",
            'the "best" one',
            f"two{self.end}lines",
            "5' rod",
            "tab\there",
            "é漢" if self.encoding[0] == "u" else "é",
        ]
        text = random.choice(["", plain, plain, *(hard if self.quoting != "none" else ())])
        color = random.choice(["red", "blue", "dark green"])
        date = f"2026-{random.randint(1, 12):02d}-{random.randint(1, 28):02d}"
        return [
            f"S{number:03d}",
            plain,
            f"{random.randint(1, 99)}.50",
            text,
            color,
            date,
            f"https://shop.example/{number}",
        ]

    def line(self, cells: list[str], delimiter: str = "") -> str:
        delimiter = delimiter or self.delimiter
        if self.quoting == "none":
            return delimiter.join(cells)
        out = io.StringIO(newline="")
        style = csv.QUOTE_ALL if self.quoting == "all" else csv.QUOTE_MINIMAL
        escape = {"doublequote": False, "escapechar": "\\"} if self.backslash else {}
        csv.writer(
            out, delimiter=delimiter, quotechar=self.quote, quoting=style, lineterminator=self.end, **escape
        ).writerow(cells)
        return out.getvalue()[: -len(self.end)]

    def made(self) -> Polluted:
        random = self.random
        head, body, tail = [self.line(self.names)], [self.line(row) for row in self.rows], [""]
        for damage in random.sample(_ROWS, random.choice([0, 0, 1, 2]) if len(body) > 7 else 0):
            place = random.randrange(1, len(body) - 1)
            if place not in self.damaged:
                changed = damage(self, self.rows[place])
                if changed is not None:
                    self.what.append(f"{damage.__name__.strip('_')} {place}")
                    body[place] = changed
        for change in sorted(random.sample(_WHOLE, random.choice([0, 1, 1, 2, 3])), key=_WHOLE.index):
            if change(self, head, body, tail):
                self.what.append(change.__name__.strip("_"))
        text = self.end.join([*head, *body, *tail])
        said = f"{self.delimiter!r} {self.quote} {self.quoting}{' backslash' * self.backslash} {self.end!r} {self.encoding}"
        return Polluted(text.encode(self.encoding), self.header, self.rows, self.damaged, [said, *self.what])

    # Pollutions of a row: its text, None where it cannot be had in this dialect.

    def _extra_cell(self, row: list[str]) -> str:
        self._damages(row)
        at = self.random.randrange(1, len(row))
        return self.line([*row[:at], "extra", *row[at:]])

    def _missing_cell(self, row: list[str]) -> str:
        self._damages(row)
        at = self.random.randrange(1, len(row))
        return self.line([*row[:at], *row[at + 1 :]])

    def _other_delimiter(self, row: list[str]) -> str:
        self._damages(row)
        return self.line(row, self.random.choice([other for other in ",;\t|" if other != self.delimiter]))

    def _trailing_delimiters(self, row: list[str]) -> str:
        return self.line(row) + self.delimiter * self.random.choice([1, 2])

    def _stray_quote(self, row: list[str]) -> str:
        word = row[1].split()[0]
        self._damages(row, [row[0], row[1].replace(word, word + self.quote, 1), *row[2:]])
        return self.line(row).replace(word, word + self.quote, 1)

    def _opening_quote(self, row: list[str]) -> str:
        inside = [row[0], self.quote + row[1], *row[2:]]
        self._damages(row, *([inside] if self.quoting == "all" else []))
        return self.line(row).replace(row[1], self.quote + row[1], 1)

    def _closing_quote(self, row: list[str]) -> str:
        self._damages(row, [*row[:4], row[4] + self.quote, *row[5:]])
        return self.line(row).replace(row[4], row[4] + self.quote, 1)

    def _other_quote(self, row: list[str]) -> str | None:
        other = "'" if self.quote == '"' else '"'
        if self.quoting != "all" or any(other in cell for cell in row):
            return None
        self._damages(row, [f"{other}{cell}{other}" for cell in row])
        return self.delimiter.join(f"{other}{cell}{other}" for cell in row)

    def _quoted_as_a_whole(self, row: list[str]) -> str | None:
        line = self.line(row)
        if self.quote in line:
            return None
        self._damages(row)
        return f"{self.quote}{line}{self.quote}"

    def _damages(self, row: list[str], *readings: list[str]) -> None:
        self.damaged[self.rows.index(row)] = list(readings)

    # Pollutions of the whole: False where it does not go with what was done before.

    def _no_header(self, head: list[str], body: list[str], tail: list[str]) -> bool:
        if len(body) < 3:
            return False
        head.clear()
        self.header = [f"#{number + 1}" for number in range(len(self.header))]
        return True

    def _multi_row_header(self, head: list[str], body: list[str], tail: list[str]) -> bool:
        if len(head) != 1 or len(body) < 3:
            return False
        count = self.random.choice([1, 1, 2, 3, 4])
        more = [[_MORE.get(place, [""] * 4)[number] for place in range(len(self.names))] for number in range(count)]
        head += map(self.line, more)
        if self.names is NAMES["strange"]:  # a name that is known stays what it is
            for place, words in _MORE.items():
                self.header[place] = " ".join([self.header[place], *words[:count]])
        return True

    def _preamble(self, head: list[str], body: list[str], tail: list[str]) -> bool:
        if not head:
            return False
        titles = [self.line([self.random.choice(_TITLES)]) for _ in range(self.random.choice([1, 2, 3]))]
        head[:0] = [*titles, *[""] * self.random.choice([0, 1])]
        return True

    def _footer(self, head: list[str], body: list[str], tail: list[str]) -> bool:
        footer = self.random.choice(_FOOTERS).format(count=len(body))
        tail[:0] = [*[""] * self.random.choice([0, 1]), footer]
        return True

    def _blank_lines(self, head: list[str], body: list[str], tail: list[str]) -> bool:
        for _ in range(self.random.choice([1, 3])):
            body.insert(self.random.randrange(len(body) + 1), self.random.choice(["", self.delimiter * 6]))
        return True

    def _header_again(self, head: list[str], body: list[str], tail: list[str]) -> bool:
        if len(head) != 1:
            return False
        body.insert(len(body) // 2, head[0])
        return True

    def _no_final_newline(self, head: list[str], body: list[str], tail: list[str]) -> bool:
        if tail[-1:] == [""]:
            tail.pop()
        return True

    def _table_below(self, head: list[str], body: list[str], tail: list[str]) -> bool:
        if len(body) < 8:
            return False
        tail[:0] = ["", *self._other_table()]
        return True

    def _table_above(self, head: list[str], body: list[str], tail: list[str]) -> bool:
        if len(body) < 8 or not head:
            return False
        head[:0] = [*self._other_table(), ""]
        return True

    def _other_table(self) -> list[str]:
        width = self.random.choice([2, 3, 7, 9])
        names = ["Store", "City", "Land", "Chef", "Phone", "Opened", "Area", "Mail", "Note"][:width]
        rows = [
            ["North", "Berlin", "DE", "Ann", "a-b", "2026-01-01", "7", "x", "y"],
            ["South", "Paris", "FR", "Bob", "c-d", "2026-02-01", "8", "z", "w"],
        ]
        return [self.line(names), *(self.line(row[:width]) for row in rows)]

    def _trailing_everywhere(self, head: list[str], body: list[str], tail: list[str]) -> bool:
        for lines in (head, body, tail):
            lines[:] = [line + self.delimiter if self.delimiter in line else line for line in lines]
        self.header = [*self.header, "" if head else "#8"]
        return True


class _Strange(_File):
    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.encoding = random.choice(["utf-8", "utf-8-sig", "utf-16"])
        if random.random() < 0.5:
            self.delimiter = random.choice(["||", "::", "\t\t", ", ", "^", "~", "¦", "~|~"])
        self.backslash = False
        for row in self.rows if random.random() < 0.5 else ():
            row[6] = ""

    def line(self, cells: list[str], delimiter: str = "") -> str:
        delimiter = delimiter or self.delimiter
        if len(delimiter.encode()) == 1 or self.quoting == "none":
            return super().line(cells, delimiter)
        return delimiter.join(map(self._cell, cells))

    def _cell(self, cell: str) -> str:
        needed = any(part in cell for part in (*self.delimiter, self.quote, "\n", "\r"))
        if not (needed or self.quoting == "all"):
            return cell
        return self.quote + cell.replace(self.quote, self.quote * 2) + self.quote


class _Framed(_File):
    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.delimiter, self.quoting, self.quote, self.backslash = "|", "none", '"', False
        self.space = random.choice(["", " "])
        self.rows = [self._product(number) for number in range(len(self.rows))]

    def line(self, cells: list[str], delimiter: str = "") -> str:
        if len(cells) == 1 or delimiter:
            return super().line(cells, delimiter)
        return "|" + "|".join(f"{self.space}{cell}{self.space}" for cell in cells) + "|"


_ROWS = [
    _File._extra_cell, _File._missing_cell, _File._other_delimiter, _File._trailing_delimiters, _File._stray_quote,
    _File._opening_quote, _File._closing_quote, _File._other_quote, _File._quoted_as_a_whole,
]  # fmt: skip
_WHOLE = [
    _File._no_header, _File._multi_row_header, _File._header_again, _File._blank_lines, _File._table_above,
    _File._table_below, _File._footer, _File._trailing_everywhere, _File._preamble, _File._no_final_newline,
]  # fmt: skip
