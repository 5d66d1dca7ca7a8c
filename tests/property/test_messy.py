"""Clean files made messy in every way we know of, read without being told how: no wrong row, no good row lost, the header found."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.unit.reading import KNOWN, read

KNOWN_NAMES = ["sku", "name", "msrp", "description", "color", "updated", "cost"]
STRANGE_NAMES = ["Artikel", "Bezeichnung", "Preis", "Text", "Farbe", "Datum", "Einkauf"]
COUNT = 24


def product(number: int) -> list[str]:
    """A row with all that makes reading hard."""
    texts = ["plain", 'a, "b"; c', "two\nlines, three", "12\" pipe and 5' rod", "é漢", ""]
    text = texts[number % len(texts)]
    return [f"S{number}", f"Name {number}", f"{number}.50", text, "red", f"2026-01-{number + 1:02d}", f"{number}"]


@dataclass(frozen=True)
class Messy:
    """A file, the rows that are damaged (index) and those of the rest."""

    data: bytes
    rows: list[list[str]]
    damaged: frozenset[int] = frozenset()
    header: list[str] | None = None
    literal: list[str] | None = None
    """What a damaged row may be read as: with a quote or NUL that is part of its cell."""


def lines(rows: list[list[str]], delimiter: str = ",", end: str = "\n", quoting: int = csv.QUOTE_MINIMAL) -> list[str]:
    out = []
    for row in rows:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerow(row)
        out.append(text.getvalue())
    return out


def whole(names: list[str]) -> Iterator[tuple[str, Messy]]:
    """Damage to whole files."""
    rows = [product(number) for number in range(COUNT)]
    for name, delimiter in (("comma", ","), ("semicolon", ";"), ("tab", "\t"), ("pipe", "|")):
        for style, quoting in (("minimal", csv.QUOTE_MINIMAL), ("all", csv.QUOTE_ALL)):
            for end in ("\n", "\r\n"):
                text = "".join(lines([names, *rows], delimiter, end, quoting))
                yield f"{name} {style} {end!r}", Messy(text.encode(), rows)
    text = "".join(lines([names, *rows]))
    yield (
        "cr",
        Messy(
            "".join(lines([names, *rows], end="\r")).replace("\n", "\r").encode(),
            [[c.replace("\n", "\r") for c in r] for r in rows],
        ),
    )
    mixed = "".join(line[:-1] + ["\n", "\r\n"][number % 2] for number, line in enumerate(lines([names, *rows])))
    yield "mixed ends", Messy(mixed.encode(), rows)
    yield "no last newline", Messy(text[:-1].encode(), rows)
    yield "blank lines at the end", Messy((text + "\n\n").encode(), rows)
    yield "blank lines between", Messy("\n".join(lines([names, *rows])).encode(), rows)
    yield "titles", Messy(("Our catalog of 2026\nmade by hand\n\n" + text).encode(), rows)
    yield "titles with delimiters", Messy((f"Catalog{',' * 6}\n{',' * 6}\n" + text).encode(), rows)
    yield "footer", Messy((text + "Total: 24 products\n").encode(), rows)
    yield "header again", Messy("".join(lines([names, *rows[:9], names, *rows[9:]])).encode(), rows)
    yield (
        "trailing in rows",
        Messy("".join([*lines([names]), *(f"{x[:-1]},\n" for x in lines(rows))]).encode(), rows, header=[*names, ""]),
    )
    yield (
        "trailing everywhere",
        Messy("".join(f"{x[:-1]},\n" for x in lines([names, *rows])).encode(), rows, header=[*names, ""]),
    )
    yield "trailing in header", Messy("".join([names and ",".join(names) + ",\n", *lines(rows)]).encode(), rows)
    yield (
        "single quotes",
        Messy(
            "".join(",".join("'" + c.replace("'", "''") + "'" for c in r) + "\n" for r in [names, *rows]).encode(), rows
        ),
    )
    yield (
        "backslashes",
        Messy(
            "".join(",".join('"' + c.replace('"', '\\"') + '"' for c in r) + "\n" for r in [names, *rows]).encode(),
            rows,
        ),
    )
    units = ["", "", "EUR", "", "", "iso", "EUR"]
    yield "units under the header", Messy("".join(lines([names, units, *rows])).encode(), rows, header=[])
    types = ["text", "text", "money", "text", "text", "date", "money"]
    yield "types under the header", Messy("".join(lines([names, types, *rows])).encode(), rows, header=[])
    stores = "Store,City\nNorth,Berlin\nSouth,Paris\n"
    yield "another table below", Messy((text + "\n" + stores).encode(), rows)
    yield "another table above", Messy((stores + "\n" + text).encode(), rows)
    wide = "One,Two,Three,Four,Five,Six,Seven\na,b,5.5,c,d,2026-01-01,7\ne,f,6.5,g,h,2026-01-01,8\n"
    yield "another table as wide below", Messy((text + "\n" + wide).encode(), rows)
    for encoding in ("utf-8-sig", "utf-16", "utf-16-be", "utf-16-le", "utf-32"):
        yield encoding, Messy(text.encode(encoding), rows)
    yield (
        "spaces behind the commas",
        Messy(
            ", ".join(names).encode()
            + b"\n"
            + b"".join(b"S%d, n %d, 1.50, , red, 2026-01-02, 7\n" % (n, n) for n in range(COUNT)),
            [[f"S{n}", f"n {n}", "1.50", "", "red", "2026-01-02", "7"] for n in range(COUNT)],
        ),
    )
    yield "spaces", Messy("".join(lines([names, *rows], " ", quoting=csv.QUOTE_ALL)).encode(), rows)
    yield "no header", Messy("".join(lines(rows)).encode(), rows, header=[f"#{n}" for n in range(1, 8)])


def each_row(names: list[str]) -> Iterator[tuple[str, Messy]]:
    """Damage to one row; what is left of it may be read, rejected or repaired, but the others are read."""
    rows = [product(number) for number in range(COUNT)]
    damages: dict[str, Callable[[list[str]], str]] = {
        "more": lambda row: lines([[*row[:3], "extra", *row[3:]]])[0],
        "less": lambda row: lines([row[:2] + row[3:]])[0],
        "other delimiter": lambda row: lines([row], ";")[0],
        "trailing": lambda row: lines([row])[0][:-1] + ",\n",
        "stray quote": lambda row: lines([row])[0].replace("Name", 'Na"me'),
        "opening quote": lambda row: lines([row])[0].replace("Name", '"Name'),
        "closing quote": lambda row: lines([row])[0].replace(",red,", ',red",'),
        "lone quote": lambda row: lines([row])[0].replace(",red,", ',",'),
        "quote before": lambda row: '"' + lines([row])[0],
        "bad byte": lambda row: lines([row])[0].replace("red", "r\udcffd"),
        "nul": lambda row: lines([row])[0].replace("red", "r\0d"),
    }
    literals = {"stray quote": ("Name", 'Na"me'), "closing quote": ("red", 'red"'), "nul": ("red", "r\0d")}
    for kind, damage in damages.items():
        for number in range(COUNT):
            parts = lines([names, *rows])
            parts[number + 1] = damage(rows[number])
            data = "".join(parts).encode("utf-8", "surrogateescape")
            literal = [cell.replace(*literals[kind]) for cell in rows[number]] if kind in literals else None
            yield f"{kind} in row {number}", Messy(data, rows, frozenset({number}), literal=literal)


def judged(folder, messy: Messy, names: list[str], case: str, known) -> tuple[int, int]:
    """(rows put out, wrong ones); every undamaged row must be among them."""
    found = read(folder, messy.data, complete=True, lenient=True, known_headers=known)
    want = messy.header if messy.header is not None else names
    if want:
        assert list(found.source.headers) == want, case
    width = len(names)
    got = [list(row[:width]) for row in found.rows]
    for number, row in enumerate(messy.rows):
        assert number in messy.damaged or row in got, f"{case}: row {number} lost: {row}"
    return len(got), sum(row not in messy.rows and row != messy.literal for row in got)


@pytest.mark.parametrize("names", [KNOWN_NAMES, STRANGE_NAMES], ids=["known", "strange"])
def test_a_file_that_is_messy_as_a_whole_is_read_as_if_it_were_clean(tmp_path, names):
    known = KNOWN | set(KNOWN_NAMES)
    for case, messy in whole(names):
        _, wrong = judged(tmp_path, messy, names, case, known)
        assert not wrong, case


@pytest.mark.parametrize("names", [KNOWN_NAMES, STRANGE_NAMES], ids=["known", "strange"])
def test_one_damaged_row_costs_no_other_and_is_hardly_ever_wrong(tmp_path, names):
    known = KNOWN | set(KNOWN_NAMES)
    total = wrong = 0
    for case, messy in each_row(names):
        rows, bad = judged(tmp_path, messy, names, case, known)
        total, wrong = total + rows, wrong + bad
    assert wrong <= 0.001 * total, f"{wrong} of {total}"
