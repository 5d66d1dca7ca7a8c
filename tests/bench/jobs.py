"""The whole job by `ingest`, beside pandas and polars scripts with the same rules, interleaved."""

import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import measure, rows

GATEWAY = (sys.executable, "-m", "sftp_gateway")
PEERS = {name: (sys.executable, str(Path(__file__).with_name(f"peer_{name}.py"))) for name in ("pandas", "polars")}


@dataclass
class Figures:
    """Runs of one work, ours and the peers', round by round."""

    ours: list[measure.Run] = field(default_factory=list)
    peers: dict[str, list[measure.Run]] = field(default_factory=lambda: {name: [] for name in PEERS})

    def row(self, name: str) -> str:
        """Give the line of the table: medians, the ratios round by round, peaks."""
        cells = [name, _seconds(self.ours)]
        for runs in self.peers.values():
            ratio = statistics.median(p.seconds / o.seconds for o, p in zip(self.ours, runs, strict=True))
            cells += [_seconds(runs), f"**{ratio:.1f} ×**"]
        cells += [f"{max(r.peak_bytes for r in runs) / 2**20:,.0f} MiB" for runs in (self.ours, *self.peers.values())]
        return "| " + " | ".join(cells) + " |"


def _seconds(runs: list[measure.Run]) -> str:
    return f"{statistics.median(run.seconds for run in runs):.2f} s"


class Gateway:
    """A gateway of its own below `root`, with one brand."""

    def __init__(self, root: Path, *settings: str) -> None:
        self.root = root
        self._environ = os.environ | {"SFTP_GATEWAY_STORAGE__ROOT": str(root)}
        self._call("brand", "add", "acme")
        if settings:
            self._call("brand", "set", "acme", *settings)

    def _call(self, *words: str) -> None:
        subprocess.run([*GATEWAY, *words], env=self._environ, check=True, stdout=subprocess.DEVNULL)

    def ingest(self, file: Path, *words: str) -> measure.Run:
        """Take a file in; also a file that is refused or held is measured."""
        command = [*GATEWAY, "ingest", "--brand", "acme", *words, str(file)]
        return measure.run(command, self._environ, may_fail=True)

    def close(self) -> None:
        """Delete it."""
        shutil.rmtree(self.root)


def whole_job(folder: Path, count: int, rounds: int) -> list[str]:
    """First day and next day of `count` rows; lines of a Markdown table."""
    first, following = folder / "first.csv", folder / "next.csv"
    rows.write(first, rows.first_day(count, 0.01))
    rows.write(following, rows.next_day(count, 0.01))
    days = {"first day": Figures(), "next day": Figures()}
    for number in range(rounds):
        gateway = Gateway(folder / f"gateway{number}")
        for (day, figures), file in zip(days.items(), (first, following), strict=True):
            figures.ours.append(gateway.ingest(file))
            for name, command in PEERS.items():
                out = folder / f"{name}{number}"
                # a peer overwrites its version only at its end, after it has read the previous one
                previous = [] if day == "first day" else [str(out / "version.parquet")]
                figures.peers[name].append(measure.run([*command, str(file), str(out), *previous]))
        gateway.close()
        for name in PEERS:
            shutil.rmtree(folder / f"{name}{number}")
    size = first.stat().st_size / 1e6
    head = [
        f"{count:,} rows of 14 columns ({size:,.0f} MB), 1 % bad; next day: 2 % changed, 0.5 % new, 0.5 % gone; median of {rounds}.",
        "",
        "| work | gateway, `ingest` | pandas, same rules | ÷ gateway | polars, same rules | ÷ gateway | peak, gateway | peak, pandas | peak, polars |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    return head + [figures.row(f"{count:,} rows, {day}") for day, figures in days.items()]
