"""The whole job by `ingest`, beside the pandas script with the same rules, interleaved."""

import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import measure, rows

GATEWAY = (sys.executable, "-m", "sftp_gateway")
PANDAS = (sys.executable, str(Path(__file__).with_name("peer_pandas.py")))


@dataclass
class Figures:
    """Runs of one work, ours and the peer's, in pairs."""

    ours: list[measure.Run] = field(default_factory=list)
    peer: list[measure.Run] = field(default_factory=list)

    def row(self, name: str) -> str:
        """Give the line of the table: medians, the ratio pair by pair, peaks."""
        ratio = statistics.median(p.seconds / o.seconds for o, p in zip(self.ours, self.peer, strict=True))
        return (
            f"| {name} | {statistics.median(r.seconds for r in self.ours):.2f} s | "
            f"{statistics.median(r.seconds for r in self.peer):.2f} s | **{ratio:.1f} ×** | "
            f"{max(r.peak_bytes for r in self.ours) / 2**20:,.0f} MiB | {max(r.peak_bytes for r in self.peer) / 2**20:,.0f} MiB |"
        )


def whole_job(folder: Path, count: int, rounds: int) -> list[str]:
    """First day and next day of `count` rows; lines of a Markdown table."""
    first, following = folder / "first.csv", folder / "next.csv"
    rows.write(first, rows.first_day(count, 0.01))
    rows.write(following, rows.next_day(count, 0.01))
    days = {"first day": Figures(), "next day": Figures()}
    for number in range(rounds):
        root, out = folder / f"gateway{number}", folder / f"pandas{number}"
        environ = os.environ | {"SFTP_GATEWAY_STORAGE__ROOT": str(root)}
        subprocess.run([*GATEWAY, "brand", "add", "acme"], env=environ, check=True, stdout=subprocess.DEVNULL)
        for (_, figures), file, previous in zip(
            days.items(), (first, following), ([], [str(out / "version.parquet")]), strict=True
        ):
            figures.ours.append(measure.run([*GATEWAY, "ingest", "--brand", "acme", str(file)], environ))
            # the peer overwrites its version only at its end, after it has read the previous one
            figures.peer.append(measure.run([*PANDAS, str(file), str(out), *previous]))
        shutil.rmtree(root)
        shutil.rmtree(out)
    size = first.stat().st_size / 1e6
    head = [
        f"{count:,} rows of 14 columns ({size:,.0f} MB), 1 % bad; next day: 2 % changed, 0.5 % new, 0.5 % gone; median of {rounds}.",
        "",
        "| work | gateway, `ingest` | pandas, same rules | pandas ÷ gateway | peak, gateway | peak, pandas |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    return head + [figures.row(f"{count:,} rows, {day}") for day, figures in days.items()]
