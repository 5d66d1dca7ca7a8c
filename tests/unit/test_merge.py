import numpy as np
import pyarrow as pa

from sftp_gateway.catalog.checking.typed import Typed
from sftp_gateway.catalog.comparing import merge

BASE = pa.schema(
    [
        ("sku", pa.string()),
        ("name", pa.string()),
        ("stock", pa.int64()),
        ("more", pa.string()),
        ("weight", pa.string()),
        ("extra", pa.string()),
        ("_base.weight", pa.string()),
    ]
)


def mask(*values):
    return np.array(values, dtype=bool)


def typed(given, cleared=None, **columns) -> Typed:
    count = len(columns["sku"])
    kinds = {"stock": pa.int64()}
    table = pa.table({name: pa.array(values, kinds.get(name, pa.string())) for name, values in columns.items()})
    return Typed(
        table,
        np.arange(2, 2 + count),
        None,
        None,
        table["sku"].combine_chunks(),
        mask(*[False] * count),
        {name: mask(*values) for name, values in given.items()},
        {name: mask(*values) for name, values in (cleared or {}).items()},
        mask(*[False] * count),
        mask(*[False] * count),
        {},
    )


def current(*rows):
    """Current products: (file row, sku, name, stock, more, weight, extra, base weight)."""
    columns = [pa.array([row[at] for row in rows], field.type) for at, field in enumerate(BASE, start=1)]
    return pa.table(
        [*columns, pa.array([row[0] for row in rows], pa.int64())], schema=BASE.append(pa.field("_row", pa.int64()))
    )


KNOWN = (2, "a", "A", 5, '{"x": "1"}', "30 in", "kept", "0.762 m")


def test_cells_that_are_given_replace_blank_ones_stay_and_cleared_ones_go():
    rows = typed(
        {"sku": [1, 1], "name": [1, 0], "stock": [0, 1]},
        {"stock": [1, 0]},
        sku=["a", "b"],
        name=["new", None],
        stock=[None, 7],
    )
    merged = merge.merge(rows, current(KNOWN), BASE)
    assert merged.table.to_pylist() == [
        {"sku": "a", "name": "new", "stock": None, "more": '{"x": "1"}', "weight": "30 in", "extra": "kept"},
        {"sku": "b", "name": None, "stock": 7, "more": None, "weight": None, "extra": None},
    ]
    assert merged.created.tolist() == [False, True]


def test_a_bad_cell_stays_blank_so_that_its_row_is_judged_by_it():
    rows = typed({"sku": [1], "stock": [1]}, sku=["a"], stock=[None])
    assert merge.merge(rows, current(KNOWN), BASE).table["stock"].to_pylist() == [None]


def test_measures_take_their_hidden_base_along():
    rows = typed(
        {"sku": [1, 1], "weight": [0, 1]}, sku=["a", "b"], weight=[None, "1 in"], **{"_base.weight": [None, "0.0254 m"]}
    )
    merged = merge.merge(rows, current(KNOWN, (3, *KNOWN[1:])), BASE)
    assert merged.table["weight"].to_pylist() == ["30 in", "1 in"]
    assert merged.table["_base.weight"].to_pylist() == ["0.762 m", "0.0254 m"]


def test_entries_of_maps_are_merged_one_by_one():
    rows = typed({"sku": [1, 1], "more": [1, 0]}, sku=["a", "b"], more=['{"x": null, "y": "2"}', None])
    merged = merge.merge(rows, current(KNOWN, (3, *KNOWN[1:])), BASE, frozenset({"more"}))
    assert merged.table["more"].to_pylist() == ['{"y": "2"}', '{"x": "1"}']


def test_two_rows_of_one_product_are_each_merged_with_the_current_one():
    rows = typed({"sku": [1, 1], "name": [1, 0], "stock": [0, 1]}, sku=["a", "a"], name=["n", None], stock=[None, 1])
    merged = merge.merge(rows, current(KNOWN, (3, *KNOWN[1:])), BASE)
    assert [(row["name"], row["stock"]) for row in merged.table.to_pylist()] == [("n", 5), ("A", 1)]


def test_current_products_come_block_by_block_in_file_order():
    from sftp_gateway.catalog.read.source import Block

    rows = current(*[(row, f"k{row}", *KNOWN[2:]) for row in (2, 3, 7, 8, 9, 20)])
    found = merge._Current(iter(rows.to_batches(max_chunksize=2)), BASE)
    block = lambda *numbers: Block((), np.array(numbers))  # noqa: E731
    assert found.of(block(2, 3, 4))["_row"].to_pylist() == [2, 3]
    assert found.of(block())["_row"].to_pylist() == []
    assert found.of(block(5, 6))["_row"].to_pylist() == []
    assert found.of(block(7, 8))["_row"].to_pylist() == [7, 8]
    assert found.of(block(9, 30))["_row"].to_pylist() == [9, 20]
    assert found.of(block(31))["_row"].to_pylist() == []
