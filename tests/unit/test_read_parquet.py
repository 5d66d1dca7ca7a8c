"""Parquet files as other programs write them: columns of bytes, columns that hold columns."""

import io

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.catalog_shop import Shop, codes, sheet
from tests.unit.reading import read


def made(columns, **how):
    out = io.BytesIO()
    parquet.write_table(pa.table(columns), out, **how)
    return out.getvalue()


WRONG, RIGHT = b"Caf\xe9", "Café".encode()
BYTES = [pa.binary(), pa.large_binary()]


def forged(values):
    """A column of texts whose bytes are none."""
    told = pa.array(values, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(told), told.buffers())


@pytest.mark.parametrize(
    "column", [*(pa.array([RIGHT, WRONG, None], kind) for kind in BYTES), forged([RIGHT, WRONG, None])]
)
def test_bytes_that_are_no_text_cost_their_row_only_and_its_product_stays(tmp_path, column):
    shop = Shop(tmp_path)
    shop.put(sheet([("A", "Old", "1.00"), ("B", "Old", "2.00"), ("C", "Old", "3.00")]))
    outcome = shop.put(made({"sku": ["A", "B", "C"], "msrp": ["1.50", "2.50", "3.50"], "name": column}))
    assert {sku: row["name"] for sku, row in shop.products().items()} == {"A": "Café", "B": "Old", "C": "Old"}
    assert codes(outcome) | {"ROW_ENCODING": 1} == codes(outcome)
    [told] = [line for line in shop.errors(outcome) if line["code"] == "ROW_ENCODING"]
    assert (told["row"], told["line"], told["key"]) == ("2", "", "B")


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (pa.list_(pa.binary()), [RIGHT], [b"x", WRONG]),
        (pa.struct([("W", pa.binary())]), {"W": RIGHT}, {"W": WRONG}),
        (pa.list_(pa.struct([("W", pa.binary())])), [{"W": RIGHT}], [{"W": WRONG}]),
        (pa.binary(4), b"abcd", b"\xff\xff\xff\xff"),
    ],
)
def test_no_column_of_bytes_makes_up_a_letter(tmp_path, kind, good, bad):
    for values in ([good, bad, None], [bad, bad, good]):
        found = read(tmp_path, made({"sku": ["A", "B", "C"], "size": pa.array(values, kind)}))
        assert [row[0] for row in found.rows] == [
            sku for sku, value in zip("ABC", values, strict=True) if value is not bad
        ]
        assert found.codes == ["ROW_ENCODING"] * values.count(bad)
        assert [reject.cells[0] for reject in found.rejects] == ["A", "B"][-values.count(bad) :]
        assert not any("\ufffd" in cell for row in found.rows for cell in row)


def test_a_row_whose_only_cell_is_no_text_is_not_blank(tmp_path):
    found = read(tmp_path, made({"sku": pa.array([b"A", b"\xff"])}, row_group_size=1))
    assert (found.rows, found.codes, found.notes) == ([("A",)], ["ROW_ENCODING"], [])
    assert found.rejects[0].finding.row == 2
