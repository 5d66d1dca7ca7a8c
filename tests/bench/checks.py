"""Only checking, the whole process each: a test upload, beside three libraries that check tables."""

import os
import statistics
import sys
from pathlib import Path

from sftp_gateway.worker import nursery
from tests.bench import jobs, measure, rows

PYTHON = Path(__file__).parents[2] / ".cache" / "peers" / "bin" / "python"
PEERS = {
    "dataframely": ("dataframely",),
    "pandera on polars": ("pandera", "polars"),
    "pandera on pandas": ("pandera", "pandas"),
    "frictionless": ("frictionless",),
}
"""Which script each is, and what it is told before the file."""


def checked_only(folder: Path, count: int, rounds: int) -> list[str]:
    """Lines of a Markdown table; the peers' rules are those that their schemas can say."""
    if not PYTHON.exists():
        raise SystemExit(f"{PYTHON} is missing; `make bench` installs the peers")
    file = folder / "checked.csv"
    rows.write(file, rows.first_day(count, 0.01))
    gateway = jobs.Gateway(folder / "checking")
    runs: dict[str, list[measure.Run]] = {
        "gateway, `ingest --mode test`": [],
        "gateway, reading and checking alone": [],
    }
    for _ in range(rounds):
        runs["gateway, `ingest --mode test`"].append(gateway.ingest(file, "--mode", "test"))
        alone = [sys.executable, "-m", "tests.bench.check_alone", str(file)]
        child = os.environ | nursery.QUIET_LIBRARIES | nursery.KEPT_MEMORY
        runs["gateway, reading and checking alone"].append(measure.run(alone, child))
        for name, (peer, *words) in PEERS.items():
            script = Path(__file__).with_name(f"peer_{peer}.py")
            runs.setdefault(name, []).append(
                measure.run([str(PYTHON), str(script), *words, str(file), str(folder / peer)])
            )
    gateway.close()
    said = (
        f"{count:,} rows, 1 % bad, median of {rounds}. Alone: the process starts, reads and checks with the settings of a worker's "
        "child, and keeps nothing; `ingest` also copies, syncs, compares, and writes history, findings and corrections."
    )
    lines = [said, "", "| checker | seconds | peak |", "| --- | --- | --- |"]
    for name, found in runs.items():
        seconds = statistics.median(run.seconds for run in found)
        lines.append(f"| {name} | {seconds:.2f} s | {max(run.peak_bytes for run in found) / 2**20:,.0f} MiB |")
    return lines
