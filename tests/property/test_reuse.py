"""Known rows are not checked again, and nobody can tell: version, receipt, errors, changes are those of a whole check."""

import gzip
import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sftp_gateway.brand import BrandSettings, Guards
from sftp_gateway.catalog import engine, stage, versionfile
from sftp_gateway.catalog.comparing import met, reuse
from sftp_gateway.catalog.read import bounds
from tests.catalog_shop import Shop

HEADER = "sku,name,msrp,gtin,quantity,description,shipping_weight,currency,brand"
NUMBERS = ("12.50", "7", "1.234", "12,50", "1,234", "free", "-3", "", "15.00 USD", "0.001")


def gtin(number: int) -> str:
    body = f"{number:012d}"
    total = sum(map(int, body[1::2])) * 3 + sum(map(int, body[::2]))
    return f"{body}{-total % 10}"


def row(dice, number: int, odd: float = 0.1) -> str:
    """Most rows are good; some are found fault with, in each of the ways that matter; `odd` of them have an odd GTIN."""
    price = f"{dice.randrange(1, 999)}.{dice.randrange(100):02d}"
    if dice.random() < 0.04:
        price = dice.choice(NUMBERS)
    name = (
        f"Läufer {number % 7}"
        if dice.random() < 0.95
        else dice.choice(("", "a\x07b", '"two ""x"" \nlines"', '5" pipe'))
    )
    code = (
        gtin(400_000_000_000 + number) if dice.random() >= odd else dice.choice(("", gtin(7), "123", gtin(number)[1:]))
    )
    weight = dice.choice(("1 kg", "", "500 g", "heavy")) if dice.random() < 0.1 else "2 kg"
    cells = [f"S-{number:05d}", name, price, code, str(number % 9), f"item {number}", weight, "EUR", "Acme"]
    if dice.random() < 0.01:
        cells = cells[: dice.randrange(1, 8)]
    return ",".join(cells)


def mutated(dice, lines: list[str], first: int, odd: float) -> list[str]:
    """Give the next day's rows: changed, gone, new, twice, moved; sometimes in another order altogether."""
    share = dice.choice((0.0, 0.02, 0.1, 0.6))
    found = []
    for number, line in enumerate(lines):
        chance = dice.random()
        if chance < share / 2:
            found.append(row(dice, number, odd))
        elif chance < share * 0.7:
            continue
        else:
            found.append(line)
        if dice.random() < share / 20:
            found.append(line)
    for number in range(first, first + dice.choice((0, 5, 200))):
        found.insert(dice.choice((len(found), dice.randrange(len(found)))), row(dice, number, odd))
    return spoiled(dice, found)


def spoiled(dice, found: list[str]) -> list[str]:
    """Move things about, and put between them what is no row."""
    if dice.random() < 0.3:
        cut = dice.randrange(len(found))
        found = found[cut:] + found[:cut]
    if dice.random() < 0.15:
        dice.shuffle(found)
    if dice.random() < 0.2:
        del found[: dice.randrange(len(found) // 2)]
    for line in ("", HEADER):
        if dice.random() < 0.2:
            found.insert(dice.randrange(len(found)), line)
    return [*found, "Total,,,,,,,,"] if dice.random() < 0.2 else found


def made(shop, outcome) -> dict[str, object]:
    """Everything that comes out, but for times and our own hidden column."""
    files = {one.kind: one.path.read_bytes() for one in outcome.made if one.kind not in ("catalog", "accepted")}
    tables = {one.kind: pq.read_table(one.path) for one in outcome.made if one.kind in ("catalog", "accepted")}
    shown = {
        kind: table.drop_columns([name for name in table.column_names if name == met.RAW]).to_pylist()
        for kind, table in tables.items()
    }
    own = {name: value for name, value in outcome.receipt.items() if name != "seconds"}
    files = {kind: gzip.decompress(data) if kind == "errors_json" else data for kind, data in files.items()}
    return {"receipt": own, "state": outcome.state, "version": outcome.version, **files, **shown}


def life(folder: Path, seed: int, monkeypatch) -> tuple[int, int]:
    """Live some days in two shops, one of which knows its rows; gives how many rows were accepted and known there."""
    dice = random.Random(seed)
    settings = BrandSettings(decimal=dice.choice(("", "", ".", ",")))
    shops = []
    for name in ("whole", "knowing"):
        (folder / name).mkdir()
        shops.append(Shop(folder / name, settings=settings, guards=Guards(reject_share=0.9, key_new=1.0)))
    counts = [0, 0]
    real = reuse.Carry.close

    def close(carry):
        counts[0] += carry.rows
        counts[1] += carry.known
        real(carry)

    monkeypatch.setattr(reuse.Carry, "close", close)
    monkeypatch.setattr(bounds, "BLOCK_BYTES", dice.choice((3_000, 20_000)))
    monkeypatch.setattr(stage, "MEMORY_BYTES", dice.choice((-1, 16 * 1024**2)))
    monkeypatch.setattr(engine, "SMALL_BYTES", dice.choice((-1, 16 * 1024**2)))
    monkeypatch.setattr(versionfile, "GROUP_ROWS", dice.choice((40, 100_000)))
    monkeypatch.setattr(met, "REACH", dice.choice((20, 500)))
    monkeypatch.setattr(met, "WORTH", (met.WORTH, 1 << 60)[seed % 2])
    monkeypatch.setattr(reuse, "FEW", dice.choice((10, 50_000)))
    odd = dice.choice((0.1, 0.002, 0.0))
    lines = [row(dice, number, odd) for number in range(700)]
    for day in range(3):
        text = "\n".join([HEADER, *lines]) + dice.choice(("", "\n"))
        results = []
        for shop, least in zip(shops, (1 << 60, 0), strict=True):
            monkeypatch.setattr(reuse, "LEAST_BYTES", least)
            results.append(made(shop, shop.put(text)))
        assert results[0] == results[1], f"seed {seed}, day {day}"
        for shop in shops:
            if shop.withheld is not None and seed % 2:
                shop.release()
        lines = mutated(dice, lines, 2000 + day * 300, odd)
    return counts[0], counts[1]


@pytest.mark.parametrize("seed", range(6))
def test_nobody_can_tell_that_known_rows_were_not_checked(seed, tmp_path, monkeypatch):
    life(tmp_path, seed, monkeypatch)


def good(number: int, name: str = "Shoe", code: str | None = None) -> str:
    return f"S-{number:05d},{name},12.50,{code or gtin(400_000_000_000 + number)},1,item,2 kg,EUR,Acme"


GTIN_9 = gtin(400_000_000_009)
SAME = good(9, code=gtin(400_000_000_000 + 8))


@pytest.mark.parametrize(
    ("before", "after", "codes"),
    [
        ([SAME], [SAME, good(900)], ["CATALOG_GTIN_DUPLICATE"] * 2),
        ([good(9)], [SAME], ["CATALOG_GTIN_DUPLICATE"] * 2),
        ([good(9)], [good(9), SAME.replace("S-00009", "S-00901")], ["CATALOG_GTIN_DUPLICATE"] * 2),
        ([good(9)], [good(9), good(9, "Boot")], ["CATALOG_DUPLICATE_KEY"]),
        ([good(9)], [good(9), good(900), good(9)], ["CATALOG_DUPLICATE_ROW"]),
        (
            [good(9)],
            [good(9).replace("12.50", "free"), good(900, code=GTIN_9)],
            ["CATALOG_GTIN_DUPLICATE", "FIELD_TYPE"],
        ),
    ],
    ids=["of two known", "of a changed one", "of a new one", "key of a new one", "one twice", "of one rejected"],
)
def test_what_comes_twice_is_told_of_known_rows(before, after, codes, tmp_path, monkeypatch):
    monkeypatch.setattr(reuse, "LEAST_BYTES", 0)
    monkeypatch.setattr(bounds, "BLOCK_BYTES", 3_000)
    monkeypatch.setattr(stage, "MEMORY_BYTES", -1)
    shop = Shop(tmp_path, guards=Guards(reject_share=0.9, key_new=1.0))
    rest = [good(number) for number in range(9)] + [good(number) for number in range(10, 150)]
    shop.put("\n".join([HEADER, *before, *rest]) + "\n")
    outcome = shop.put("\n".join([HEADER, *after, *rest]) + "\n")
    assert sorted(line["code"] for line in shop.errors(outcome) if line["row"]) == codes


def test_most_rows_of_a_usual_day_are_known(tmp_path, monkeypatch):
    rows, known = life(tmp_path, 0, monkeypatch)
    assert known > rows / 4


def test_the_few_rows_that_are_met_in_a_file_in_another_order_are_checked_with_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(reuse, "LEAST_BYTES", 0)
    monkeypatch.setattr(bounds, "BLOCK_BYTES", 3_000)
    monkeypatch.setattr(met, "REACH", 20)
    known, real = [], reuse.Carry.close
    monkeypatch.setattr(reuse.Carry, "close", lambda carry: (known.append(carry.known), real(carry)))
    shop = Shop(tmp_path)
    lines = [good(number) for number in range(1000)]
    for _ in range(2):
        shop.put("\n".join([HEADER, *lines]) + "\n")
        random.Random(1).shuffle(lines)
    assert known == [0, 0]


@pytest.mark.full
def test_nobody_can_tell_in_many_lives(tmp_path, monkeypatch):
    for seed in range(100, 160):
        (tmp_path / str(seed)).mkdir()
        with monkeypatch.context() as patched:
            life(tmp_path / str(seed), seed, patched)
