"""Versions: reverts, rollback, other rules."""

from msgspec import structs

from sftp_gateway.upload import Mode, State
from tests.catalog_shop import COLUMNS, codes, products, put, rows, small_rules


def test_bytes_of_an_older_version_are_told_as_a_revert(shop):
    put(shop, rows(10))
    put(shop, rows(11))
    outcome = put(shop, rows(10))
    assert outcome.state is State.PUBLISHED
    assert codes(outcome)["CATALOG_REVERT"] == 1
    assert "version 1" in shop.errors(outcome)[0]["message"]


def test_bytes_that_bring_nothing_back_are_no_revert(shop, tmp_path):
    put(shop, rows(200))
    old = shop.base
    put(shop, rows(200, price=11))
    assert codes(put(shop, rows(200))) == {"CATALOG_REVERT": 1}
    again = put(shop, rows(200))
    assert (again.state, codes(again), shop.errors(again)) == (State.UNCHANGED, {}, [])
    (tmp_path / "other").mkdir()
    shop.rules = small_rules(tmp_path / "other", "max = 3\n")
    assert "CATALOG_REVERT" not in codes(put(shop, rows(200)))
    put(shop, rows(200, price=11))
    shop.rollback(old)
    shop.rules = small_rules(tmp_path)
    assert codes(put(shop, rows(200))) == {}
    put(shop, rows(100))
    assert shop.release().changes["removed"] == 100
    released = put(shop, rows(100))
    assert (released.state, codes(released)) == (State.UNCHANGED, {})
    put(shop, rows(100, price=11))
    assert codes(put(shop, rows(100))) == {"CATALOG_REVERT": 1}


def test_the_bytes_of_a_partial_file_are_no_older_catalog(shop):
    put(shop, rows(10))
    put(shop, rows(10, price=11), mode=Mode.PARTIAL)
    put(shop, rows(10, price=12))
    outcome = put(shop, rows(10, price=11))
    assert (outcome.state, codes(outcome)) == (State.PUBLISHED, {})


def test_a_rollback_is_a_new_version_equal_to_the_old_one(shop):
    put(shop, rows(10))
    old = shop.base
    put(shop, [*rows(9), ("B-1", "b", "1", "1")])
    made = shop.rollback(old)
    assert (made.number, made.products) == (3, 10)
    assert made.changes | {"created": 1, "removed": 1, "unchanged": 9} == made.changes
    assert shop.products() == products(old.path)


def test_another_column_in_the_rules_changes_no_product_until_it_is_filled(shop, tmp_path):
    put(shop, rows(10))
    shop.rules = small_rules(tmp_path, '[column.color]\ntype = "text"\n')
    assert put(shop, rows(10)).state is State.UNCHANGED
    given = [(*row, "red" if row[0] == "A-1" else "") for row in rows(10)]
    outcome = put(shop, given, (*COLUMNS, "color"))
    assert [tuple(line.values()) for line in shop.told(outcome)] == [("updated", "A-1", "color", "", "red")]


def test_a_column_of_another_type_is_taken_over_where_it_fits(shop, tmp_path):
    put(shop, [("a", "A", "1", "5"), ("b", "B", "1", "6")])
    rules = (tmp_path / "rules.toml").read_text().replace('"integer"', '"text"')
    (tmp_path / "rules.toml").write_text(rules)
    from sftp_gateway.catalog.rules import schema

    shop.rules = schema.load(tmp_path / "rules.toml")
    outcome = put(shop, [("a", "A", "1", "5"), ("b", "B", "x", "6")])
    assert (outcome.state, outcome.receipt["rows"]["retained"]) == (State.UNCHANGED, 1)
    put(shop, [("a", "A2", "1", "5"), ("b", "B", "x", "6")])
    assert shop.products()["b"]["stock"] == "6"


def test_removals_that_are_withheld_wait_for_their_decision_whatever_becomes_the_key(shop):
    """Every full file that lacked as much failed as by our fault, and so did the approval."""
    put(shop, rows(100))
    put(shop, rows(40))
    shop.rules = structs.replace(shop.rules, key=("name",))
    shop.wait(1000)
    again = put(shop, rows(40))
    assert (again.state, again.withheld_products) == (State.PUBLISHED, 60)
    shop.rules = structs.replace(shop.rules, key=("sku",))
    assert shop.release().changes["removed"] == 60
    assert set(shop.products()) == {row[0] for row in rows(40)}
