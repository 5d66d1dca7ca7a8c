import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sftp_gateway.catalog import once
from sftp_gateway.catalog.once import Once
from sftp_gateway.catalog.stage import Stage, Staged
from sftp_gateway.catalog.types.cells import Cells


def noted(*parts):
    values = Once()
    for part in parts:
        values.add(pa.array(part, pa.string()))
    return values


@given(st.lists(st.text(max_size=40), min_size=1, max_size=60))
def test_hashes_are_equal_exactly_where_texts_are(texts):
    found = once.hashes(Cells(pa.array(texts, pa.string())))
    assert len(set(found.tolist())) == len(set(texts))
    assert found.tolist() == [once.hashes(Cells(pa.array([text])))[0] for text in texts]


@given(st.lists(st.text("ab\0é", max_size=3), max_size=12), st.integers(1, 5))
def test_a_value_that_comes_twice_is_told_in_whatever_parts_they_come(texts, size):
    parts = [texts[at : at + size] for at in range(0, len(texts), size)]
    assert noted(*parts).may_repeat is (len(set(texts)) < len(texts))


def test_texts_that_differ_in_one_bit_anywhere_differ_in_their_hash():
    plain = b"0123456789abcdefghijk"
    flips = [(place, bit) for place in range(len(plain)) for bit in range(7)]
    near = {plain[:place] + bytes([plain[place] ^ 1 << bit]) + plain[place + 1 :] for place, bit in flips}
    texts = [text.decode() for text in {plain, *near}]
    assert len(set(once.hashes(Cells(pa.array(texts))).tolist())) == len(texts) == 148


def test_a_slice_has_the_hashes_of_its_own_texts():
    texts = pa.array([f"SKU-{number:09}" for number in range(50)])
    assert (once.hashes(Cells(texts.slice(7, 20))) == once.hashes(Cells(texts))[7:27]).all()


def test_nulls_do_not_repeat():
    assert not noted([None, "a", None], [None, "b"]).may_repeat
    assert noted([None, "a", None], [None, "a"]).may_repeat
    assert not Once().may_repeat


def test_more_values_than_are_held_are_left_to_the_database(monkeypatch):
    monkeypatch.setattr(once, "MOST_VALUES", 3)
    values = noted(["a"], ["b", "c", "d"], ["e"])
    assert values.may_repeat and values._values.base is None
    assert not noted(["a"], ["b", "c"]).may_repeat


@pytest.mark.parametrize("again", [0, 199_999])
def test_what_is_held_grows_and_is_let_go_of_once_it_is_told(again):
    parts = [[f"K-{number}" for number in range(start, start + 40_000)] for start in range(0, 200_000, 40_000)]
    assert not noted(*parts).may_repeat
    values = noted(*parts, [f"K-{again}"])
    assert [values.may_repeat, values.may_repeat] == [True, True]
    assert values._values.nbytes == 0 and values._values.base is None


@pytest.fixture
def stage(tmp_path):
    made = Stage(tmp_path, [("sku",), ("gtin",)])
    yield made
    made.close()


def staged(skus, gtins):
    table = pa.table({"sku": pa.array(skus, pa.string()), "gtin": pa.array(gtins, pa.string())})
    return Staged(table, np.arange(len(skus)))


def test_a_stage_tells_of_the_columns_that_it_looked_at(stage):
    for rows in (staged(["a", "b"], ["1", None]), staged(["c"], ["1"])):
        stage.look(rows.table)
        stage.add(rows)
    assert not stage.may_repeat(("sku",))
    assert stage.may_repeat(("gtin",))
    assert stage.may_repeat(("other",))
    assert stage.repeats


def test_a_stage_that_did_not_look_at_all_rows_knows_nothing(stage):
    rows = staged(["a", "b"], ["1", "2"])
    stage.add(rows)
    assert stage.may_repeat(("sku",))
