"""A brand's life against a small reference model: what is in the catalog after every file, hold and release."""

import random
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from catalog_shop import Shop, sheet, small_rules

from sftp_gateway.brand import Guards
from sftp_gateway.upload import Mode, State

COLUMNS = ("sku", "name", "stock")


class Model:
    """The catalog as a dict, and the rules of spec §7 written as plainly as can be."""

    def __init__(self):
        self.products: dict[str, dict[str, str]] = {}
        self.withheld: set[str] = set()
        self.since = 0.0
        self.published = False

    def full(self, rows, now) -> str:
        good = {sku: as_product(sku, name, stock) for sku, name, stock in rows if not bad(stock)}
        rejected = [sku for sku, _, stock in rows if bad(stock)]
        if not good:
            return "refused"
        if len(rejected) >= 10 and len(rejected) / len(rows) > 0.10:
            return "held"
        if not self.published:
            self.products, self.published = good, True
            return "published"
        gone = self.products.keys() - good.keys() - set(rejected)
        new = good.keys() - self.products.keys()
        stay = {sku: self.products[sku] for sku in rejected if sku in self.products and sku not in good}
        if self._keys_changed(gone, new, good, stay):
            return "held"
        share = len(gone) / len(self.products)
        withheld = share > 0.20 and (len(gone) > 50 or share > 0.50)
        if withheld and self._confirmed(gone, now):
            withheld = False
        after = good | stay | ({sku: self.products[sku] for sku in gone} if withheld else {})
        changed = after != self.products or withheld
        self.products = after
        self.withheld = set(gone) if withheld else set()
        return "published" if changed else "unchanged"

    def _keys_changed(self, gone, new, good, stay) -> bool:
        kept = (len(self.products) - len(gone)) / len(self.products)
        return kept < 0.5 and len(new) / (len(good) + len(stay)) > 0.5

    def _confirmed(self, gone, now) -> bool:
        both = len(gone & self.withheld)
        if self.withheld and both >= 0.9 * max(len(gone), len(self.withheld)):
            return now - self.since >= 600
        self.since = now
        return False

    def partial(self, rows) -> str:
        good = [(sku, name, stock) for sku, name, stock in rows if not bad(stock)]
        if not good:
            return "refused"
        if len(rows) - len(good) >= 10 and (len(rows) - len(good)) / len(rows) > 0.10:
            return "held"
        before = {sku: dict(product) for sku, product in self.products.items()}
        for sku, name, stock in good:
            product = dict(before.get(sku, {"sku": sku}))
            product |= {key: value for key, value in (("name", name), ("stock", stock)) if value}
            self.products[sku] = product
        self.published = True
        return "published" if self.products != before else "unchanged"

    def release(self):
        for sku in self.withheld:
            self.products.pop(sku, None)
        self.withheld = set()


def as_product(sku, name, stock):
    return {key: value for key, value in (("sku", sku), ("name", name), ("stock", stock)) if value}


def bad(stock: str) -> bool:
    return stock == "bad"


def life(seed: int) -> None:
    dice = random.Random(seed)
    folder = Path(tempfile.mkdtemp())
    guards = Guards(column_emptied=1.0)  # the model leaves that one out
    shop, model = Shop(folder, small_rules(folder), guards=guards), Model()
    seconds = 0.0
    try:
        for _ in range(12):
            seconds += (gap := dice.choice([1, 100, 400, 700]))
            shop.wait(gap)
            step(dice, shop, model, seconds)
            assert shop.products() == model.products
            assert (shop.withheld is not None) == bool(model.withheld)
    finally:
        shutil.rmtree(folder)


def step(dice, shop, model, seconds):
    if model.withheld and dice.random() < 0.1:
        shop.release()
        model.release()
        return
    rows = mutated(dice, model)
    if dice.random() < 0.25:
        rows = dice.sample(rows, min(len(rows), 15))
        outcome, want = shop.put(sheet(rows, COLUMNS), mode=Mode.PARTIAL), model.partial(rows)
    else:
        outcome, want = shop.put(sheet(rows, COLUMNS)), model.full(rows, seconds)
    assert outcome.state == State(want), (outcome.reasons, outcome.receipt["changes"])
    assert (
        outcome.receipt["changes"]["withheld"] == len(model.withheld)
        or want in ("held", "refused")
        or (outcome.receipt["mode"] == "partial")
    )


def mutated(dice, model):
    """The file of the next day: much the same, sometimes cut, damaged or under new keys."""
    rows = [(sku, product.get("name", ""), product.get("stock", "")) for sku, product in model.products.items()]
    fate = dice.random()
    if not rows or fate < 0.1:
        return [(f"n{dice.randrange(300)}-{at}", "x", "1") for at in range(dice.choice([5, 80, 150]))]
    if fate < 0.5:
        rows = [row for row in rows if row[0] not in model.withheld] if dice.random() < 0.7 else rows
        rows = rows[: max(1, int(len(rows) * dice.choice([1, 1, 0.9, 0.5])))]
    if dice.random() < 0.3:
        rows = [(sku, name, "bad" if dice.random() < dice.choice([0.02, 0.2]) else stock) for sku, name, stock in rows]
    if dice.random() < 0.5:
        rows = [(sku, f"name {dice.randrange(5)}" if dice.random() < 0.2 else name, stock) for sku, name, stock in rows]
        rows += [(f"m{dice.randrange(10_000)}x{at}", "new", "2") for at in range(dice.randrange(8))]
    dice.shuffle(rows)
    return rows


@pytest.mark.parametrize("seed", range(16))
def test_the_catalog_is_what_the_model_says(seed):
    life(seed)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(100, 250))
def test_the_catalog_is_what_the_model_says_in_many_lives(seed):
    life(seed)
