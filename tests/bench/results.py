"""`make test-all` ends here: its JUnit file, or those of its parts, become docs/test-results.md, a row for each file of tests."""

import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.bench import measure

PAGE = Path(__file__).parents[2] / "docs" / "test-results.md"


def main(*paths: str) -> None:
    """Write the page from JUnit files of pytest, runs of the same commit one after the other."""
    suites = [ET.parse(path).getroot()[0] for path in paths]
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    seconds: dict[str, float] = defaultdict(float)
    skipped: set[str] = set()
    for case in (case for suite in suites for case in suite.iter("testcase")):
        name = case.get("classname", "").removeprefix("tests.").replace(".", "/") + ".py"
        ended = {child.tag for child in case} & {"failure", "error", "skipped"}
        counts[name][ended.pop() if ended else "passed"] += 1
        seconds[name] += float(case.get("time", 0))
        skipped |= {child.get("message", "") for child in case if child.tag == "skipped"}
    total = sum(counts.values(), Counter())
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    lines = [
        "# The last run of `make test-all`",
        "",
        f"Machine: {measure.machine()}. Commit {commit.stdout.strip()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
        f"{_counted(total)}; {sum(float(suite.get('time', 0)) for suite in suites) / 60:.0f} minutes{_runs(paths)}.",
        "",
        "| tests | passed | failed | skipped | seconds |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name in sorted(counts):
        of = counts[name]
        row = (of["passed"], of["failure"] + of["error"], of["skipped"], round(seconds[name]))
        lines.append(f"| {name} | {' | '.join(f'{figure:,}' for figure in row)} |")
    lines += ["", "Skipped:", "", *(f"* {reason}" for reason in sorted(skipped))] if skipped else []
    PAGE.write_text("\n".join(lines) + "\n")
    print("\n".join(lines[2:4]))


def _runs(paths: Sequence[str]) -> str:
    return f" in {len(paths)} runs, one after the other" if len(paths) > 1 else ""


def _counted(of: Counter[str]) -> str:
    return f"{of['passed']:,} passed, {of['failure'] + of['error']} failed, {of['skipped']} skipped"


if __name__ == "__main__":
    main(*sys.argv[1:])
