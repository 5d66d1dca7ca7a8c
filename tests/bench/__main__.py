"""`make bench`: measures beside peers in the same run and writes docs/benchmarks.md."""

import argparse
import compileall
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import beside, checks, door, growth, jobs, latency, measure, sheets

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"


Part = Callable[[Path], list[str]]


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--growth", action="store_true", help="also bad rows, another order, more columns")
    parser.add_argument("--large", type=int, metavar="ROWS", help="also a catalog of this size, once")
    parser.add_argument("only", nargs="*", metavar="PART", help="print these alone; the page stays")
    options = parser.parse_args()
    known = parts(options)
    if unknown := set(options.only) - set(known):
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(known)}")
    # As it is where it was installed, and as the peers are: in a checkout each start may compile hundreds of modules anew.
    compileall.compile_dir(ROOT / "sftp_gateway", quiet=1)
    wanted = {name: part for name, part in known.items() if not options.only or name in options.only}
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`. Machines are noisy: read the ratios, each measured beside its peer in the same run, in turn.",
        "Peak memory is the summed proportional set size of all processes.",
        "",
        f"Machine: {measure.machine()}. Commit {commit.stdout.strip()}, {datetime.now(UTC):%Y-%m-%d}.",
    ]
    for title, part in wanted.values():
        print(f"{datetime.now(UTC):%H:%M:%S}", title, file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="sftp-gateway-bench-") as folder:
            lines += ["", f"## {title}", "", *part(Path(folder))]
    text = "\n".join(lines) + "\n"
    if not options.only:
        PAGE.write_text(text)
    print(text)


def parts(options: argparse.Namespace) -> dict[str, tuple[str, Part]]:
    """Give what can be measured, by name: the title, and what measures in an empty directory."""
    count, rounds, large = options.rows, options.rounds, options.large
    found: dict[str, tuple[str, Part]] = {
        "job": ("The whole job", lambda folder: jobs.whole_job(folder, count, rounds)),
        "checks": ("Only checking", lambda folder: checks.checked_only(folder, count // 10, rounds)),
        "sheets": ("A workbook", lambda folder: sheets.workbook(folder, count // 10, rounds)),
        "small": ("A small file", lambda _: latency.small_files(options.files)),
        "beside": ("Beside a large catalog", lambda folder: beside.while_large(folder, large or 5 * count)),
        "door": ("The front door beside OpenSSH", lambda folder: door.table(folder, door.Sizes(), rounds)),
    }
    if options.growth:
        found["growth"] = ("Growth", lambda folder: growth.growth(folder, count, rounds))
    if large:
        found["large"] = ("A large catalog", lambda folder: growth.large(folder, large))
    return found


if __name__ == "__main__":
    main()
