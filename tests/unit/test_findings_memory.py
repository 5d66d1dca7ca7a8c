"""All findings are written, however many: in constant memory, measured in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
RUN = """
import json, resource, sys
sys.path[:0] = [{tests!r}, {root!r}]
from pathlib import Path
from catalog_shop import Shop
folder = Path(sys.argv[1])
outcome = Shop(folder).put(folder / "catalog.csv")
files = {{made.kind: made.path for made in outcome.made}}
print(json.dumps({{
    "state": outcome.state,
    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
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
    assert told["counts"] == {"FILE_NO_VALID_ROW": 1, "FIELD_REQUIRED": rows, "FIELD_TYPE": rows} | told["counts"]
    assert told["corrections"] == rows + 1
    assert told["errors"] >= 2 * rows + 1
    return int(told["peak"])


@pytest.mark.full
@pytest.mark.timeout(600)
def test_five_times_as_many_findings_take_no_more_memory(tmp_path):
    few, many = peak(tmp_path / "few", 300_000), peak(tmp_path / "many", 1_500_000)
    assert many < few * 1.35, (few, many)
    assert many < 768 * 1024**2
