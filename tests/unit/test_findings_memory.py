"""All findings are written, however many, in the memory a worker has: measured in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sftp_gateway.catalog import engine
from tests.bench import rows as bench
from tests.catalog_shop import Shop

TESTS = Path(__file__).parents[1]
RUN = """
import json, sys
sys.path[:0] = [{tests!r}, {root!r}]
from pathlib import Path
from catalog_shop import Shop
folder = Path(sys.argv[1])
outcome = Shop(folder).put(folder / "catalog.csv")
files = {{made.kind: made.path for made in outcome.made}}
print(json.dumps({{
    "state": outcome.state,
    # Not ru_maxrss: that is never less than what the process that started this one ever had.
    "peak": next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024,
    "counts": {{one["code"]: one["count"] for one in outcome.receipt["findings"] if one["severity"] == "error"}},
    "errors": sum(1 for _ in files["errors"].open("rb")),
    "corrections": sum(1 for _ in files["corrections"].open("rb")),
}}))
"""


def peak(folder: Path, rows: int) -> int:
    """Refuse a file of which every row has two findings; the process's peak of resident memory in bytes."""
    folder.mkdir()
    with (folder / "catalog.csv").open("w") as out:
        out.write("sku,name,msrp\n")
        out.writelines(f"SKU-{at:08},,x\n" for at in range(rows))
    call = [sys.executable, "-c", RUN.format(tests=str(TESTS), root=str(TESTS.parent)), str(folder)]
    told = json.loads(subprocess.run(call, check=True, capture_output=True, timeout=500).stdout)
    assert told["state"] == "refused"
    assert told["counts"] == {"FIELD_REQUIRED": rows, "FIELD_TYPE": rows}
    assert told["corrections"] == rows + 1
    assert told["errors"] >= 2 * rows + 1
    return int(told["peak"])


@pytest.mark.full
@pytest.mark.timeout(600)
def test_three_million_findings_stay_within_the_memory_of_a_worker(tmp_path):
    assert peak(tmp_path / "many", 1_500_000) < 900 * 1024**2  # worker.memory_bytes is 1 GiB


@pytest.mark.full
def test_a_large_catalog_whose_rows_are_all_rejected_is_more_than_the_small_engine_holds(tmp_path):
    """The rows of 292,500 products are ragged: the products stay and are copied whole, 8 MB on disk, 300 MB in memory."""
    bench.write(tmp_path / "first.csv", bench.first_day(300_000, 0))
    ragged = (
        line if number < 6000 else line.rsplit(",", 2)[0] for number, line in enumerate(bench.next_day(300_000, 0))
    )
    bench.write(tmp_path / "next.csv", ragged)
    shop = Shop(tmp_path)
    assert shop.put(tmp_path / "first.csv").state == "published"
    assert shop.base.path.stat().st_size < engine.SMALL_BYTES
    outcome = shop.put(tmp_path / "next.csv")
    assert outcome.state == "held"
    assert outcome.receipt["findings"][0]["count"] == 294_000
