"""Columns that the rules give another type: every pair of types, kept columns that become ruled ones, and back."""

import json
from decimal import Decimal
from itertools import permutations

import pytest

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog import export
from sftp_gateway.catalog.rules import schema
from sftp_gateway.upload import Mode, State
from tests.catalog_shop import Shop, products, put, table

SENT = {
    "text": ("XL", "5", "5.00", "true", "2026-01-02", "2026-01-02T00:00:00Z", "30 in", "007", "Color: red"),
    "kept": ("on request", "5", "5.00", "false", "2026-01-02", "A|B", "12.25", "EUR", '{"Color": "red"}'),
    "integer": ("7", "5", "5", "1", "0", "-3", "9223372036854775807", "12", "4006381333931"),
    "decimal": ("1.5", "5", "5.0000000001", "1", "0", "1234567890123456789012345678", "12.25", "-3", "0.0000001"),
    "money": ("1.5", "5", "5", "1", "0", "-3", "99999999999999", "12.25", "100"),
    "measure": ("30 in", "5", "76.2 cm", "1 kg", "0", "2.5 lb", "12", "12.25", "100 g"),
    "boolean": ("true", "false", "true", "true", "false", "true", "false", "true", "false"),
    "date": ("2026-01-01", "2026-01-02", "1999-12-31", "2026-01-02", "2026-01-02", "0999-01-01", *["2026-01-01"] * 3),
    "datetime": ("2026-01-01T10:20:30.5Z", *["2026-01-02T00:00:00Z"] * 5, "1969-12-31T23:59:59.000001Z", "", ""),
    "gtin": tuple(f"40063813339{end}" for end in ("00", "17", "24", "31", "48", "55", "62", "79", "86")),
    "currency": ("EUR", "USD", "", "EUR", "EUR", "EUR", "EUR", "EUR", "GBP"),
    "country": ("DE", "US", "", "DE", "DE", "DE", "DE", "DE", "GB"),
    "url": ("https://x.example/1", *["https://x.example/2"] * 8),
    "enum": ("XL", "5", "5.00", "true", "2026-01-02", "EUR", "DE", "30 in", "XL"),
    "list": ("A|B", "5", "5.00", "true", "2026-01-02", "A|B", "EUR", "DE", "30 in"),
    "map": ("Color: red", "Size: XL", "", *["Color: red; Size: XL"] * 6),
}
PAIRS = list(permutations(SENT, 2))
COLUMNS = tuple(f"{old}_to_{new}" for old, new in PAIRS)
NUMBERS = {"integer", "decimal", "money"}
ALLOWED = sorted({*filter(None, (text for sent in SENT.values() for text in sent)), "04006381333917", '{"Size": "XL"}'})
"""For enums: what they were before is to be no fault."""
ALL = ("removals_withheld", "reject_share", "key_change", "column_emptied", "price_move")
COUNT = len(SENT["text"])
PRINTED_ALIKE = {("text", "integer"): 1, ("text", "money"): 1, ("integer", "text"): 1, ("kept", "decimal"): 2}
"""At least so many of the values above print the same under both types."""


def rules(side):
    """The rules before the change (side 0) or after it (1)."""
    parts = ['key = ["sku"]\n[column.sku]\ntype = "text"\n[column.name]\ntype = "text"\n[column.n]\ntype = "integer"\n']
    for name, pair in zip(COLUMNS, PAIRS, strict=True):
        if pair[side] != "kept":
            values = f"values = {json.dumps(ALLOWED)}\n" if pair[side] == "enum" else ""
            parts.append(f'[column.{name}]\ntype = "{pair[side]}"\n{values}')
    return schema.parse("".join(parts))


def product(number, side, name="x", n="1"):
    return (f"P{number}", name, n, *(SENT[pair[side]][number] for pair in PAIRS))


def catalog(side, **more):
    return [product(number, side, **more) for number in range(COUNT)]


def send(shop, rows, mode=Mode.FULL):
    return put(shop, rows, ("sku", "name", "n", *COLUMNS), mode=mode, waived=ALL)


@pytest.fixture(autouse=True)
def place():
    """In memory alone: so many columns take long on disk, and the comparison is the same."""


@pytest.fixture
def shop(tmp_path):
    shop = Shop(tmp_path, rules(0), BrandSettings(unknown_columns="keep", decimal="."))
    outcome = send(shop, catalog(0))
    assert (outcome.products, outcome.receipt["rows"]["rejected"]) == (COUNT, 0)
    shop.rules = rules(1)
    return shop


def differing(before, after):
    """Which cells differ: (key, column) → what they print; numbers as numbers."""
    found = {}
    for key, now in after.items():
        for name, (old, new) in zip(COLUMNS, PAIRS, strict=True):
            printed = before[key].get(name), now.get(name)
            alike = printed[0] == printed[1]
            if {old, new} <= NUMBERS and None not in printed:
                alike = Decimal(printed[0]) == Decimal(printed[1])
            if not alike:
                found[key, name] = tuple(text or "" for text in printed)
    return found


def told(lines):
    return {(line["key"], line["column"]): (line["before"], line["after"]) for line in lines if line["op"] == "updated"}


def found(outcome, code):
    """The values of findings by key and column."""
    lines = table(next(one.path for one in outcome.made if one.kind == "errors").read_text(encoding="utf-8-sig"))
    return {(line["key"], line["column"]): line["value"] for line in lines if line["code"] == code}


def exported(shop):
    path = shop.folder / "catalog.jsonl"
    assert export.write(shop.base.path, shop.rules, "jsonl", path) == len(shop.products())
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_full_file_after_the_change_tells_what_prints_otherwise_and_nothing_else(shop):
    before = shop.products()
    outcome = send(shop, catalog(1))
    assert outcome.state is State.PUBLISHED
    wanted = differing(before, shop.products())
    assert told(shop.told(outcome)) == wanted
    assert outcome.receipt["changes"]["updated"] == len({key for key, _ in wanted})
    for (old, new), least in PRINTED_ALIKE.items():
        assert COUNT - sum(name == f"{old}_to_{new}" for _, name in wanted) >= least
    assert len(exported(shop)) == COUNT
    assert send(shop, catalog(1)).state is State.UNCHANGED


def test_a_rollback_across_the_change_tells_the_same_the_other_way(shop):
    first, before = shop.base, shop.products()
    send(shop, catalog(1))
    after, second = shop.products(), shop.base
    made = shop.rollback(first)
    wanted = differing(before, after)
    assert made.changes["updated"] == len({key for key, _ in wanted})
    [path] = [one.path for one in made.made if one.kind == "changes_csv"]
    assert told(table(path.read_text(encoding="utf-8-sig"))) == {at: pair[::-1] for at, pair in wanted.items()}
    assert shop.products() == before
    exported(shop)
    again = send(shop, catalog(1))
    assert again.receipt["changes"]["updated"] == made.changes["updated"]
    assert shop.products() == after
    assert shop.rollback(second).changes["updated"] == 0


def test_a_partial_file_after_the_change_merges_with_what_was(shop):
    """What a product has and its column may have no longer is left alone: the row says so, or gives or clears it."""
    before = shop.products()
    refused = put(shop, [("P1", "y")], ("sku", "name"), mode=Mode.PARTIAL, waived=ALL)
    lost = {at[1]: text for at, text in found(refused, "FIELD_TYPE").items()}
    assert (refused.state, shop.products()) == (State.REFUSED, before)
    cells = ["\\N"] * len(lost)
    outcome = put(shop, [("P1", "y", *cells)], ("sku", "name", *lost), mode=Mode.PARTIAL, waived=ALL)
    assert outcome.state is State.PUBLISHED
    now = shop.products()
    assert lost == {at[1]: pair[0] for at, pair in differing(before, now).items() if at[0] == "P1" and not pair[1]}
    changed = {at: pair for at, pair in differing(before, now).items() if at[0] == "P1"}
    assert told(shop.told(outcome)) == changed | {("P1", "name"): ("x", "y")}
    assert {after for _, after in changed.values()} == {"", "5.00", "2026-01-02", "2026-01-02T00:00:00Z"}
    assert all(after for (key, _), (_, after) in differing(before, now).items() if key != "P1")  # nothing is lost
    whole = send(shop, catalog(1))
    wanted = differing(now, shop.products())
    for key, pair in (("P1", ("5.00", "5")), ("P4", ("0.00", "0"))):  # one measure, written in two ways
        assert wanted.pop((key, "money_to_measure")) == pair
    assert told(shop.told(whole)) == wanted | {("P1", "name"): ("y", "x")}


def test_cells_that_a_partial_file_gives_count_and_are_told(shop):
    before = shop.products()
    outcome = send(shop, [tuple(cell or "\\N" for cell in row) for row in catalog(1)], mode=Mode.PARTIAL)
    assert (outcome.state, outcome.receipt["rows"]["rejected"]) == (State.PUBLISHED, 0)
    assert told(shop.told(outcome)) == differing(before, shop.products())
    exported(shop)


def test_rejected_rows_after_the_change_keep_their_products(shop):
    given = catalog(1)
    given[3] = product(3, 1, n="many")
    outcome = send(shop, given)
    assert (outcome.state, outcome.receipt["rows"]["retained"]) == (State.PUBLISHED, 1)
    kept = shop.products()
    whole = send(shop, catalog(1))
    assert told(shop.told(whole)) == differing(kept, shop.products())
    assert products(shop.base.path).keys() == kept.keys()
