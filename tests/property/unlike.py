"""Tables of many trades, of one row or hundreds, as their programs write them: timetables, banks, laboratories, surveys, offices."""

import io
from csv import QUOTE_ALL, QUOTE_MINIMAL, QUOTE_NONNUMERIC, writer
from random import Random

from tests.property.pollution import Polluted

_PLACES = ["Berlin", "São Paulo", "Tromsø", "Málaga", "Göteborg", "St. John's", "Washington, D.C.", "Rio de Janeiro"]
_NAMES = [
    "Anna Müller",
    "José García",
    "Søren Brown",
    "Xenia d'Arcy",
    "Renée Le Gall",
    "Ben O'Brien",
    "Mary-Jane Silva",
]
_SAID = [
    "ok",
    "n/a",
    "Too slow; staff were rude",
    'It was "fine"',
    "More parking please!",
    "Très bien, merci",
    "I don't know",
]
_WORDS = [
    "river",
    "stone",
    "signal",
    "garden",
    "copper",
    "winter",
    "bridge",
    "paper",
    "harbour",
    "anchor",
    "candle",
    "desert",
]
_CODE = [
    'if (a < b) { return "x"; }',
    "grep -E '^#' f | sort -u",
    "a[i] |= b; // or",
    "print('hello, world')",
    "#include <stdio.h>",
]
_ADDRESSES = ["9 High Street, Bonn", "Flat 2, 7 Main St, Rome", "3 Rue de l'Est, Lyon"]


class _Trade:
    """Makes the cells of each trade."""

    def __init__(self, random: Random) -> None:
        self.random, self.pick = random, random.choice
        self.number = random.randint(2, 20)

    def words(self, least: int, most: int) -> str:
        return " ".join(self.pick(_WORDS) for _ in range(self.random.randint(least, most)))

    def amount(self, decimal: str = ".", group: str = ",") -> str:
        plain = f"{self.random.uniform(1, 90_000):,.2f}"
        return plain.replace(",", "_").replace(".", decimal).replace("_", group)

    def day(self, form: str = "{0}-{1:02}-{2:02}") -> str:
        return form.format(self.random.randint(1990, 2026), self.random.randint(1, 12), self.random.randint(1, 28))

    def share(self, most: float = 1, places: int = 4) -> str:
        return f"{self.random.uniform(-most, most):.{places}f}"

    def time(self) -> str:
        return f"{self.random.randint(0, 23):02}:{self.random.randint(0, 59):02}"

    def timetable(self, row: int) -> dict[str, str]:
        return {"Train": f"RE{self.random.randint(1, 999)}"} | {
            f"{place} Hbf": self.pick([self.time(), "-", self.time()]) for place in _PLACES[:5]
        }

    def bank(self, row: int) -> dict[str, str]:
        text = f"RE-NR {row} " + self.pick(["Miete; Nebenkosten", "Danke!", "Abschlag 03/19, 4711"])
        return {
            "Buchungstag": self.day("{2:02}.{1:02}.{0}"),
            "Zweck": text,
            "Betrag": self.amount(",", "."),
            "Währung": "EUR",
        }

    def pounds(self, row: int) -> dict[str, str]:
        shop = self.pick(["SHOP 32, LONDON", "Mr J O'Neill", "INT'L 0012"])
        return {
            "Date": self.day("{2} Aug {0}"),
            "Shop": shop,
            "Paid out": self.pick(["", f"£{self.amount()}"]),
            "Balance": f"£{self.amount()}",
        }

    def calls(self, row: int) -> dict[str, str]:
        names = ["#CHROM", "POS", "ID", "REF", "INFO", "NA1"]
        cells = [
            f"chr{row % 9}",
            str(14_000 + row * 7),
            f"rs{row * 31}",
            self.pick("ACGT"),
            f"NS=3;DP={row}",
            f"{row % 2}|0:5{row % 9}:4",
        ]
        return dict(zip(names, cells, strict=True))

    def plate(self, row: int) -> dict[str, str]:
        return {"": "ABCDEFGH"[row % 8]} | {str(place): self.share() for place in range(1, 13)}

    def frame(self, row: int) -> dict[str, str]:
        return {"": str(row)} | {str(place): self.share(9, 3) for place in range(self.number)}

    def answers(self, row: int) -> dict[str, str]:
        return {
            "Respondent ID": str(5000 + row),
            "What did you like, and why?": f"{self.pick(_SAID)} {self.pick(_SAID)}",
            "More": self.pick(_SAID),
        }

    def one(self, row: int) -> dict[str, str]:
        return {"Comment": self.pick(_SAID)}

    def codes(self, row: int) -> dict[str, str]:
        return {"ID": str(row + 1)} | {
            f"Q{place}{self._tail(place)}": self.pick(["1", "2", "5", "", ".", "-99"])
            for place in range(1, self.number)
        }

    def _tail(self, place: int) -> str:
        return ["", "a", "_1"][place % 3]

    def places(self, row: int) -> dict[str, str]:
        return {
            "Name": self.pick(_NAMES),
            "Address": self.pick(_ADDRESSES),
            "Town": self.pick(_PLACES),
            "Code": self.pick(["00501", "SW1A 1AA"]),
        }

    def snippets(self, row: int) -> dict[str, str]:
        return {
            "id": str(row),
            "lang": self.pick(["py", "sh"]),
            "snippet": self.pick(_CODE),
            "score": str(self.random.randint(-3, 90)),
        }

    def legal(self, row: int) -> dict[str, str]:
        return {
            "Section": f"§ {row + 1}",
            "Text": f"({row % 4 + 1}) {self.words(9, 30)}; provided, however, that {self.pick(_SAID)}",
        }

    def spending(self, row: int) -> dict[str, str]:
        return {
            "Entity": f"NHS {self.pick(_PLACES)}",
            "Date": self.day("{2:02}/{1:02}/{0}"),
            "Supplier": self.words(2, 4),
            "No": str(10**6 + row),
            "Amount": self.amount(),
        }

    def races(self, row: int) -> dict[str, str]:
        return {
            "Pos": str(row + 1),
            "Name": self.pick(_NAMES),
            "Time": f"{self.time()}:1{row % 9}.3",
            "Gap": f"+{row % 9}'1{row % 9}\"",
        }

    def figures(self, row: int) -> dict[str, str]:
        return {"Country": self.pick(_PLACES), "Unit": "abc"} | {
            str(2001 + year): self.pick([self.amount(), "..", ""]) for year in range(self.number)
        }


_TRADES = [
    value
    for name, value in vars(_Trade).items()
    if not name.startswith("_") and name not in {"words", "amount", "day", "share", "time"}
]


def pollute_trades(random: Random) -> Polluted:
    """Make one file of a table of any trade, with up to two pollutions of the whole."""
    return _Trades(random).made()


class _Trades:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.trade = random.choice(_TRADES)
        made = [
            self.trade(cells, row) for cells in [_Trade(random)] for row in range(random.choice([3, 5, 9, 20, 60, 200]))
        ]
        self.names, self.rows = list(made[0]), [list(row.values()) for row in made]
        usual = random.choice([",", ";", "\t", "|"])
        self.delimiter = random.choice([usual, usual, random.choice(["~", "^", "\x1f", "\x01"])])
        self.quote = random.choice(['"'] * 9 + ["'"]) if len(self.names) > 1 else '"'
        self.style = random.choice([QUOTE_MINIMAL, QUOTE_MINIMAL, QUOTE_ALL, QUOTE_NONNUMERIC])
        self.end = random.choice(["\n", "\r\n", "\r"])
        if len(self.names) == 1:
            self.delimiter = ","

    def line(self, cells: list[str]) -> str:
        out = io.StringIO(newline="")
        writer(out, delimiter=self.delimiter, quotechar=self.quote, quoting=self.style, lineterminator="").writerow(
            cells
        )
        return out.getvalue()

    def padded(self, text: str) -> str:
        return self.line([text, *[""] * (len(self.names) - 1)])

    def made(self) -> Polluted:
        head, body, tail = [self.line(self.names)], [self.line(row) for row in self.rows], []
        changes = (
            self.random.sample(_CHANGES, self.random.choice([0, 1, 1, 2]))
            if len(self.names) > 3 and len(body) > 8
            else []
        )
        for change in changes:
            head, body, tail = change(self, head, body, tail)
        encoding = self.random.choice(["utf-8", "utf-8-sig", "utf-16", "cp1252"])
        text = self.end.join([*head, *body, *tail, ""])
        said = f"{self.trade.__name__} {self.delimiter!r} {self.quote} {self.style} {self.end!r} {encoding}"
        return Polluted(
            text.encode(encoding), self.names, self.rows, {}, [said, *(change.__name__ for change in changes)]
        )

    def titles(self, head: list[str], body: list[str], tail: list[str]) -> tuple[list[str], ...]:
        texts = ["Monthly statistics, Berlin", "Station data (provisional)", "As of 2019-05-03", "Results 2019/20"]
        wrapped = self.random.choice([self.padded, str])
        return (
            [
                *map(wrapped, self.random.sample(texts, self.random.randint(1, 2))),
                *[""] * self.random.randint(0, 2),
                *head,
            ],
            body,
            tail,
        )

    def told(self, head: list[str], body: list[str], tail: list[str]) -> tuple[list[str], ...]:
        facts = [["Account", "87553791"], ["From", "2022-12-06"], ["Holder", "Ben Le Gall"], ["Device", "XR-500"]]
        return [*map(self.line, facts[: self.random.randint(1, 4)]), "", *head], body, tail

    def notes(self, head: list[str], body: list[str], tail: list[str]) -> tuple[list[str], ...]:
        return (
            head,
            body,
            [*tail, "", *map(self.padded, ["Notes", "1. figures are rounded"][: self.random.randint(1, 2)])],
        )

    def source(self, head: list[str], body: list[str], tail: list[str]) -> tuple[list[str], ...]:
        return head, body, [*tail, "", self.random.choice(["Source: Eurostat", "* provisional figures", "(200 rows)"])]

    def blanks(self, head: list[str], body: list[str], tail: list[str]) -> tuple[list[str], ...]:
        return head, [part for line in body for part in (line, *[""] * (self.random.random() < 0.15))], tail

    def again(self, head: list[str], body: list[str], tail: list[str]) -> tuple[list[str], ...]:
        half = len(body) // 2
        return head, [*body[:half], self.line(self.names), *body[half:]], tail

    def smaller(self, head: list[str], body: list[str], tail: list[str]) -> tuple[list[str], ...]:
        other = [["Place", "Count"], ["north", "12"], ["south", "7"]]
        return [*map(self.line, other), "", *head], body, tail


_CHANGES = [_Trades.titles, _Trades.told, _Trades.notes, _Trades.source, _Trades.blanks, _Trades.again, _Trades.smaller]
