"""The rule language: what it says, what stays open, and that nothing else can be said."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from sftp_gateway.catalog.rules import evaluate, expression, operators

KINDS = {
    "msrp": "money",
    "cost": "money",
    "quantity": "integer",
    "name": "text",
    "color": "text",
    "visible": "boolean",
    "day": "date",
    "at": "datetime",
    "images": "list",
    "weight": "measure",
    "attribute": "map",
}
COLUMNS = {
    "msrp": pa.array([Decimal("10.00"), Decimal("5.00"), None], pa.decimal128(18, 4)),
    "cost": pa.array([Decimal("5.00"), Decimal("10.00"), Decimal(1)], pa.decimal128(18, 4)),
    "quantity": pa.array([1, 0, None], pa.int64()),
    "name": pa.array(["Chair", "it's", None]),
    "color": pa.array(["Red", "blue", None]),
    "visible": pa.array([True, False, None]),
    "day": pa.array([dt.date(2026, 1, 1), dt.date(2025, 1, 1), None]),
    "at": pa.array([dt.datetime(2026, 1, 1, tzinfo=dt.UTC)] * 2 + [None], pa.timestamp("us", "UTC")),
    "images": pa.array(["a|b", "a", None]),
    "_base.weight": pa.array(["1.5 kg", "0 kg", None]),
}


def violated(text: str) -> list[bool]:
    return evaluate.violated(expression.parse(text, KINDS), COLUMNS.__getitem__).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("msrp >= cost", [False, True, False]),
        ("msrp is null or cost is null or msrp >= cost", [False, True, False]),
        ("not msrp >= cost", [True, False, False]),
        ("not not msrp >= cost", [False, True, False]),
        ("msrp is not null", [False, False, True]),
        ("msrp is null", [True, True, False]),
        ("color in ('Red', 'Green')", [False, True, False]),
        ("color not in ('Red', 'Green')", [True, False, False]),
        ("quantity in (1, 2)", [False, True, False]),
        ("lower(color) = 'red'", [False, True, False]),
        ("name = 'it''s'", [True, False, False]),
        ('name != "Chair"', [True, False, False]),
        ("length(name) > 4", [False, True, False]),
        ("length(images) >= 2", [False, True, False]),
        ("visible", [False, True, False]),
        ("visible = true", [False, True, False]),
        ("day >= '2026-01-01'", [False, True, False]),
        ("at < '2026-01-01T00:00:01Z'", [False, False, False]),
        ("weight > 0", [False, True, False]),
        ("msrp - cost > 0", [False, True, False]),
        ("msrp * 2 >= cost", [False, False, False]),
        ("msrp / cost > 1", [False, True, False]),
        ("cost / quantity > 0", [False, False, False]),
        ("-quantity < 0", [False, True, False]),
        ("msrp > 1 and (quantity > 0 or visible)", [False, True, False]),
        ("msrp > 100 or cost < 6", [False, True, False]),
        ("msrp + cost * 2 = 20", [False, True, False]),
        ("msrp <> 10", [True, False, False]),
        ("quantity = 1 OR quantity = 0", [False, False, False]),
    ],
)
def test_a_rule_is_violated_only_where_it_is_false(text, expected):
    assert violated(text) == expected


def test_arithmetic_is_exact():
    columns = {
        "a": pa.array([Decimal("0.1")], pa.decimal128(18, 4)),
        "b": pa.array([Decimal("0.2")], pa.decimal128(18, 4)),
    }
    rule = expression.parse("a + b = 0.3", {"a": "money", "b": "money"})
    assert evaluate.violated(rule, columns.__getitem__).tolist() == [False]


def test_numbers_of_many_digits_are_reckoned_exactly_too():
    big = Decimal("12345678901234567890123456.1")
    columns = {"a": pa.array([big], pa.decimal128(38, 10))}
    rule = expression.parse("a * 2 = 24691357802469135780246912.2", {"a": "decimal"})
    assert evaluate.violated(rule, columns.__getitem__).tolist() == [False]
    rule = expression.parse("a * a > a", {"a": "decimal"})
    assert evaluate.violated(rule, columns.__getitem__).tolist() == [False]


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("weight = 0.0311844754375", True),
        ("weight + 0 = weight", True),
        ("weight - weight = 0", True),
        ("weight > 0.0311844754374999999999", True),
        ("weight < 0.0311844754374999999999", False),
        ("weight >= share", True),
        ("weight > 0.031184475437499999999999999999", True),
        ("weight / weight = 1", True),
        ("price / weight > 320", True),
        ("weight * weight * weight > 0", True),
        ("share > 0.00000000001", True),
        ("-share < 0.00000000001", True),
        ("share * share * share * price > quantity", None),
        ("huge + weight > huge", True),
        ("huge >= weight", True),
        ("huge = price", False),
    ],
)
def test_measures_and_decimals_are_compared_exactly_whatever_their_places(text, held):
    kinds = {"weight": "measure", "share": "decimal", "huge": "decimal", "price": "money", "quantity": "integer"}
    columns = {
        "_base.weight": pa.array(["0.0311844754375 kg"]),
        "share": pa.array([Decimal("0.0000000001")], pa.decimal128(38, 10)),
        "huge": pa.array([Decimal("9" * 28)], pa.decimal128(38, 10)),
        "price": pa.array([Decimal(10)], pa.decimal128(18, 4)),
        "quantity": pa.array([None], pa.int64()),
    }
    for rule, broken in ((text, held is False), (f"not ({text})", held is True)):
        assert evaluate.violated(expression.parse(rule, kinds), columns.__getitem__).tolist() == [broken]


@pytest.mark.parametrize("count", [1, 2, 3, 480, 5000])
def test_a_list_may_have_any_number_of_values(count):
    texts = ", ".join(f"'c{number}'" for number in range(count - 1))
    numbers = ", ".join(str(number + 100) for number in range(min(count, 600) - 1))
    days = ", ".join(f"'2000-01-{number % 28 + 1:02}'" for number in range(min(count, 600) - 1))
    assert violated(f"color in ({texts}{', ' if texts else ''}'Red')") == [False, True, False]
    assert violated(f"color not in ({texts}{', ' if texts else ''}'Red')") == [True, False, False]
    assert violated(f"quantity in ({numbers}{', ' if numbers else ''}1.0)") == [False, True, False]
    assert violated(f"day in ({days}{', ' if days else ''}'2026-01-01')") == [False, True, False]
    assert violated(f"visible or 'a' in ({texts}{', ' if texts else ''}'a')") == [False, False, False]


def test_the_deepest_rule_that_is_understood_is_worked_out():
    assert violated(" + ".join(["quantity"] * 300) + " = 300") == [False, True, False]
    assert violated(" and ".join(["quantity = 1"] * 300)) == [False, True, False]
    with pytest.raises(operators.Malformed, match="too long"):
        expression.parse(" + ".join(["quantity"] * 400) + " = 300", KINDS)


def test_what_is_too_large_to_be_reckoned_stays_open():
    columns = {"a": pa.array([Decimal("9" * 28)], pa.decimal128(38, 10))}
    for rule in ("a * a * a > 1", "a * a * a < 1", "a / 0 > 1"):
        told = expression.parse(rule, {"a": "decimal"})
        assert evaluate.violated(told, columns.__getitem__).tolist() == [False]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "cannot be understood at its end"),
        ("msrp", "a rule must be true or false"),
        ("1 = 1", "names no column"),
        ("msrp >= colr", "there is no column 'colr'; did you mean 'color'?"),
        ("msrp = name", "cannot compare number with text"),
        ("name and visible", "both sides of 'and'"),
        ("name + 1 = 2", "needs numbers on both sides"),
        ("not name", "'not' needs"),
        ("-name = 1", "'-' needs a number"),
        ("visible < true", "have no order"),
        ("images = 'a'", "cannot compare"),
        ("attribute = 'a'", "cannot compare"),
        ("length(msrp) > 1", "needs a text or a list"),
        ("lower(msrp) = 'a'", "needs a text"),
        ("upper(name) = 'A'", "there is no function 'upper'"),
        ("__import__('os') is null", "there is no function '__import__'"),
        ("read_csv('/etc/passwd') is null", "there is no function"),
        ("name = 'a'; drop table x", "cannot read"),
        ("name.upper = 'A'", "cannot read"),
        ("msrp > 1 > 0", "a comparison has two sides"),
        ("msrp > 1 cost", "cannot be understood at 'cost'"),
        ("(msrp > 1", "cannot be understood at '('"),
        ("msrp >", "cannot be understood at its end"),
        ("msrp in ()", "plain values"),
        ("msrp in (cost)", "plain values"),
        ("msrp not 1", "cannot be understood at '1'"),
        ("msrp = null", "'null' stands behind 'is'"),
        ("(msrp, cost) = 1", "has brackets or signs"),
        ("msrp is 1", "expected 'null'"),
        ("day > 'soon'", "is no ISO 8601 date"),
        ("(" * 250 + "visible" + ")" * 250, "cannot be understood"),
        ("not " * 5000 + "visible", "is too long"),
        ("lower(" * 150 + "name" + ")" * 150, "a rule must be true or false"),
    ],
)
def test_what_is_not_in_the_language_is_refused_with_a_reason(text, complaint):
    with pytest.raises(operators.Malformed) as caught:
        expression.parse(text, KINDS)
    assert complaint in str(caught.value)


def test_constants_too_long_for_the_fast_way_are_reckoned_too():
    big = "9" * 30
    rule = expression.parse(f"{big} * {big} > quantity", KINDS)
    assert evaluate.violated(rule, COLUMNS.__getitem__).tolist() == [False, False, False]
