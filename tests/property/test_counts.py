"""The figures of every receipt add up, over generated files, mutated catalogs and every mode (spec §8)."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sftp_gateway.upload import Mode, State
from tests.catalog_shop import Shop, sheet, small_rules

COLUMNS = ("sku", "name", "price", "stock", "_op")

key = st.sampled_from([*(f"k{n}" for n in range(8)), "", " k1 ", "x" * 65])
name = st.sampled_from(["a", "b", "", "\\N", "=1+1", "two\nlines"])
price = st.sampled_from(["1", "1.00", "2.5", "", "cheap", "-1", "1e400"])
stock = st.sampled_from(["1", "2", "", "1.5", "x"])
op = st.sampled_from(["", "", "", "delete", "DELETE", "explode"])
row = st.tuples(key, name, price, stock, op)
damage = st.sampled_from(
    ["", "", "", "k9,too,few\r\n", 'k3,"stray" quote,1,1,\r\n', "a,b,c,d,e,f,g\r\n", "\r\n", "k5,\x00,1,1,\r\n"]
)
mode = st.sampled_from([Mode.FULL, Mode.FULL, Mode.PARTIAL, Mode.TEST])
files = st.lists(st.tuples(mode, st.lists(row, max_size=12), damage), min_size=1, max_size=3)


@settings(max_examples=50, derandomize=True, deadline=None)
@given(files)
def test_figures_add_up_whatever_is_sent(sent):
    folder = Path(tempfile.mkdtemp())
    try:
        shop = Shop(folder, small_rules(folder))
        for how, rows, broken in sent:
            before = shop.products()
            outcome = shop.put(sheet(rows, COLUMNS) + broken, mode=how)  # Shop.put checks the figures
            assert outcome.receipt["rows"]["read"] <= len(rows) + 1
            if outcome.version is None:
                assert shop.products() == before
            else:
                assert len(shop.products()) == outcome.products == outcome.receipt["products"]["after"]
            if outcome.state is State.UNCHANGED:
                assert outcome.receipt["changes"]["updated"] == 0
            _errors_agree(shop, outcome)
            _correct(shop, outcome)
    finally:
        shutil.rmtree(folder)


def _errors_agree(shop, outcome):
    """The error file holds as many lines as the receipt counts, and a rejected row has an error in it."""
    errors = shop.errors(outcome)
    assert len(errors) == sum(finding["count"] for finding in outcome.receipt["findings"])
    rejected = {error["row"] for error in errors if error["severity"] == "error" and error["row"]}
    if outcome.state not in (State.REFUSED, State.UNFINISHED) and outcome.receipt.get("would_be") != "refused":
        assert len(rejected) == outcome.receipt["rows"]["rejected"]


def _correct(shop, outcome):
    """Rows sent back unchanged are rejected again, and change nothing."""
    if not any(made.kind == "corrections" for made in outcome.made) or outcome.state is State.HELD:
        return
    before = shop.products()
    again = shop.put(shop.file(outcome, "corrections"), name="fix.csv")
    assert again.state is State.REFUSED, again.receipt
    if again.reasons[0]["code"] == "FILE_NO_VALID_ROW":
        assert again.receipt["rows"]["rejected"] == outcome.receipt["rows"]["rejected"]
    assert shop.products() == before
