"""How the job grows: with bad rows, another order, more columns, ten times the rows. Each beside the plain next day."""

import hashlib
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench import measure, rows
from tests.bench.jobs import Gateway

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Variant:
    """A first and a next day that differ from the plain ones in one thing."""

    name: str
    first: Callable[[], Iterator[str]]
    following: Callable[[], Iterator[str]]
    shuffle: bool = False
    wide: bool = False
    settings: tuple[str, ...] = ()


def growth(folder: Path, count: int, rounds: int) -> list[str]:
    """Measure the variants in turn; lines of a Markdown table."""
    runs: dict[str, list[measure.Run]] = {}
    variants = _variants(count)
    for variant in variants:
        for day, lines in (("first", variant.first), ("next", variant.following)):
            shuffle = variant.shuffle and day == "next"
            rows.write(folder / f"{variant.name}.{day}.csv", lines(), shuffle=shuffle, wide=variant.wide)
    for number in range(rounds):
        for variant in variants:
            gateway = Gateway(folder / f"gateway{number}", *variant.settings)
            gateway.ingest(folder / f"{variant.name}.first.csv")
            runs.setdefault(variant.name, []).append(gateway.ingest(folder / f"{variant.name}.next.csv"))
            gateway.close()
    plain = runs["1 % bad"]
    lines = [
        f"The next day of {count:,} rows; median of {rounds}.",
        "",
        "| next day | seconds | ÷ plain | peak |",
        "| --- | --- | --- | --- |",
    ]
    for name, found in runs.items():
        ratio = statistics.median(one.seconds / other.seconds for one, other in zip(found, plain, strict=True))
        seconds = statistics.median(run.seconds for run in found)
        lines.append(f"| {name} | {seconds:.2f} s | {ratio:.2f} × | {_mebibytes(found)} |")
    worst = zip(runs["all bad"], runs["none bad"], strict=True)
    ratio = statistics.median(one.seconds / other.seconds for one, other in worst)
    return [
        *lines,
        "",
        f"All bad ÷ none bad: {ratio:.2f} ×. Of the latter nearly all rows are known and not checked, of the former each.",
    ]


def _variants(count: int) -> list[Variant]:
    def first(bad: float = 0.01) -> Callable[[], Iterator[str]]:
        return lambda: rows.first_day(count, bad)

    def following(bad: float = 0.01) -> Callable[[], Iterator[str]]:
        return lambda: rows.next_day(count, bad)

    return [
        Variant("1 % bad", first(), following()),
        Variant("none bad", first(0), following(0)),
        Variant("all bad", first(0), following(1)),
        Variant("shuffled", first(), following(), shuffle=True),
        Variant("40 columns", first(), following(), wide=True, settings=("unknown_columns=keep",)),
    ]


def large(folder: Path, count: int) -> list[str]:
    """Measure both days of a large catalog once, beside one SHA-256 over the file; lines of a Markdown table."""
    lines = ["| work | seconds | one SHA-256 over the file | ÷ SHA-256 | peak |", "| --- | --- | --- | --- | --- |"]
    gateway = Gateway(folder / "large")
    for day, made in (("first day", rows.first_day), ("next day", rows.next_day)):
        path = folder / "large.csv"
        rows.write(path, made(count, 0.01))
        before = _hashing_seconds(path)
        run = gateway.ingest(path)
        sha = (before + _hashing_seconds(path)) / 2
        lines.append(
            f"| {count:,} rows, {day} | {run.seconds:.1f} s | {sha:.2f} s | {run.seconds / sha:.1f} × | {_mebibytes([run])} |"
        )
        path.unlink()
    gateway.close()
    return lines


def _hashing_seconds(path: Path) -> float:
    digest = hashlib.sha256()
    spent = 0.0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            began = time.perf_counter()
            digest.update(chunk)
            spent += time.perf_counter() - began
    return spent


def _mebibytes(runs: list[measure.Run]) -> str:
    return f"{max(run.peak_bytes for run in runs) / 2**20:,.0f} MiB"
