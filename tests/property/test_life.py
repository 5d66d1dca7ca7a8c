"""A brand's life against a small reference model: what is in the catalog after every file, correction, hold, release,
rollback and change of rules."""

import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sftp_gateway.brand import Guards
from sftp_gateway.catalog.rules import schema
from sftp_gateway.upload import Mode, State
from tests.catalog_shop import SMALL, Shop, sheet
from tests.property import lives

COLUMNS = ("sku", "name", "stock")
LIMITS = (None, 6)
"""What the rules say of the stock, in turns: nothing, or at most this."""
Row = tuple[str, str, str]
Product = dict[str, str]


@dataclass
class Sent:
    """An upload that may be corrected: its rejected and accepted rows, and the version it was compared with."""

    number: int
    base: int
    rejected: list[Row]
    accepted: list[Row]
    full: bool
    reasons: frozenset[str] = frozenset()


@dataclass
class Model:
    """The catalog as a dict, and the rules of spec §7 written as plainly as can be."""

    products: dict[str, Product] = field(default_factory=dict)
    versions: list[dict[str, Product]] = field(default_factory=list)
    changed: dict[str, int] = field(default_factory=dict)
    """Key → the last version that created, changed or removed it."""
    withheld: set[str] = field(default_factory=set)
    since: float = 0.0
    limit: int | None = None
    held: Sent | None = None
    """The full upload that waits for a decision."""

    def is_bad(self, product: Product) -> bool:
        stock = product.get("stock", "")
        return stock == "bad" or (self.limit is not None and stock.isdigit() and int(stock) > self.limit)

    def publish(self, after: dict[str, Product], *, anyway: bool = False) -> str:
        """Make a version of it, unless nothing changed."""
        if after == self.products and self.versions and not anyway:
            return "unchanged"
        for key in after.keys() | self.products.keys():
            if after.get(key) != self.products.get(key):
                self.changed[key] = len(self.versions) + 1
        self.products = after
        self.versions.append({key: dict(product) for key, product in after.items()})
        return "published"

    def full(self, rows: list[Row], now: float, waived: frozenset[str] = frozenset()) -> str:
        good = {row[0]: as_product(row) for row in rows if not self.is_bad(as_product(row))}
        rejected = [row[0] for row in rows if self.is_bad(as_product(row))]
        if not good:
            return "refused"
        if "reject_share" not in waived and len(rejected) >= 10 and len(rejected) / len(rows) > 0.10:
            return "held"
        if not self.versions:
            return self.publish(good)
        gone = self.products.keys() - good.keys() - set(rejected)
        new = good.keys() - self.products.keys()
        stay = {sku: self.products[sku] for sku in rejected if sku in self.products and sku not in good}
        if "key_change" not in waived and self._keys_changed(gone, new, good, stay):
            return "held"
        withheld = "removals_withheld" not in waived and self._withholds(gone, now)
        after = good | stay | ({sku: self.products[sku] for sku in gone} if withheld else {})
        self.withheld = set(gone) if withheld else set()
        return self.publish(after, anyway=withheld)

    def _keys_changed(self, gone, new, good, stay) -> bool:
        if not self.products:
            return False
        kept = (len(self.products) - len(gone)) / len(self.products)
        return kept < 0.5 and len(new) / (len(good) + len(stay)) > 0.5

    def _withholds(self, gone: set[str], now: float) -> bool:
        share = len(gone) / len(self.products) if self.products else 0.0
        if not (share > 0.20 and (len(gone) > 50 or share > 0.50)):
            return False
        both = len(gone & self.withheld)
        if self.withheld and both >= 0.9 * max(len(gone), len(self.withheld)):
            return now - self.since < 600
        self.since = now
        return True

    def partial(self, rows: list[tuple[str, ...]]) -> str:
        """Rows of sku, name, stock and maybe what to do; the merged product is what counts."""
        after = {sku: dict(product) for sku, product in self.products.items()}
        rejected = 0
        for sku, name, stock, op in ((*row, "")[:4] for row in rows):
            if op == "delete":
                after.pop(sku, None)
                continue
            product = dict(self.products.get(sku, {"sku": sku}))
            for column, cell in (("name", name), ("stock", stock)):
                if cell == "\\N":
                    product.pop(column, None)
                elif cell:
                    product[column] = cell
            if self.is_bad(product):
                rejected += 1
            else:
                after[sku] = product
        if rejected == len(rows):
            return "refused"
        if rejected >= 10 and rejected / len(rows) > 0.10:
            return "held"
        return self.publish(after)

    def correction(self, sent: Sent, rows: list[Row], now: float) -> str:
        """Of a held upload: its accepted rows and these are one full file. Else each row by itself, stale ones refused."""
        if self.held is not None and sent.number == self.held.number:
            if not (rows or sent.accepted):
                return "refused"
            return self.full([*sent.accepted, *rows], now)
        good = {row[0]: as_product(row) for row in rows if not self.is_bad(as_product(row))}
        good = {sku: product for sku, product in good.items() if self.changed.get(sku, 0) <= sent.base}
        return self.publish(self.products | good) if good else "refused"

    def release(self):
        self.publish({sku: product for sku, product in self.products.items() if sku not in self.withheld})
        self.withheld = set()


def as_product(row: Row) -> Product:
    return {key: value for key, value in zip(COLUMNS, row, strict=True) if value}


class Life:
    """One brand, lived twice: by the steps of the catalog and by the model."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.dice = random.Random(seed)
        self.rules = [schema.parse(SMALL + (f"max = {limit}\n" if limit else "")) for limit in LIMITS]
        # the model leaves out columns that become empty; it has no prices
        self.shop, self.model = Shop(folder, self.rules[0], guards=Guards(column_emptied=1.0)), Model()
        self.bases = []
        self.sent: list[Sent] = []
        self.seconds = 0.0
        self.done: list[str] = []

    def step(self) -> None:
        gap = self.dice.choice([1, 100, 400, 700])
        self.seconds += gap
        self.shop.wait(gap)
        fate = self.dice.random()
        for chance, act in (
            (0.10, self.send_partial),
            (0.12, self.correct),
            (0.06, self.release),
            (0.06, self.approve),
            (0.05, self.roll_back),
            (0.06, self.change_rules),
            (1.00, self.send_full),
        ):
            fate -= chance
            if fate < 0 and act():
                break
        self.done.append(act.__name__)
        assert self.shop.products() == self.model.products, self.done
        assert (self.shop.withheld is not None) == bool(self.model.withheld), self.done
        if self.shop.base is not None and (not self.bases or self.bases[-1].number != self.shop.base.number):
            self.bases.append(self.shop.base)
        assert len(self.bases) == len(self.model.versions), self.done

    def send_full(self) -> bool:
        rows = mutated(self.dice, self.model)
        base = len(self.model.versions)
        outcome = self.shop.put(sheet(rows, COLUMNS))
        self.judged(outcome, self.model.full(rows, self.seconds))
        self.remember(outcome, rows, base, full=True)
        return True

    def send_partial(self) -> bool:
        rows = self.dice.sample(rows := mutated(self.dice, self.model), min(len(rows), 15))
        ops = [self.dice.choice(["", "", "", "delete", "update"]) for _ in rows]
        if self.dice.random() < 0.5:
            rows = [
                (sku, self.dice.choice([name, "", "\\N"]), self.dice.choice([stock, "", "\\N"]))
                for sku, name, stock in rows
            ]
        rows = [(*row, op) for row, op in zip(rows, ops, strict=True)]
        base = len(self.model.versions)
        outcome = self.shop.put(sheet(rows, (*COLUMNS, "_op")), mode=Mode.PARTIAL)
        self.judged(outcome, self.model.partial(rows))
        assert base or outcome.version in (1, None)
        return True

    def correct(self) -> bool:
        """Send back the rejected rows of some upload, most of them mended."""
        open_ones = [sent for sent in self.sent if sent.rejected and sent.base]
        if not open_ones:
            return False
        sent = self.dice.choice(open_ones[-3:])
        rows = [(sku, name, "3" if self.dice.random() < 0.8 else "bad") for sku, name, _ in sent.rejected]
        base = len(self.model.versions)
        outcome = self.shop.put(sheet([(*row, str(sent.number)) for row in rows], (*COLUMNS, "_correction_of")))
        assert outcome.receipt["mode"] == "correction"
        of_held = self.model.held is not None and self.model.held.number == sent.number
        want = self.model.correction(sent, rows, self.seconds)
        self.judged(outcome, want)
        if of_held:
            self.remember(outcome, [*sent.accepted, *rows], base, full=True)
            assert (self.shop.past[sent.number].state is State.SUPERSEDED) == (want != "refused")
            if want == "refused":
                return True
            self.model.held = None if want != "held" else self.sent[-1]
        return True

    def remember(self, outcome, rows: list[Row], base: int, *, full: bool) -> None:
        """Keep what a correction or an approval goes back to; a later full file supersedes what waits."""
        bad = [row for row in rows if self.model.is_bad(as_product(row))]
        good = [row for row in rows if row not in bad]
        reasons = frozenset(reason["code"] for reason in outcome.reasons)
        number = max(self.shop.past)
        self.sent.append(Sent(number, base, bad, good, full, reasons))
        if outcome.state in (State.PUBLISHED, State.HELD):
            if self.model.held is not None:
                self.shop.past[self.model.held.number].state = State.SUPERSEDED
            self.model.held = self.sent[-1] if outcome.state is State.HELD else None

    def approve(self) -> bool:
        held = self.model.held
        if held is None or self.shop.past[held.number].job.schema is not self.shop.rules:
            return False  # under other rules other rows are good: the model keeps no text of them
        outcome = self.shop.approve(held.number)
        self.judged(outcome, self.model.full([*held.accepted, *held.rejected], self.seconds, held.reasons))
        if outcome.state is State.HELD:
            held.reasons = frozenset(reason["code"] for reason in outcome.reasons)
        else:
            self.model.held = None
        return True

    def release(self) -> bool:
        if not self.model.withheld:
            return False
        self.shop.release()
        self.model.release()
        return True

    def roll_back(self) -> bool:
        if self.model.withheld or len(self.bases) < 2:
            return False
        to = self.dice.randrange(len(self.bases) - 1)
        if not self.bases[to].products:
            return False
        self.shop.rollback(self.bases[to])
        self.model.publish({key: dict(product) for key, product in self.model.versions[to].items()}, anyway=True)
        return True

    def change_rules(self) -> bool:
        at = self.dice.randrange(len(LIMITS))
        self.shop.rules, self.model.limit = self.rules[at], LIMITS[at]
        return True

    def judged(self, outcome, want: str) -> None:
        assert outcome.state == State(want), (self.done, outcome.reasons, outcome.receipt["changes"])
        if outcome.receipt["mode"] == "full" and want in ("published", "unchanged"):
            assert outcome.receipt["changes"]["withheld"] == len(self.model.withheld)


def mutated(dice, model) -> list[Row]:
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
        rows += [(f"m{dice.randrange(10_000)}x{at}", "new", str(dice.randrange(9))) for at in range(dice.randrange(8))]
    dice.shuffle(rows)
    return rows


@pytest.mark.parametrize("seed", range(12))
def test_the_catalog_is_what_the_model_says(seed):
    lives.live(Life, seed, 14)


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seeds", range(100, 200, 50))
def test_the_catalog_is_what_the_model_says_in_many_lives(seeds):
    acts = {act for seed in range(seeds, seeds + 50) for act in lives.live(Life, seed, 14).done}
    assert acts == {
        "send_full",
        "send_partial",
        "correct",
        "release",
        "approve",
        "roll_back",
        "change_rules",
    }
