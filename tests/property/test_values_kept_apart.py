"""A brand's life in which products want each other's unique values: no two live ones ever share one, and no value is lost.

Of what is sent again the same is found, which is why it need not be read (`worker.unread`).
"""

import hashlib
import random

import pytest

from sftp_gateway.brand import Guards
from sftp_gateway.catalog.rules import schema
from sftp_gateway.upload import Mode, State
from tests.catalog_shop import SMALL, Shop, sheet
from tests.property import lives

RULES = schema.parse(SMALL + '[column.code]\ntype = "text"\nunique = true\n')
COLUMNS = ("sku", "name", "price", "stock", "code")
KINDS = ("errors", "corrections")
SIZES = (1, 3, 50, 51, 52, 100, 200)


class Life:
    """One brand; `maker` is the upload that made the current version, with its outcome."""

    def __init__(self, seed, folder):
        self.dice, self.folder = random.Random(seed), folder
        self.shop = Shop(folder, RULES, guards=Guards(column_emptied=1.0))
        self.size = self.dice.choice(SIZES)
        self.last, self.maker, self.bases = "", None, []
        self.told_again = 0

    def step(self):
        self.shop.wait(self.dice.choice([1, 300, 599, 600, 601]))
        fate = self.dice.random()
        if self.shop.withheld is not None and fate < 0.2:
            self.dice.choice([self.shop.release, self.shop.refuse])()
        elif self.shop.withheld is None and len(self.bases) > 1 and fate < 0.1:
            self.shop.rollback(self.dice.choice(self.bases[:-1]))
        elif self.last and fate < 0.4:
            self.send(self.last)
        elif fate < 0.5 and self.shop.base is not None:
            self.send(sheet(self.rows()[:15], COLUMNS), Mode.PARTIAL)
        else:
            self.last = sheet(self.rows(), COLUMNS)
            self.send(self.last)
        self.hold_apart()

    def send(self, text, mode=Mode.FULL):
        same = self.shop.made_by is not None and self.shop.made_by[:2] == (sha256(text), mode)
        same = same and mode is Mode.FULL and self.shop.withheld is None
        outcome = self.shop.put(text, mode)
        if same:
            self.tell_again(outcome)
        if outcome.version is not None:
            self.maker = max(self.shop.past), outcome
            self.bases.append(self.shop.base)
            self.lose_nothing(outcome, mode)

    def rows(self):
        """The file of the next day: some products gone, some with the value of another, some damaged, some new."""
        dice = self.dice
        rows = [tuple(product.get(name, "") for name in COLUMNS) for product in self.shop.products().values()]
        rows = rows or [(f"S{n}", "n", "1.00", "1", f"c{n}") for n in range(self.size)]
        dice.shuffle(rows)
        rows = rows[dice.choice([0, 0, 1, len(rows) // 5 + 1, len(rows) // 2 + 1, 50, 51]) :] or rows[:1]
        rows = [(*row[:4], f"c{dice.randrange(self.size + 3)}") if dice.random() < 0.1 else row for row in rows]
        rows = [(*row[:3], "bad", row[4]) if dice.random() < 0.05 else row for row in rows]
        rows += [(f"N{dice.randrange(50)}", "x\r\ny", "2.00", "1", f"c{dice.randrange(self.size + 3)}") for _ in "abc"]
        return rows

    def hold_apart(self):
        codes = [product["code"] for product in self.shop.products().values() if "code" in product]
        assert len(codes) == len(set(codes))

    def lose_nothing(self, outcome, mode):
        """A value that a row may not have is a live product's."""
        live = {product.get("code") for product in self.shop.products().values()}
        for error in self.shop.errors(outcome):
            if (error["code"], error["column"], mode) == ("FIELD_VALUE", "code", Mode.FULL):
                assert error["value"] in live

    def tell_again(self, outcome):
        upload, first = self.maker
        assert outcome.state is State.UNCHANGED
        assert outcome.receipt["rows"] == first.receipt["rows"]
        found = first.receipt["findings"]
        if not found or "CATALOG_REVERT" in {one["code"] for one in found}:
            return
        assert found == outcome.receipt["findings"]
        told = {made.kind: lines(made, upload) for made in first.made if made.kind in KINDS}
        assert told == {made.kind: lines(made, max(self.shop.past)) for made in outcome.made if made.kind in KINDS}
        self.told_again += 1


def lines(made, upload):
    """Read what a file says but for the upload that it names."""
    return made.path.read_bytes().replace(f"\n{upload},".encode(), b"\n,").replace(f",{upload}\r\n".encode(), b",\r\n")


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("seed", range(5))
def test_no_two_live_products_share_a_value_and_what_comes_again_is_told_again(seed):
    lives.live(Life, seed, 12)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_values_are_kept_apart_in_many_lives():
    assert sum(lives.live(Life, seed, 14).told_again for seed in range(100, 160)) > 20
