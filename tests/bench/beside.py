"""What others notice while a large catalog is worked on: answers at the door, and how long a small file takes."""

import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import paramiko

from tests.bench import latency, rows

PAUSE_SECONDS = 0.02
"""Between two questions."""
QUESTIONS = 250
SMALL_FILES = 3


def while_large(folder: Path, count: int) -> list[str]:
    """Lines of a Markdown table: STAT in an idle session and 200 rows of another brand, alone and beside `count` rows."""
    large = folder / "large.csv"
    rows.write(large, rows.first_day(count, 0.01))
    with (
        latency.daemon(folder, "acme", "bolt") as gateway,
        gateway.connect("bolt") as client,
        client.open_sftp() as sftp,
    ):
        latency.receipt_seconds(sftp, folder, 0)
        lines = [_line("alone", sftp, folder, 1)]
        command = [*latency.GATEWAY, "ingest", "--brand", "acme", str(large)]
        with subprocess.Popen(command, env=gateway.environ, stdout=subprocess.DEVNULL) as work:
            lines.append(_line(f"beside {count:,} rows", sftp, folder, 100))
            if work.poll() is not None:
                lines += ["", "The large file was ready before the last of the small ones."]
    head = ["| gateway | STAT, median | STAT, p99 | worst | 200 rows beyond the settle time, median | worst |"]
    return [*head, "| --- | --- | --- | --- | --- | --- |", *lines]


def _line(name: str, sftp: paramiko.SFTPClient, folder: Path, first: int) -> str:
    answers = sorted(_answers(sftp))
    waits = [latency.receipt_seconds(sftp, folder, first + number) for number in range(SMALL_FILES)]
    shown = (
        statistics.median(answers),
        latency.share(answers, 0.99),
        answers[-1],
        statistics.median(waits),
        max(waits),
    )
    return f"| {name} | " + " | ".join(f"{seconds * 1000:.1f} ms" for seconds in shown) + " |"


def _answers(sftp: paramiko.SFTPClient) -> Iterator[float]:
    for _ in range(QUESTIONS):
        time.sleep(PAUSE_SECONDS)
        began = time.perf_counter()
        sftp.stat("/README.txt")
        yield time.perf_counter() - began
