"""Tables of many kinds, two to twenty-five columns wide, as other programs write them; none is of products."""

from random import Random

from tests.property.pollution import Polluted

_WORDS = [
    "river",
    "stone",
    "cloud",
    "window",
    "market",
    "garden",
    "paper",
    "silver",
    "winter",
    "summer",
    "bridge",
    "coffee",
    "table",
    "engine",
]


class _Cells:
    """What the cells of a column hold."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def words(self, least: int = 1, most: int = 3) -> str:
        return " ".join(self.random.choice(_WORDS) for _ in range(self.random.randint(least, most)))

    def name(self) -> str:
        return self.random.choice(_WORDS).capitalize()

    def full_name(self) -> str:
        return f"{self.name()}, {self.name()}"

    def number(self) -> str:
        return str(self.random.randint(-500, 5000))

    def decimal(self) -> str:
        return f"{self.random.uniform(0, 999):.{self.random.randint(1, 4)}f}"

    def german(self) -> str:
        return f"{self.random.randint(1, 9)}.{self.random.randint(100, 999)},{self.random.randint(10, 99)}"

    def dollars(self) -> str:
        return f"{self.random.randint(1, 9)},{self.random.randint(100, 999)}.{self.random.randint(10, 99)}"

    def date(self) -> str:
        return f"{self.random.randint(1990, 2026)}-{self.random.randint(1, 12):02d}-{self.random.randint(1, 28):02d}"

    def us_date(self) -> str:
        return f"{self.random.randint(1, 12)}/{self.random.randint(1, 28)}/{self.random.randint(1990, 2026)}"

    def time(self) -> str:
        return ":".join(f"{self.random.randint(0, most):02d}" for most in (23, 59, 59))

    def stamp(self) -> str:
        return f"{self.date()}T{self.time()}Z"

    def mail(self) -> str:
        return f"{self.random.choice(_WORDS)}.{self.random.choice(_WORDS)}@example.org"

    def phone(self) -> str:
        return f"+49 {self.random.randint(30, 999)} {self.random.randint(1000, 999999)}"

    def link(self) -> str:
        return f"https://example.org/{self.random.choice(_WORDS)}?a={self.random.randint(1, 9)}&b=x"

    def address(self) -> str:
        return f"{self.random.randint(1, 99)} {self.name()} St, {self.name()}"

    def code(self) -> str:
        return f"{self.random.choice('ABC')}{self.random.randint(10, 99)}-{self.random.randint(100, 999)}"

    def room(self) -> str:
        return f"R{self.random.randint(1, 9)}"

    def truth(self) -> str:
        return self.random.choice(["true", "false"])

    def level(self) -> str:
        return self.random.choice(["INFO", "WARN"])

    def city(self) -> str:
        return self.random.choice(["東京", "大阪府", "北海道", "ソウル", "上海"])

    def greek(self) -> str:
        return self.random.choice(["Αθήνα", "Πάτρα", "Θεσσαλονίκη"])

    def year(self) -> str:
        return str(self.random.randint(1900, 2020))

    def html(self) -> str:
        return f"<p class='{self.random.choice(_WORDS)}'>{self.words()}</p>"

    def json(self) -> str:
        return f'{{"{self.random.choice(_WORDS)}": {self.random.randint(1, 9)}}}'

    def blank(self) -> str:
        return ""

    def sparse(self) -> str:
        return self.random.choice(["", "", self.decimal(), ""])

    def text(self) -> str:
        texts = [self.words(3, 9) + ".", f"{self.words(2, 5)}, {self.words(2, 4)}", self.words(1, 2), ""]
        return self.random.choice(
            [*texts, 'he said "no" twice', f"{self.words(2, 3)}; {self.words(1, 2)}", "it's late"]
        )

    def two_lines(self) -> str:
        return f"{self.words(1, 2)}\n{self.words(1, 2)}"


_C = _Cells
_MIXED = (_C.number, _C.decimal, _C.name, _C.date, _C.truth)
_TABLES = [
    (["country", "capital"], [_C.name, _C.name]),
    (["id", "x", "y", "z"], [_C.number, _C.decimal, _C.decimal, _C.decimal]),
    (["time", "level", "message"], [_C.stamp, _C.level, _C.text]),
    (["Name", "Email", "Phone", "Address", "Born"], [_C.full_name, _C.mail, _C.phone, _C.address, _C.date]),
    (["station", "Jan", "Feb", "Mar", "Apr", "May"], [_C.name, *[_C.sparse] * 5]),
    (["who", "note", "when"], [_C.name, _C.two_lines, _C.us_date]),
    (["Konto", "Betrag", "Zweck"], [_C.number, _C.german, _C.text]),
    (["account", "amount", "purpose", "paid"], [_C.code, _C.dollars, _C.text, _C.truth]),
    ([f"field_{letter}" for letter in "abcdefghijklmnopqrstuvwxy"], list(_MIXED * 5)),
    (["番号", "都市", "人口"], [_C.number, _C.city, _C.number]),
    (["Πόλη", "Νομός", "Έτος"], [_C.greek, _C.greek, _C.year]),
    (["id", "body"], [_C.number, _C.html]),
    (["key", "payload", "ok"], [_C.code, _C.json, _C.truth]),
    (["region", "2019", "2020", "2021"], [_C.name, _C.decimal, _C.decimal, _C.decimal]),
    (["first", "second", "third", "fourth"], [_C.name, _C.words, _C.name, _C.name]),
    (["start", "end", "room"], [_C.time, _C.time, _C.room]),
    (["page", "link", "hits"], [_C.words, _C.link, _C.number]),
    (["code", "ref"], [_C.code, _C.code]),
    (["a", "b", "c", "d"], [_C.name, _C.blank, _C.number, _C.blank]),
]


def pollute_varied(random: Random) -> Polluted:
    """Make one file of a table of any kind, with one pollution of the whole."""
    return _Varied(random).made()


def damage_varied(random: Random) -> Polluted:
    """Make one file of a table of any kind, with one damaged row."""
    return _Varied(random).damaged()


def print_varied(random: Random) -> Polluted:
    """Make one table padded to columns, as database clients and reports print it."""
    return _Varied(random).printed()


class _Varied:
    def __init__(self, random: Random) -> None:
        self.random, self.cells = random, _Cells(random)
        self.names, columns = random.choice(_TABLES)
        self.delimiter = random.choice([",", ";", "\t", "|", ", ", "||", "^", " ", "~", "\t\t"])
        self.end = random.choice(["\n", "\n", "\r\n", "\r"])
        self.every = random.choice([False, False, True])
        """Whether each cell is quoted."""
        self.escape = random.choice(['"', '"', "\\"]) if self.every and self.delimiter != " " else '"'
        count = random.choice([9, 15, 30, 60])
        rows = [[make(self.cells) for make in columns] for _ in range(count)]
        self.rows = [[cell.replace("\n", self.end) for cell in row] for row in rows]

    def line(self, cells: list[str]) -> str:
        return self.delimiter.join(map(self._cell, cells))

    def _cell(self, cell: str) -> str:
        if not (self.every or not cell or any(part in cell for part in {*self.delimiter, '"', "\n", "\r"})):
            return cell
        return '"' + cell.replace('"', self.escape + '"') + '"' if cell or self.every or self.delimiter == " " else ""

    def made(self) -> Polluted:
        change = self.random.choice(_CHANGES)
        if self.delimiter == " " and change in _OF_WORDS:
            change = _Varied.nothing  # words separated by spaces cannot be told from such a row
        self.names, lines = list(self.names), [self.line(row) for row in self.rows]
        head = [self.line(self.names)]
        head, lines = change(self, head, lines)
        encoding = self.random.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16"])
        said = (
            f"{self.names[0]} {self.delimiter!r} {self.every} {self.escape} {self.end!r} {encoding} {change.__name__}"
        )
        text = self.end.join([*head, *lines, ""])
        return Polluted(text.encode(encoding), self.names, self.rows, {}, [said])

    def printed(self) -> Polluted:
        self.rows = [[cell.strip().replace(self.end, " ") for cell in row] for row in self.rows]
        columns = list(zip(self.names, *self.rows, strict=True))
        widths = [max(len(cell) + cell.count("\n") for cell in column) for column in columns]
        right = [all(cell.lstrip("-").replace(".", "").isdigit() for cell in column[1:]) for column in columns]
        padded = [
            [
                cell.rjust(width) if to_right else cell.ljust(width)
                for cell, width, to_right in zip(row, widths, right, strict=True)
            ]
            for row in [self.names, *self.rows]
        ]
        style = self.random.choice(["bars", "rule", "double", "plain", "wide"])
        between = {"bars": " | ", "rule": " ", "double": "  ", "plain": "  ", "wide": "    "}[style]
        lines = [between.join(row).rstrip() for row in padded]
        if style == "bars":
            lines = [" " + line for line in lines]
            lines[1:1] = ["+".join("-" * (width + 2) for width in widths)]
            lines += [f"({len(self.rows)} rows)"]
        elif style == "rule":
            lines[1:1] = [" ".join("-" * width for width in widths)]
        elif style == "double":
            rule = "  ".join("=" * width for width in widths)
            lines = [rule, lines[0], rule, *lines[1:], rule]
        return Polluted(self.end.join([*lines, ""]).encode(), self.names, self.rows, {}, [self.names[0], style])

    def damaged(self) -> Polluted:
        lines = [self.line(row) for row in self.rows]
        place = self.random.randrange(1, len(lines) - 1)
        row = self.rows[place]
        if self.delimiter == " " and any("\n" in cell or "\r" in cell for cell in row):
            damage, line, readings = "none", lines[place], [row]  # half a row of words is as good as a whole one
        else:
            damage = self.random.choice(["extra", "missing", "other", "trailing", "stray", "opening", "closing"])
            line, readings = self._damage(damage, row)
        lines[place] = line
        said = f"{self.names[0]} {self.delimiter!r} {self.every} {self.escape} {self.end!r} {damage} {place}"
        data = self.end.join([self.line(self.names), *lines, ""]).encode()
        return Polluted(data, self.names, self.rows, {place: readings}, [said])

    def _damage(self, damage: str, row: list[str]) -> tuple[str, list[list[str]]]:
        at = self.random.randrange(1, len(row))
        if damage == "extra":
            return self.line([*row[:at], "extra", *row[at:]]), []
        if damage == "missing" and len(row) > 2:
            return self.line([*row[:at], *row[at + 1 :]]), []
        if damage == "other" and len(row) > 2:
            usual, self.delimiter = self.delimiter, "|" if self.delimiter != "|" else ";"
            line, self.delimiter = self.line(row), usual
            return line, []
        if damage in {"missing", "other", "trailing"}:
            return self.line(row) + self.delimiter, []
        cell, line = row[at], self.line(row)
        if len(cell) < 3 or '"' in cell or line.count(cell) != 1:
            return line, [row]
        cut = {"stray": len(cell) // 2, "opening": 0, "closing": len(cell)}[damage]
        other = f'{cell[:cut]}"{cell[cut:]}'
        return line.replace(cell, other), [[*row[:at], other, *row[at + 1 :]]]

    def nothing(self, head: list[str], lines: list[str]) -> tuple[list[str], list[str]]:
        return head, lines

    def preamble(self, head: list[str], lines: list[str]) -> tuple[list[str], list[str]]:
        titles = [f"{self.cells.name()} report {self.cells.words()}", f"Created {self.cells.date()}", ""]
        return [*titles[: self.random.randint(1, 3)], *head], lines

    def footer(self, head: list[str], lines: list[str]) -> tuple[list[str], list[str]]:
        return head, [*lines, "", f"Source: {self.cells.words()}"]

    def comments(self, head: list[str], lines: list[str]) -> tuple[list[str], list[str]]:
        return [f"# {self.cells.words(2, 4)}", f"# generated {self.cells.date()}", *head], lines

    def blank_lines(self, head: list[str], lines: list[str]) -> tuple[list[str], list[str]]:
        return head, [part for line in lines for part in (line, *[""] * self.random.randint(0, 1))]

    def told(self, head: list[str], lines: list[str]) -> tuple[list[str], list[str]]:
        return [f"sep={self.delimiter}", *head], lines

    def header_again(self, head: list[str], lines: list[str]) -> tuple[list[str], list[str]]:
        return head, [*lines[:5], *head, *lines[5:]]

    def underlined(self, head: list[str], lines: list[str]) -> tuple[list[str], list[str]]:
        return [*head, self.delimiter.join("-" * max(3, len(name)) for name in self.names)], lines

    def ended(self, head: list[str], lines: list[str]) -> tuple[list[str], list[str]]:
        self.names, self.rows = [*self.names, ""], [[*row, ""] for row in self.rows]
        return [line + self.delimiter for line in head], [line + self.delimiter for line in lines]

    def in_quotes(self, head: list[str], lines: list[str]) -> tuple[list[str], list[str]]:
        if any('"' in line for line in (*head, *lines)):
            return head, lines
        return [f'"{line}"' for line in head], [f'"{line}"' for line in lines]


_OF_WORDS = (_Varied.preamble, _Varied.footer, _Varied.comments, _Varied.ended)
_CHANGES = [
    _Varied.nothing, _Varied.preamble, _Varied.footer, _Varied.comments, _Varied.blank_lines, _Varied.told,
    _Varied.header_again, _Varied.underlined, _Varied.ended, _Varied.in_quotes,
]  # fmt: skip
