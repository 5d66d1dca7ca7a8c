import pyarrow as pa
import pytest

from sftp_gateway.catalog import spool

SCHEMA = pa.schema([("row", pa.int64()), ("text", pa.string())])


def part(first, count):
    return pa.table([list(range(first, first + count)), ["x" * 50] * count], schema=SCHEMA)


@pytest.mark.parametrize("limit", [0, 100_000, 10**9])
def test_what_goes_in_comes_out_in_order_any_number_of_times(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(spool, "LIMIT_BYTES", limit)
    kept = spool.Spool(tmp_path / "spool", SCHEMA)
    for first in range(0, 3000, 100):
        kept.add(part(first, 100))
    kept.add(part(0, 0))
    for _ in range(2):
        assert pa.Table.from_batches(kept.batches())["row"].to_pylist() == list(range(3000))
        assert len(list(kept.batches())) == (30 if limit == 0 else 2 if limit == 100_000 else 1)
    assert kept.reader().read_all().num_rows == kept.rows == 3000
    assert (tmp_path / "spool").exists() == (limit < 10**9)
    kept.remove()
    assert not (tmp_path / "spool").exists()


def test_many_rows_do_not_stay_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(spool, "LIMIT_BYTES", 100_000)
    kept = spool.Spool(tmp_path / "spool", SCHEMA)
    before = pa.total_allocated_bytes()
    for first in range(0, 400_000, 4000):
        kept.add(part(first, 4000))
    assert pa.total_allocated_bytes() - before < 1_000_000
    assert sum(batch.num_rows for batch in kept.batches()) == 400_000
    kept.remove()


def test_an_empty_spool_gives_nothing(tmp_path):
    kept = spool.Spool(tmp_path / "spool", SCHEMA)
    assert list(kept.batches()) == []
    kept.remove()
