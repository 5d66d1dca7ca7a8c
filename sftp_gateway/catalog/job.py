"""What the catalog steps are given and what they give back: `Job` in, `Outcome` out.

Both cross a process border (pickled), so they hold values and paths only.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from sftp_gateway.brand import BrandSettings, Guards
from sftp_gateway.catalog.rules.schema import Schema
from sftp_gateway.upload import Mode, State

ACCEPTED, REJECTED = "accepted.parquet", "rejected.parquet"
"""What is kept of a held upload, for a correction to go on from: its rows, and the keys of its rejected ones.

Names end so; several uploads of a brand may be held.
"""


class Base(Struct, frozen=True):
    """A published version to compare with: its Parquet file on local disk.

    `codes`: of all findings of the upload that made it; None where that is not known, or no upload did.
    """

    number: int
    path: Path
    products: int
    codes: frozenset[str] | None = None


class Withheld(Struct, frozen=True):
    """The removals a brand's guard holds back now (spec §7).

    `path`: Parquet with the key columns. `since`: when the first full upload of the unbroken run
    of agreeing full files was received.
    """

    upload: int
    path: Path
    products: int
    since: datetime


class Corrected(Struct, frozen=True):
    """The upload a correction names: `base_version` is what that upload was compared with.

    `changes` are the change files of versions later than it, oldest first. `accepted`
    is set while that upload is `held`: its accepted rows, to be joined by the corrected ones; `rejected`
    holds the keys of its other rows (None: it was held before they were kept).
    """

    upload: int
    state: State
    base_version: int
    changes: tuple[Path, ...]
    accepted: Path | None = None
    rejected: Path | None = None
    mode: Mode = Mode.FULL
    """What a row of that upload meant (`Outcome.rows`): of a correction's correction, what it meant at the start of the chain."""
    sent: Path | None = None
    """Its bytes; None where they are kept no more."""


Lookup = Callable[[int], Corrected | None]
"""Asks the parent for the upload a correction names; None if the brand has no such upload."""

Progress = Callable[[str, float], None]
"""Told the stage and the share (0..1) of it that is done."""


class Job(Struct, frozen=True):
    """Everything that processing one upload may know. Paths are local files."""

    upload: int
    brand: str
    mode: Mode
    path: str
    name: str
    source: Path
    bytes: int
    sha256: str
    complete: bool
    must_end_with_newline: bool
    received_at: datetime
    schema: Schema
    settings: BrandSettings
    guards: Guards
    base: Base | None
    waived: frozenset[str]
    withheld: Withheld | None
    older: tuple[tuple[int, str], ...]
    """(version, sha256) of whole catalogs that made older versions, CATALOG_REVERT; none where this one's bytes made the
    current version."""
    out: Path
    """An empty directory for what is made; on the file system of storage.root."""
    max_file_bytes: int
    memory_bytes: int
    threads: int = 2
    source_upload: int | None = None
    decided: bool = False
    """These bytes made the current version, under these rules and in this mode, and none of their removals waits: what
    guards say of them was decided by then."""


class Made(Struct, frozen=True):
    """A file made in `Job.out`.

    `kind` is errors, errors_json, corrections, withheld (result files with `name` as listed in the
    home), catalog, changes_csv (of the version), keys (the withheld set), accepted or rejected (a held
    upload's rows, and the keys of its rejected ones).
    """

    kind: str
    name: str
    path: Path
    bytes: int


class Outcome(Struct, frozen=True):
    """What became of an upload.

    `receipt`: spec §8 without what only the store knows (`state`, `version`, times.finished are
    set by it). `version`: number the catalog file is meant for (base + 1), None if none is made.
    `withheld`: the brand's withheld set from now on (its keys are the Made of kind `keys`);
    `keeps_withheld`: leave the set as it is (modes other than full, refused files, holds).
    """

    state: State
    receipt: dict[str, Any]
    reasons: tuple[dict[str, Any], ...]
    made: tuple[Made, ...]
    products: int
    mode: Mode
    rows: Mode
    """What a row meant, which it means in corrections of it, too: FULL (the whole product) or PARTIAL (merged with it)."""
    version: int | None = None
    keeps_withheld: bool = True
    withheld_since: datetime | None = None
    """None with keeps_withheld False: nothing is withheld any more."""
    withheld_products: int = 0
    corrects_held: int | None = None
    """The held upload that this one joins and supersedes."""
    ends_with_newline: bool | None = None
    """None: what is known of the brand's files stays."""
    columns: tuple[str, ...] = ()
    """Columns of the version made, in order, without hidden ones."""


class Remade(Struct, frozen=True):
    """A version made from versions, without an upload: a release or a rollback.

    `made` holds the kinds catalog and changes_csv; `changes` the counts of receipt.CHANGES.
    """

    number: int
    made: tuple[Made, ...]
    products: int
    changes: dict[str, int]
    columns: tuple[str, ...]
