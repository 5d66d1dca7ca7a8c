"""`brand set NAME KEY=VALUE`: what it understands, and what it says otherwise."""

import re

import pytest

from sftp_gateway import brandset
from sftp_gateway.brand import BrandSettings, Guards
from sftp_gateway.errors import NotFound

COLUMNS = frozenset({"sku", "name", "msrp"})


def put(*pairs: str, start: BrandSettings | None = None) -> BrandSettings:
    return brandset.apply(start or BrandSettings(), pairs, COLUMNS)


def test_every_documented_key_is_understood():
    settings = put(
        "columns.sku=Handle", "encoding=latin1", "delimiter=tab", "quote='", "decimal=,", "date_order=DMY",
        "timezone=Europe/Amsterdam", "sheet=Products", "currency=eur", "mode=partial", "duplicates=refuse",
        "unknown_columns=keep", r"name_pattern=feed-(?P<date>\d{8})\.csv", "marker=.done", "allow_from=10.0.0.0/8, 192.0.2.7", "contact=a@b.example",
        "expect_every=24 h", "guards.removal_share=0.4", "guards.removal_products=10",
    )  # fmt: skip
    assert settings.columns == {"sku": "Handle"}
    assert (settings.encoding, settings.delimiter, settings.quote) == ("iso8859-1", "\t", "'")
    assert settings.allow_from == "10.0.0.0/8,192.0.2.7/32"
    assert (settings.currency, settings.date_order, settings.mode) == ("EUR", "dmy", "partial")
    limits = settings.guard_limits(Guards())
    assert (limits.removal_share, limits.removal_products, limits.reject_share) == (0.4, 10, 0.1)


def test_an_empty_value_goes_back_to_the_default():
    settings = put("columns.sku=Handle", "currency=EUR", "guards.removal_share=0.4")
    assert put("columns.sku=", "currency=", "guards.removal_share=", start=settings) == BrandSettings()


def test_times_of_guards_take_units_as_in_gateway_toml():
    for given, seconds in (("20 s", 20), ("10 min", 600), ("2h", 7200), ("90", 90), ("0", 0)):
        limits = put(f"guards.confirm_after_seconds={given}").guard_limits(Guards())
        assert limits.confirm_after_seconds == seconds


def test_a_guard_of_zero_is_a_value():
    assert put("guards.reject_rows=0").guard_limits(Guards()).reject_rows == 0


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("curency=EUR", "no such setting; did you mean currency?"),
        ("columns.skuu=Handle", "no such column; did you mean sku?"),
        ("guards.removal=1", "no such guard; did you mean removal_share?"),
        ("guards.removal_share=120", "out of range"),
        ("guards.removal_share=much", "not a number"),
        ("guards.removal_share=nan", "not a number"),
        ("guards.removal_products=inf", "not a number"),
        ("guards.reject_rows=2.5", "guards.reject_rows: 2.5 is no whole number"),
        ("guards.price_rows=20 s", "not a number"),
        ("guards.price_rows=-1", "below 0"),
        ("guards.confirm_after_seconds=soon", 'a time such as "20 s"'),
        ("guards.confirm_after_seconds=-5", 'a time such as "20 s"'),
        ("guards.confirm_after_seconds=5 moons", 'a time such as "20 s"'),
        ("guards.confirm_after_seconds=0.5 s", "0.5 s is no whole number of seconds"),
        ("encoding=klingon", "no encoding known here"),
        ("encoding=hex", "no encoding known here"),
        ("encoding=rot13", "no encoding known here"),
        ("encoding=cp037", "commas"),
        ("encoding=cp500", "commas"),
        ("encoding=idna", "commas"),
        ("encoding=punycode", "commas"),
        ("delimiter=:", "give comma, semicolon, tab or pipe"),
        ("timezone=Mars/Olympus", "no time zone"),
        ("timezone=Europe", "no time zone"),
        ("currency=EURO", "no ISO 4217 code"),
        ("name_pattern=(", "not a regular expression"),
        ("name_pattern=" + "(" * 5000, "not a regular expression"),
        ("name_pattern=a{5000000000}", "not a regular expression: the repetition number is too large"),
        ("name_pattern=x", "name a group"),
        (r"name_pattern=(\w+)*_(?P<date>\d+)\.csv", "name_pattern: some names could take very long to match"),
        ("contact=nobody", "no mail address"),
        ("contact=utf-8@,x:y;", "no mail address"),
        ("contact=<a@b.example>", "no mail address"),
        ("expect_every=soon", "give a time"),
        ("expect_every=99999999999999999 d", "give a time"),
        ("mode=test", "is none of full, partial"),
        ("marker=done", "give an ending"),
        ("currency", "give KEY=VALUE"),
    ],
)
def test_what_is_wrong_is_said_with_its_key(pair, said):
    with pytest.raises(NotFound, match=re.escape(said)):
        put(pair)


@pytest.mark.parametrize(
    "name", ["utf-8", "utf-16", "utf-16-be", "utf-32", "cp1252", "cp932", "gb18030", "mac-roman", "koi8-r"]
)
def test_encodings_that_catalogs_come_in_are_taken(name):
    assert put(f"encoding={name}").encoding


@pytest.mark.parametrize("other", ["Title", "title ", "TI-TLE"])
def test_one_header_cannot_fill_two_columns(other):
    said = re.escape("columns.msrp: 'Title' is the header of name already")
    for start, pairs in (
        (None, ["columns.name=Title", f"columns.msrp={other}"]),
        (put("columns.name=Title"), [f"columns.msrp={other}"]),
    ):
        with pytest.raises(NotFound, match=said.replace("Title", re.escape(other.strip()))):
            put(*pairs, start=start)


def test_two_columns_may_change_their_headers_and_what_was_saved_before_stands():
    start = put("columns.name=Title", "columns.msrp=Price")
    assert put("columns.name=Price", "columns.msrp=Title", start=start).columns == {"name": "Price", "msrp": "Title"}
    assert put("columns.name=", "columns.msrp=Title", start=start).columns == {"msrp": "Title"}
    twice = BrandSettings(columns={"name": "Title", "msrp": "title"})
    assert put("currency=EUR", start=twice).columns == twice.columns


def test_one_wrong_pair_changes_nothing():
    with pytest.raises(NotFound):
        put("currency=EUR", "mode=sometimes")
