"""catalog.toml: the shipped one loads, and every mistake is named with its place."""

import pytest

from sftp_gateway.catalog.rules import schema
from sftp_gateway.errors import ConfigError

GOOD = 'key = ["sku"]\n[column.sku]\ntype = "text"\n'


def test_the_shipped_rules_have_every_column_of_the_contract():
    loaded = schema.load()
    assert loaded.key == ("sku",)
    assert [column.name for column in loaded.columns if column.required] == ["sku", "name", "msrp"]
    assert [column.name for column in loaded.columns if column.expected] == ["brand", "cost", "images", "gtin"]
    assert loaded.column("brand").default == "@brand"
    assert loaded.column("is_visible").default is True
    assert loaded.column("cost").exclusive_min == "0"
    assert loaded.column("gtin").aliases[:4] == ("gtinUpc", "gtinEan", "gtinIsbn", "gtinItf14")
    assert len(loaded.columns) == 28


def test_the_digest_changes_with_a_rule_and_not_with_a_comment():
    one = schema.parse(GOOD)
    assert schema.parse("# a comment\n" + GOOD).digest == one.digest
    assert schema.parse(GOOD + "max_length = 10\n").digest != one.digest


def test_a_key_column_is_required_without_saying_so():
    assert schema.parse(GOOD).column("sku").required


def test_limits_keep_their_exact_digits():
    loaded = schema.parse(GOOD + '[column.p]\ntype = "money"\nmin = 0.10\nmax = 1e3\n')
    assert (loaded.column("p").min, loaded.column("p").max) == ("0.10", "1000")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("key = [", "is not TOML"),
        ("kye = 1\n" + GOOD, "unknown key 'kye'; did you mean 'key'?"),
        ("[column.sku]\ntype='text'", "key must be a list"),
        ('key = ["skuu"]\n[column.sku]\ntype = "text"', "key names 'skuu', which is no column; did you mean 'sku'?"),
        ('key = ["i"]\n[column.i]\ntype = "list"', "key column 'i' has type list"),
        ('key = ["sku", "sku"]\n[column.sku]\ntype = "text"', "names a column twice"),
        ('key = ["sku"]', "there is no [column.NAME]"),
        ('key = ["sku"]\ncolumn = 3', "must be made of tables"),
        (GOOD + "requierd = true", "column.sku.requierd: there is no such key; did you mean 'required'?"),
        (GOOD.replace("text", "txet"), "did you mean 'text'?"),
        (GOOD + "required = 1", "column.sku.required: must be true or false"),
        (GOOD + "max_length = true", "column.sku.max_length: must be a whole number"),
        (GOOD + "max_length = -1", "must not be negative"),
        (GOOD + "min_length = 5\nmax_length = 4", "no value can be from 5 to 4"),
        (GOOD.replace("text", "money") + "min = 2\nmax = 1.5", "no value can be from 2 to 1.5"),
        (GOOD.replace("text", "money") + "exclusive_min = 2\nmax = 2", "no value can be from 2 to 2"),
        (GOOD + "min = 1", "column.sku.min: has no meaning for type text"),
        (GOOD + "pattern = '('", "column.sku.pattern: is no regular expression"),
        (GOOD + r"pattern = '\Qa'", "column.sku.pattern: is no regular expression"),
        (GOOD + "pattern = 'a|b)(?:c'", "column.sku.pattern: is no regular expression"),
        (GOOD + 'severity = "fatal"', "column.sku.severity: must be error, warning, info"),
        (GOOD + 'aliases = [""]', "column.sku.aliases: must be a list of texts"),
        (GOOD + '[column.p]\ntype = "money"\nmin = "a"', "column.p.min: must be a number"),
        (GOOD + '[column.p]\ntype = "money"\nscale = 5', "keeps at most 4"),
        (GOOD + '[column.e]\ntype = "enum"', "column.e.values: an enum needs"),
        (GOOD + '[column.e]\ntype = "enum"\nvalues = ["a"]\ndefault = "b"', "is not among the allowed values"),
        (GOOD + '[column.b]\ntype = "boolean"\ndefault = "yes"', "column.b.default: 'yes' is no boolean"),
        (GOOD + '[column.t]\ntype = "text"\ndefault = "@owner"', "only @brand and @currency"),
        (GOOD + '[column.l]\ntype = "list"\ndefault = "a"', "cannot have a default"),
        (GOOD + '[column.B]\ntype = "text"', "a column name is a-z"),
        (GOOD + '[column.file_row_number]\ntype = "text"', "no column can have this name"),
        (GOOD + '[column.s_ku]\ntype = "text"', "differ only in _"),
        (GOOD + '[column.a]\ntype = "text"\naliases = ["S K U"]', "'S K U' already means column 'sku'"),
        (GOOD + "[rule.r]\nmessage = 'x'", "rule.r.expression: is missing"),
        (GOOD + "[rule.r]\nexpression = 'skuu is null'", "there is no column 'skuu'; did you mean 'sku'?"),
        (GOOD + "[rule.r]\nexpression = 'sku is null'\nseverity = 'info'", "rule.r.severity: must be error, warning"),
        (GOOD + '[column.i]\ntype = "integer"\ndefault = 12.5', "column.i.default: '12.5' is not a whole number"),
        (GOOD + '[column.m]\ntype = "money"\ndefault = "1.23456"', "'1.23456' has more than 4 decimal places"),
        (GOOD + '[column.m]\ntype = "money"\nscale = 2\ndefault = 1.234', "has more than 2 decimal places"),
        (GOOD + '[column.m]\ntype = "money"\nmin = 1\ndefault = 0', "column.m.default: '0' is below 1"),
        (GOOD + '[column.c]\ntype = "currency"\ndefault = "EURO"', "'EURO' is not a currency code"),
        (GOOD + '[column.u]\ntype = "url"\ndefault = "nope"', "column.u.default: 'nope' is"),
        (GOOD + '[column.t]\ntype = "text"\nmax_length = 3\ndefault = "long"', "has 4 characters; t may have 3"),
        (GOOD + f'[column.d]\ntype = "decimal"\nmin = "{"9" * 39}"', "column.d.min: has too many digits"),
        (GOOD + f'[column.d]\ntype = "decimal"\nmin = "0.{"0" * 38}1"', "column.d.min: has too many digits"),
        (GOOD + f"[rule.r]\nexpression = 'length(sku) < {'9' * 80}'", "rule.r.expression: a number has at most 38"),
        (GOOD + f"[rule.r]\nexpression = '{' + '.join(['length(sku)'] * 1500)} > 0'", "is too long"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(text, complaint):
    with pytest.raises(ConfigError) as caught:
        schema.parse(text, "my.toml")
    assert str(caught.value).startswith("my.toml: ")
    assert complaint in str(caught.value)


def test_a_default_is_kept_as_its_column_reads_it():
    more = '[column.c]\ntype = "currency"\ndefault = "eur"\n[column.i]\ntype = "integer"\ndefault = "12.0"\n'
    loaded = schema.parse(GOOD + more + '[column.m]\ntype = "money"\ndefault = 1.50\n')
    assert [loaded.column(name).default for name in "cim"] == ["EUR", "12", "1.50"]


def test_a_file_that_cannot_be_read_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        schema.load(tmp_path / "none.toml")
