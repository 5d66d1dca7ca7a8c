"""Makes catalogs to measure with: seeded, 14 columns, about 232 bytes a row.

5 % of the rows have quoted commas and doubled quotes, 1 % line breaks in cells, 10 % accented or CJK
names, `bad` of them one wrong cell. The next day's file has 2 % changed, 0.5 % new and 0.5 % gone rows.
Usage: python -m tests.bench.rows ROWS FIRST.csv NEXT.csv [--bad 0.01] [--shuffle]
"""

import argparse
import random
import zlib
from collections.abc import Iterator
from pathlib import Path

HEADER = "sku,name,brand,msrp,cost,currency,gtin,images,description,color,size,quantity,categories,product_url"
NAMES = (
    "Trail Runner",
    "City Sneaker",
    "Rain Jacket",
    "Merino Sock",
    "Wool Beanie",
    "Day Pack",
    "Trekking Pole",
    "Running Cap",
)
ACCENTED = ("Café Crème Tasse", "Señorita Größe", "運動靴 クラシック", "Ťažký Šál", "ランニング シューズ")
COLORS = ("Blue", "Graphite", "Ochre", "Forest", "White", "Night Black")
SIZES = ("S", "M", "L", "XL", "42", "43.5")
CATEGORIES = ("Outdoor > Shoes > Trail", "Clothing > Jackets > Rain", "Accessories > Hats", "Sports > Running")
MORE = 26
BAD = ("price", "digit", "blank", "quantity", "ragged")


def gtin(number: int) -> str:
    """Give the GTIN-13 of a number below 10^12: its check digit after it."""
    body = f"{number:012d}"
    total = sum(map(int, body[1::2])) * 3 + sum(map(int, body[::2]))
    return f"{body}{-total % 10}"


def row(number: int, *, revision: int, bad: float) -> str:
    """Give the row of a product in a revision; equal arguments give equal bytes."""
    chance = random.Random(number * 7919 + 1)
    msrp = 500 + chance.randrange(45000) + revision * 100
    name = chance.choice(ACCENTED) if chance.random() < 0.10 else chance.choice(NAMES)
    name = f"{name} {number % 9973}"
    description = f"Made to last, {chance.choice(COLORS).lower()}; item {number} ships in a plain box"
    kind = chance.random()
    if kind < 0.05:
        description = f'"{description}, with a 12"" strap, and more"'
    elif kind < 0.06:
        description = f'"{description}\nsecond line, washable"'
    else:
        description = description.replace(",", "")
    cells = [
        f"SKU-{number:09d}", name, "Acme", f"{msrp // 100}.{msrp % 100:02d}", f"{msrp // 200}.{msrp % 83:02d}", "EUR",
        gtin(400_000_000_000 + number), f"https://img.example.com/p/{number}/front.jpg", description,
        chance.choice(COLORS), chance.choice(SIZES), str(chance.randrange(500)), chance.choice(CATEGORIES),
        f"https://shop.example.com/p/{number}",
    ]  # fmt: skip
    if chance.random() < bad:
        spoil(cells, chance.choice(BAD))
    return ",".join(cells)


def spoil(cells: list[str], how: str) -> None:
    """Make one cell wrong, or the row too short."""
    if how == "price":
        cells[3] = "free"
    elif how == "digit":
        cells[6] = cells[6][:-1] + str((int(cells[6][-1]) + 3) % 10)
    elif how == "blank":
        cells[1] = ""
    elif how == "quantity":
        cells[11] = "many"
    else:
        del cells[12:]


def first_day(rows: int, bad: float) -> Iterator[str]:
    """Rows 0..rows-1 in their first revision."""
    return (row(number, revision=0, bad=bad) for number in range(rows))


def next_day(rows: int, bad: float) -> Iterator[str]:
    """2 % changed, 0.5 % gone, 0.5 % new at the end."""
    for number in range(rows):
        if number % 200 != 7:
            yield row(number, revision=1 if number % 50 == 3 else 0, bad=bad)
    for number in range(rows, rows + rows // 200):
        yield row(number, revision=0, bad=bad)


def _notes(number: int) -> str:
    return "".join(f",note {number % (97 + place)}" for place in range(MORE))


def write(path: Path, rows: Iterator[str], *, shuffle: bool = False, wide: bool = False) -> None:
    """Write a file of these rows under the header, LF at line ends; `wide`: with 26 more columns that no rule knows."""
    lines: Iterator[str] | list[str] = rows
    if shuffle:
        lines = list(rows)
        random.Random(1).shuffle(lines)
    with path.open("w", encoding="utf-8", newline="") as out:
        more = [f"note_{number:02d}" for number in range(MORE)] if wide else []
        out.write(",".join([HEADER, *more]) + "\n")
        for line in lines:
            out.write(line + (_notes(zlib.crc32(line[:13].encode())) if wide else "") + "\n")


def main() -> None:
    """Write both days."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int)
    parser.add_argument("first", type=Path)
    parser.add_argument("next", type=Path)
    parser.add_argument("--bad", type=float, default=0.01)
    parser.add_argument("--shuffle", action="store_true")
    options = parser.parse_args()
    write(options.first, first_day(options.rows, options.bad))
    write(options.next, next_day(options.rows, options.bad), shuffle=options.shuffle)


if __name__ == "__main__":
    main()
