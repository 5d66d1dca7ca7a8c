"""A brand's life with the catalog steps alone: what the store and the worker would do, in one object.

Files go in as text; versions, withheld sets, holds and corrections behave as spec §7 says, because this
shop keeps exactly what the store keeps and hands it back in the next Job.
"""

import csv
import dataclasses
import hashlib
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
from msgspec import structs

from sftp_gateway.brand import BrandSettings, Guards
from sftp_gateway.catalog import cells, remake, run
from sftp_gateway.catalog.comparing import diff
from sftp_gateway.catalog.job import Base, Corrected, Job, Outcome, Withheld
from sftp_gateway.catalog.rules import schema
from sftp_gateway.upload import Mode, State

EPOCH = datetime(2026, 1, 5, 12, 0, 0, tzinfo=UTC)
RULES = schema.load(Path(__file__).parent.parent / "config" / "catalog.toml")

SMALL = """
key = ["sku"]
[column.sku]
type = "text"
required = true
max_length = 64
[column.name]
type = "text"
[column.price]
type = "money"
min = 0
[column.stock]
type = "integer"
"""


def small_rules(folder: Path, more: str = ""):
    path = folder / "rules.toml"
    path.write_text(SMALL + more)
    return schema.load(path)


def sheet(rows, columns=("sku", "name", "msrp")) -> str:
    """Give rows as CSV text."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


COLUMNS = ("sku", "name", "price", "stock")


def rows(count, price=10, first=0):
    """Rows of `COLUMNS`, all of them good."""
    return [(f"A-{n}", f"name {n}", f"{price + n % 7}.50", n % 5) for n in range(first, first + count)]


def put(shop, given, columns=COLUMNS, **more):
    """Send rows as a CSV file."""
    return shop.put(sheet(given, columns), **more)


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@dataclasses.dataclass
class Past:
    """An upload that is over: what a correction or an approval goes back to."""

    job: Job
    outcome: Outcome
    state: State
    superseded_by: int | None = None
    """The correction that joined its rows."""


class Shop:
    """One brand. `put` processes a file and makes its outcome true."""

    def __init__(self, folder: Path, rules=RULES, settings: BrandSettings | None = None, guards: Guards | None = None):
        self.folder, self.rules = folder, rules
        self.settings = settings or BrandSettings()
        self.guards = guards or Guards()
        self.base: Base | None = None
        self.withheld: Withheld | None = None
        self.past: dict[int, Past] = {}
        self.working = 0
        """The upload that is processed now."""
        self.ends_with_newline = False
        """What is known of the last published file."""
        self.changes: list[Path] = []
        self.sources: dict[int, tuple[str, Mode | None]] = {}
        """By version: the bytes that made it, and what they were sent as."""
        self.made_by: tuple[str, Mode, str] | None = None
        """Bytes, mode and rules of the upload that made the current version; None if none did."""
        self.now = EPOCH
        self.memory_bytes = self.max_file_bytes = 1024**3

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def put(self, content, mode=Mode.FULL, name="catalog.csv", waived=(), complete=True) -> Outcome:
        """Process a file (text, bytes or a path) as the worker would, and keep what became of it."""
        number = len(self.past) + 1
        out = self.folder / f"out-{number}"
        out.mkdir()
        source = content if isinstance(content, Path) else self.folder / f"source-{number}"
        if not isinstance(content, Path):
            source.write_bytes(content.encode() if isinstance(content, str) else content)
        data = source.read_bytes()
        job = Job(
            upload=number,
            brand="acme",
            mode=mode,
            path=f"inbox/{name}",
            name=name,
            source=source,
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            complete=complete,
            must_end_with_newline=self.ends_with_newline,
            received_at=self.now,
            schema=self.rules,
            settings=self.settings,
            guards=self.settings.guard_limits(self.guards),
            base=self.base,
            waived=frozenset(waived),
            withheld=self.withheld,
            older=self._older(hashlib.sha256(data).hexdigest(), mode),
            decided=self._decided(hashlib.sha256(data).hexdigest(), mode, waived),
            out=out,
            max_file_bytes=self.max_file_bytes,
            memory_bytes=self.memory_bytes,
        )
        return self._run(job)

    def _run(self, job: Job) -> Outcome:
        self.working = job.upload
        return self._take(job, run.process(job, self.lookup, lambda _stage, _share: None))

    def approve(self, number: int) -> Outcome:
        """Run a held upload again against the version of now, its reasons waived."""
        past = self.past[number]
        out = self.folder / f"out-{number}-again"
        out.mkdir()
        waived = frozenset(reason["code"] for reason in past.outcome.reasons)
        job = structs.replace(past.job, base=self.base, withheld=self.withheld, waived=waived, decided=False, out=out)
        return self._run(job)

    def release(self):
        """Approve the latest full upload while products are withheld."""
        out = self.folder / f"release-{self.base.number}"
        out.mkdir()
        made = remake.release(self.base, self.withheld.path, self.rules, out)
        self._point(made.number, made.made, made.products)
        self.withheld = None
        return made

    def refuse(self) -> None:
        """Keep the products whose removal is withheld."""
        assert self.withheld is not None
        self.withheld = None

    def rollback(self, to: Base):
        out = self.folder / f"rollback-{self.base.number}"
        out.mkdir()
        made = remake.rollback(self.base, to, self.rules, out)
        self._point(made.number, made.made, made.products)
        if to.number in self.sources:
            self.sources[made.number] = self.sources[to.number]
        return made

    def _decided(self, digest: str, mode: Mode, waived) -> bool:
        same = self.made_by == (digest, mode, self.rules.digest_with(self.settings))
        return same and self.withheld is None and not waived

    def _older(self, digest: str, mode: Mode) -> tuple[tuple[int, str], ...]:
        now = self.base.number if self.base else 0
        if self.sources.get(now) == (digest, mode):
            return ()
        return tuple((n, sha) for n, (sha, sent) in self.sources.items() if n < now and sent is Mode.FULL)

    def lookup(self, number: int) -> Corrected | None:
        past = self.past.get(number)
        if past is None:
            return None
        before = past.job.base.number if past.job.base else 0
        state = State.HELD if past.superseded_by == self.working else past.state
        kept = {made.kind: made.path for made in past.outcome.made if state is State.HELD}
        return Corrected(
            upload=number,
            state=state,
            base_version=before,
            changes=tuple(self.changes[before:]),
            accepted=kept.get("accepted"),
            rejected=kept.get("rejected"),
            mode=past.outcome.rows,
            sent=past.job.source,
        )

    def _take(self, job: Job, outcome: Outcome) -> Outcome:
        check_figures(outcome)
        self.past[job.upload] = Past(job, outcome, outcome.state)
        if outcome.version is not None:
            self._point(outcome.version, outcome.made, outcome.products)
            told = frozenset(finding["code"] for finding in outcome.receipt["findings"])
            self.base = structs.replace(self.base, codes=told)
            self.sources[outcome.version] = (job.sha256, outcome.mode)
            self.made_by = (job.sha256, outcome.mode, outcome.receipt["rules"])
            if outcome.ends_with_newline is not None:
                self.ends_with_newline = outcome.ends_with_newline
        if not outcome.keeps_withheld:
            keys = next((made.path for made in outcome.made if made.kind == "keys"), None)
            self.withheld = (
                None
                if outcome.withheld_since is None
                else Withheld(job.upload, keys, outcome.withheld_products, outcome.withheld_since)
            )
        if outcome.corrects_held is not None and outcome.state in (State.PUBLISHED, State.HELD, State.UNCHANGED):
            corrected = self.past[outcome.corrects_held]
            corrected.state, corrected.superseded_by = State.SUPERSEDED, job.upload
        return outcome

    def _point(self, number: int, made, products: int) -> None:
        paths = {one.kind: one.path for one in made}
        assert number == (self.base.number if self.base else 0) + 1
        self.base, self.made_by = Base(number, paths["catalog"], products), None
        self.changes.append(paths["changes_csv"])
        assert pq.read_metadata(paths["catalog"]).num_rows == products

    def products(self) -> dict[str, dict[str, object]]:
        """Give the current catalog, by key, filled cells as text."""
        return {} if self.base is None else products(self.base.path, self.rules.key)

    def file(self, outcome: Outcome, kind: str) -> str:
        [path] = [made.path for made in outcome.made if made.kind == kind]
        return path.read_bytes().decode("utf-8-sig")

    def told(self, outcome: Outcome) -> list[dict[str, str]]:
        """Give the lines of the change file."""
        return table(self.file(outcome, "changes_csv"))

    def errors(self, outcome: Outcome) -> list[dict[str, str]]:
        return table(self.file(outcome, "errors")) if any(made.kind == "errors" for made in outcome.made) else []


def products(path: Path, key=("sku",)) -> dict[str, dict[str, object]]:
    whole = pq.read_table(path)
    names = diff.visible(whole.schema)
    columns = {name: cells.text(whole[name]).to_pylist() for name in names}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    found = {
        " | ".join(str(row[name]) for name in key): {name: value for name, value in row.items() if value is not None}
        for row in rows
    }
    assert len(found) == len(rows), "a key comes twice"
    return found


def codes(outcome: Outcome) -> dict[str, int]:
    """Give how often each code was found."""
    counts: dict[str, int] = {}
    for finding in outcome.receipt["findings"]:
        counts[finding["code"]] = counts.get(finding["code"], 0) + finding["count"]
    return counts


def check_figures(outcome: Outcome) -> None:
    """Assert what spec §8 promises of every receipt."""
    rows, changes = outcome.receipt["rows"], outcome.receipt["changes"]
    assert rows["read"] == rows["accepted"] + rows["rejected"] + rows["duplicates"], rows
    assert rows["accepted"] == changes["created"] + changes["updated"] + changes["unchanged"] + changes["deleted"], (
        rows,
        changes,
    )
    gone = changes["removed"] + changes["deleted"]
    products = outcome.receipt["products"]
    if outcome.receipt["mode"] != "correction" or outcome.corrects_held is not None:
        assert rows["warned"] <= rows["accepted"]
    if rows["accepted"]:
        assert products["after"] == products["before"] + changes["created"] - gone, (products, changes)
    for finding in outcome.receipt["findings"]:
        assert len(finding["samples"]) == min(finding["count"], 10)
