import numpy as np
import pyarrow as pa
import pytest

from sftp_gateway.catalog import stage
from sftp_gateway.catalog.stage import Stage, Staged


@pytest.fixture
def staged(tmp_path):
    made = Stage(tmp_path)
    for skus, gtins in ((["a", "b"], ["1", None]), (["c", "a"], ["2", None])):
        table = pa.table({"sku": pa.array(skus, pa.string()), "gtin": pa.array(gtins, pa.string())})
        made.add(Staged(table, np.arange(len(skus))))
    made.finish()
    yield made
    made.close()


def test_a_small_stage_tells_whether_a_value_comes_twice_and_blanks_are_none(staged):
    assert staged.may_repeat(("sku",))
    assert not staged.may_repeat(("gtin",))
    assert not staged.may_repeat(("sku", "gtin"))


def test_a_stage_on_disk_leaves_that_to_the_database(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "MEMORY_BYTES", -1)
    made = Stage(tmp_path)
    made.add(Staged(pa.table({"sku": pa.array(["a", "b"])}), np.arange(2)))
    made.finish()
    assert made.may_repeat(("sku",))
    made.close()
