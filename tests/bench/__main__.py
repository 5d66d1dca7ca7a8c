"""`make bench`: measures beside peers in the same run and writes docs/benchmarks.md."""

import argparse
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import door, growth, jobs, latency, measure

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--growth", action="store_true", help="also bad rows, another order, more columns")
    parser.add_argument("--large", type=int, metavar="ROWS", help="also a catalog of this size, once")
    parser.add_argument(
        "only", nargs="?", choices=["door"], help="measure and print this alone; the page stays as it is"
    )
    options = parser.parse_args()
    if options.only == "door":
        with tempfile.TemporaryDirectory(prefix="sftp-gateway-bench-") as folder:
            print("\n".join([measure.machine(), "", *door.table(Path(folder), door.Sizes(), options.rounds)]))
        return
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    parts = [
        "# Benchmarks",
        "",
        "Written by `make bench`. Machines are noisy: read the ratios, each measured beside its peer in the same run, in turn.",
        "Peak memory is the summed proportional set size of all processes.",
        "",
        f"Machine: {measure.machine()}. Commit {commit}, {datetime.now(UTC):%Y-%m-%d}.",
    ]
    with tempfile.TemporaryDirectory(prefix="sftp-gateway-bench-") as folder:
        parts += ["", "## The whole job", "", *jobs.whole_job(Path(folder), options.rows, options.rounds)]
        if options.growth:
            parts += ["", "## Growth", "", *growth.growth(Path(folder), options.rows, options.rounds)]
        if options.large:
            parts += ["", "## A large catalog", "", *growth.large(Path(folder), options.large)]
    parts += ["", "## A small file", "", *latency.small_files(options.files)]
    with tempfile.TemporaryDirectory(prefix="sftp-gateway-bench-") as folder:
        parts += ["", "## The front door beside OpenSSH", "", *door.table(Path(folder), door.Sizes(), options.rounds)]
    text = "\n".join(parts) + "\n"
    PAGE.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
